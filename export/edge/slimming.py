"""TFLite files without what only a debugger reads: a third of the file where a model is small."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
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
    and a quantisation for each tensor that has neither; and repetitions of equal shapes, tensors,
    operations and their options: the first is written, and all others point there. The tensors of
    each graph are numbered as in the next smaller one where both compute the same, so that the
    operations that a loop repeats are equal to those outside of it.

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

    def shared(table: Any) -> _Once:
        return once.setdefault(_content(table), _Once(table))

    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.name = None
            tensor.buffer = new_index.get(tensor.buffer, 0)
            if tensor.quantization is not None and not _holds(tensor.quantization.scale):
                tensor.quantization = None
        graph.tensors = [shared(each) for each in graph.tensors]
        for operator in graph.operators:
            if operator.builtinOptions is not None:
                operator.builtinOptions = shared(operator.builtinOptions)
    by_size = sorted(enumerate(model.subgraphs), key=lambda each: len(each[1].tensors))
    for (_, smaller), (index, graph) in itertools.pairwise(by_size):
        own = [each for each in model.signatureDefs or [] if each.subgraphIndex == index]
        _renumber(graph, own, _numbers_as_in(smaller, graph))
    for graph in model.subgraphs:
        graph.operators = [shared(each) for each in graph.operators]
    builder = _Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _numbers_as_in(smaller: Any, graph: Any) -> np.ndarray:
    """Return new numbers of a graph's tensors: those of a smaller one where it does the same."""
    count = len(graph.tensors)
    number, taken = np.full(count, -1, np.int32), np.full(count, False)
    matcher = SequenceMatcher(None, _keys(smaller), _keys(graph), autojunk=False)
    for start, own_start, size in matcher.get_matching_blocks():
        wanted = _tensors_of(*smaller.operators[start : start + size])
        own = _tensors_of(*graph.operators[own_start : own_start + size])
        for new, old in zip(wanted, own, strict=True):
            if number[old] < 0 and not taken[new]:
                number[old], taken[new] = new, True
    number[number < 0] = np.flatnonzero(~taken)  # the rest in their order
    return number


def _keys(graph: Any) -> list[Any]:
    """Return a key for each operation of a graph, whatever the numbers of its tensors."""
    return [
        (
            each.opcodeIndex,
            id(each.builtinOptions),
            *(id(graph.tensors[tensor]) for tensor in _tensors_of(each)),
        )
        for each in graph.operators
    ]


def _tensors_of(*operators: Any) -> Iterator[int]:
    """Yield the numbers of the inputs and outputs of operations, one after the other."""
    for each in operators:
        # An input that is left out has the number -1.
        yield from (number for number in (*each.inputs, *each.outputs) if number >= 0)


def _renumber(graph: Any, signatures: Sequence[Any], number: np.ndarray) -> None:
    """Give the tensors of a graph other numbers, also in the signatures that name them."""
    graph.tensors = [graph.tensors[old] for old in np.argsort(number)]
    for part in (graph, *graph.operators):
        part.inputs, part.outputs = (
            np.where(old < 0, old, number[old]).astype(np.int32)
            for old in (part.inputs, part.outputs)
        )
    for signature in signatures:
        for tensor in (*signature.inputs, *signature.outputs):
            tensor.tensorIndex = number[tensor.tensorIndex]


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
