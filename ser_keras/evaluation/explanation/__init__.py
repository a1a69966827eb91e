"""Explanations: what a model expected of a recording, what came, and what moved its answer."""

from __future__ import annotations

from ser_keras.evaluation.explanation.explanation import Explanation, explain

__all__ = ["Explanation", "explain"]
