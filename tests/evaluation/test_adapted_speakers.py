"""Answers with each speaker known by the others of theirs: by hand, of a model, on real speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.special

from ser_keras import corpora
from ser_keras.corpora import Corpus, splits
from ser_keras.errors import CorpusError
from ser_keras.evaluation import adapted_speakers, report, results
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.files import finite
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.recognition.speaker_adaptation import FEWEST, adapt_to_speaker

RANDOM = np.random.default_rng(0)
LOGITS = RANDOM.normal(0, 3, (6, 4))
PROBABILITIES = scipy.special.softmax(LOGITS, axis=1)


def test_evaluation_adapts_to_each_speaker_by_the_others_of_theirs(
    trained_run: Path, synthetic_corpus: Corpus
):
    model = model_files.load(trained_run)
    model.cell.temperature.assign(1.7)  # probabilities are of logits that were divided by it
    found = evaluate(model, synthetic_corpus, adapt_speakers=True, progress=False)

    paths = [utterance.path for utterance in synthetic_corpus if utterance.speaker == "02"]
    rows = {row["file"]: row["predicted_adapted"] for row in found.predictions}
    assert synthetic_corpus.root is not None
    for path in paths[:3]:
        alone = adapt_to_speaker(model, [other for other in paths if other != path])
        (line,) = Recognizer(alone).recognize_files([path])
        assert rows[str(path.relative_to(synthetic_corpus.root))] == line["emotion"]
    assert found.adapted_speakers is not None
    right = [row["predicted_adapted"] == row["emotion"] for row in found.predictions]
    assert found.adapted_speakers.weighted_accuracy == np.mean(right)
    table = results.summary(found).splitlines()[-3:]
    assert table[0].split() == ["corpus", "WA", "UA", "WA+", "UA+"]
    assert table[1].split()[3] == f"{np.mean(right):.1%}"
    assert table[2] == "+ each speaker known by the others of their utterances, without labels"
    html = report.evaluation_report(finite(found.to_dict()), {}, {})
    assert html.count("weighted+ (%)") == 2
    assert html.count("weighted* (%)") == 0


def test_without_enough_others_or_a_name_an_answer_stays():
    speakers = ["ann"] * FEWEST + [""] * (len(LOGITS) - FEWEST)
    with pytest.raises(CorpusError, match=r"more than 3 utterances, .* found 1 with fewer"):
        adapted_speakers.adapt(PROBABILITIES, speakers)
    both = np.concatenate([PROBABILITIES] * 2)

    found = adapted_speakers.adapt(both, [*speakers, *["bob"] * len(LOGITS)])

    np.testing.assert_array_equal(found[: len(LOGITS)], PROBABILITIES)
    assert not np.isclose(found[len(LOGITS) :], PROBABILITIES).any()


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*left out 7 recordings of CREMA-D")
def test_people_are_recognised_better_once_their_voices_are_known(crema_d: Path):
    """Eight people whom `open` was not trained on, each by some 80 others of their recordings."""
    _, test = splits.by_speaker(corpora.load("crema-d", crema_d), fold=4, folds=9)

    found = evaluate(VRNN.from_preset("open"), test, adapt_speakers=True, progress=False)

    assert found.adapted_speakers is not None
    assert found.adapted_speakers.unweighted_accuracy > found.unweighted_accuracy + 0.02
