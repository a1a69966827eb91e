"""One picture of a recording: its observations, which overlap, joined along one axis of time.

A frame that several patches have is taken from the first of them, to which it was new: only there
was it expected before it was heard. Later patches know it and carry it over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ser_keras.features.spec import FeatureSpec


class Columns(NamedTuple):
    """Where each of the F columns of the picture comes from, and when it is.

    Example:
        >>> patches = ser.FeatureSpec(
        ...     kind="log-mel", statistics=(), sample_rate=8000, window=0.5, hop=0.25,
        ...     fft_size=512, frame_hop=500, mel_bands=8,
        ... )
        >>> columns = join(patches, instants=2, duration=0.7)  # 9 frames, then 4 new ones
        >>> columns.instant.tolist(), columns.frame.tolist()
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 4, 5, 6, 7, 8, 5, 6, 7])
        >>> columns.of(np.zeros((2, 9, 8))).shape
        (12, 8)
    """

    instant: np.ndarray  # int [F], whose observation the column is of
    frame: np.ndarray  # int [F], of that observation; 0 where frames are pooled
    begin: np.ndarray  # float [F], in seconds of the recording
    end: np.ndarray  # float [F]

    def of(self, values: np.ndarray) -> np.ndarray:
        """Pick the columns, [F, rows], of what an observation has: [T, frames, rows] or [T, D]."""
        framed = values if values.ndim == 3 else values[:, np.newaxis]
        return framed[self.instant, self.frame]

    def new_at(self, instant: int) -> Columns:
        """Return the columns that an instant added, perhaps none."""
        return Columns(*(field[self.instant == instant] for field in self))


def join(spec: FeatureSpec, instants: int, duration: float) -> Columns:
    """Lay the observations of a recording out in time; nothing begins or ends behind it.

    Where frames are pooled, an instant is one column: the part of its window that is new.

    Args:
        spec: of the observations.
        instants: how many there are.
        duration: of the recording without padding, in seconds.

    Example:
        >>> columns = join(ser.FeatureSpec(), instants=2, duration=2.5)
        >>> columns.begin.tolist(), columns.end.tolist()
        ([0.0, 2.0], [2.0, 2.5])
    """
    number = np.arange(instants)
    starts = number * spec.hop_length / spec.sample_rate
    if spec.patch_shape is None:
        frame, instant = np.zeros(instants, int), number
        end = starts + spec.window_length / spec.sample_rate
        begin = np.maximum(starts, np.append(0.0, end[:-1]))
    else:
        step = spec.frame_hop / spec.sample_rate  # frames are centered; a column is around its own
        centers = starts[:, np.newaxis] + np.arange(spec.frames) * step  # [T, frames]
        newest = np.append(-np.inf, centers[:-1, -1])  # frame of the patch before
        # Half a sample: centers of the same frame differ by rounding.
        new = centers > newest[:, np.newaxis] + 0.5 / spec.sample_rate
        instant, frame = np.nonzero(new)
        center = centers[new]
        end = center + step / 2
        begin = np.maximum(center - step / 2, np.append(0.0, end[:-1]))
    inside = begin < duration
    return Columns(
        instant[inside], frame[inside], begin[inside], np.minimum(end[inside], duration)
    )
