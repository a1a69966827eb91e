"""Reports as one HTML file: of an evaluation, and of a reproduction of the paper's tables.

Both take the dictionaries of the result files and repeat their numbers; they compute none that a
reader could not check against the JSON beside the report.
"""

from __future__ import annotations

from ser_keras.evaluation.report.evaluation import evaluation_report
from ser_keras.evaluation.report.page import write
from ser_keras.evaluation.report.reproduction import reproduction_report

__all__ = ["evaluation_report", "reproduction_report", "write"]
