"""TFLite files without what only a debugger reads: a third of the file where a model is small."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # of constants in a file, as the schema asks for (Buffer.data: force_align)


def slim(content: bytes) -> bytes:
    """The same model in fewer bytes.

    Left out: the names of tensors, since signatures name inputs and outputs themselves; a buffer
    and a quantisation for each tensor that has neither; and repetitions of equal shapes, tensors
    and options of operations: what is equal is written once, and all that is of it points there.

    Args:
        content: of a TFLite file.

    Returns:
        The content of a file that computes the same.
    """
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content))
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    entries = model.metadata or []
    # The first buffer is, by the format, the empty one, which tensors without constants have.
    kept = [0, *(i for i, buffer in enumerate(model.buffers) if i and _size(buffer.data))]
    places = {old: new for new, old in enumerate(kept)}
    model.buffers = [model.buffers[index] for index in kept]
    for tensor in tensors:
        tensor.name = None
        tensor.buffer = places.get(tensor.buffer, 0)
        if tensor.quantization is not None and not _size(tensor.quantization.scale):
            tensor.quantization = None
    for entry in entries:
        entry.buffer = places[entry.buffer]
    once: dict[Any, _Once] = {}
    for graph in model.subgraphs:
        graph.tensors = [once.setdefault(_content(part), _Once(part)) for part in graph.tensors]
        for operator in graph.operators:
            options = operator.builtinOptions
            if options is not None:
                operator.builtinOptions = once.setdefault(_content(options), _Once(options))
    builder = _Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _Once:
    """A part of a model that is written once, however many parts it is of."""

    def __init__(self, part: Any) -> None:
        self._part = part
        self._place: int | None = None

    def Pack(self, builder: flatbuffers.Builder) -> int:
        """Write the part, or point to where it is."""
        if self._place is None:
            self._place = self._part.Pack(builder)
        return self._place


class _Builder(flatbuffers.Builder):
    """Writes equal arrays of numbers once, and constants where a processor reads them fast."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._written: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        """Write an array, or point to the one that is there."""
        key = (x.dtype.str, x.tobytes())
        if key not in self._written:
            if x.dtype == np.uint8:
                self.Prep(ALIGNMENT, x.nbytes)
            self._written[key] = super().CreateNumpyVector(x)
        return self._written[key]


def _content(part: Any) -> Any:
    """What two parts of a model are equal by."""
    if isinstance(part, np.ndarray):
        return part.dtype.str, part.tobytes()
    if hasattr(part, "__dict__"):
        return type(part), tuple((name, _content(value)) for name, value in vars(part).items())
    return part


def _size(numbers: Any) -> int:
    return 0 if numbers is None else len(numbers)
