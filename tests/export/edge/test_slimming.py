"""Slimmed TFLite files are smaller, and compute the same to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from ser_keras import export
from ser_keras.export.edge.slimming import ALIGNMENT, slim
from ser_keras.model import presets
from ser_keras.model.vrnn import VRNN


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A network with weights in 8 bits, small constants in 32 bits, and a loop."""
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([1, 64], name="sound")])
    def answer(sound: tf.Tensor) -> dict[str, tf.Tensor]:
        result, _ = tf.while_loop(
            lambda _, count: count < 3,
            lambda x, count: (tf.tanh(tf.matmul(x, tf.constant(weights)) + 0.5), count + 1),
            [sound, 0],
        )
        return {"result": result}

    folder = str(tmp_path_factory.mktemp("saved"))
    tf.saved_model.save(tf.Module(), folder, signatures={"answer": answer.get_concrete_function()})
    converter = tf.lite.TFLiteConverter.from_saved_model(folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converted: bytes = converter.convert()
    return converted


def test_slim_files_compute_the_same_in_fewer_bytes(content: bytes):
    slimmed = slim(content)
    assert len(slimmed) < len(content)
    sound = np.random.default_rng(1).normal(size=(1, 64)).astype(np.float32)
    before, after = (
        Interpreter(model_content=model).get_signature_runner("answer")(sound=sound)["result"]
        for model in (content, slimmed)
    )
    np.testing.assert_array_equal(after, before)
    assert slim(slimmed) == slimmed


def test_constants_are_aligned(content: bytes):
    slimmed = slim(content)
    for buffer in schema.ModelT.InitFromObj(schema.Model.GetRootAs(slimmed)).buffers:
        if buffer.data is not None and len(buffer.data) > ALIGNMENT:
            assert slimmed.index(bytes(buffer.data)) % ALIGNMENT == 0


@pytest.mark.parametrize("name", ["tiny"])
def test_the_preset_for_the_edge_is_small(name: str, tmp_path: Path):
    model = VRNN.from_preset(presets.get(name), tuple("abcdefgh"), seed=0)
    model.adapt([np.zeros((1, 1, *model.features.observation_shape), np.float32)])
    assert export.tflite(model, tmp_path / "tiny.tflite", "int8").stat().st_size < 150_000
