"""The moments that moved the answer."""

from __future__ import annotations

import numpy as np

from ser_keras.recognition.moments import moments


def test_changes_of_the_final_answer_count_and_nothing_else():
    sad = np.array([0.2, 0.2, 0.7, 0.5, 0.5])
    happy = np.array([0.1, 0.7, 0.1, 0.3, 0.3])  # moves more, but is not the answer
    timeline = np.stack([sad, happy, 1 - sad - happy], axis=1)
    assert moments(timeline) == [2, 3, 1]
    assert moments(timeline, most=1) == [2]


def test_a_single_instant_moved_nothing():
    assert moments(np.array([[0.5, 0.5]])) == []
