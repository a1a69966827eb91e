"""One model trained by two processes through tf.distribute, and what both end with.

By hand as any Keras model, and by `ser-keras train`, also where a worker is killed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ser_keras.commands import main as cli
from ser_keras.errors import ConfigurationError
from ser_keras.training import workers

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


# `ser-keras` that keeps a backup of every epoch, so that little is done again.
COMMAND = """
import sys
from ser_keras.commands import main
from ser_keras.training import checkpoint
checkpoint.BACKUP_EVERY = 0.0
sys.exit(main.main(sys.argv[1:]))
"""


class Cluster:
    """Two workers on loopback that run one command."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.words, self.folder = words, folder
        self.addresses = free_addresses(2)
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, index: int) -> None:
        task = {"type": "worker", "index": index}
        cluster = json.dumps({"cluster": {"worker": self.addresses}, "task": task})
        with (self.folder / f"{index}.txt").open("ab") as told:
            self.running[index] = subprocess.Popen(
                [sys.executable, "-c", COMMAND, *self.words],
                stdout=subprocess.DEVNULL,
                stderr=told,
                cwd=Path(__file__).parents[2],
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_CONFIG": cluster},
            )

    def told(self, index: int) -> str:
        return (self.folder / f"{index}.txt").read_text(errors="replace")

    def wait(self) -> None:
        for index, worker in self.running.items():
            assert worker.wait(timeout=1200) == 0, self.told(index)


@pytest.fixture(scope="module")
def settings(tiny_settings: dict[str, Any]) -> list[str]:
    """A training of batches that two workers cannot halve, with noise and copies."""
    changed = {"batch_size": 7, "epochs": 12, "copies": 1, "weight_average": 0.9}
    pairs = (tiny_settings | changed).items()
    return ["--seed", "1", *(word for key, value in pairs for word in ("--set", f"{key}={value}"))]


@pytest.fixture(scope="module")
def alone(manifest: Path, settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of one process on sound."""
    out = tmp_path_factory.mktemp("alone") / "run"
    corpus = ["--corpus", "manifest", "--data", str(manifest)]
    assert cli.main(["train", *corpus, *settings, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def shards(manifest: Path, settings: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same corpus as shards."""
    out = tmp_path_factory.mktemp("shards")
    corpus = ["--corpus", "manifest", "--data", str(manifest)]
    assert cli.main(["features", *corpus, *settings, "--out", str(out)]) == 0
    return out


@pytest.fixture
def cluster(shards: Path, settings: list[str], tmp_path: Path) -> Iterator[Cluster]:
    """Two workers on the shards."""
    words = ["train", "--features", str(shards), *settings, "--out", str(tmp_path / "run")]
    made = Cluster(words, tmp_path)
    yield made
    for worker in made.running.values():
        worker.kill()
        worker.wait()


def assert_like(run: Path, alone: Path) -> None:
    one, other = (keras.saving.load_model(each / "model.keras") for each in (run, alone))
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)
    assert (run / "split.csv").read_text() == (alone / "split.csv").read_text()
    assert {path.name for path in run.iterdir()} == {path.name for path in alone.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="needs collectives over loopback")
def test_the_command_learns_on_two_workers_what_it_learns_alone(
    cluster: Cluster, alone: Path, tmp_path: Path
):
    cluster.start(0)
    cluster.start(1)
    cluster.wait()
    assert_like(tmp_path / "run", alone)
    assert "epoch 12 of 12" in cluster.told(0)
    assert "epoch" not in cluster.told(1)  # one tells, and writes
    cluster.start(1)  # as a scheduler may; there is nothing left to wait for
    assert cluster.running[1].wait(timeout=300) == 0
    assert "is trained already" in cluster.told(1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs collectives over loopback")
@pytest.mark.parametrize("killed", [0, 1])
def test_a_worker_is_killed_and_started_again(
    killed: int, cluster: Cluster, alone: Path, tmp_path: Path
):
    cluster.start(0)
    cluster.start(1)
    deadline = time.monotonic() + 300
    while not list((tmp_path / "run" / "backup").glob("[0-9]*.npz")):
        assert time.monotonic() < deadline, cluster.told(0)
        time.sleep(0.01)
    cluster.running[killed].kill()
    cluster.running[killed].wait()
    cluster.start(killed)
    cluster.wait()
    assert "a worker was lost; starting again" in cluster.told(1 - killed)
    assert_like(tmp_path / "run", alone)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ("{", "expected JSON with a cluster and this task's type and index in it, found '{'"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "expected JSON with a cluster and this task's"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "expected JSON with a cluster and this task's",
        ),
        (
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
            "expected a cluster of workers, perhaps with a chief, found ps",
        ),
    ],
)
def test_a_cluster_that_is_none_is_refused(
    described: str, message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TF_CONFIG", described)
    with pytest.raises(ConfigurationError) as error:
        workers.join()
    assert str(error.value).startswith(f"TF_CONFIG: {message}")


@pytest.mark.parametrize(
    "described",
    ["", "{}", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'],
)
def test_one_worker_needs_no_cluster(described: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TF_CONFIG", described)
    strategy = workers.join()
    assert strategy.num_replicas_in_sync == 1
    assert workers.is_chief(strategy)


@pytest.mark.skipif(sys.platform == "win32", reason="needs collectives over loopback")
def test_a_worker_does_not_wait_for_ever():
    task = {"type": "worker", "index": 0}
    cluster = json.dumps({"cluster": {"worker": free_addresses(2)}, "task": task})
    ended = subprocess.run(
        [sys.executable, "-c", "from ser_keras.training import workers; workers.join(wait=2.0)"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TF_CONFIG": cluster},
    )
    assert ended.returncode == 1
    assert "TF_CONFIG: waiting for 2 workers, for 2 s at most" in ended.stderr
