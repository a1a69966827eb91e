"""Features of real speech: the front ends against each other, and decoders against libsndfile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
import soxr

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.features import reference
from ser_keras.features.extraction import extract_corpus
from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec
from ser_keras.sound import decoding, resampling

pytestmark = [pytest.mark.real, pytest.mark.io_stack]


@pytest.fixture(scope="module")
def recordings(ravdess: Path) -> list[Path]:
    """Two dozen recordings of several speakers and emotions."""
    paths = sorted(path for path in ravdess.rglob("03-01-*") if path.suffix in (".flac", ".wav"))
    return paths[:: max(1, len(paths) // 24)][:24]


def test_the_reference_is_a_direct_call_of_librosa(recordings: list[Path]):
    samples, rate = soundfile.read(recordings[0], dtype="float32", always_2d=True)
    mono = librosa.to_mono(samples.T)
    if rate != 22050:
        mono = librosa.resample(mono, orig_sr=rate, target_sr=22050)
    windows = librosa.util.frame(mono, frame_length=44100, hop_length=22050, axis=0)
    expected = [librosa.feature.mfcc(y=w, sr=22050, n_mfcc=40).mean(axis=1) for w in windows]
    observations = reference.extract(decoding.load(recordings[0], 22050), FeatureSpec())
    np.testing.assert_allclose(observations, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(),
        FeatureSpec(statistics=("mean", "std")),
        FeatureSpec(kind="log-mel", statistics=()),
    ],
    ids=["MFCC mean", "MFCC mean and std", "log-mel patch"],
)
def test_the_tensorflow_front_end_gives_what_librosa_gives(
    recordings: list[Path], spec: FeatureSpec
):
    frontend = Frontend(spec)
    for path in recordings:
        waveform = decoding.load(path, spec.sample_rate)
        observations, _ = frontend(waveform[None], np.array([len(waveform)]))
        expected = reference.extract(waveform, spec)
        error = np.linalg.norm(observations[0] - expected) / np.linalg.norm(expected)
        assert error < 1e-5
        np.testing.assert_allclose(observations[0], expected, atol=2e-3)


def test_resampling_in_the_graph_hardly_moves_the_features(recordings: list[Path]):
    spec = FeatureSpec()
    for path in recordings[:8]:
        original = soxr.resample(decoding.load(path, 22050), 22050, 48000, quality="VHQ")
        expected = soxr.resample(original, 48000, 22050, quality="HQ")
        resampled = resampling.resample(original, 48000, 22050).numpy()
        np.testing.assert_allclose(
            reference.extract(resampled, spec), reference.extract(expected, spec), atol=0.1
        )


def test_both_decoders_give_the_same_features(recordings: list[Path]):
    corpus = Corpus("some", tuple(Utterance(path, "any") for path in recordings), ("any",))
    options: dict[str, Any] = {"cache": False, "progress": False}
    try:
        in_graph = extract_corpus(corpus, FeatureSpec(), decoder="tensorflow-io", **options)
    except ConfigurationError as error:
        pytest.skip(str(error))
    by_soundfile = extract_corpus(corpus, FeatureSpec(), **options)
    assert in_graph.corpus == by_soundfile.corpus
    for path, expected, got in zip(
        recordings, by_soundfile.observations, in_graph.observations, strict=True
    ):
        at_the_rate_of_the_features = decoding.inspect(path).rate == 22050
        np.testing.assert_allclose(got, expected, atol=1e-4 if at_the_rate_of_the_features else 0.1)
