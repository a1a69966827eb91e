"""WAV headers: what libsndfile writes, and chunks that editors put before the sound."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from ser_keras.sound import wav_header


def wav(subtype: str, form: str = "WAV", channels: int = 2) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((10, channels)), 22_050, format=form, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("form", ["WAV", "WAVEX"])
@pytest.mark.parametrize(
    ("subtype", "tag", "bits"),
    [("PCM_U8", 1, 8), ("PCM_16", 1, 16), ("PCM_24", 1, 24), ("FLOAT", 3, 32), ("DOUBLE", 3, 64)],
)
def test_the_format_is_what_soundfile_wrote(form: str, subtype: str, tag: int, bits: int):
    content = wav(subtype, form)
    file = io.BytesIO(content)
    found, length = wav_header.read(file, "it")
    assert found == (tag, 2, 22_050, bits)
    assert length == 10 * found.frame_bytes
    assert content[: file.tell()].endswith(b"data" + length.to_bytes(4, "little"))


@pytest.mark.parametrize("size", [0, 1, 7, 1023, 1024, 1025, 200_001])
def test_chunks_of_any_size_are_walked_over(size: int):
    content = wav("PCM_16")
    note = b"LIST" + struct.pack("<I", size) + b"x" * (size + size % 2)
    file = io.BytesIO(content[:12] + note + content[12:])
    file.seek(12)
    found = {name: (claimed, form) for name, claimed, form in wav_header.chunks(file)}
    assert found[b"LIST"] == (size, None)
    assert found[b"fmt "] == (16, (1, 2, 22_050, 16))
    assert found[b"data"] == (40, None)
    assert file.read() == content[-40:]


@pytest.mark.parametrize("kept", range(12, 44))
def test_the_walk_ends_where_the_file_does(kept: int):
    file = io.BytesIO(wav("PCM_16")[:kept])
    file.seek(12)
    assert [name for name, *_ in wav_header.chunks(file)] == [b"fmt "] * (kept >= 20)
