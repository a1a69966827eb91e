"""Limits on the length of sound, from headers and shapes alone, before anything is decoded."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ser_keras.errors import warn_of
from ser_keras.export.graph.wav import MOST_CHUNKS
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.status import invalid
from ser_keras.sound import wav_header

# Instances are padded to the longest of them, and a second of an instance takes up to half a
# megabyte (the convolutional preset): together, with their padding, they may last this long. A body
# of 64 MiB holds less sound of 8 kHz, so that only padding comes to more.
MOST_PADDED_SECONDS = 3600.0
# The least that an instance counts: the shortest sound is padded to a window.
LEAST_SECONDS = 1.0


def check(tensors: Tensors, description: Mapping[str, Any], most_seconds: float) -> float:
    """Refuse an instance that is too long, and instances that are too long together when padded.

    Args:
        tensors: the inputs by name: WAV files as strings, or what signatures of this package take.
        description: the model's; {} of a model by others.
        most_seconds: longest instance accepted.

    Returns:
        Seconds of the longest instance, its padding in the request included; 0 where none is sound.

    Example:
        >>> check({"waveform": np.zeros([1, 8000])}, {"sample_rate": 8000}, most_seconds=600.0)
        1.0
    """
    longest = 0.0
    for name, value in tensors.items():
        if value.dtype == object:
            lengths = [_wav_seconds(name, contents) for contents in value.ravel()]
        elif value.ndim > 1:
            lengths = [_array_seconds(name, value.shape[1], description)] * len(value)
        else:
            continue
        own = max(lengths, default=0.0)
        if own > most_seconds:
            raise invalid(
                f"{name}: expected at most {most_seconds:g} s, "
                f"found {own:.0f} s in instance {lengths.index(own)}"
            )
        if not fits(len(lengths), own):
            raise invalid(
                f"{name}: expected at most {MOST_PADDED_SECONDS:g} s together, "
                f"found {len(lengths)} instances, each padded to {max(own, LEAST_SECONDS):.1f} s"
            )
        longest = max(longest, own)
    return longest


def fits(count: int, longest: float) -> bool:
    """Return whether instances may run together, by their number and the longest's seconds.

    One alone always may, and so may instances that are no sound, of 0 seconds.

    Example:
        >>> fits(60, 60.0), fits(61, 60.0)
        (True, False)
    """
    padded = count * max(longest, LEAST_SECONDS)
    return count <= 1 or longest == 0.0 or padded <= MOST_PADDED_SECONDS


def _wav_seconds(name: str, contents: object) -> float:
    """Return the length of a WAV file; 0 of anything else, which the model refuses itself.

    The file may be truncated: the samples in it count, not those that its header claims.
    """
    if not isinstance(contents, bytes) or contents[:4] != b"RIFF" or contents[8:12] != b"WAVE":
        return 0.0
    form = None
    file = io.BytesIO(contents)
    file.seek(12)
    for number, (chunk, size, found) in enumerate(wav_header.chunks(file)):
        # Models exported before the graph had this limit would walk all chunks.
        if number == MOST_CHUNKS:
            raise invalid(
                f"{name}: expected a data chunk among the first {MOST_CHUNKS} chunks, found none"
            )
        form = found or form
        if chunk == b"data" and form and form.frame_bytes and form.sample_rate:
            rest = len(contents) - file.tell()
            if not wav_header.is_length(size):
                if size == 0 and wav_header.is_chunk(file.read(8), rest):
                    return 0.0
                warn_of(name, wav_header.UNFINISHED)
                size = rest
            size = min(size, rest)
            return size / (form.frame_bytes * form.sample_rate)
    return 0.0


def _array_seconds(name: str, size: int, description: Mapping[str, Any]) -> float:
    """Return how long the second dimension of an input lasts; 0 where it is not known as time."""
    if name == "waveform" and "sample_rate" in description:
        return size / float(description["sample_rate"])
    if name in ("features", "mfcc") and "hop_length" in description:
        # The shortest sound of so many instants.
        hop, silence = description["hop_length"], description.get("trailing_length", 0)
        samples = max((size - 1) * hop + description["window_length"] - silence, hop)
        return float(samples / description["sample_rate"])
    return 0.0
