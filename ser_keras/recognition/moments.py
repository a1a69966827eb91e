"""The moments of a recording that moved the answer most."""

from __future__ import annotations

import numpy as np


def moments(timeline: np.ndarray, most: int = 3) -> list[int]:
    """Find the instants at which the probability of the final answer changed most.

    Args:
        timeline: the probabilities at every instant, [T, C].
        most: how many instants to find; there are fewer in a short recording.

    Returns:
        The numbers of instants, from the largest change from the instant before to the least.

    Example:
        >>> moments(np.array([[0.5, 0.5], [0.6, 0.4], [0.1, 0.9], [0.3, 0.7]]), most=2)
        [2, 3]
    """
    answer = timeline[:, int(timeline[-1].argmax())]
    changes = np.abs(np.diff(answer))
    return [int(index) + 1 for index in np.argsort(-changes, kind="stable")[:most]]
