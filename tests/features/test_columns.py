"""Observations joined to one picture."""

from __future__ import annotations

import numpy as np
import pytest

from ser_keras.features.columns import join
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import presets

PATCHES = presets.get("convolutional").features  # 64 frames, 32 of them new


def test_a_frame_is_of_the_patch_that_it_was_new_to():
    columns = join(PATCHES, instants=3, duration=60.0)
    assert len(columns.begin) == 64 + 32 + 32
    assert columns.instant.tolist() == [0] * 64 + [1] * 32 + [2] * 32
    assert columns.frame.tolist() == [*range(64), *range(32, 64), *range(32, 64)]
    values = np.arange(3 * 64 * 64).reshape(3, 64, 64)
    picture = columns.of(values)
    np.testing.assert_array_equal(picture[:64], values[0])
    np.testing.assert_array_equal(picture[64:96], values[1, 32:])
    np.testing.assert_array_equal(columns.new_at(2).of(values), values[2, 32:])


def test_columns_are_contiguous_and_centered_on_their_frames():
    columns = join(PATCHES, instants=10, duration=60.0)
    assert columns.begin[0] == 0.0
    np.testing.assert_allclose(columns.begin[1:], columns.end[:-1])
    centers = (columns.begin + columns.end)[1:] / 2
    np.testing.assert_allclose(centers, np.arange(1, len(columns.begin)) * 0.016)


@pytest.mark.parametrize("duration", [0.01, 0.3, 1.0, 2.0])
def test_nothing_lies_behind_the_recording(duration: float):
    instants = max(1, PATCHES.instants(round(duration * PATCHES.sample_rate)))
    columns = join(PATCHES, instants, duration)
    assert columns.end[-1] == duration
    assert (columns.begin < columns.end).all()


def test_pooled_frames_are_one_column_an_instant():
    columns = join(FeatureSpec(), instants=3, duration=10.0)
    assert columns.begin.tolist() == [0.0, 2.0, 3.0]
    assert columns.end.tolist() == [2.0, 3.0, 4.0]
    assert columns.of(np.arange(120).reshape(3, 40)).shape == (3, 40)


def test_windows_with_gaps_between_them_leave_gaps():
    spec = FeatureSpec(window=1.0, hop=1.5)
    columns = join(spec, instants=2, duration=9.0)
    assert columns.begin.tolist() == [0.0, 1.5]
    assert columns.end.tolist() == [1.0, 2.5]


def test_frames_that_do_not_coincide_keep_their_order():
    spec = FeatureSpec(kind="log-mel", statistics=(), window=1.0, hop=0.33)
    columns = join(spec, instants=4, duration=9.0)
    assert (np.diff(columns.begin) > 0).all()
    assert (columns.begin[1:] >= columns.end[:-1] - 1e-9).all()
