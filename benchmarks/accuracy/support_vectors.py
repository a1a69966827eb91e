"""A support vector machine with an RBF kernel; C is chosen inside the training subset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.accuracy.baseline import Answer, Task

COSTS = (1.0, 10.0, 100.0)
FOLDS = 3
SETTINGS: dict[str, Any] = {"C": list(COSTS), "gamma": "scale", "inner_folds": FOLDS}


class _Kernel(TransformerMixin, BaseEstimator):
    """Computes the kernel as one matrix product.

    SVC computes it row by row, which takes hours where thousands of features are known of
    thousands of recordings.
    """

    def fit(self, inputs: np.ndarray, labels: np.ndarray | None = None) -> _Kernel:
        self.known_ = inputs
        self.gamma_ = 1.0 / (inputs.shape[1] * inputs.var())  # SVC's gamma="scale"
        return self

    def transform(self, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(rbf_kernel(inputs, self.known_, self.gamma_))


def classify(task: Task) -> Answer:
    """Choose C by cross-validation of the training subset, train on all of it, predict the test.

    The inner folds share no speaker if the test subset shares none with the training subset, and
    are stratified by emotion otherwise. With too few utterances to fold, C is the smallest one.
    """
    # The scaler is inside: an inner test fold must not tell the mean it is standardised by.
    machine = make_pipeline(StandardScaler(), _Kernel(), SVC(kernel="precomputed"))
    folds = list(_folds(task))
    if not folds:
        machine.set_params(svc__C=COSTS[0]).fit(task.inputs, task.labels)
        return Answer(machine.predict(task.test_inputs), chosen={"C": COSTS[0]})
    search = GridSearchCV(machine, {"svc__C": list(COSTS)}, cv=folds)
    search.fit(task.inputs, task.labels)
    return Answer(search.predict(task.test_inputs), chosen={"C": search.best_params_["svc__C"]})


def _folds(task: Task) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the indexes to train on and to test on for each inner fold."""
    speakers = len(np.unique(task.speakers))
    if task.unseen_speakers and speakers > 1:
        by_speaker = GroupKFold(min(FOLDS, speakers))
        yield from by_speaker.split(task.inputs, task.labels, task.speakers)
        return
    rarest = int(np.unique(task.labels, return_counts=True)[1].min())
    if rarest > 1:
        stratified = StratifiedKFold(min(FOLDS, rarest), shuffle=True, random_state=task.seed)
        yield from stratified.split(task.inputs, task.labels)
