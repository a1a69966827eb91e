"""The mel filters are librosa's, to the last bit."""

from __future__ import annotations

import librosa
import numpy as np
import pytest

from ser_keras.features.mel import mel_filters


@pytest.mark.io_stack
@pytest.mark.parametrize(
    ("sample_rate", "fft_size", "mel_bands"),
    [
        (22050, 2048, 128),
        (16000, 1024, 64),
        (16000, 512, 40),
        (48000, 2048, 80),
        (8000, 256, 128),  # some bands lie between two frequencies, and are empty
        (1500, 256, 20),  # below the point where the scale becomes logarithmic
    ],
)
@pytest.mark.filterwarnings("ignore:Empty filters")
def test_filters_are_librosas(sample_rate: int, fft_size: int, mel_bands: int):
    expected = librosa.filters.mel(sr=sample_rate, n_fft=fft_size, n_mels=mel_bands)
    found = mel_filters(sample_rate, fft_size, mel_bands)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
