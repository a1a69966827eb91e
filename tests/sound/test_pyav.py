"""What phones and browsers record, encoded by PyAV itself and decoded through it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.errors import AudioError
from ser_keras.sound import decoding

av: Any = pytest.importorskip("av", reason="needs PyAV: pip install 'ser-keras[av]'")

RATE = 16_000
TIME = np.arange(3 * RATE) / RATE
# A tone that becomes louder, in one channel and half as loud in the other.
TONE = (0.4 * TIME / 3 * np.sin(2 * np.pi * 300 * TIME)).astype(np.float32)


def encode(container: str, codec: str, channels: int = 1, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        layout = "mono" if channels == 1 else "stereo"
        stream = out.add_stream(codec, rate=rate, layout=layout)
        stream.bit_rate = 48_000
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
        sound = TONE if channels == 1 else np.stack([TONE, TONE / 2], 1).reshape(-1)
        frame = av.AudioFrame.from_ndarray(sound[np.newaxis], "flt", layout)
        frame.sample_rate = RATE
        frames = [*resampler.resample(frame), *resampler.resample(None), None]
        for packet in (packet for one in frames for packet in stream.encode(one)):
            out.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("ipod", "aac", RATE),  # m4a
        ("mp4", "aac", RATE),
        ("adts", "aac", RATE),
        ("3gp", "aac", RATE),
        ("webm", "libopus", 48_000),
        ("matroska", "pcm_s16le", RATE),
        ("asf", "wmav2", RATE),
        ("mov", "alac", RATE),
    ],
)
def test_phones_and_browsers_are_heard(container: str, codec: str, rate: int, tmp_path: Path):
    path = tmp_path / "phone.wav"  # whatever its suffix says
    path.write_bytes(encode(container, codec, rate=rate))
    samples = decoding.load(path, RATE)
    assert len(samples) == pytest.approx(len(TONE), abs=0.1 * RATE)
    # As loud second by second, up to the delay that some encoders add.
    for start in range(0, 3 * RATE, RATE):
        loudness = np.std(samples[start : start + RATE])
        assert loudness == pytest.approx(np.std(TONE[start : start + RATE]), rel=0.15)


def test_segments_channels_and_blocks():
    content = encode("mov", "alac", channels=2)
    samples, rate = decoding.decode(content)
    assert (samples.shape, rate) == ((len(TONE), 2), RATE)
    np.testing.assert_allclose(samples[:, 0], TONE, atol=1e-3)
    np.testing.assert_allclose(samples[:, 1], TONE / 2, atol=1e-3)
    np.testing.assert_array_equal(
        decoding.load(content, RATE, 1.0, 2.0, channel=1), samples[RATE : 2 * RATE, 1]
    )
    blocks = [block for block, _ in decoding.blocks(content, frames=999)]
    assert max(map(len, blocks)) <= 999
    np.testing.assert_array_equal(np.concatenate(blocks), samples)
    assert decoding.inspect(content).channels == 2


def test_a_coding_that_libsndfile_does_not_know_in_a_container_that_it_does():
    content = encode("wav", "libmp3lame")
    assert len(decoding.load(content, RATE)) == pytest.approx(len(TONE), abs=0.2 * RATE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (encode("ipod", "aac")[:2000], "MP4.* that cannot be read"),
        (b"\x00\x00\x00\x20ftypM4A isom" + bytes(100), "MP4.* that cannot be read"),
        (b"\x1aE\xdf\xa3" + bytes(100), "WebM.* that cannot be read"),
        (b"#!AMR\n", "found no samples|AMR that cannot be read"),
    ],
)
def test_a_damaged_file_is_refused_by_name(content: bytes, message: str):
    with pytest.raises(AudioError, match=message):
        decoding.load(content, RATE)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("adts", "aac")])
def test_half_of_a_stream_is_half_as_long(container: str, codec: str):
    """These are written as they go, and may end anywhere."""
    half = encode(container, codec, rate=48_000)
    assert 0 < len(decoding.load(half[: len(half) // 2], RATE)) < 0.9 * len(TONE)


def test_damage_in_the_middle_is_an_error():
    content = bytearray(encode("adts", "aac"))
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    with pytest.raises(AudioError, match=r"damaged: cannot be decoded behind"):
        decoding.load(bytes(content), RATE)


def test_a_film_without_sound_is_refused():
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    with pytest.raises(AudioError, match=r"found MP4.* without any"):
        decoding.load(file.getvalue(), RATE)
