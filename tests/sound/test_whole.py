"""Recordings come in whole, whatever their headers say, or are refused by name."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_keras.errors import AudioError, AudioWarning
from ser_keras.sound import decoding

NOISE = np.random.default_rng(0).normal(0, 0.1, 66_000)


def encode(sound: np.ndarray, form: str, rate: int = 22_050, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form, subtype=subtype)
    return file.getvalue()


def mp3_without_index(*sounds: np.ndarray, rate: int = 44_100) -> bytes:
    """An MP3 of sounds of different bitrates, as an encoder of variable rate makes one."""
    content = b""
    for number, sound in enumerate(sounds):
        file = io.BytesIO()
        with soundfile.SoundFile(
            file, "w", rate, 1, format="MP3", bitrate_mode="CONSTANT",
            compression_level=0.01 if number % 2 else 0.99,
        ) as out:  # fmt: skip
            out.write(sound)
        content += file.getvalue()
    # The index is a frame of silence with this name in it; without, it is just that.
    return content.replace(b"Info", b"\0\0\0\0").replace(b"Xing", b"\0\0\0\0")


@pytest.mark.parametrize("order", [1, -1])
def test_an_mp3_without_an_index_is_decoded_to_its_end(order: int):
    """libsndfile's length is an estimate of the first frames: half of it, or twice too much."""
    content = mp3_without_index(*[NOISE, NOISE][::order], NOISE, NOISE)
    samples, rate = decoding.decode(content)
    assert rate == 44_100
    assert len(samples) / (4 * len(NOISE)) == pytest.approx(1.0, abs=0.05)
    # The end is the end: noise of full level, behind it only the encoder's padding.
    assert np.std(samples[-len(NOISE) // 2 :]) == pytest.approx(0.1, abs=0.02)
    whole = decoding.load(content, 44_100)
    np.testing.assert_array_equal(decoding.load(content, 44_100, start=1.0), whole[44_100:])
    np.testing.assert_array_equal(
        decoding.load(content, 44_100, 2.0, 3.0), whole[88_200 : 88_200 + 44_100]
    )
    assert decoding.inspect(content).frames is None
    with pytest.raises(AudioError, match="start: expected less than the recording's duration"):
        decoding.load(content, 44_100, start=60.0)


@pytest.mark.parametrize("behind", [b"TAG" + bytes(125), bytes(5000), b"junk" * 100, -1, -100])
def test_the_end_of_an_mp3_without_an_index_may_be_anything(behind: bytes | int):
    """A tag, or half a frame where a stream was cut."""
    whole = mp3_without_index(NOISE)
    content = whole + behind if isinstance(behind, bytes) else whole[:behind]
    found, expected = (len(decoding.decode(one)[0]) for one in (content, whole))
    assert expected - 2 * 1152 <= found <= expected


@pytest.mark.parametrize("form", ["MP3", "OGG", "FLAC"])
def test_files_that_were_joined_are_decoded_one_after_the_other(form: str):
    first, second = encode(NOISE[:30_000], form), encode(NOISE[30_000:] / 2, form)
    expected = np.concatenate([decoding.decode(one)[0] for one in (first, second)])
    samples, _ = decoding.decode(first + second)
    np.testing.assert_allclose(samples, expected, atol=1e-6)
    segment = decoding.load(first + second, 22_050, 1.0, 2.0)
    np.testing.assert_allclose(segment, expected[22_050:44_100, 0], atol=1e-6)
    assert len(decoding.decode(first + second + first)[0]) == len(expected) + 30_000


def test_tags_around_joined_mp3_files_are_passed():
    one = encode(NOISE, "MP3")
    tag = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256)
    joined = tag + one + b"TAG" + bytes(125) + tag + one
    assert len(decoding.decode(joined)[0]) == 2 * len(NOISE)


def test_joined_files_of_different_rates_are_refused():
    joined = encode(NOISE, "MP3", 22_050) + encode(NOISE, "MP3", 44_100)
    with pytest.raises(AudioError, match="expected 22050 Hz and 1 channels in each, found 44100"):
        decoding.decode(joined)


def test_a_flac_that_does_not_say_how_long_it_is_is_decoded_to_its_end():
    content = bytearray(encode(NOISE, "FLAC"))
    expected, _ = decoding.decode(bytes(content))
    content[21] &= 0xF0  # the 36 bits of the number of samples
    content[22:26] = bytes(4)
    np.testing.assert_array_equal(decoding.decode(bytes(content))[0], expected)
    assert len(decoding.load(bytes(content), 22_050, start=2.0)) == len(NOISE) - 44_100


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        ("WAV", "GSM610"), ("WAV", "G721_32"), ("WAV", "NMS_ADPCM_32"), ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"), ("AU", "G721_32"), ("AU", "G723_24"), ("AIFF", "GSM610"),
        ("W64", "GSM610"), ("CAF", "ALAC_16"),
    ],
)  # fmt: skip
def test_codings_of_telephones_are_decoded_although_some_cannot_seek(form: str, subtype: str):
    content = encode(NOISE, form, 8000, subtype)
    samples, _ = decoding.decode(content)
    assert len(NOISE) <= len(samples) < 1.02 * len(NOISE)
    np.testing.assert_array_equal(np.concatenate([b for b, _ in decoding.blocks(content)]), samples)
    np.testing.assert_array_equal(decoding.load(content, 8000, 2.0, 3.0), samples[16_000:24_000, 0])


@pytest.mark.parametrize("riff", [bytes(4), b"\xff" * 4, None, b"\x24\x00\x00\x00"])
@pytest.mark.parametrize("length", [bytes(4), b"\xff" * 4])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "GSM610", "ULAW"])
def test_a_wav_of_a_recorder_that_crashed_is_read_to_its_end(
    subtype: str, length: bytes, riff: bytes | None
):
    content = encode(NOISE, "WAV", 8000, subtype)
    expected, _ = decoding.decode(content)
    at = content.index(b"data") + 4
    sound = content[at + 4 :][: int.from_bytes(content[at : at + 4], "little")]
    crashed = content[:4] + (riff or content[4:8]) + content[8:at] + length + sound
    with pytest.warns(AudioWarning, match="sound in memory: the header does not say how long"):
        samples, _ = decoding.decode(crashed)
    # Of GSM, the byte that pads the chunk makes the last block another.
    np.testing.assert_array_equal(samples[: len(NOISE)], expected[: len(NOISE)])


def test_other_containers_without_lengths_are_read_to_their_end():
    au = bytearray(encode(NOISE, "AU"))
    au[8:12] = bytes(4)
    rf64 = bytearray(encode(NOISE, "RF64"))
    at = rf64.index(b"ds64") + 8
    rf64[at : at + 24] = bytes(24)
    aiff = bytearray(encode(NOISE, "AIFF"))
    at = aiff.index(b"SSND") + 4
    aiff[4:8] = aiff[at : at + 4] = bytes(4)
    for content in (au, rf64, aiff):
        with pytest.warns(AudioWarning, match="read to its end"):
            assert len(decoding.decode(bytes(content))[0]) == len(NOISE)


def test_an_empty_wav_is_not_one_that_crashed():
    content = encode(np.zeros(0), "WAV")
    note = b"LIST" + (64).to_bytes(4, "little") + b"a note" + bytes(58)
    for empty in (content, content + note):
        with pytest.raises(AudioError, match="found no samples"):
            decoding.decode(empty)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer .*pull"),
        (b"../.git/annex/objects/aa/bb/SHA256E-s1.wav", "a git-annex pointer"),
        (b"\n<!doctype html><html></html>", "a web page"),
        (b"\x1f\x8b\x08" + bytes(20), "a gzip archive"),
        (b"%PDF-1.7 and so on", "a PDF"),
        (b'{"error": "not found"}', "text, "),
        (b"\x02#!SILK_V3" + bytes(30), "SILK"),
    ],
)
def test_what_is_not_sound_is_named(tmp_path: Path, content: bytes, found: str):
    path = tmp_path / "speech.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=rf"speech\.wav: expected sound, found {found}"):
        decoding.load(path, 16_000)


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"\x00\x00\x00\x20ftypM4A isom", "MP4"),
        (b"\x00\x00\x00\x20ftyp3gp4isom", "MP4"),
        (b"#!AMR\n\x3c", "AMR"),
        (b"#!AMR-WB\n\x3c", "AMR"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81", "WebM"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9", "WMA"),
        (b"\xff\xf1\x50\x80\x01\x1f\xfc", "AAC"),
    ],
)
def test_a_format_that_needs_pyav_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beginning: bytes, name: str
):
    monkeypatch.setitem(sys.modules, "av", None)
    path = tmp_path / "phone.wav"  # whatever its suffix says
    path.write_bytes(beginning + bytes(1))
    with pytest.raises(AudioError, match=rf"found {name}.*pip install 'ser-keras\[av\]'"):
        decoding.load(path, 16_000)
