"""One picture of a recording: its observations, which overlap, joined along one axis of time.

A frame that several patches have is taken from the first of them, to which it was new: only there
was it expected before it was heard. Later patches know it and carry it over. But the outermost
frames of a patch reach beyond it, to where the front end puts silence; they are taken from the
first patch that has them whole.

With patches of `frames` frames, `hop` of them new, and `edge` that reach beyond either end (those
whose center is less than half of `fft_size` from it), the columns are

    of the first patch      frames 0 to frames - edge - 1
    of those between        frames frames - hop - edge to frames - edge - 1
    of the last one         frames frames - hop - edge to frames - 1

and a column lasts from half a frame's step before its center to half a step behind it. Frames that
no later patch has whole stay with the first.
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
        >>> columns.instant.tolist(), columns.frame.tolist()  # the ninth reaches beyond its window
        ([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7])
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

    def held(self, spec: FeatureSpec, instants: int) -> np.ndarray:
        """Return the frame that each column is in every observation, int [T, F]; -1 in others.

        Example:
            >>> patches = ser.FeatureSpec(
            ...     kind="log-mel", statistics=(), sample_rate=8000, window=0.25, hop=0.125,
            ...     fft_size=512, frame_hop=500, mel_bands=8,
            ... )
            >>> join(patches, instants=2, duration=0.5).held(patches, 2).tolist()
            [[0, 1, 2, 3, 4, -1, -1], [-1, -1, 0, 1, 2, 3, 4]]
        """
        if spec.patch_shape is None:
            return np.where(self.instant == np.arange(instants)[:, np.newaxis], 0, -1)
        hop = spec.hop_length / spec.frame_hop
        centers = self.instant * hop + self.frame  # in frames, [F]
        frame = np.floor(centers - np.arange(instants)[:, np.newaxis] * hop + 0.5).astype(int)
        return np.where((frame >= 0) & (frame < spec.frames), frame, -1)

    def mean(self, spec: FeatureSpec, values: np.ndarray) -> np.ndarray:
        """Average each column over all observations that have it: [T, ...] to [F, rows].

        Example:
            >>> columns = join(ser.FeatureSpec(), instants=2, duration=9.0)
            >>> columns.mean(ser.FeatureSpec(), np.array([[1.0], [0.0]])).tolist()
            [[1.0], [0.0]]
        """
        framed = values if values.ndim == 3 else values[:, np.newaxis]
        total = np.zeros((len(self.frame), framed.shape[-1]))
        held = self.held(spec, len(values))
        for frame, of_instant in zip(held, framed, strict=True):
            total[frame >= 0] += of_instant[frame[frame >= 0]]
        return total / (held >= 0).sum(axis=0)[:, np.newaxis]

    def spread(self, spec: FeatureSpec, chosen: np.ndarray, instants: int) -> np.ndarray:
        """Find cells of the picture, bool [F, rows], in all observations: [T, *observation_shape].

        Example:
            >>> columns = join(ser.FeatureSpec(), instants=2, duration=9.0)
            >>> columns.spread(ser.FeatureSpec(), np.eye(2, 40, dtype=bool), 2).sum(axis=1).tolist()
            [1, 1]
        """
        found = np.zeros((instants, spec.frames, chosen.shape[-1]), bool)
        for frame, of_instant in zip(self.held(spec, instants), found, strict=True):
            of_instant[frame[frame >= 0]] = chosen[frame >= 0]
        return found if spec.patch_shape else found[:, 0]


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
        edge = -(-spec.fft_size // (2 * spec.frame_hop))
        # Of a patch, the frames before `last`: the next patch has the others whole.
        last = max(spec.frames - edge, -(-spec.hop_length // spec.frame_hop) + edge)
        last = min(last, spec.frames)
        newest = np.append(-np.inf, centers[:-1, last - 1])  # frame of the patch before
        # Half a sample: centers of the same frame differ by rounding.
        new = centers > newest[:, np.newaxis] + 0.5 / spec.sample_rate
        new[:-1, last:] = False
        instant, frame = np.nonzero(new)
        center = centers[new]
        end = center + step / 2
        begin = np.maximum(center - step / 2, np.append(0.0, end[:-1]))
    inside = begin < duration
    return Columns(instant[inside], frame[inside], begin[inside], np.minimum(end[inside], duration))
