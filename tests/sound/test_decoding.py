"""Decoding held to NumPy and librosa, and every kind of file that a user may hand over."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from ser_keras.errors import AudioError, AudioWarning
from ser_keras.sound import decoding


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """A tone of 440 Hz, [N, channels], each channel softer than the one before."""
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * 440 * time)[:, None] / np.arange(1, channels + 1)


def reason(path: Path) -> str:
    """Why a file cannot be used; the error must name the file."""
    with pytest.raises(AudioError) as caught:
        decoding.load(path, 22050)
    assert str(path) in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize(
    ("coding", "tolerance"), [("PCM_U8", 2**-7), ("PCM_16", 2**-15), ("PCM_24", 2**-23)]
)
def test_every_depth_decodes_to_the_same_scale(tmp_path: Path, coding: str, tolerance: float):
    sound = tone(0.5, 22050)
    soundfile.write(tmp_path / "tone.wav", sound, 22050, subtype=coding)
    samples, rate = decoding.decode(tmp_path / "tone.wav")
    assert rate == 22050
    assert samples.dtype == np.float32
    np.testing.assert_allclose(samples, sound, atol=tolerance)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_every_container_decodes(tmp_path: Path, suffix: str):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(1.0, 22050), 22050)
    assert np.sqrt(np.mean(decoding.load(path, 22050) ** 2)) == pytest.approx(
        0.5 / 2**0.5, rel=0.05
    )


def test_channels_are_averaged(tmp_path: Path):
    sound = tone(0.3, 22050, channels=6)
    soundfile.write(tmp_path / "six.wav", sound, 22050, subtype="FLOAT")
    samples = decoding.load(tmp_path / "six.wav", 22050)
    np.testing.assert_allclose(samples, sound.mean(axis=1), atol=1e-6)


@pytest.mark.filterwarnings("ignore:'.*' is deprecated and slated for removal")  # by audioread
@pytest.mark.parametrize("rate", [8000, 44100, 48000, 192000])
def test_any_rate_is_resampled_as_librosa_does(tmp_path: Path, rate: int):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(0.7, rate, channels=2), rate, subtype="FLOAT")
    expected, _ = librosa.load(path, sr=22050)
    np.testing.assert_allclose(decoding.load(path, 22050), expected, atol=1e-6)


@pytest.mark.parametrize("seconds", [0.1, 1200.0])
def test_short_and_long_recordings_keep_their_length(tmp_path: Path, seconds: float):
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.zeros(round(seconds * 8000)), 8000)
    assert len(decoding.load(path, 8000)) == seconds * 8000


def test_silence_is_sound(tmp_path: Path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(2000), 22050)
    assert not decoding.load(tmp_path / "silence.wav", 22050).any()


def test_a_segment_is_the_sound_between_its_seconds(tmp_path: Path):
    path = tmp_path / "ramp.wav"
    ramp = np.linspace(-0.5, 0.5, 4000)
    soundfile.write(path, ramp, 1000, subtype="FLOAT")
    segment = decoding.load(path, 1000, start=1.0, end=2.5)
    np.testing.assert_allclose(segment, ramp[1000:2500], atol=1e-7)
    np.testing.assert_allclose(decoding.load(path, 1000, start=3.0), ramp[3000:], atol=1e-7)
    assert len(decoding.load(path, 1000, start=3.0, end=99.0)) == 1000


@pytest.mark.parametrize(("start", "end"), [(9.0, None), (-1.0, None), (0.5, 0.5), (0.8, 0.2)])
def test_a_segment_outside_the_recording_is_an_error(
    tmp_path: Path, start: float | None, end: float | None
):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(1.0, 8000), 8000)
    with pytest.raises(AudioError, match=r"tone\.wav.*expected"):
        decoding.load(path, 8000, start, end)


def test_bytes_and_files_decode_as_paths_do(tmp_path: Path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(0.2, 22050), 22050)
    expected, _ = decoding.decode(path)
    np.testing.assert_array_equal(decoding.decode(path.read_bytes())[0], expected)
    with path.open("rb") as file:
        np.testing.assert_array_equal(decoding.decode(file)[0], expected)
        assert not file.closed


def test_missing_and_empty_files_and_folders_are_errors(tmp_path: Path):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "folder.wav").mkdir()
    assert "No such file" in reason(tmp_path / "missing.wav")
    assert "found an empty file" in reason(tmp_path / "empty.wav")
    assert "cannot be opened" in reason(tmp_path / "folder.wav")
    with pytest.raises(AudioError, match="sound in memory: expected sound, found an empty file"):
        decoding.decode(b"")


@pytest.mark.parametrize("name", ["text.wav", "text.flac", "text.mp3", "text.raw"])
def test_text_is_not_sound(tmp_path: Path, name: str):
    (tmp_path / name).write_text("This is not sound at all. " * 40)
    assert "expected sound, found text, 'This is not" in reason(tmp_path / name)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "FLAC", "OGG", "MP3"])
def test_a_truncated_file_is_an_error(tmp_path: Path, container: str):
    whole = io.BytesIO()
    noise = np.random.default_rng(0).normal(scale=0.1, size=22050)
    soundfile.write(whole, noise, 22050, format=container)
    (tmp_path / "half").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    found = reason(tmp_path / "half")
    if container in ("WAV", "AIFF", "MP3"):
        assert "truncated" in found


def test_a_length_that_the_writer_could_not_know_is_accepted():
    whole = io.BytesIO()
    sound = tone(1.0, 8000)
    soundfile.write(whole, sound, 8000, format="WAV", subtype="PCM_16")
    piped = bytearray(whole.getvalue())
    piped[4:8] = piped[40:44] = b"\xff\xff\xff\xff"
    with pytest.warns(AudioWarning, match="does not say how long the sound is"):
        samples = decoding.load(bytes(piped), 8000)
    np.testing.assert_allclose(samples, sound[:, 0], atol=2**-14)


@pytest.mark.parametrize("size", [3, 20, 44])
def test_a_file_truncated_before_its_sound_is_an_error(tmp_path: Path, size: int):
    whole = io.BytesIO()
    soundfile.write(whole, tone(1.0, 8000), 8000, format="WAV")
    (tmp_path / "stump.wav").write_bytes(whole.getvalue()[:size])
    assert reason(tmp_path / "stump.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_an_error(tmp_path: Path, value: float):
    sound = tone(0.5, 22050)
    sound[100] = value
    soundfile.write(tmp_path / "broken.wav", sound, 22050, subtype="FLOAT")
    assert "expected finite samples" in reason(tmp_path / "broken.wav")


def wav(rate: int, channels: int) -> bytes:
    """The 44 bytes of a WAV header that claims four gigabytes of sound, and eight bytes of it."""
    form = struct.pack("<HHIIHH", 1, channels, rate, 0, 2 * channels, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", 2**32 - 100)
    return b"RIFF" + struct.pack("<I", 2**32 - 64) + chunks + bytes(8)


@pytest.mark.parametrize(
    ("rate", "channels"), [(100_000_000, 1), (10, 1), (22050, 65), (22050, 1000)]
)
def test_a_header_beyond_the_limits_is_refused(tmp_path: Path, rate: int, channels: int):
    (tmp_path / "claims.wav").write_bytes(wav(rate, channels))
    assert reason(tmp_path / "claims.wav")


def test_memory_follows_what_a_file_holds_and_not_what_it_claims(tmp_path: Path):
    (tmp_path / "claims.wav").write_bytes(wav(22050, 1))
    with pytest.warns(AudioWarning, match="read to its end"):
        assert len(decoding.load(tmp_path / "claims.wav", 22050)) == 4


def test_too_long_a_recording_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    soundfile.write(tmp_path / "long.wav", np.zeros(8000), 8000)
    monkeypatch.setattr(decoding, "LONGEST_DURATION", 0.5)
    assert "expected at most" in reason(tmp_path / "long.wav")


def test_a_header_is_read_without_decoding(tmp_path: Path):
    soundfile.write(tmp_path / "two.flac", tone(0.5, 8000, channels=2), 8000, subtype="PCM_16")
    assert decoding.inspect(tmp_path / "two.flac") == decoding.Header(
        "FLAC", "PCM_16", 8000, 2, 4000
    )
