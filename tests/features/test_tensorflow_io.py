"""Sound in the graph: the resampler held to soxr, tensorflow-io's decoding to libsndfile's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.errors import ConfigurationError
from ser_keras.features import tensorflow_io
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.features.spec import FeatureSpec
from ser_keras.features.tensorflow_io import resample

pytestmark = pytest.mark.io_stack

RATES = [
    (48000, 22050),
    (44100, 22050),
    (8000, 22050),
    (16000, 22050),
    (192000, 22050),
    (48000, 16000),
    (44101, 22050),  # no common divisor: the way without blocks
]


def tensorflow_io_works() -> bool:
    try:
        tensorflow_io.import_tensorflow_io()
    except ConfigurationError:
        return False
    return True


needs_tensorflow_io = pytest.mark.skipif(
    not tensorflow_io_works(), reason="needs the [io] stack: pip install 'ser-keras[io]'"
)


def chirp(rate: int, highest: float, seconds: float = 1.0) -> np.ndarray:
    """A tone that rises to so many hertz, fading in and out, float32 [N]."""
    time = np.arange(round(rate * seconds)) / rate
    sound = np.sin(np.pi * highest / seconds * time**2) * np.sin(np.pi * time / seconds) ** 2
    return sound.astype(np.float32)


@pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
def test_resampling_is_within_60_db_of_soxr(from_rate: int, to_rate: int):
    sound = chirp(from_rate, highest=0.4 * min(from_rate, to_rate))
    expected = soxr.resample(sound, from_rate, to_rate, quality="VHQ")
    resampled = resample(sound, from_rate, to_rate).numpy()
    assert len(resampled) == -(-len(sound) * to_rate // from_rate)
    length = min(len(resampled), len(expected))
    error = resampled[:length] - expected[:length]
    assert np.sum(error**2) < 1e-6 * np.sum(expected**2)


@pytest.mark.parametrize(("from_rate", "to_rate"), [(48000, 22050), (44101, 22050)])
def test_what_the_new_rate_cannot_hold_is_removed(from_rate: int, to_rate: int):
    time = np.arange(from_rate) / from_rate
    too_high = np.sin(2 * np.pi * 0.52 * to_rate * time).astype(np.float32)
    middle = resample(too_high, from_rate, to_rate).numpy()[1000:-1000]
    assert np.abs(middle).max() < 1e-4


def test_blocks_and_single_samples_give_the_same(monkeypatch: pytest.MonkeyPatch):
    sound = chirp(48000, highest=9000)
    by_blocks = resample(sound, 48000, 22050)
    monkeypatch.setattr(tensorflow_io, "LARGEST_KERNEL", 0)
    np.testing.assert_allclose(resample(sound, 48000, 22050), by_blocks, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 146, 319, 320, 321])
def test_a_few_samples_are_enough(samples: int):
    resampled = resample(np.ones(samples, np.float32), 48000, 22050)
    assert len(resampled) == -(-samples * 147 // 320)
    assert np.isfinite(resampled).all()


def test_the_same_rate_changes_nothing():
    sound = chirp(22050, 5000)
    np.testing.assert_array_equal(resample(sound, 22050, 22050), sound)


def test_twenty_minutes_exceed_no_integer():
    # 57,600,000 samples times 147 are more than 32 bits; one channel of silence is quick.
    graph = tf.function(lambda count: tf.size(resample(tf.zeros([count]), 48000, 22050)))
    assert int(graph(tf.constant(48000 * 1200))) == 22050 * 1200


@pytest.mark.skipif(tensorflow_io_works(), reason="tensorflow-io works here")
def test_without_tensorflow_io_the_error_says_how_to_install_it():
    with pytest.raises(ConfigurationError, match=r"ser-keras\[io\]"):
        extract(Corpus("own", (), ("happy",)), "tensorflow-io")


def extract(corpus: Corpus, decoder: str) -> Extraction:
    return extract_corpus(corpus, FeatureSpec(), False, progress=False, decoder=decoder)


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
def test_tensorflow_io_decodes_all_codings_it_is_said_to(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    from ser_keras.features import graph_extraction

    monkeypatch.setattr(
        graph_extraction, "_fall_back", lambda part, _: pytest.fail(f"{part.path.name} fell back")
    )
    assert len(extract(corpus, "tensorflow-io").corpus) == len(corpus)


@needs_tensorflow_io
def test_what_tensorflow_io_cannot_decode_falls_back(corpus: Corpus, tmp_path: Path):
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
def test_parts_are_cut_alike(tmp_path: Path):
    noise = np.random.default_rng(5).normal(size=5 * 22050) * 0.1
    soundfile.write(tmp_path / "noise.wav", noise, 22050)
    path = tmp_path / "noise.wav"
    parts = (
        Utterance(path, "happy", start=0.5, end=3.1),
        Utterance(path, "happy", start=2.0),
        Utterance(path, "happy", start=9.0),
    )
    corpus = Corpus("own", parts, ("happy",))
    reference, in_graph = extract(corpus, "soundfile"), extract(corpus, "tensorflow-io")
    assert in_graph.failed == reference.failed
    for expected, got in zip(reference.observations, in_graph.observations, strict=True):
        np.testing.assert_array_equal(got, expected)
