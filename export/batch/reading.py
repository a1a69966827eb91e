"""Items to sound: read on any file system of Beam, decoded, and put in batches of like lengths."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.windowed_value import WindowedValue

from ser_keras.errors import AudioError, AudioWarning
from ser_keras.export.batch.inputs import FAILED, Item
from ser_keras.features.spec import FeatureSpec
from ser_keras.recognition.bulk import BATCHES_AHEAD, LONGEST, Recording, decode_blocks
from ser_keras.sound import decoding

COUNTERS = "ser_keras"  # the namespace of the counters

BATCH_SIZE = 32  # recordings that are recognized together
# Of a batch with the silence that pads it: a longer recording than `LONGEST` has fewer beside it.
BATCH_SECONDS = BATCH_SIZE * LONGEST


class Sound(NamedTuple):
    """An item and what it holds.

    Example:
        >>> Sound(Item("a.wav"), Recording(np.zeros(8000, np.float32), silent=True)).item.file
        'a.wav'
    """

    item: Item
    recording: Recording


class Decode(beam.DoFn):
    """Reads and decodes items; yields `Sound`, and of what cannot be used a line as `FAILED`.

    Args:
        spec: of the model.
        longest: recording that is accepted, in seconds.

    Example:
        >>> (sound,) = Decode(model.features, 600.0).process(Item(wav))
        >>> sound.item.file == wav, sound.recording.silent
        (True, False)
    """

    def __init__(self, spec: FeatureSpec, longest: float) -> None:
        self.spec = spec
        self.longest = longest
        self.read = Metrics.counter(COUNTERS, "bytes_read")
        self.milliseconds = Metrics.counter(COUNTERS, "milliseconds_of_sound")

    def setup(self) -> None:
        """Silence warnings: a line for each of millions of recordings would bury all others."""
        warnings.simplefilter("ignore", AudioWarning)

    def process(self, item: Item) -> Iterator[Sound | TaggedOutput]:
        """Read an item; one of every channel if each is asked for."""
        try:
            with FileSystems.open(
                item.file, compression_type=CompressionTypes.UNCOMPRESSED
            ) as file:
                content = file.read()
            self.read.inc(len(content))
            items = [item]
            if item.channel == "each":
                channels = decoding.inspect(content).channels
                items = [item._replace(channel=channel) for channel in range(channels)]
        except OSError as error:
            reason = getattr(error, "strerror", None) or error
            yield _failed(item, f"cannot be opened ({reason})")
            return
        except AudioError as error:
            yield _failed(item, error.reason)
            return
        for each in items:
            yield self._decode(each, content)

    def _decode(self, item: Item, content: bytes) -> Sound | TaggedOutput:
        channel = None if item.channel == "each" else item.channel  # it is not: see above
        try:
            blocks = decoding.mono_blocks(content, channel, item.start, item.end)
            recording = decode_blocks(blocks, self.spec, self.longest)
        except AudioError as error:
            return _failed(item, error.reason)
        if recording is None:
            return _failed(item, f"duration: expected at most {self.longest:g} s, found more")
        self.milliseconds.inc(round(1000 * len(recording.samples) / self.spec.sample_rate))
        return Sound(item, recording)


class ByLength(beam.DoFn):
    """Gathers sounds, and yields lists of those of like lengths, within a bundle.

    Args:
        sample_rate: of the model.

    Example:
        >>> by_length = ByLength(sample_rate=8000)
        >>> by_length.start_bundle()
        >>> list(by_length.process(Sound(Item("a.wav"), Recording(np.zeros(8000), True))))
        []
        >>> (batch,) = by_length.finish_bundle()
        >>> [sound.item.file for sound in batch.value]
        ['a.wav']
    """

    def __init__(self, sample_rate: int) -> None:
        self.most = round(BATCH_SECONDS * sample_rate)
        self._sounds: list[Sound] = []
        self._samples = 0

    def start_bundle(self) -> None:
        """Begin with none."""
        self._sounds, self._samples = [], 0

    def process(self, sound: Sound) -> Iterator[list[Sound]]:
        """Keep a sound until there are enough to choose among."""
        self._sounds.append(sound)
        self._samples += len(sound.recording.samples)
        if len(self._sounds) >= BATCHES_AHEAD * BATCH_SIZE or self._samples > self.most:
            yield from self._batches()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yield those that are left."""
        end = beam.window.GlobalWindow()
        for batch in self._batches():
            yield WindowedValue(batch, end.max_timestamp(), (end,))

    def _batches(self) -> Iterator[list[Sound]]:
        sounds = sorted(self._sounds, key=lambda sound: len(sound.recording.samples))
        self.start_bundle()
        batch: list[Sound] = []
        for sound in sounds:
            padded = (len(batch) + 1) * len(sound.recording.samples)
            if batch and (len(batch) == BATCH_SIZE or padded > self.most):
                yield batch
                batch = []
            batch.append(sound)
        if batch:
            yield batch


def _failed(item: Item, reason: str) -> TaggedOutput:
    named: dict[str, Any] = item.named()
    if named.get("channel") == "each":
        del named["channel"]
    return TaggedOutput(FAILED, {**named, "error": reason})
