"""Tensors to answers in JSON: the other half of json_tensor.cc of TF Serving in Python."""

from __future__ import annotations

from ser_keras.export.serving.tf_serving import json_text
from ser_keras.export.serving.tf_serving.json_tensors import COLUMN, Tensors
from ser_keras.export.serving.tf_serving.status import invalid


def answer(form: str, outputs: Tensors) -> str:
    """The body that answers a :predict request.

    Raises:
        ServingError: INVALID_ARGUMENT, outputs that have no row form.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    names = sorted(outputs)
    as_bytes = {
        name: outputs[name].dtype.kind in "OS" and name.endswith("_bytes") for name in names
    }
    if form == COLUMN:
        columns = {name: json_text.array(outputs[name], as_bytes[name]) for name in names}
        value = columns[names[0]] if len(names) == 1 else json_text.members(columns, "    ")
        return json_text.members({"outputs": value}, "") + "\n"
    rows = _row_count(names, outputs)
    if len(names) == 1:
        value = json_text.array(outputs[names[0]], as_bytes[names[0]])
    else:
        instances = [
            json_text.members(
                {name: json_text.array(outputs[name][row, ...], as_bytes[name]) for name in names},
                " " * 8,
            )
            for row in range(rows)
        ]
        value = "[\n        " + ",\n        ".join(instances) + "\n    ]" if instances else "[]"
    return json_text.members({"predictions": value}, "") + "\n"


def _row_count(names: list[str], outputs: Tensors) -> int:
    rows = -1
    for name in names:
        if not outputs[name].shape:
            raise invalid("Tensor name: ", name, " has no shape information ")
        if rows not in (-1, outputs[name].shape[0]):
            raise invalid(
                "Tensor name: ", name, " has inconsistent batch size: ", outputs[name].shape[0],
                " expecting: ", rows,
            )  # fmt: skip
        rows = outputs[name].shape[0]
    return rows
