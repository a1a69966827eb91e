"""WAV files are decoded in a graph as libsndfile decodes them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras.export.graph import wav

RATE = 22050


def noise(frames: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(frames).uniform(-1, 1, (frames, channels)).astype(np.float32)


def encode(samples: np.ndarray, rate: int = RATE, container: str = "WAV", coding: str = "PCM_16"):
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=container, subtype=coding)
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def format_chunk(coding: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16) -> bytes:
    frame = channels * bits // 8
    speed = rate * frame & 0xFFFFFFFF
    fields = (coding, channels, rate, speed, frame & 0xFFFF, bits)
    return chunk(b"fmt ", struct.pack("<HHIIHH", *fields))


@tf.function(autograph=False)
def decode(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Samples, rate and problem of a file."""
    recording = wav.inspect(contents)
    samples = wav.read(contents, recording, tf.zeros([], tf.int64), recording.frames)
    return samples, recording.rate, recording.problem


DATA = np.arange(-50, 50, dtype="<i2").tobytes()

FILES = {
    "mono": encode(noise(1000)),
    "stereo": encode(noise(1000, 2)),
    "six channels, extensible": encode(noise(333, 6), container="WAVEX"),
    "48 kHz": encode(noise(1000), 48000),
    "192 kHz": encode(noise(1000), 192000),
    "one sample": encode(noise(1)),
    "odd chunk before the sound": riff(
        format_chunk(), chunk(b"_PMX", b"odd"), chunk(b"data", DATA)
    ),
    "odd chunk before the format": riff(
        chunk(b"LIST", b"abcde"), format_chunk(channels=2), chunk(b"data", DATA)
    ),
    "chunks after the sound": riff(format_chunk(), chunk(b"data", DATA), chunk(b"_PMX", b"odd")),
    "as many chunks as are allowed": riff(
        *[chunk(b"junk", b"")] * (wav.MOST_CHUNKS - 2), format_chunk(), chunk(b"data", DATA)
    ),
    "longer format chunk": riff(chunk(b"fmt ", format_chunk()[8:] + b"\0\0"), chunk(b"data", DATA)),
}


@pytest.mark.parametrize("riff_size", [0, 36, 0xFFFFFFFF])
@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
def test_a_wav_of_a_recorder_that_crashed_is_read_to_its_end(size: int, riff_size: int):
    whole = encode(noise(1000))
    crashed = b"RIFF" + struct.pack("<I", riff_size) + whole[8:40] + struct.pack("<I", size)
    samples, _, _ = decode(tf.constant(crashed + whole[44:]))
    expected, _, _ = decode(tf.constant(whole))
    np.testing.assert_array_equal(samples, expected)


@pytest.mark.parametrize("behind", [b"", b"\0", chunk(b"LIST", b"a note")])
def test_a_wav_without_sound_has_none_behind_it(behind: bytes):
    empty = riff(format_chunk(), chunk(b"data", b""), behind)
    _, _, problem = decode(tf.constant(empty))
    assert problem == "audio: expected samples, found none"


@pytest.mark.parametrize("name", FILES)
def test_decodes_as_libsndfile(name: str):
    samples, rate, _ = decode(tf.constant(FILES[name]))
    expected, expected_rate = soundfile.read(
        io.BytesIO(FILES[name]), dtype="float32", always_2d=True
    )
    assert int(rate) == expected_rate
    np.testing.assert_allclose(samples, expected.mean(axis=1), atol=1e-7)


@pytest.mark.parametrize("claim", [len(DATA) + 1000, 0xFFFFFFFF])
def test_a_recording_cut_short_or_still_being_written_ends_with_its_bytes(claim: int):
    file = riff(format_chunk(), chunk(b"data", DATA)).replace(
        b"data" + struct.pack("<I", len(DATA)), b"data" + struct.pack("<I", claim)
    )
    samples, _, _ = decode(tf.constant(file))
    np.testing.assert_allclose(samples, np.arange(-50, 50) / 32768.0, atol=1e-7)


def test_samples_beyond_the_recording_are_silence():
    recording = wav.inspect(tf.constant(FILES["mono"]))
    segment = wav.read(
        tf.constant(FILES["mono"]), recording, tf.constant(-5, tf.int64), tf.constant(7, tf.int64)
    )
    whole, _, _ = decode(tf.constant(FILES["mono"]))
    np.testing.assert_array_equal(segment, np.concatenate([np.zeros(5), whole[:7]]))
    after = wav.read(
        tf.constant(FILES["mono"]), recording, recording.frames + 3, recording.frames + 9
    )
    np.testing.assert_array_equal(after, np.zeros(6))


BAD = {
    "empty": (b"", "expected a WAV file"),
    "text": (b"no sound at all, only words, and many of them", "expected a WAV file"),
    "picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 60, "expected a WAV file"),
    "header alone": (FILES["mono"][:12], "expected a format chunk, found none"),
    "no sound": (riff(format_chunk()), "expected a data chunk, found none"),
    "no format": (riff(chunk(b"data", DATA)), "expected a format chunk, found none"),
    "no samples": (riff(format_chunk(), chunk(b"data", b"")), "expected samples, found none"),
    "24 bits": (encode(noise(10), coding="PCM_24"), "expected 16-bit PCM"),
    "float": (encode(noise(10), coding="FLOAT"), "expected 16-bit PCM"),
    "float, extensible": (
        encode(noise(10), container="WAVEX", coding="FLOAT"),
        "expected 16-bit PCM",
    ),
    "65,535 channels": (
        riff(format_chunk(channels=65535), chunk(b"data", DATA)),
        "expected 1 to 64 channels",
    ),
    "no channels": (
        riff(format_chunk(channels=0), chunk(b"data", DATA)),
        "expected 1 to 64 channels",
    ),
    "100 MHz": (
        riff(format_chunk(rate=100_000_000), chunk(b"data", DATA)),
        "expected a sample rate",
    ),
    "4 GHz": (
        riff(format_chunk(rate=0xFFFFFFFF), chunk(b"data", DATA)),
        "expected a sample rate",
    ),
    "one chunk more than is allowed": (
        riff(*[chunk(b"junk", b"")] * (wav.MOST_CHUNKS - 1), format_chunk(), chunk(b"data", DATA)),
        "expected a data chunk among the first 100 chunks, found none",
    ),
    "format chunk cut off": (riff(format_chunk())[:30], "expected a format chunk, found none"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_not_16_bit_pcm_is_refused(name: str):
    content, message = BAD[name]
    samples, _, problem = decode(tf.constant(content))
    assert problem.numpy().decode().startswith("audio: ")
    assert message in problem.numpy().decode()
    assert not len(samples)


def test_damaged_files_are_decoded_or_refused():
    generator = np.random.default_rng(0)
    whole = FILES["odd chunk before the sound"]
    problems = []
    for _ in range(200):
        damaged = bytearray(whole[: generator.integers(1, len(whole) + 1)])
        for at in generator.integers(0, min(60, len(damaged)), 3):
            damaged[at] = generator.integers(0, 256)
        samples, _, problem = decode(tf.constant(bytes(damaged)))
        assert np.isfinite(samples).all()
        assert (len(samples) > 0) is (problem.numpy() == b"")
        problems.append(problem.numpy())
    assert len(set(problems)) > 3
    assert all(problem == b"" or problem.startswith(b"audio: ") for problem in problems)
