"""Servers on ports of their own, in this process, and models whose answers are easy to know."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from ser_keras.export.serving import command


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert list(self.json) == ["error"]
        return self.json["error"]


@dataclass
class Running:
    """A server."""

    port: int
    folder: Path
    stop: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; a body that is not bytes goes as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())

    def predict(self, model: str, body: Any, **headers: str) -> Reply:
        return self.ask("POST", f"/v1/models/{model}:predict", body, **headers)

    def wait_for(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends
            time.sleep(0.05)


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[Running]:
    """Serve a folder, as the command does."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    options = parser.parse_args([str(folder), "--port", "0", "--poll", "0.1", *words])
    server = command.build(options)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()

    def stop() -> None:
        server.should_exit = True
        thread.join(60)

    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Running(port, folder, stop)
    finally:
        stop()


class Toy(tf.Module):
    """y = factor x + 2, and signatures of every kind of tensor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = tf.Variable(factor)

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")], autograph=False)
    def line(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": self.factor * x + 2.0}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, "int_tensor"),
            tf.TensorSpec([None], tf.string, "str_tensor"),
        ],
        autograph=False,
    )
    def echo(self, int_tensor: tf.Tensor, str_tensor: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"ints": int_tensor, "text": str_tensor, "text_bytes": str_tensor}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    def total(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"sum": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")], autograph=False)
    def inverse(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": 1.0 / x}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")], autograph=False)
    def classify_x(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"scores": self._example(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")], autograph=False)
    def regress_x(self, inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"outputs": self._example(inputs)}

    def _example(self, inputs: tf.Tensor) -> tf.Tensor:
        feature = {"x": tf.io.FixedLenFeature([1], tf.float32)}
        return self.factor * tf.io.parse_example(inputs, feature)["x"] + 2.0


def save_toy(folder: Path, factor: float) -> Path:
    toy = Toy(factor)
    beside = folder.with_name(f".{folder.name}")
    signatures = {"serving_default": toy.line, "echo": toy.echo, "total": toy.total}
    methods = {"classify_x": toy.classify_x, "regress_x": toy.regress_x}
    tf.saved_model.save(
        toy, str(beside), signatures={**signatures, **methods, "inverse": toy.inverse}
    )
    # TensorFlow 2 calls every method predict.
    file = beside / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for name in methods:
        signature = content.meta_graphs[0].signature_def[name]
        signature.method_name = f"tensorflow/serving/{name.partition('_')[0]}"
    file.write_bytes(content.SerializeToString())
    return beside.rename(folder)


@pytest.fixture(scope="package")
def toys(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two versions of the toy: y = x / 2 + 2 and y = 3 x + 2; do not change them."""
    folder = tmp_path_factory.mktemp("toys")
    return {1: save_toy(folder / "1", 0.5), 2: save_toy(folder / "2", 3.0)}


@pytest.fixture(scope="package")
def server(toys: dict[int, Path], servable: Path, tmp_path_factory: pytest.TempPathFactory):
    """Serves `toy`, both versions, one of them labelled, and `vrnn`."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "toy").mkdir()
    for number, toy in toys.items():
        shutil.copytree(toy, folder / "toy" / str(number))
    shutil.copytree(servable.parent, folder / "vrnn")
    words = ["--versions", "all", "--label", "toy:stable=1", "--most-megabytes", "8"]
    with running(folder, *words, "--most-seconds", "20") as server:
        yield server
