"""Items to sound: read on any file system of Beam, decoded, and put in batches of like lengths."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.windowed_value import WindowedValue

from ser_keras.errors import AudioError, AudioWarning
from ser_keras.export.batch.inputs import FAILED, Item
from ser_keras.features.spec import FeatureSpec
from ser_keras.recognition.decoded import LONGEST, Recording, decode_blocks
from ser_keras.sound import decoding

COUNTERS = "ser_keras"  # the namespace of the counters

BATCH_SIZE = 32  # recordings that are recognized together
BATCHES = 4  # among so many, those of like lengths find each other
_MANY = 1 << 26  # bytes; a file of more is not held in memory


class Sound(NamedTuple):
    """An item and what it holds.

    Example:
        >>> Sound(Item("a.wav"), Recording(np.zeros(8000, np.float32), silent=True)).item.file
        'a.wav'
    """

    item: Item
    recording: Recording | None  # None of one longer than `LONGEST`, which is read again


@contextlib.contextmanager
def opened(file: str) -> Iterator[bytes | BinaryIO]:
    """Open a recording on any file system of Beam: its bytes, or the file if they are many.

    Raises:
        AudioError: there is none.

    Example:
        >>> with opened(wav) as source:
        ...     decoding.inspect(source).rate
        22050
    """
    try:
        stream = FileSystems.open(file, compression_type=CompressionTypes.UNCOMPRESSED)
    except OSError as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(file, f"cannot be opened ({reason})") from error
    with stream:
        content = stream.read(_MANY + 1)
        yield content if len(content) <= _MANY else stream


class Decode(beam.DoFn):
    """Reads and decodes items; yields `Sound`, and of what cannot be used a line as `FAILED`.

    Args:
        spec: of the model.

    Example:
        >>> (sound,) = Decode(model.features).process(Item(wav))
        >>> sound.item.file == wav, sound.recording.silent
        (True, False)
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.read = Metrics.counter(COUNTERS, "bytes_read")

    def setup(self) -> None:
        """Silence warnings: a line for each of millions of recordings would bury all others."""
        warnings.simplefilter("ignore", AudioWarning)

    def process(self, item: Item) -> Iterator[Sound | TaggedOutput]:
        """Read an item; one of every channel if each is asked for."""
        try:
            with opened(item.file) as source:
                for each in self._channels(item, source):
                    yield self._decode(each, source)
                self.read.inc(size(source))
        except AudioError as error:
            named = item.named()
            if item.channel == "each":
                del named["channel"]
            yield TaggedOutput(FAILED, {**named, "error": error.reason})

    def _channels(self, item: Item, source: bytes | BinaryIO) -> list[Item]:
        if item.channel != "each":
            return [item]
        channels = decoding.inspect(source).channels
        return [item._replace(channel=channel) for channel in range(channels)]

    def _decode(self, item: Item, source: bytes | BinaryIO) -> Sound | TaggedOutput:
        try:
            return Sound(item, decode_blocks(blocks_of(item, source), self.spec, LONGEST))
        except AudioError as error:
            return TaggedOutput(FAILED, {**item.named(), "error": error.reason})


def size(source: bytes | BinaryIO) -> int:
    """Return the bytes of a recording.

    Example:
        >>> size(b"RIFF")
        4
    """
    return len(source) if isinstance(source, bytes) else source.seek(0, os.SEEK_END)


def blocks_of(item: Item, source: bytes | BinaryIO) -> Iterator[tuple[np.ndarray, int]]:
    """Decode an item block by block, as `decoding.mono_blocks`.

    Example:
        >>> from pathlib import Path
        >>> next(blocks_of(Item("a.wav", end=0.001), Path(wav).read_bytes()))[0].shape
        (22,)
    """
    channel = None if item.channel == "each" else item.channel
    return decoding.mono_blocks(source, channel, item.start, item.end)


class ByLength(beam.DoFn):
    """Gathers sounds, and yields lists of those of like lengths, within a bundle.

    Example:
        >>> by_length = ByLength()
        >>> by_length.start_bundle()
        >>> list(by_length.process(Sound(Item("a.wav"), Recording(np.zeros(8000), True))))
        []
        >>> (batch,) = by_length.finish_bundle()
        >>> [sound.item.file for sound in batch.value]
        ['a.wav']
    """

    def __init__(self) -> None:
        self._sounds: list[Sound] = []

    def start_bundle(self) -> None:
        """Begin with none."""
        self._sounds = []

    def process(self, sound: Sound) -> Iterator[list[Sound]]:
        """Keep a sound until there are enough to choose among; a long one is alone."""
        if sound.recording is None:
            yield [sound]
            return
        self._sounds.append(sound)
        if len(self._sounds) >= BATCHES * BATCH_SIZE:
            yield from self._batches()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yield those that are left."""
        end = beam.window.GlobalWindow()
        for batch in self._batches():
            yield WindowedValue(batch, end.max_timestamp(), (end,))

    def _batches(self) -> Iterator[list[Sound]]:
        sounds = sorted(self._sounds, key=_length)
        self._sounds = []
        for first in range(0, len(sounds), BATCH_SIZE):
            yield sounds[first : first + BATCH_SIZE]


def _length(sound: Sound) -> int:
    return len(sound.recording.samples) if sound.recording else 0
