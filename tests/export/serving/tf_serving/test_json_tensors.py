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


@pytest.mark.parametrize(
    "number",
    [0, -3, 2**24 - 1, 2**24 + 1, -(2**24) - 1, 2**64 - 1, -(2**63), 0.1, 1e39, -1.8e308, 1e-60],
)
def test_any_number_among_samples_is_the_nearest_float(number: float):
    values = [0.25, number, -0.5] * (SAMPLES // 3)
    with np.errstate(over="ignore"):
        nearest = np.array(values, np.float64).astype(np.float32)
    np.testing.assert_array_equal(waveform(values), nearest[np.newaxis])
    assert calls(lambda: waveform(values)) < SAMPLES / 10


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (True, "JSON Value: true Type: True is not of expected type: float"),
        (None, "Type: Null is not of expected type: float"),
        ("0.5", "Type: String is not of expected type: float"),
        ([0.5], "Encountered list at unexpected level: 1 expected < 1"),
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
