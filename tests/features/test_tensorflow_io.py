"""tensorflow-io's decoding held to libsndfile's, and what it leaves to libsndfile."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.features import tensorflow_io
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.segments import Segment, extract_segment
from ser_keras.features.spec import FeatureSpec

pytestmark = pytest.mark.io_stack


def extract(corpus: Corpus, decoder: str) -> Extraction:
    return extract_corpus(corpus, FeatureSpec(), False, progress=False, decoder=decoder)


def tensorflow_io_works() -> bool:
    try:
        extract(Corpus("own", (), ("happy",)), "tensorflow-io")
    except ConfigurationError:
        return False
    return True


needs_tensorflow_io = pytest.mark.skipif(
    not tensorflow_io_works(), reason="needs the [io] stack: pip install 'ser-keras[io]'"
)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow's own decoder of 16-bit WAV in the place of tensorflow-io's."""

    def decode_wav(contents: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        return tf.cast(tf.round(tf.audio.decode_wav(contents).audio * 2.0**15), dtype)

    module = SimpleNamespace(audio=SimpleNamespace(decode_wav=decode_wav))
    monkeypatch.setattr(tensorflow_io, "_import_tensorflow_io", lambda: module)


@pytest.mark.skipif(tensorflow_io_works(), reason="tensorflow-io works here")
def test_without_tensorflow_io_the_error_says_how_to_install_it():
    with pytest.raises(ConfigurationError, match=r"ser-keras\[io\]"):
        extract(Corpus("own", (), ("happy",)), "tensorflow-io")


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(("rate", "in_graph"), [(22050, True), (48000, True), (44101, False)])
def test_rates_with_a_small_ratio_are_resampled_in_the_graph(
    rate: int, in_graph: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(3).normal(size=(3 * rate, 2)) * 0.1
    soundfile.write(path, noise, rate, subtype="PCM_16")
    left: list[Any] = []

    def fall_back(segment: Segment, spec: FeatureSpec) -> Any:
        left.append(segment)
        return extract_segment(segment, spec)

    monkeypatch.setattr(tensorflow_io, "extract_segment", fall_back)
    corpus = Corpus("own", (Utterance(path, "happy", start=0.25),), ("happy",))
    got, expected = extract(corpus, "tensorflow-io"), extract(corpus, "soundfile")
    np.testing.assert_allclose(got.observations[0], expected.observations[0], atol=0.1)
    np.testing.assert_array_equal(got.durations, expected.durations)
    assert len(left) == (0 if in_graph else 1)


@pytest.mark.usefixtures("stand_in")
def test_segments_outside_their_recording_fail_alike(tmp_path: Path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, np.zeros(22050), 22050, subtype="PCM_16")
    corpus = Corpus("own", (Utterance(path, "happy", start=9.0),), ("happy",))
    assert extract(corpus, "tensorflow-io").failed == extract(corpus, "soundfile").failed


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Every coding that tensorflow-io decodes, at the features' rate, with one and two channels."""
    codings = {
        "wav": ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"],
        "flac": ["PCM_S8", "PCM_16", "PCM_24"],
        "ogg": ["VORBIS"],
        "mp3": ["MPEG_LAYER_III"],
    }
    paths = []
    noise = np.random.default_rng(4).normal(size=(60000, 2)) * 0.1
    for suffix, subtypes in codings.items():
        for subtype in subtypes:
            for channels in (1, 2):
                path = tmp_path / f"{subtype}-{channels}.{suffix}"
                soundfile.write(path, noise[:, :channels], 22050, subtype=subtype)
                paths.append(path)
    return Corpus("own", tuple(Utterance(path, "happy") for path in paths), ("happy",))


@needs_tensorflow_io
def test_both_decoders_give_the_same_features(corpus: Corpus):
    reference = extract(corpus, "soundfile")
    in_graph = extract(corpus, "tensorflow-io")
    assert not in_graph.failed
    for expected, got in zip(reference.observations, in_graph.observations, strict=True):
        np.testing.assert_allclose(got, expected, atol=2e-3)


@needs_tensorflow_io
def test_every_listed_coding_is_decoded_by_tensorflow_io(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        tensorflow_io, "extract_segment", lambda segment, _: pytest.fail(f"{segment} fell back")
    )
    assert len(extract(corpus, "tensorflow-io").corpus) == len(corpus)


@needs_tensorflow_io
def test_files_that_tensorflow_io_cannot_decode_fall_back(corpus: Corpus, tmp_path: Path):
    whole = (tmp_path / "PCM_16-1.wav").read_bytes()
    odd = tmp_path / "odd-chunk.wav"  # as half of RAVDESS has it
    odd.write_bytes(whole + b"_PMX" + (3).to_bytes(4, "little") + b"xml\0")
    wide = tmp_path / "wide.wav"
    soundfile.write(wide, np.zeros(60000), 22050, subtype="PCM_32")
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    half = tmp_path / "half.flac"
    half.write_bytes((tmp_path / "PCM_16-1.flac").read_bytes()[:40000])
    paths = [odd, wide, text, half]
    mixed = Corpus("own", tuple(Utterance(path, "happy") for path in paths), ("happy",))
    reference, in_graph = extract(mixed, "soundfile"), extract(mixed, "tensorflow-io")
    assert in_graph.corpus == reference.corpus
    assert in_graph.failed == reference.failed
    assert in_graph.skipped_short == reference.skipped_short
    assert odd in [utterance.path for utterance in in_graph.corpus]


@needs_tensorflow_io
def test_segments_are_cut_alike(tmp_path: Path):
    noise = np.random.default_rng(5).normal(size=5 * 22050) * 0.1
    soundfile.write(tmp_path / "noise.wav", noise, 22050)
    path = tmp_path / "noise.wav"
    segments = (
        Utterance(path, "happy", start=0.5, end=3.1),
        Utterance(path, "happy", start=2.0),
        Utterance(path, "happy", start=9.0),
    )
    corpus = Corpus("own", segments, ("happy",))
    reference, in_graph = extract(corpus, "soundfile"), extract(corpus, "tensorflow-io")
    assert in_graph.failed == reference.failed
    for expected, got in zip(reference.observations, in_graph.observations, strict=True):
        np.testing.assert_array_equal(got, expected)
