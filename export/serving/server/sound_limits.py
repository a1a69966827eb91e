"""How long the sound in a request is, by headers and shapes alone, before anything is decoded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from ser_keras.export.graph.wav import MOST_CHUNKS
from ser_keras.export.serving.tf_serving.json_tensors import Tensors
from ser_keras.export.serving.tf_serving.status import invalid
from ser_keras.sound import wav_header

# Instances are answered padded to the longest of them, and a second of an instance takes up to half
# a megabyte (the convolutional preset): together, with their padding, they may last this long. A
# body of 64 MiB holds less sound of 8 kHz, so that only padding comes to more.
MOST_PADDED_SECONDS = 3600.0
# What an instance counts at least: the shortest sound is padded to a window.
LEAST_SECONDS = 1.0


def seconds(contents: bytes) -> float:
    """The length of a WAV file; 0 of anything that is none, which the model refuses by itself.

    Args:
        contents: the file, perhaps truncated: what is there counts, not what the header claims.

    Raises:
        ServingError: INVALID_ARGUMENT, the sound does not begin within `wav.MOST_CHUNKS` chunks. A
            model exported before there was that limit would walk them all.
    """
    if contents[:4] != b"RIFF" or contents[8:12] != b"WAVE":
        return 0.0
    form = None
    file = io.BytesIO(contents)
    file.seek(12)
    for number, (name, size, content) in enumerate(wav_header.chunks(file)):
        if number == MOST_CHUNKS:
            raise invalid(
                f"audio: expected a data chunk among the first {MOST_CHUNKS} chunks, found none"
            )
        if name == b"fmt " and len(content) >= wav_header.SHORTEST_FORMAT:
            form = wav_header.parse_format(content)
        elif name == b"data" and form and form.frame_bytes and form.sample_rate:
            size = min(size, len(contents) - file.tell())
            return size / (form.frame_bytes * form.sample_rate)
    return 0.0


def check(tensors: Tensors, description: Mapping[str, Any], longest: float) -> float:
    """Refuse a request of sound that is too long.

    Args:
        tensors: the inputs by name: files as strings, or what signatures of this package take.
        description: what the model says of itself, {} of a model of others.
        longest: in seconds.

    Returns:
        Seconds of the longest instance, its padding in the request included; 0 where none is sound.

    Raises:
        ServingError: INVALID_ARGUMENT, an instance is too long, or all are with their padding.
    """
    most = 0.0
    for name, value in tensors.items():
        if value.dtype == object:
            most = max(most, check_files(value.ravel(), longest))
        elif value.ndim > 1:
            length = _seconds_of(name, value.shape[1], description)
            if length > longest:
                raise invalid(f"{name}: lasts {length:.0f} s, expected at most {longest:g} s")
            _check_together(name, len(value), length)
            most = max(most, length)
    return most


def _seconds_of(name: str, size: int, description: Mapping[str, Any]) -> float:
    """What the second dimension of an input lasts; 0 where it is not known to be time."""
    if name == "waveform" and "sample_rate" in description:
        return size / float(description["sample_rate"])
    if name in ("features", "mfcc") and "hop_length" in description:
        # The shortest sound of so many instants.
        hop, silence = description["hop_length"], description.get("trailing_length", 0)
        samples = max((size - 1) * hop + description["window_length"] - silence, hop)
        return float(samples / description["sample_rate"])
    return 0.0


def check_files(files: Iterable[object], longest: float) -> float:
    """Refuse recordings that are too long.

    Args:
        files: strings of a request, an instance each.
        longest: in seconds.

    Returns:
        Seconds of the longest; 0 where none of them is sound.

    Raises:
        ServingError: INVALID_ARGUMENT, one of them is too long, or all are with their padding.
    """
    count, most = 0, 0.0
    for number, contents in enumerate(files):
        count += 1
        length = seconds(contents) if isinstance(contents, bytes) else 0.0
        if length > longest:
            raise invalid(
                f"audio: instance {number} lasts {length:.0f} s, expected at most {longest:g} s"
            )
        most = max(most, length)
    _check_together("audio", count, most)
    return most


def _check_together(name: str, count: int, longest: float) -> None:
    if not fits(count, longest):
        raise invalid(
            f"{name}: {count} instances, each padded to {max(longest, LEAST_SECONDS):.1f} s, "
            f"expected at most {MOST_PADDED_SECONDS:g} s together; send fewer at once"
        )


def fits(count: int, longest: float) -> bool:
    """Whether instances may be answered together; one alone always may.

    Args:
        count: of the instances.
        longest: seconds that the longest of them lasts; 0 where none is sound.
    """
    padded = count * max(longest, LEAST_SECONDS)
    return count <= 1 or longest == 0.0 or padded <= MOST_PADDED_SECONDS
