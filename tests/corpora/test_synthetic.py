"""The synthetic corpus: reproducible, whole, and its sound differs with emotion as speech does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_keras import corpora
from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.errors import ConfigurationError, CorpusError


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> corpora.Corpus:
    return corpora.load("synthetic", tmp_path_factory.mktemp("made"), speakers=2, takes=3)


def sound(utterance: corpora.Utterance) -> np.ndarray:
    return soundfile.read(utterance.path)[0]


def pitch(samples: np.ndarray) -> float:
    """The median F0 in Hz of the loud frames, by autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::512]
    loud = frames[np.std(frames, axis=1) > 0.5 * np.std(samples)]
    spectra = np.abs(np.fft.rfft(loud * np.hanning(1024), 4096)) ** 2
    correlation = np.fft.irfft(spectra)[:, : 22050 // 60]
    shortest = 22050 // 650
    return float(np.median(22050 / (shortest + np.argmax(correlation[:, shortest:], axis=1))))


def test_every_speaker_says_every_emotion(corpus: corpora.Corpus):
    assert len(corpus) == 2 * 8 * 3
    assert corpus.emotions == EMOTIONS
    assert set(corpus.counts().values()) == {6}
    assert corpus.speakers == ("01", "02")
    assert {u.speaker: u.sex for u in corpus} == {"01": "male", "02": "female"}


def test_the_files_are_as_described(corpus: corpora.Corpus):
    for utterance in corpus:
        info = soundfile.info(utterance.path)
        assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")
        assert 2.5 <= info.duration <= 4.5
        samples = sound(utterance)
        assert np.isfinite(samples).all()
        assert 0.005 < np.sqrt(np.mean(samples**2)) < 0.5
        assert np.max(np.abs(samples)) < 1.0


def test_the_same_seed_gives_the_same_sound(corpus: corpora.Corpus, tmp_path: Path):
    again = corpora.load("synthetic", tmp_path, speakers=1, takes=1)
    other = corpora.load("synthetic", tmp_path, speakers=1, takes=1, seed=1)

    first = next(u for u in corpus if u.path.name == again[0].path.name)
    assert np.array_equal(sound(again[0]), sound(first))  # whatever the number of speakers
    assert not np.array_equal(sound(again[0])[:50000], sound(other[0])[:50000])


def test_takes_and_speakers_differ(corpus: corpora.Corpus):
    beginnings = {sound(utterance)[:50000].tobytes() for utterance in corpus}

    assert len(beginnings) == len(corpus)


def test_emotions_sound_as_the_literature_says(corpus: corpora.Corpus):
    def mean(measure: Callable[[np.ndarray], float], emotion: str) -> float:
        return float(np.mean([measure(sound(u)) for u in corpus if u.emotion == emotion]))

    def level(samples: np.ndarray) -> float:
        return float(np.sqrt(np.mean(samples**2)))

    def brightness(samples: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2
        return float(power @ np.fft.rfftfreq(len(samples), 1 / 22050) / power.sum())

    assert mean(level, "angry") > 2 * mean(level, "sad")
    assert mean(brightness, "angry") > mean(brightness, "sad")
    assert mean(pitch, "fearful") > 1.1 * mean(pitch, "neutral")


def test_women_speak_higher(corpus: corpora.Corpus):
    def median(sex: str) -> float:
        said = [u for u in corpus if u.sex == sex and u.emotion == "neutral"]
        return float(np.median([pitch(sound(u)) for u in said]))

    assert 80 < median("male") < 160 < median("female") < 280


def test_the_cache_directory_is_the_default(cache_directory: Path):
    corpus = corpora.load("synthetic", speakers=1, takes=1)

    assert all(u.path.is_relative_to(cache_directory) for u in corpus)


def test_existing_files_are_kept_and_missing_ones_made(tmp_path: Path):
    first, second, *_ = corpora.load("synthetic", tmp_path, speakers=1, takes=1)
    kept = first.path.stat().st_mtime_ns
    missing = sound(second)
    second.path.unlink()

    corpora.load("synthetic", tmp_path, speakers=1, takes=1)

    assert first.path.stat().st_mtime_ns == kept
    assert np.array_equal(sound(second), missing)


def test_a_run_that_stops_leaves_no_half_made_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write = soundfile.write

    def stop_half_way(path: Path, samples: np.ndarray, *args: object, **kwargs: object):
        write(path, samples[: len(samples) // 2], *args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(soundfile, "write", stop_half_way)
    with pytest.raises(KeyboardInterrupt):
        corpora.load("synthetic", tmp_path, speakers=1, takes=1)

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_each_choice_of_options_has_its_own_folder(tmp_path: Path):
    one = corpora.load("synthetic", tmp_path, speakers=1, takes=1)
    other = corpora.load("synthetic", tmp_path, speakers=1, takes=1, seed=5)

    assert one.root != other.root


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(CorpusError, match="expected to write the synthetic corpus"):
        corpora.load("synthetic", tmp_path / "file", speakers=1, takes=1)


@pytest.mark.parametrize("options", [{"speakers": 0}, {"takes": 0}, {"seed": -1}])
def test_options_out_of_range_are_refused(tmp_path: Path, options: dict[str, int]):
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        corpora.load("synthetic", tmp_path, **options)
