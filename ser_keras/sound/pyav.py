"""Decoding by PyAV, whose wheels bring FFmpeg: what phones and browsers record.

A file is opened by the demuxer of what its first bytes are, never by one that FFmpeg guesses: some
of those open other files and addresses that a file names.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from ser_keras.errors import AudioError
from ser_keras.sound.formats import Format
from ser_keras.sound.views import View

# Demuxers whose files state their duration; others estimate it.
_WITH_DURATION = ("mov", "caf", "wav", "w64", "aiff", "au")

NEEDED = "which needs PyAV (pip install 'ser-keras[av]')"


def is_installed() -> bool:
    """Tell whether PyAV can be used.

    Example:
        >>> is_installed() in (True, False)
        True
    """
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


class PyAvSound:
    """A recording that FFmpeg decodes, from front to back; attributes as of `LibsndfileSound`.

    Raises:
        ImportError: PyAV is not installed.
        AudioError: FFmpeg cannot read it, or it has no sound.

    Example:
        >>> import io
        >>> PyAvSound(io.BytesIO(b"no"), "a.m4a", Format("MP4", "mov"))  # doctest: +SKIP
        Traceback (most recent call last):
        ser_keras.errors.AudioError: a.m4a: expected sound, found MP4 that cannot be read (...)
    """

    def __init__(self, file: BinaryIO | View, name: str, form: Format) -> None:
        import av

        self.remark = ""
        self._name = name
        self._form = form
        self._decoded = 0
        self._error: type[Exception] = av.FFmpegError
        file.seek(0)
        try:
            self._container: Any = av.open(file, format=form.demuxer)
        except av.FFmpegError as error:
            raise self._unreadable(error) from error
        try:
            self._start(av)
        except BaseException:
            self.close()
            raise

    def _start(self, av: Any) -> None:
        """Decode the first frame: what the container says of rate and channels may be wrong."""
        if not self._container.streams.audio:
            raise AudioError(self._name, f"expected sound, found {self._form.name} without any")
        stream = self._container.streams.audio[0]
        frames = self._decode(stream)
        first = next(frames, None)
        if first is None:
            raise AudioError(self._name, "expected sound, found no samples")
        self.container, self.coding = self._form.name, stream.codec_context.name.upper()
        self.rate, self.channels = first.sample_rate, first.layout.nb_channels
        self.frames: int | None = None
        if self._form.demuxer in _WITH_DURATION and stream.duration:
            self.frames = round(stream.duration * stream.time_base * self.rate)
        self._resampler = av.AudioResampler("flt", first.layout, self.rate)
        self._rest = itertools.chain([first], frames)

    def __enter__(self) -> PyAvSound:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free FFmpeg's memory; the file stays open."""
        self._container.close()

    def blocks(self, size: int, first: int = 0) -> Iterator[np.ndarray]:
        """Decode from a frame on, in blocks of at most `size`: float32 [N, channels]."""
        for frame in self._frames():
            samples = frame.to_ndarray().reshape(-1, self.channels)
            skipped = min(first, len(samples))
            first -= skipped
            for start in range(skipped, len(samples), size):
                yield samples[start : start + size]
            self._decoded += len(samples)

    def _frames(self) -> Iterator[Any]:
        """Yield frames of packed floats, of the same rate and channels throughout."""
        for frame in self._rest:
            yield from self._resampler.resample(frame)
        yield from self._resampler.resample(None)

    def _decode(self, stream: Any) -> Iterator[Any]:
        """Yield the frames of a stream, whose last packet may have been cut off in the middle."""
        failed: Exception | None = None
        try:
            for packet in self._container.demux(stream):
                if failed and packet.size:
                    raise failed
                try:
                    yield from packet.decode()
                except self._error as error:
                    failed = error
        except self._error as error:
            if not self._decoded:
                raise self._unreadable(error) from error
            reason = f"damaged: cannot be decoded behind {self._decoded / self.rate:.2f} s"
            raise AudioError(self._name, f"{reason} ({error})") from error

    def _unreadable(self, error: Exception) -> AudioError:
        reason = getattr(error, "strerror", None) or error
        return AudioError(
            self._name, f"expected sound, found {self._form.name} that cannot be read ({reason})"
        )
