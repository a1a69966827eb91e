"""The description of a search, and the utterances that its trials share."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import keras_tuner as kt

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import SerKerasError
from ser_keras.features.extraction import extract_corpus
from ser_keras.training.run import TrainingRun, without_data
from ser_keras.tuning import spaces
from ser_keras.tuning.cross_validation import Protocol, folds


class SearchError(SerKerasError, kt.errors.FatalError):
    """A search that cannot go on; KerasTuner ends with it instead of trying another trial.

    Example:
        >>> raise SearchError("three trials in a row failed")
        Traceback (most recent call last):
        ser_keras.tuning.search.SearchError: three trials in a row failed
    """


@dataclass(frozen=True)
class Search:
    """Everything that decides which trials there are and how they score.

    Attributes:
        run: the corpus, its split, and the preset with all settings that are not varied; its epochs
            are the most that a trial is trained for, its seed is the search's.
        space: the settings varied.
        algorithm: "random", "hyperband" or "bayesian".
        protocol: how a trial is judged.
        prune: stop a trial after its first fold where it lies two standard errors below the best.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> Search(TrainingRun("synthetic")).to_dict()["space"]["name"]
        'paper'
    """

    run: TrainingRun
    space: spaces.Space = field(default_factory=lambda: spaces.load("paper"))
    algorithm: str = "random"
    protocol: Protocol = field(default_factory=Protocol)
    prune: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return the description in `search.json`."""
        return {
            "run": self.run.to_dict(),
            "space": {"name": self.space.name, "settings": self.space.to_dict()},
            "algorithm": self.algorithm,
            "protocol": dataclasses.asdict(self.protocol),
            "prune": self.prune,
        }

    def prepare(self, training: Corpus) -> Corpus:
        """Return the utterances that every trial can use, so that all are judged by the same ones.

        Raises:
            ConfigurationError: the space holds an impossible preset.
            CorpusError: the corpus is empty, or an emotion is missing from a fold.
        """
        base = self.run.preset
        self.space.check(base)
        # An utterance that fills the longest window with the shortest silence fills all.
        spec = dataclasses.replace(
            base.features,
            window=max(self.space.extremes("window", base)),
            trailing_silence=min(self.space.extremes("trailing_silence", base)),
        )
        corpus = extract_corpus(training, spec, name="training subset").corpus
        folds(corpus, self.protocol)  # refuses what would make every trial fail
        return corpus

    def fingerprint(self, corpus: Corpus) -> str:
        """Identify the search and its utterances; the folder of the data does not matter."""
        described = self.to_dict()
        described["run"] = without_data(described["run"])
        utterances = [corpus.utterance_key(utterance) for utterance in corpus]
        text = json.dumps([described, utterances], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
