"""One model trained by two processes through tf.distribute, and what both end with."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# Python that is worker argv[1] of the addresses argv[2:]; each trains on its half of every batch.
WORKER = """
import json, os, sys
index, addresses = int(sys.argv[1]), sys.argv[2:]
task = {"type": "worker", "index": index}
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
import numpy as np, tensorflow as tf
strategy = tf.distribute.MultiWorkerMirroredStrategy()
from pathlib import Path
from ser_keras.training import pipeline
from ser_keras.model import presets
from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.features.extraction import Extraction
from ser_keras.model.vrnn import VRNN

generator = np.random.default_rng(0)
made_up = tuple(Utterance(Path(f"{number}.wav"), "abcd"[number % 4]) for number in range(32))
extraction = Extraction(
    corpus=Corpus("made-up", made_up, tuple("abcd")),
    observations=[
        generator.normal(size=(1 + number % 3, 40)).astype("float32") for number in range(32)
    ],
    durations=np.ones(32),
    skipped_short=(),
    failed=(),
)
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
utterances = pipeline.batches(extraction, 1).unbatch()
data = utterances.shuffle(32, seed=0).padded_batch(16).with_options(options)
sizes = {f"{lstm}_units": 8 for lstm in ("recognition", "generation", "classification")}
with strategy.scope():
    model = VRNN(list("abcd"), presets.RAVDESS.with_settings(sizes), seed=0)
    model.compile()
model.adapt(data)
history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
print(json.dumps({
    "replicas": strategy.num_replicas_in_sync,
    "history": {name: np.array(values).tolist() for name, values in history.items()},
    "weights": [float(np.abs(weight).sum()) for weight in model.get_weights()],
}))
"""


def free_addresses(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs collectives over loopback")
def test_two_workers_train_one_model():
    addresses = free_addresses(2)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(index), *addresses],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        for index in range(2)
    ]
    try:
        answers = [worker.communicate(timeout=300) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for worker, (_, told) in zip(workers, answers, strict=True):
        assert worker.returncode == 0, told
    one, other = (json.loads(out.splitlines()[-1]) for out, _ in answers)
    assert one["replicas"] == 2
    assert one["weights"] == other["weights"]  # each other's gradients reached both
    for name in ("loss", "val_loss", "accuracy"):
        values = np.array(one["history"][name])
        assert values.shape == (2,)
        assert np.all(np.isfinite(values))
        np.testing.assert_allclose(values, other["history"][name], rtol=1e-6)
