"""The baselines, by the names that `--only` takes."""

from __future__ import annotations

from benchmarks.accuracy.baseline import Baseline
from benchmarks.accuracy.bilstm import BILSTM
from benchmarks.accuracy.functionals import COMPARE, EGEMAPS
from benchmarks.accuracy.log_mel_cnn import LOG_MEL_CNN
from benchmarks.accuracy.mean_mfcc import MEAN_MFCC

BASELINES: dict[str, Baseline] = {
    "egemaps-svm": EGEMAPS,
    "compare-svm": COMPARE,
    "mean-mfcc-svm": MEAN_MFCC,
    "bilstm": BILSTM,
    "log-mel-cnn": LOG_MEL_CNN,
}
