"""Utterances of like lengths, batched together so that padding adds at most half the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHORTEST_BUCKET = 2  # instants


@dataclass(frozen=True)
class Buckets:
    """Utterances sorted into ranges of lengths.

    Example:
        >>> buckets = Buckets.of([2, 2, 2, 2, 3, 9], batch_size=3)
        >>> buckets.boundaries, buckets.counts.tolist(), buckets.sizes.tolist()
        ([3, 5, 7, 9], [4, 1, 0, 0, 1], [2, 1, 1, 1, 1])
    """

    boundaries: list[int]  # lengths at which a bucket begins, but for the first
    bucket_of: np.ndarray  # each utterance's bucket, int [N]
    counts: np.ndarray  # utterances that an epoch draws of each bucket, int [buckets]
    sizes: np.ndarray  # utterances per batch of each bucket, int [buckets], at least 1

    @classmethod
    def of(
        cls, lengths: Sequence[int] | np.ndarray, batch_size: int, draws: np.ndarray | None = None
    ) -> Buckets:
        """Sort utterances of these lengths into buckets; their batches have at most `batch_size`.

        A bucket's batches share its utterances evenly: a last batch of a few would take as large a
        step of gradient descent as a full one. `draws` are how often an epoch draws each utterance
        on average, [N]; None is once.
        """
        boundaries = _boundaries(lengths, batch_size)
        bucket_of = np.digitize(lengths, boundaries)
        expected = np.bincount(bucket_of, draws, minlength=len(boundaries) + 1)
        counts = np.where(expected > 0, np.maximum(np.rint(expected), 1), 0).astype(int)
        batches = np.maximum(-(-counts // batch_size), 1)
        return cls(boundaries, bucket_of, counts, np.maximum(-(-counts // batches), 1))

    def batch_lengths(self) -> list[int]:
        """Utterances in each batch, bucket by bucket."""
        return [
            min(size, count - first)
            for count, size in zip(self.counts, self.sizes, strict=True)
            for first in range(0, count, size)
        ]


def _boundaries(lengths: Sequence[int] | np.ndarray, batch_size: int) -> list[int]:
    """Lengths at which a bucket begins: 3, 5, 7, 9, 13, 17, 25, 33, … up to the longest utterance.

    Two in each octave, in instants: one would pad recordings of three to five seconds to eight
    instants of half a second, a third more than they have. A length whose utterances fill a batch
    has a bucket of its own, so that they are not padded at all.
    """
    ends = [SHORTEST_BUCKET, 2 * SHORTEST_BUCKET]
    while ends[-1] < max(lengths):
        ends += [3 * ends[-1] // 2, 2 * ends[-1]]
    common = np.flatnonzero(np.bincount(lengths) >= batch_size).tolist()
    begins = {*(end + 1 for end in ends), *common, *(length + 1 for length in common)}
    return sorted(begin for begin in begins if min(lengths) < begin <= max(lengths))
