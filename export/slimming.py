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
    and a quantisation for each tensor that has neither; and repetitions of equal shapes.

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
    builder = _Builder(len(content))
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


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


def _size(numbers: Any) -> int:
    return 0 if numbers is None else len(numbers)
