"""The tuner that runs the trials of a search, alone or as one of several workers."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import keras
import keras_tuner as kt
import numpy as np
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import CorpusError, SerKerasError
from ser_keras.features.extraction import Extraction, extract_corpus
from ser_keras.interruption import deferred
from ser_keras.model.settings import Preset
from ser_keras.tuning.cross_validation import Curve, folds, score, should_prune
from ser_keras.tuning.fold_trainer import FoldTrainer
from ser_keras.tuning.hypermodel import VRNNHyperModel
from ser_keras.tuning.oracles import ResumableOracle
from ser_keras.tuning.search import Search, SearchError
from ser_keras.tuning.trials import TrialTable

HEARTBEAT_EVERY = 5.0  # seconds

_FINGERPRINT = "search"  # the hyperparameter that tells a worker which search its chief runs


class SearchTuner(BaseTuner):
    """Tuner that runs all trials of a search, or some of them as one of several workers.

    Args:
        search: the search.
        corpus: its training subset, from `prepare`.
        oracle: gives out the trials; a worker asks the chief's instead.
        directory: folder of the oracle's state, which is resumed if there is one.
        on_fold: called at the end of each fold, with the trial and a line for the reader.

    Example:
        >>> from ser_keras.training.run import TrainingRun
        >>> from ser_keras.tuning.oracles import make_oracle
        >>> search = Search(TrainingRun("synthetic"))
        >>> tuner = SearchTuner(search, corpus, make_oracle(search, budget=4), Path())
        >>> tuner.oracle.get_space().space[0].name
        'recognition_units'
    """

    def __init__(
        self,
        search: Search,
        corpus: Corpus,
        oracle: ResumableOracle,
        directory: Path,
        on_fold: Callable[[Trial, str], None] = lambda trial, line: None,
    ) -> None:
        self._search, self._corpus, self._on_fold = search, corpus, on_fold
        self._folds = folds(corpus, search.protocol)
        self._fingerprint = search.fingerprint(corpus)
        self._extracted: tuple[Any, Extraction] | None = None
        self._asked = False
        space, base, seed = search.space, search.run.preset, search.protocol.seed
        self._hypermodel = VRNNHyperModel(space, base, corpus.emotions, seed)
        hp = kt.HyperParameters()
        self._hypermodel.declare_hyperparameters(hp)
        hp.Fixed(_FINGERPRINT, self._fingerprint)
        oracle.update_space(hp)
        if (own := space.values_of(base)) is not None:
            oracle.initial_values = {**own, _FINGERPRINT: self._fingerprint}
        # Given no hypermodel, KerasTuner does not build models to discover the space.
        super().__init__(oracle, directory=str(directory), project_name="trials")
        # On a worker, KerasTuner has put a client of the chief's oracle in its place.
        self._owns_oracle = self.oracle is oracle
        if self._owns_oracle:
            oracle.reload()

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Cross-validate a trial.

        Returns:
            Both accuracies, averaged over folds and of each fold, and their cost.

        Raises:
            SearchError: the chief runs another search, or the corpus cannot be read any more.
        """
        began = time.monotonic()
        values = trial.hyperparameters.values
        if values.get(_FINGERPRINT) != self._fingerprint:
            raise SearchError(
                "worker: expected the same command as its chief's but for --role, --out and "
                "--data, found another corpus or other options than its chief"
            )
        preset = self._hypermodel.preset(values)
        with self._heartbeat(trial):
            try:
                extracted = self._extract(preset)
                with deferred():
                    trainer = FoldTrainer(preset, extracted, self._search.protocol)
                curves, pruned = self._train_folds(trial, trainer)
            except SerKerasError as error:
                raise SearchError(str(error)) from error
            finally:
                with deferred():
                    keras.backend.clear_session()
        metrics = self._metrics(curves, pruned)
        metrics |= {"epochs_trained": trainer.epochs_trained, "seconds": time.monotonic() - began}
        return {name: float(value) for name, value in metrics.items()}

    def _train_folds(self, trial: Trial, trainer: FoldTrainer) -> tuple[list[Curve], bool]:
        """Return the folds' curves, and whether the trial was pruned after the first."""
        objective = self._search.protocol.objective
        prunes = self._search.prune and self._search.algorithm != "hyperband"
        curves: list[Curve] = []
        for fold, (training, held_out) in enumerate(self._folds, start=1):
            curves.append(trainer.fold(training, held_out))
            accuracy = max(getattr(curves[-1], objective))
            self._on_fold(trial, f"fold {fold} of {len(self._folds)}: {accuracy:.1%}")
            if fold == 1 and prunes:
                best = self._best_metric(f"{objective}_fold_1")
                if best is not None and should_prune(accuracy, best, len(held_out)):
                    return curves, True
        return curves, False

    def _metrics(self, curves: Sequence[Curve], pruned: bool) -> dict[str, float]:
        epochs, accuracies = score(curves, self._search.protocol.objective)
        metrics: dict[str, Any] = {"epochs": epochs, "folds": len(curves), "stopped_early": pruned}
        for name, by_fold in accuracies.items():
            metrics[name] = float(np.mean(by_fold))
            if pruned:
                # One fold may be easier than all: the trial is given the best one's mean, less
                # its distance from the best one on the fold that both have.
                best, best_first = self._best_metric(name), self._best_metric(f"{name}_fold_1")
                if best is not None and best_first is not None:
                    metrics[name] = max(best - (best_first - by_fold[0]), 0.0)
            metrics |= {f"{name}_fold_{fold}": value for fold, value in enumerate(by_fold, start=1)}
        return metrics

    def _best_metric(self, name: str) -> float | None:
        """Return a metric of the best trial so far; None before the first has ended."""
        for trial in self.oracle.get_best_trials(1):
            if trial.status == TrialStatus.COMPLETED and trial.metrics.exists(name):
                return float(trial.metrics.get_best_value(name))
        return None

    def _extract(self, preset: Preset) -> Extraction:
        """Extract the training subset, unless the last trial had the same features."""
        wanted = (preset.features, preset.augmentation)
        if self._extracted is None or self._extracted[0] != wanted:
            expected = self._corpus.utterances
            extracted = extract_corpus(
                self._corpus, preset.features, progress=False, augmentation=preset.augmentation
            )
            # Varied copies follow, of which some may have become too short.
            if extracted.corpus.utterances[: len(expected)] != expected:
                raise CorpusError(
                    f"training subset: expected the {len(expected)} recordings that the search "
                    "began with, found that some cannot be read any more"
                )
            self._extracted = (wanted, extracted)
        return self._extracted[1]

    @contextlib.contextmanager
    def _heartbeat(self, trial: Trial) -> Iterator[None]:
        """Tell the chief regularly that this worker is alive."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(HEARTBEAT_EVERY):
                with contextlib.suppress(grpc.RpcError):  # the chief may be starting again
                    self.oracle.get_trial(trial.trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        if not self._owns_oracle:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if not self._owns_oracle:
                thread.join()

    def pre_create_trial(self) -> None:
        """Wait a little before asking for a trial again."""
        time.sleep(0.5 if self._asked else 0.0)
        self._asked = True

    def on_trial_begin(self, trial: Trial) -> None:
        """Ask for the next trial without waiting."""
        self._asked = False

    def on_trial_end(self, trial: Trial) -> None:
        """Hand the trial back, and print the reason where it failed."""
        if trial.message:
            # A chief gets the metrics alone: the reason must be printed here.
            reason = trial.message.strip().splitlines()[-1]
            print(f"tune: trial {TrialTable.number(trial)} failed: {reason}", file=sys.stderr)
        super().on_trial_end(trial)

    def save(self) -> None:
        """Save the state, which is the oracle's; a worker's chief has it."""
        if self._owns_oracle:
            self.oracle.save()
