"""Sound in chunks of any size: resampled, and cut into windows, as if it were whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from numbers import Real

import numpy as np
import soxr
from numpy.typing import ArrayLike

from ser_keras.errors import AudioError
from ser_keras.features.spec import FeatureSpec
from ser_keras.fields import require
from ser_keras.sound import decoding, memory

Path = str | os.PathLike[str]
Chunk = tuple[np.ndarray, int]  # float32 [N], and hertz


class Windows:
    """Cuts sound into a specification's windows, keeping no more of it than the next one needs.

    Example:
        >>> windows = Windows(ser.FeatureSpec(window=2.0, hop=1.0))
        >>> [len(list(windows.push(np.zeros(22050, np.float32)))) for second in range(4)]
        [0, 1, 1, 1]
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._hop = spec.hop_length
        self._window = np.zeros(spec.window_length, np.float32)
        # Samples of the next window that have arrived. Negative where windows lie apart: so many
        # are skipped before the next begins.
        self.pending = 0

    def push(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """Yield windows completed by float32 [N]; each is valid until the next is asked for."""
        while len(samples):
            if self.pending < 0:
                count = min(-self.pending, len(samples))
            else:
                count = min(len(self._window) - self.pending, len(samples))
                self._window[self.pending : self.pending + count] = samples[:count]
            samples = samples[count:]
            self.pending += count
            if self.pending == len(self._window):
                yield self._window
                self.pending -= self._hop
                if self.pending > 0:  # the beginning of the next window is the end of this one
                    self._window[: self.pending] = self._window[self._hop :].copy()


class ChunkResampler:
    """Resamples sound chunk by chunk to a rate in hertz, as `decoding.load` does the whole.

    Example:
        >>> resampler = ChunkResampler(16000)
        >>> beginning = resampler.push(np.zeros(48000, np.float32), rate=48000)
        >>> len(beginning) + len(resampler.finish())
        16000
    """

    def __init__(self, sample_rate: int) -> None:
        self._wanted = sample_rate
        self._given = sample_rate
        self._stream: soxr.ResampleStream | None = None
        self._samples_in = self._samples_out = 0

    def push(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Resample the next float32 [N], always of the same rate; they may come out later."""
        if rate == self._wanted:
            return samples
        if self._stream is None:
            self._given = rate
            self._stream = soxr.ResampleStream(rate, self._wanted, 1, "float32", quality="HQ")
        self._samples_in += len(samples)
        resampled = self._stream.resample_chunk(samples)
        self._samples_out += len(resampled)
        return resampled

    def finish(self) -> np.ndarray:
        """Flush; pad or trim to the length that `decoding.load` gives."""
        if self._stream is None:
            return np.empty(0, np.float32)
        rest = self._stream.resample_chunk(np.empty(0, np.float32), last=True)
        missing = -(-self._samples_in * self._wanted // self._given) - self._samples_out
        return np.pad(rest[:missing], (0, max(0, missing - len(rest))))


def chunks_of(
    sound: Path | ArrayLike,
    sample_rate: float | None = None,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
) -> Iterator[Chunk]:
    """Return the chunks of a recording, or of a segment of it; arguments as of `Recognizer`.

    Raises:
        ConfigurationError: samples without a rate, or a path with one.
        AudioError: samples that cannot be used; a file is decoded, and refused, chunk by chunk.

    Example:
        >>> [(len(samples), rate) for samples, rate in chunks_of(np.zeros(16000), 8000, end=1.5)]
        [(12000, 8000)]
    """
    if isinstance(sound, (str, os.PathLike)):
        require(sample_rate is None, "sample_rate", sample_rate, "none beside a path")
        return decoding.mono_blocks(sound, channel, start, end)
    whole = isinstance(sample_rate, Real) and float(sample_rate).is_integer()
    require(whole, "sample_rate", sample_rate, "that of the samples, a whole number of hertz")
    return iter([_of_samples(sound, int(sample_rate or 0), start, end, channel)])


def _of_samples(
    samples: ArrayLike, rate: int, start: float | None, end: float | None, channel: int | None
) -> Chunk:
    """Check samples in memory, and cut out a segment."""
    name, lowest, highest = memory.IN_MEMORY, decoding.LOWEST_RATE, decoding.HIGHEST_RATE
    if not lowest <= rate <= highest:
        raise AudioError(name, f"sample rate: expected {lowest} to {highest} Hz, found {rate} Hz")
    mono = memory.mono(name, samples, channel)
    if not len(mono):
        raise AudioError(name, "expected sound, found no samples")
    first, last = decoding.segment_frames(name, len(mono) / rate, rate, start, end)
    return mono[first:last], rate
