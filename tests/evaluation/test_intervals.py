"""Bootstrap intervals against SciPy's and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ser_keras.evaluation import intervals
from ser_keras.evaluation.metrics import by_group

CLASSES = ["happy", "sad", "angry"]


def rows(speakers: int = 20, each: int = 15, seed: int = 0) -> list[dict]:
    """Answers that are right more often for some speakers than for others."""
    rng = np.random.default_rng(seed)
    made = []
    for speaker in range(speakers):
        right = rng.uniform(0.3, 0.95)
        for number in range(each):
            emotion = CLASSES[number % 3]
            predicted = emotion if rng.random() < right else str(rng.choice(CLASSES))
            made.append({"file": f"{speaker}-{number}", "speaker": str(speaker),
                         "emotion": emotion, "predicted": predicted})  # fmt: skip
    return made


def shares(answers: list[dict]) -> np.ndarray:
    """Right answers of each speaker, who all have the same number of utterances."""
    correct = np.array([row["emotion"] == row["predicted"] for row in answers])
    return correct.reshape(20, -1).mean(axis=1)


def test_the_interval_over_speakers_is_scipy_s():
    answers = rows()
    found = intervals.accuracy_intervals(answers, CLASSES)
    assert (found["over"], found["speakers"], found["level"]) == ("speakers", 20, 0.95)
    expected = stats.bootstrap(
        (shares(answers),), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    np.testing.assert_allclose(found["weighted_accuracy"], expected, atol=0.015)
    # Every speaker has every emotion equally often: both accuracies are the same.
    np.testing.assert_allclose(found["unweighted_accuracy"], found["weighted_accuracy"], atol=1e-12)


@pytest.mark.parametrize("speaker", ["", "the only one"])
def test_without_several_speakers_it_is_over_utterances(speaker: str):
    answers = [row | {"speaker": speaker} for row in rows()]
    found = intervals.accuracy_intervals(answers, CLASSES)
    assert (found["over"], found["utterances"]) == ("utterances", 300)
    narrow, wide = (
        np.diff(each["weighted_accuracy"])
        for each in (found, intervals.accuracy_intervals(rows(), CLASSES))
    )
    assert narrow < wide
    right = sum(row["emotion"] == row["predicted"] for row in answers)
    expected = stats.binomtest(right, 300).proportion_ci(method="wilson")
    np.testing.assert_allclose(found["weighted_accuracy"], expected, atol=0.01)


def test_an_emotion_that_nobody_has_does_not_count():
    found = intervals.accuracy_intervals(rows(), [*CLASSES, "calm"])
    assert found == intervals.accuracy_intervals(rows(), CLASSES)


def test_the_difference_is_that_of_the_means_and_its_interval_is_paired():
    first = [rows(seed=1), rows(seed=2)]
    worse = [[row | {"predicted": "sad"} if number % 5 == 0 else row
              for number, row in enumerate(answers)] for answers in first]  # fmt: skip
    pairs = list(zip(first, worse, strict=True))
    found = intervals.difference_intervals(pairs, CLASSES)["weighted_accuracy"]
    differences = [shares(one) - shares(other) for one, other in pairs]
    assert found["value"] == pytest.approx(np.mean(differences))
    expected = stats.bootstrap(
        (np.mean(differences, axis=0),), np.mean, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    np.testing.assert_allclose([found["low"], found["high"]], expected, atol=0.005)


def test_a_model_does_not_differ_from_itself():
    answers = rows()
    found = intervals.difference_intervals([(answers, answers)], CLASSES)
    nothing = {"value": 0.0, "low": 0.0, "high": 0.0}
    assert found["weighted_accuracy"] == found["unweighted_accuracy"] == nothing


def test_folds_by_speaker_may_be_empty_in_a_resample():
    answers = rows()
    folds = [answers[:150], answers[150:285], answers[285:]]  # the last has a single speaker
    found = intervals.difference_intervals([(fold, fold) for fold in folds], CLASSES)
    assert found["speakers"] == 20
    assert found["unweighted_accuracy"]["high"] == 0


def test_groups_add_up_to_all():
    answers = rows()
    groups = by_group(answers, "speaker")
    assert sum(group["utterances"] for group in groups.values()) == len(answers)
    assert sorted(group["weighted_accuracy"] for group in groups.values()) == pytest.approx(
        sorted(shares(answers))
    )
    assert by_group([row | {"speaker": ""} for row in answers], "speaker") == {}
