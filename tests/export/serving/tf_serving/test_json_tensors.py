"""Requests of many samples: the values read, the values refused, and the work that it takes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from ser_keras.export.serving.tf_serving import json_tensors, json_text
from ser_keras.export.serving.tf_serving.status import ServingError

SAMPLES = 20_000
INPUTS = {
    "waveform": tf.TensorSpec([None, None], tf.float32),
    "samples": tf.TensorSpec([None], tf.int32),
}


def calls(function: Callable[[], Any]) -> int:
    """How many functions of Python are called."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def waveform(values: list[Any]) -> np.ndarray:
    document = {"instances": [{"waveform": values, "samples": len(values)}]}
    _, tensors = json_tensors.predict_request(document, INPUTS)
    return tensors["waveform"]


@pytest.mark.parametrize("whole", [0, -3, 2**24 - 1])
def test_whole_numbers_among_samples_are_samples(whole: int):
    values = [0.25, whole, -0.5] * (SAMPLES // 3)
    np.testing.assert_array_equal(waveform(values), np.array([values], np.float32))
    assert calls(lambda: waveform(values)) < SAMPLES / 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (True, "JSON Value: true Type: True is not of expected type: float"),
        (None, "Type: Null is not of expected type: float"),
        ("0.5", "Type: String is not of expected type: float"),
        ([0.5], "Encountered list at unexpected level: 1 expected < 1"),
        (2**24, "Cannot convert JSON value: 16777216 to float without loss of precision."),
        (-(2**24), "Cannot convert JSON value: -16777216 to float without loss"),
        (1e39, "Cannot convert JSON value: 1e+39 to float without loss of precision."),
    ],
)
def test_a_value_that_is_no_sample_is_refused_wherever_it_is(wrong: Any, message: str):
    for first in (0.5, 0, 1e9):
        with pytest.raises(ServingError) as refusal:
            waveform([first] * SAMPLES + [wrong])
        assert message in refusal.value.message


def test_an_error_quotes_the_beginning_of_a_long_request_and_reads_no_more_of_it():
    document = {"instances": [{"waveform": [0.5] * SAMPLES}]}
    messages = []

    def ask() -> None:
        with pytest.raises(ServingError) as refusal:
            json_tensors.predict_request(document, INPUTS)
        messages.append(refusal.value.message)

    assert calls(ask) < SAMPLES / 10
    beginning = '{\n    "waveform": [\n        0.5,\n        0.5,'
    assert beginning in messages[0]
    assert messages[0].endswith("... keys must be equal to: samples,waveform")
    assert len(messages[0]) < 2 * json_text.LONGEST_QUOTE


def test_a_whole_number_beyond_64_bits_is_a_float_and_beyond_a_double_is_refused():
    for tolerated in ("", "NaN, "):  # which another parser reads
        values = f"{tolerated}{2**64}, {-(2**63)}, {2**64 - 1}"
        *_, beyond, least, most = json_text.parse(f'{{"x": [{values}]}}'.encode())["x"]
        assert (type(beyond), type(least), type(most)) == (float, int, int)
        assert (beyond, least, most) == (2.0**64, -(2**63), 2**64 - 1)
    with pytest.raises(ServingError, match="Number too big to be stored in double"):
        json_text.parse(b'{"x": [NaN, 1' + b"0" * 400 + b"]}")
