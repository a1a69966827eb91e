"""What a search is, and the tuner that runs its trials."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import keras
import keras_tuner as kt
import numpy as np
from keras_tuner.src.engine.trial import Trial, TrialStatus  # of no public name

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError, SerKerasError
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.interruption import deferred
from ser_keras.model.settings import Preset
from ser_keras.training.run import TrainingRun
from ser_keras.tuning.cross_validation import (
    OBJECTIVES,
    Curve,
    FoldTrainer,
    Protocol,
    folds,
    hopeless,
    score,
)
from ser_keras.tuning.hypermodel import VRNNHyperModel
from ser_keras.tuning.spaces import Space

FINGERPRINT = "search"  # the hyperparameter that tells a worker what its chief searches
PROJECT = "trials"
SIGN_OF_LIFE_EVERY = 5.0  # seconds


@dataclass(frozen=True)
class Search:
    """All that decides which trials there are and what they score.

    Attributes:
        run: the corpus, its split, and the preset that holds all settings that are not varied; its
            epochs are the most that a trial is trained for, its seed the search's.
        space: the settings varied.
        algorithm: "random", "hyperband" or "bayesian".
        protocol: how a trial is judged.
        prune: stop a trial after its first fold where it lies two standard errors below the best.
    """

    run: TrainingRun
    space: Space
    algorithm: str = "random"
    protocol: Protocol = field(default_factory=Protocol)
    prune: bool = True

    def to_dict(self) -> dict[str, Any]:
        """What `search.json` holds."""
        return {
            "run": self.run.to_dict(),
            "space": {"name": self.space.name, "settings": self.space.to_dict()},
            "algorithm": self.algorithm,
            "protocol": dataclasses.asdict(self.protocol),
            "prune": self.prune,
        }


def number(trial: Trial) -> int:
    """A trial's number for people, from 1; KerasTuner counts from 0."""
    return int(trial.trial_id) + 1


class Fatal(SerKerasError, kt.errors.FatalError):
    """A mistake of the user's that no other trial would mend: the search ends with it."""


@dataclass(frozen=True)
class Material:
    """The training part and its folds, checked.

    Attributes:
        corpus: the utterances that every trial can use, so that all answer for the same ones.
        folds: indexes of the utterances trained on and held out.
        left_out: how many are too short for the longest window of the space with the shortest
            silence behind it, or unreadable.
    """

    corpus: Corpus
    folds: Sequence[tuple[np.ndarray, np.ndarray]]
    left_out: int


def prepare(search: Search, training: Corpus) -> Material:
    """Extract the training part once and check all that could make a trial fail.

    Raises:
        ConfigurationError: the space holds an impossible preset.
        CorpusError: the corpus is empty, or an emotion is missing from a fold.
    """
    base = search.run.preset
    search.space.check(base)
    if not len(training):
        raise CorpusError(f"{search.run.corpus}: found no utterance to train on")
    # What fits the longest window with the shortest silence behind it fits all.
    spec = dataclasses.replace(
        base.features,
        window=search.space.longest_window(base),
        trailing_silence=search.space.shortest_silence(base),
    )
    corpus = extract_corpus(training, spec, name="training subset").corpus
    return Material(corpus, folds(corpus, search.protocol), len(training) - len(corpus))


def fingerprint(search: Search, material: Material) -> str:
    """A name of the search and its utterances; where the data lies does not matter."""
    told = search.to_dict()
    del told["run"]["data"]
    places = [material.corpus.utterance_key(utterance) for utterance in material.corpus]
    text = json.dumps([told, places], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class SearchTuner(kt.engine.base_tuner.BaseTuner):
    """Runs trials of a search: all of them, or as one of several workers.

    Args:
        search: what is searched.
        material: what `prepare` gave.
        oracle: what `oracles.make` gave.
        directory: where the state is kept.
        heard: called at the end of each fold, with the trial and a line for the reader.
    """

    def __init__(
        self,
        search: Search,
        material: Material,
        oracle: Any,
        directory: Path,
        heard: Callable[[Trial, str], None] | None = None,
    ) -> None:
        self.search_ = search
        self.material = material
        self.fingerprint = fingerprint(search, material)
        self._heard = heard or (lambda trial, line: None)
        self._extracted: tuple[Any, Extraction] | None = None
        self._asked = 0
        classes = material.corpus.emotions
        seed = search.protocol.seed
        hypermodel = VRNNHyperModel(search.space, search.run.preset, classes, seed)
        own = search.space.of(search.run.preset)
        if own is not None:
            oracle.first = {**own, FINGERPRINT: self.fingerprint}
        super().__init__(oracle, hypermodel, directory=str(directory), project_name=PROJECT)

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Cross-validate a trial.

        Returns:
            Both accuracies, averaged over folds and of each fold, and what they cost.

        Raises:
            Fatal: the chief searches something else, or the corpus cannot be read any more.
        """
        began = time.monotonic()
        values = trial.hyperparameters.values
        if values.get(FINGERPRINT) != self.fingerprint:
            raise Fatal(
                "this worker was started with another corpus or other options than its chief; "
                "expected the same command, but for --role, --out and --data"
            )
        preset = self.preset(values)
        with self._signs_of_life(trial):
            try:
                extracted = self._extract(preset)
                with deferred():
                    trainer = FoldTrainer(preset, extracted, self.search_.protocol)
                curves, stopped = self._folds(trial, trainer)
            except SerKerasError as error:
                raise Fatal(str(error)) from error
            finally:
                with deferred():
                    keras.backend.clear_session()
        metrics = self._metrics(curves, stopped)
        metrics |= {"epochs_trained": trainer.epochs_trained, "seconds": time.monotonic() - began}
        return {name: float(value) for name, value in metrics.items()}

    def preset(self, values: Mapping[str, Any]) -> Preset:
        """The preset that a trial's values stand for."""
        preset = self.hypermodel.preset(values)
        if "tuner/epochs" in values:  # Hyperband's
            preset = preset.with_settings({"epochs": int(values["tuner/epochs"])})
        return preset

    def _folds(self, trial: Trial, trainer: FoldTrainer) -> tuple[list[Curve], bool]:
        """The folds' curves, and whether the trial was stopped after the first."""
        objective = self.search_.protocol.objective
        curves: list[Curve] = []
        for number, (training, held_out) in enumerate(self.material.folds):
            curve = trainer.fold(training, held_out)
            curves.append(curve)
            best = max(getattr(curve, objective))
            self._heard(trial, f"fold {number + 1} of {len(self.material.folds)}: {best:.1%}")
            if number == 0 and self.search_.prune and self.search_.algorithm != "hyperband":
                first = self._best_metric(f"{objective}_fold_1")
                mine = getattr(score(curves, objective), objective)[0]
                if first is not None and hopeless(mine, first, len(held_out)):
                    return curves, True
        return curves, False

    def _metrics(self, curves: Sequence[Curve], stopped: bool) -> dict[str, float]:
        found = score(curves, self.search_.protocol.objective)
        metrics: dict[str, float] = {
            "epochs": found.epochs,
            "folds": len(curves),
            "stopped_early": stopped,
        }
        for name in OBJECTIVES:
            by_fold = getattr(found, name)
            metrics[name] = found.mean(name)
            if stopped:
                # One fold may be easier than all: the trial is given the best one's mean, less
                # what it lacked on the fold that both were judged on.
                best, first = self._best_metric(name), self._best_metric(f"{name}_fold_1")
                if best is not None and first is not None:
                    metrics[name] = max(best - (first - by_fold[0]), 0.0)
            metrics |= {f"{name}_fold_{fold + 1}": value for fold, value in enumerate(by_fold)}
        return metrics

    def _best_metric(self, name: str) -> float | None:
        for trial in self.oracle.get_best_trials(1):
            if trial.status == TrialStatus.COMPLETED and trial.metrics.exists(name):
                return float(trial.metrics.get_best_value(name))
        return None

    def _extract(self, preset: Preset) -> Extraction:
        """The training part's observations; those of the last trial are kept."""
        wanted = (preset.features, preset.augmentation)
        if self._extracted is None or self._extracted[0] != wanted:
            corpus = self.material.corpus
            extracted = extract_corpus(
                corpus, preset.features, progress=False, augmentation=preset.augmentation
            )
            # Varied copies follow, of which some may have become too short.
            if extracted.corpus.utterances[: len(corpus)] != corpus.utterances:
                raise CorpusError(
                    f"found other recordings than the {len(corpus)} that the search began with; "
                    "some cannot be read any more"
                )
            self._extracted = (wanted, extracted)
        return self._extracted[1]

    def _signs_of_life(self, trial: Trial) -> _SignsOfLife:
        return _SignsOfLife(lambda: self.oracle.get_trial(trial.trial_id), self._is_worker())

    def pre_create_trial(self) -> None:
        """Wait a little before asking again."""
        if self._asked:
            time.sleep(0.5)
        self._asked += 1

    def on_trial_begin(self, trial: Trial) -> None:
        """A trial was given."""
        self._asked = 0

    def on_trial_end(self, trial: Trial) -> None:
        """Hand the trial back, with the reason where it failed."""
        if trial.message:
            # The chief gets the numbers alone: the reason must be told here.
            reason = trial.message.strip().splitlines()[-1]
            print(f"tune: trial {number(trial)} failed: {reason}", file=sys.stderr)
        super().on_trial_end(trial)

    def _populate_initial_space(self) -> None:
        # KerasTuner would build models to discover the space, which we know.
        hp = kt.HyperParameters()
        self.hypermodel.declare_hyperparameters(hp)
        hp.Fixed(FINGERPRINT, self.fingerprint)
        self.oracle.update_space(hp)

    def _get_tuner_fname(self) -> str:
        # Whether there is a state to go on from; a worker has none, its chief has.
        name = "worker" if self._is_worker() else "oracle.json"
        return str(Path(self.project_dir) / name)

    def save(self) -> None:
        """Save the state, which is the oracle's."""
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        """Go on from the state on disk."""
        self.oracle.reload()


class _SignsOfLife:
    """Tells the chief now and then that a trial's worker is alive."""

    def __init__(self, tell: Callable[[], Any], needed: bool) -> None:
        self._tell = tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True) if needed else None

    def _run(self) -> None:
        while not self._over.wait(SIGN_OF_LIFE_EVERY):
            with contextlib.suppress(grpc.RpcError):  # it may be starting again
                self._tell()

    def __enter__(self) -> None:
        if self._thread:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()
