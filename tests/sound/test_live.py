"""Sound from a pipe: WAV and bare samples, in whatever chunks they come."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.errors import AudioError, AudioWarning, ConfigurationError
from ser_keras.sound import decoding
from ser_keras.sound.live import RawFormat, from_microphone, from_pipe

SAMPLES = np.random.default_rng(0).uniform(-0.9, 0.9, (5000, 2))


def through_a_pipe(content: bytes, raw: RawFormat, size: int = 1021) -> list:
    """The chunks read from a pipe into which another thread writes so many bytes at a time."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as end:
            for start in range(0, len(content), size):
                end.write(content[start : start + size])

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb") as pipe:
        try:
            return list(from_pipe(pipe, raw))
        finally:
            while pipe.read(1 << 16):
                pass
            writer.join()


def wav(subtype: str, form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 22_050, format=form, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_32", "FLOAT", "DOUBLE"])
def test_a_wav_is_what_soundfile_reads(subtype: str, form: str):
    content = wav(subtype, form)
    expected, _ = soundfile.read(io.BytesIO(content), dtype="float32")
    chunks = through_a_pipe(content, RawFormat())
    assert {rate for _, rate in chunks} == {22_050}
    np.testing.assert_allclose(np.concatenate([c for c, _ in chunks]), expected, atol=1e-7)


def test_a_wav_ends_where_its_sound_ends():
    """Editors put descriptions behind it, which would be noise."""
    content = wav("PCM_16")
    note = b"LIST" + (5000).to_bytes(4, "little") + b"x" * 5000
    riff = len(content) - 8 + len(note)
    chunks = through_a_pipe(b"RIFF" + riff.to_bytes(4, "little") + content[8:] + note, RawFormat())
    assert sum(len(samples) for samples, _ in chunks) == len(SAMPLES)


def test_a_header_that_arrives_byte_by_byte_is_a_header():
    content = wav("PCM_16")
    content = content[:40] + bytes([100, 0, 0, 0]) + content[44:]  # 25 frames
    chunks = through_a_pipe(content, RawFormat(), size=1)
    assert sum(len(samples) for samples, _ in chunks) == 25
    assert {rate for _, rate in chunks} == {22_050}


def unknown_length(content: bytes, length: bytes) -> bytes:
    size = content.index(b"data") + 4
    return content[:size] + length + content[size + 4 :]


@pytest.mark.parametrize("length", [bytes(4), b"\xff" * 4, b"\x00\x00\x00\x80"])
@pytest.mark.parametrize("subtype", ["PCM_16", "GSM610"])
def test_a_wav_of_unknown_length_is_read_to_its_end(length: bytes, subtype: str):
    file = io.BytesIO()
    soundfile.write(file, SAMPLES[:, 0], 22_050, format="WAV", subtype=subtype)
    with pytest.warns(AudioWarning, match="standard input: the header does not say how long"):
        chunks = through_a_pipe(unknown_length(file.getvalue(), length), RawFormat())
    assert sum(len(samples) for samples, _ in chunks) >= len(SAMPLES)


def test_an_empty_wav_with_a_note_behind_it_has_no_sound():
    content = unknown_length(wav("PCM_16")[:44], bytes(4)) + b"LIST" + bytes([4, 0, 0, 0]) + b"note"
    with pytest.raises(AudioError, match="found no samples"):
        through_a_pipe(content, RawFormat())


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None), ("AIFF", None),
        ("RF64", None), ("W64", None), ("CAF", None), ("AU", "ULAW"), ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"), ("WAV", "PCM_24"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("AIFF", "ALAW"),
    ],
)  # fmt: skip
def test_a_file_of_any_format_is_decoded_as_from_the_disk(form: str, subtype: str | None):
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 48_000, format=form, subtype=subtype)
    expected, rate = decoding.decode(file.getvalue())
    chunks = through_a_pipe(file.getvalue(), RawFormat())
    assert {rate for _, rate in chunks} == {rate}
    np.testing.assert_allclose(np.concatenate([c for c, _ in chunks]), expected, atol=1e-7)


def test_a_format_for_which_a_package_is_missing_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "av", None)
    endless = io.BufferedReader(Endless(b"\x00\x00\x00\x20ftypM4A "))
    with pytest.raises(AudioError, match=r"found MP4.*pip install 'ser-keras\[av\]'"):
        next(from_pipe(endless, RawFormat()))


class Endless(io.RawIOBase):
    """A pipe that nobody closes."""

    def __init__(self, beginning: bytes) -> None:
        self._next = beginning

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content, self._next = self._next[: len(buffer)] or bytes(len(buffer)), b""
        buffer[: len(content)] = content
        return len(content)


@pytest.mark.parametrize("first", [-1, -2, -1025, 0x5249, 0x4F67])
def test_bare_samples_are_not_taken_for_a_format(first: int):
    """Some begin as a frame of MP3 does, or with letters."""
    samples = np.array([first, first, *np.round(SAMPLES[:, 0] * 2**15)], "<i2")
    chunks = through_a_pipe(samples.tobytes(), RawFormat())
    np.testing.assert_array_equal(np.concatenate([c for c, _ in chunks])[:, 0], samples / 2**15)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("int16", lambda x: np.round(x * 2**15).astype("<i2")),
        ("int32", lambda x: np.round(x * 2**31).astype("<i4")),
        ("float32", lambda x: x.astype("<f4")),
    ],
)
def test_samples_without_a_header_are_scaled_to_floats(
    encoding: str, encode: Callable[[np.ndarray], np.ndarray]
):
    chunks = through_a_pipe(encode(SAMPLES).tobytes(), RawFormat(44_100, 2, encoding))
    assert {rate for _, rate in chunks} == {44_100}
    np.testing.assert_allclose(np.concatenate([c for c, _ in chunks]), SAMPLES, atol=2**-15)


def test_a_single_sample_is_sound():
    chunks = through_a_pipe(b"\x00\x40", RawFormat())
    np.testing.assert_array_equal(np.concatenate([c for c, _ in chunks]), [[0.5]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected sound, found nothing"),
        (b"\x00", "expected sound, found no samples"),
        (wav("PCM_16")[:44], "expected sound, found no samples"),
        (b"RIFF and then something else", "expected sound, found RIFF of another kind"),
        (wav("PCM_16")[:30], "expected a WAV file, found one that ends within its header"),
        (wav("PCM_16").replace(b"WAVE", b"CDXA", 1), "RIFF of another kind"),
        (wav("PCM_16")[:200], "truncated: expected 0.23 s of sound, found 0.00 s"),
        (wav("PCM_16")[:12] + wav("PCM_16")[36:], "no format before the sound"),
        (wav("PCM_16")[:16] + b"\xff" * 4 + wav("PCM_16")[20:], "ends within its header"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "found a Git LFS pointer"),
        (b"<!DOCTYPE HTML><html><title>Log in</title>", "found a web page"),
        (b"PK\x03\x04" + bytes(40), "expected sound, found a ZIP archive"),
        (b"No such file or directory\n", "expected sound, found text, 'No such file"),
        (wav("PCM_16").replace((22_050).to_bytes(4, "little"), (5).to_bytes(4, "little"), 1),
         "rate: expected 1000 to .*, found 5"),
    ],
)  # fmt: skip
def test_content_that_is_not_sound_is_refused(content: bytes, message: str):
    with pytest.raises(AudioError, match=message):
        through_a_pipe(content, RawFormat())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "mp3"}, "encoding: expected one of int16.*, found 'mp3'"),
        ({"channels": 0}, "channels: expected 1 to .*, found 0"),
        ({"sample_rate": 10}, "rate: expected 1000 to .*, found 10"),
    ],
)
def test_raw_options_out_of_range_are_errors(options: dict, message: str):
    with pytest.raises(ConfigurationError, match=message):
        RawFormat(**options)


def test_the_microphone_without_its_library_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    with pytest.raises(ConfigurationError, match=r"ser-keras\[microphone\]"):
        next(from_microphone(None, 16_000))
