"""Answers of recordings, for tests that compare them with those of other batches."""

from __future__ import annotations

from typing import Any

import pytest

from ser_keras.model.presets import TINY

# Batches of other sizes are summed up in another order. So a number may differ, and an element
# whose saliency is the mean may be on the other side of it.
NUMBER = 1e-5
BY_NAME = {"sampled_fraction": 2.1 / TINY.features.observation_size, "familiarity": 2e-3}


def assert_alike(found: Any, expected: Any, name: str = "") -> None:
    """Compare answers, or lists of them: all the same, and numbers but for rounding."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_alike(found[key], value, key)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=BY_NAME.get(name, NUMBER)), name
    else:
        assert found == expected, name
