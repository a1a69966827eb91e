"""Observations joined to one picture."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from ser_keras.features import reference
from ser_keras.features.columns import join
from ser_keras.features.spec import FeatureSpec
from ser_keras.model import presets

PATCHES = presets.get("convolutional").features  # 64 frames, 32 of them new


def test_a_frame_is_of_the_first_patch_that_has_it_whole():
    columns = join(PATCHES, instants=3, duration=60.0)
    assert len(columns.begin) == 64 + 32 + 32
    assert columns.instant.tolist() == [0] * 62 + [1] * 32 + [2] * 34
    assert columns.frame.tolist() == [*range(62), *range(30, 62), *range(30, 64)]
    values = np.arange(3 * 64 * 64).reshape(3, 64, 64)
    picture = columns.of(values)
    np.testing.assert_array_equal(picture[:62], values[0, :62])
    np.testing.assert_array_equal(picture[62:94], values[1, 30:62])
    np.testing.assert_array_equal(columns.new_at(2).of(values), values[2, 30:])


@pytest.mark.parametrize("hop", [8 * 128, 1000])  # frames that coincide, and some that do not
def test_a_joined_spectrogram_is_librosas_of_the_whole(hop: int):
    spec = FeatureSpec(
        kind="log-mel", sample_rate=8000, window=15 * 128 / 8000, hop=hop / 8000, mel_bands=20,
        fft_size=512, frame_hop=128, statistics=(), top_db=None,
    )  # fmt: skip
    samples = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    observations = reference.extract(samples, spec)
    columns = join(spec, len(observations), duration=1.0)
    whole = librosa.power_to_db(
        librosa.feature.melspectrogram(y=samples, sr=8000, n_fft=512, hop_length=128, n_mels=20),
        top_db=None,
    ).T
    joined = columns.of(observations)[:-2]  # the last frames end with the last window
    centers = np.rint((columns.instant * hop + columns.frame * 128) / 128).astype(int)[:-2]
    error = np.abs(joined - whole[centers])
    if hop % 128 == 0:
        assert error.max() < 1e-3
    else:  # off by at most half a column
        assert np.median(error) < 2


def test_patches_that_hardly_overlap_leave_no_frame_out():
    spec = FeatureSpec.from_dict(PATCHES.to_dict() | {"hop": PATCHES.window})
    columns = join(spec, instants=3, duration=60.0)
    np.testing.assert_allclose(np.diff((columns.begin + columns.end)[1:]) / 2, 0.016)


def test_what_several_patches_say_of_a_frame_is_averaged():
    """By hand: patches of 5 frames, 2 of them new."""
    spec = FeatureSpec(
        kind="log-mel", sample_rate=8000, window=0.04, hop=0.02, mel_bands=1, fft_size=2,
        frame_hop=80, statistics=(),
    )  # fmt: skip
    assert spec.patch_shape == (5, 1)
    columns = join(spec, instants=2, duration=1.0)
    values = np.array([[10, 11, 12, 13, 14], [20, 21, 22, 23, 24]], float)[..., np.newaxis]
    assert columns.of(values)[:, 0].tolist() == [10, 11, 12, 13, 22, 23, 24]
    assert columns.mean(spec, values)[:, 0].tolist() == [10, 11, 16, 17, 18, 23, 24]


def test_cells_are_found_in_all_patches_that_have_them():
    columns = join(PATCHES, instants=3, duration=60.0)
    chosen = np.zeros((128, 64), bool)
    chosen[40, 4] = chosen[0, 0] = True
    found = columns.spread(PATCHES, chosen, instants=3)
    assert np.argwhere(found).tolist() == [[0, 0, 0], [0, 40, 4], [1, 8, 4]]
    np.testing.assert_array_equal(columns.mean(PATCHES, found.astype(float)), chosen)


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
