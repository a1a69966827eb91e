"""Requests that a server sends to a model itself before it calls a version available.

TF Serving replays `assets.extra/tf_serving_warmup_requests`, a TFRecord file of PredictionLog
messages (g3doc/saved_model_warmup.md); so does the local server.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from ser_keras.export.serving.tf_serving.protocol import PredictionLog

PATH = Path("assets.extra") / "tf_serving_warmup_requests"
MOST_REQUESTS = 1000  # TF Serving refuses a file with more


def write(path: Path, model: str, requests: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Write requests to a model of this name, each a signature and its inputs.

    Example:
        >>> write(Path("requests"), "vrnn", [("waveform", {"samples": np.array([3])})])
        >>> list(read(Path("requests")))
        [('waveform', {'samples': array([3])})]
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, inputs in requests:
            log = PredictionLog()
            request = log.predict_log.request
            request.model_spec.name = model
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                # Through bytes: the messages of `protocol` have their own pool.
                proto = tf.make_tensor_proto(value)
                request.inputs[name].ParseFromString(proto.SerializeToString())
            file.write(log.SerializeToString())


def read(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield the requests of a file, as `write` takes them; none where there is no file.

    Example:
        >>> list(read(Path("nowhere")))
        []
    """
    if not path.is_file():
        return
    for record in tf.data.TFRecordDataset(str(path)).take(MOST_REQUESTS).as_numpy_iterator():
        request = PredictionLog.FromString(record).predict_log.request
        inputs = {}
        for name, proto in request.inputs.items():
            own = tensor_pb2.TensorProto.FromString(proto.SerializeToString())
            inputs[name] = tf.make_ndarray(own)
        yield request.model_spec.signature_name, inputs


def requests(description: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Make requests to every signature of a model, so that the first client need not wait.

    Each is two instants long, in batches of one and of two.

    Example:
        >>> from ser_keras.export.graph.inference import describe
        >>> [signature for signature, inputs in requests(describe(model))][:4]
        ['serving_default', 'waveform', 'features', 'mfcc']
    """
    rate = description["sample_rate"]
    samples = description["window_length"] + description["hop_length"]
    noise = np.random.default_rng(0).normal(0.0, 0.01, samples).astype(np.float32)
    size, state = description["observation_size"], description["state_size"]
    # As `ser_keras.export.graph.signatures` names them.
    has_mfccs = description["preset"]["features"]["kind"] == "mfcc"
    names = ("features", "mfcc") if has_mfccs else ("features",)
    made: list[tuple[str, dict[str, Any]]] = []
    for batch in (1, 2):
        lengths, instants = np.full(batch, samples, np.int32), np.full(batch, 2, np.int32)
        observations = np.zeros((batch, 2, size), np.float32)
        states = np.zeros((batch, state), np.float32)
        made += [
            ("serving_default", {"audio": [wav(noise, rate), *[wav(noise, 48000)] * (batch - 1)]}),
            ("waveform", {"waveform": np.tile(noise, (batch, 1)), "samples": lengths}),
            *((name, {name: observations, "instants": instants}) for name in names),
            ("step", {"observation": observations[:, 0], "state": states}),
        ]
    return made


def wav(samples: np.ndarray, rate: int) -> bytes:
    """Return a 16-bit WAV file of samples [N], whose full scale is -1 to 1.

    Example:
        >>> from ser_keras.export.serving.tf_serving import warm_up
        >>> warm_up.wav(np.zeros(8000), rate=8000)[:4]
        b'RIFF'
    """
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()
