"""What TF Serving, Docker and Kubernetes need beside a model to serve it.

Every file is TF Serving's own (g3doc/serving_config.md, batching/README.md) or refers to it.
What is there already is kept, since people edit these files: only `models.config` gets a model
added that is not in it, and keeps its comments and what it has for TF Serving alone.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import Message

from ser_keras import files
from ser_keras.errors import ConfigurationError
from ser_keras.export.serving.tf_serving import model_config
from ser_keras.export.serving.tf_serving.metrics import PATH as METRICS_PATH
from ser_keras.export.serving.tf_serving.protocol import (
    BatchingParameters,
    ModelServerConfig,
    MonitoringConfig,
)

IMAGE = "tensorflow/serving:2.19.1"
BATCHING, MONITORING = "batching_parameters.txt", "monitoring.config"
COMPOSE, KSERVE = "compose.yaml", "kserve-{name}.yaml"

LARGEST_BATCH = 32
# Waiting for company costs a lone client this much, and saves a busy server about half its work.
BATCH_TIMEOUT_MICROSECONDS = 2000


def write(model: Path) -> list[Path]:
    """Write the bundle beside a model.

    Args:
        model: the folder NAME, whose versions are served.

    Returns:
        The files that were written or changed.

    Raises:
        ConfigurationError: `models.config` cannot be understood.
        OutputError: the folder cannot be written to.
    """
    model = _absolute(model)
    name, folder = model.name, model.parent
    written = []
    for path, text in _texts(folder, name):
        if text is not None and not (path.exists() and path.name != model_config.FILE):
            files.write_text(path, text)
            written.append(path)
    return written


def _texts(folder: Path, name: str) -> Iterator[tuple[Path, str | None]]:
    yield folder / model_config.FILE, _models(folder / model_config.FILE, name)
    yield folder / BATCHING, BATCHING_TEXT + text_format.MessageToString(batching())
    yield folder / MONITORING, text_format.MessageToString(monitoring())
    yield folder / COMPOSE, COMPOSE_TEXT
    yield folder / KSERVE.format(name=name), _kserve(name)


def check(model: Path) -> None:
    """Make sure, before a model is written, that a bundle can be.

    Args:
        model: the folder NAME; need not be there yet.

    Raises:
        ConfigurationError: `models.config` beside it cannot be understood.
    """
    model = _absolute(model)
    _models(model.parent / model_config.FILE, model.name)


def _absolute(model: Path) -> Path:
    # "." has neither name nor parent; a link keeps its own, under which it is served.
    return Path(os.path.abspath(model))  # noqa: PTH100


def _models(path: Path, name: str) -> str | None:
    """`models.config` with the model in it; None where it already is."""
    text = ""
    config = ModelServerConfig()
    if path.exists():
        try:
            text = path.read_text("utf-8")
            text_format.Parse(text, config, allow_unknown_field=True)
        except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
            raise ConfigurationError(f"{path}: expected a ModelServerConfig ({error})") from error
    if any(model.name == name for model in config.model_config_list.config):
        return None
    return _with_model(text, name)


def _with_model(text: str, name: str) -> str:
    """The text of a `models.config` with a model behind all others, and else as it was."""
    added = ModelServerConfig()
    models = added.model_config_list
    models.config.add(name=name, base_path=f"/models/{name}", model_platform="tensorflow")
    end = _end_of_models(text)
    if end is None:
        block, end = text_format.MessageToString(added), len(text)
    else:
        block = text_format.MessageToString(models, indent=2)
    before = text[:end].rstrip(" \t")
    return before + ("\n" if before[-1:] not in ("", "\n") else "") + block + text[len(before) :]


def _end_of_models(text: str) -> int | None:
    """Where the list of models is closed; None where there is no list.

    TF Serving refuses a second list, so that a model must go into the one that is there.
    """
    depth = 0
    inside = False
    for match in WORDS_AND_BRACKETS.finditer(text):
        found = match.group()
        if found in ("{", "<"):
            depth += 1
        elif found in ("}", ">"):
            depth -= 1
            if inside and not depth:
                return match.start()
        elif found == "model_config_list" and not depth:
            inside = True
    return None


def batching() -> Message:
    """How TF Serving puts requests together: a BatchingParameters."""
    parameters = BatchingParameters()
    parameters.max_batch_size.value = LARGEST_BATCH
    parameters.batch_timeout_micros.value = BATCH_TIMEOUT_MICROSECONDS
    parameters.max_enqueued_batches.value = 100
    # Instances that stand in for missing ones cost as much as any: several sizes, the last of
    # which must be the largest.
    parameters.allowed_batch_sizes.extend([1, 2, 4, 8, 16, LARGEST_BATCH])
    # Of waveforms and observations: what lies beyond their length has no influence.
    parameters.pad_variable_length_inputs = True
    return parameters


def monitoring() -> Message:
    """That Prometheus may ask: a MonitoringConfig."""
    config = MonitoringConfig()
    config.prometheus_config.enable = True
    config.prometheus_config.path = METRICS_PATH
    return config


def _kserve(name: str) -> str:
    service = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-") or "model"
    storage = json.dumps(f"pvc://models/{name}")
    return KSERVE_TEXT.replace("@SERVICE@", service[:50]).replace("@STORAGE@", storage)


# Of text that protocol buffers are written in; comments and strings whole, for what they contain.
WORDS_AND_BRACKETS = re.compile(
    r"""\#.*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\w+|[{}<>]""", re.ASCII
)

BATCHING_TEXT = """\
# BatchingParameters; num_batch_threads, left out, is the number of cores.
"""

COMPOSE_TEXT = f"""\
# `docker compose up` in this folder: TF Serving on loopback, REST on 8501 and gRPC on 8500.
services:
  tf-serving:
    image: {IMAGE}
    command:
      - --model_config_file=/models/{model_config.FILE}
      - --model_config_file_poll_wait_seconds=60
      # Labels may name versions that are still loading when the server starts.
      - --allow_version_labels_for_unavailable_models=true
      - --enable_batching=true
      - --batching_parameters_file=/models/{BATCHING}
      - --monitoring_config_file=/models/{MONITORING}
    ports:
      - "127.0.0.1:8500:8500"
      - "127.0.0.1:8501:8501"
    volumes:
      - ./:/models:ro
    healthcheck:
      test: ["CMD-SHELL", "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8501'"]
      interval: 10s
      start_period: 60s
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    stop_grace_period: 30s
    restart: unless-stopped
"""

KSERVE_TEXT = """\
# `kubectl apply -f` this: KServe runs TF Serving and as many copies of it as there is work for.
# The volume claim "models" holds this folder; any other storageUri of KServe's goes as well.
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: @SERVICE@
  annotations:
    prometheus.kserve.io/path: /monitoring/prometheus/metrics
spec:
  predictor:
    minReplicas: 1
    maxReplicas: 8
    scaleMetric: concurrency
    scaleTarget: 16
    timeout: 60
    model:
      modelFormat:
        name: tensorflow
      protocolVersion: v1
      storageUri: @STORAGE@
      resources:
        requests: {cpu: "1", memory: 1Gi}
        limits: {cpu: "2", memory: 2Gi}
"""
