"""TFLite files without what only a debugger reads: a third of the file where a model is small."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np

# TensorFlow has no public name for the format's classes. Tested with TensorFlow 2.17 and 2.21.
from tensorflow.lite.python import schema_py_generated as schema

ALIGNMENT = 16  # of constants in a file, as the schema asks for (Buffer.data: force_align)
_IDENTIFIER = b"TFL3"


def slim(content: bytes) -> bytes:
    """Rewrite the content of a TFLite file in fewer bytes.

    Left out: the names of tensors, since signatures name inputs and outputs themselves; a buffer
    and a quantisation for each tensor that has neither; and repetitions of equal shapes, tensors
    and options of operations: the first is written, and all others point there.

    Example:
        >>> import tensorflow as tf
        >>> add = tf.function(lambda x: x + x, input_signature=[tf.TensorSpec([8], name="sound")])
        >>> functions = [add.get_concrete_function()]
        >>> content = tf.lite.TFLiteConverter.from_concrete_functions(functions, add).convert()
        >>> b"sound" in content, b"sound" in slim(content)
        (True, False)
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    # The first buffer is, by the format, the empty one, which tensors without constants have.
    kept = [0, *(i for i, buffer in enumerate(model.buffers) if i and _holds(buffer.data))]
    new_index = {old: new for new, old in enumerate(kept)}
    model.buffers = [model.buffers[index] for index in kept]
    for entry in model.metadata or []:
        entry.buffer = new_index[entry.buffer]
    once: dict[Any, _Once] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
            tensor.buffer = new_index.get(tensor.buffer, 0)
            if tensor.quantization is not None and not _holds(tensor.quantization.scale):
                tensor.quantization = None
        graph.tensors = [once.setdefault(_content(each), _Once(each)) for each in graph.tensors]
        for operator in graph.operators:
            options = operator.builtinOptions
            if options is not None:
                operator.builtinOptions = once.setdefault(_content(options), _Once(options))
    builder = _Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


class _Once:
    """A table that is written once, however many others refer to it; packs as `schema` does."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._offset: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:
        if self._offset is None:
            self._offset = self._table.Pack(builder)
        return self._offset


class _Builder(flatbuffers.Builder):
    """Writes equal arrays of numbers once, and constants where a processor reads them fast."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Write an array, or return the offset of an equal one."""
        key = _content(x)
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(ALIGNMENT, x.nbytes)
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


def _content(table: Any) -> Any:
    """A key that tables or arrays of equal content share."""
    if isinstance(table, np.ndarray):
        return table.dtype.str, table.tobytes()
    if hasattr(table, "__dict__"):
        return type(table), tuple((name, _content(value)) for name, value in vars(table).items())
    return table


def _holds(numbers: Any) -> bool:
    return numbers is not None and len(numbers) > 0
