"""Slimmed TFLite files are smaller, and compute the same to the last bit."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from ser_keras import export
from ser_keras.export.edge.slimming import ALIGNMENT, slim
from ser_keras.model.vrnn import VRNN

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A network with weights in 8 bits and small constants in 32 bits, once and in a loop."""
    weights = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)

    def layer(sound: tf.Tensor) -> tf.Tensor:
        return tf.tanh(tf.matmul(sound, tf.constant(weights)) + 0.5)

    @tf.function(input_signature=[tf.TensorSpec([1, 64], name="sound")])
    def once(sound: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"result": layer(sound)}

    @tf.function(input_signature=[tf.TensorSpec([1, 64], name="sound")])
    def answer(sound: tf.Tensor) -> dict[str, tf.Tensor]:
        result, _ = tf.while_loop(
            lambda _, count: count < 3, lambda x, count: (layer(x), count + 1), [sound, 0]
        )
        return {"result": result}

    folder = str(tmp_path_factory.mktemp("saved"))
    functions = {"once": once.get_concrete_function(), "answer": answer.get_concrete_function()}
    tf.saved_model.save(tf.Module(), folder, signatures=functions)
    converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(functions))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converted: bytes = converter.convert()
    return converted


@pytest.mark.parametrize("signature", ["once", "answer"])
def test_slim_files_compute_the_same_in_fewer_bytes(content: bytes, signature: str):
    slimmed = slim(content)
    assert len(slimmed) < len(content)
    sound = np.random.default_rng(1).normal(size=(1, 64)).astype(np.float32)
    before, after = (
        Interpreter(model_content=model).get_signature_runner(signature)(sound=sound)["result"]
        for model in (content, slimmed)
    )
    np.testing.assert_array_equal(after, before)
    assert slim(slimmed) == slimmed


def test_what_a_loop_repeats_is_written_once(content: bytes):
    def matrix_products(model: bytes) -> set[int]:
        """Where a file has its products of matrices."""
        root = schema.Model.GetRootAs(model)
        graphs = [root.Subgraphs(index) for index in range(root.SubgraphsLength())]
        operators = [g.Operators(i) for g in graphs for i in range(g.OperatorsLength())]
        product = schema.BuiltinOperator.FULLY_CONNECTED
        return {
            each._tab.Pos
            for each in operators
            if root.OperatorCodes(each.OpcodeIndex()).BuiltinCode() == product
        }

    assert len(matrix_products(content)) == 2
    assert len(matrix_products(slim(content))) == 1


def test_constants_are_aligned(content: bytes):
    slimmed = slim(content)
    for buffer in schema.ModelT.InitFromObj(schema.Model.GetRootAs(slimmed)).buffers:
        if buffer.data is not None and len(buffer.data) > ALIGNMENT:
            assert slimmed.index(bytes(buffer.data)) % ALIGNMENT == 0


def test_the_weights_for_the_edge_are_as_small_as_the_readme_says(tmp_path: Path):
    model = VRNN.from_preset("tiny")  # new weights would be smaller: their biases are all alike
    size = export.tflite(model, tmp_path / "tiny.tflite", "int8").stat().st_size
    assert size < 150_000
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(\d+) KB", readme)) == {str(round(size / 1000))}
