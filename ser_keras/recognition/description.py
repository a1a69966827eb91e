"""An answer by name: a recording's emotion, probabilities and instants, as in a line of JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_keras.features.spec import FeatureSpec
from ser_keras.model.familiarity import Familiarity
from ser_keras.recognition.bulk import BatchAnswer
from ser_keras.recognition.decoded import Recording
from ser_keras.recognition.instants import name_probabilities, shortest


@dataclass(frozen=True)
class Describer:
    """Describes a model's answers.

    Args:
        spec: the model's features.
        classes: its emotions, in the order of the probabilities.
        familiarity: what it knows, None where it has not learnt it.

    Example:
        >>> describer = Describer(model.features, ("calm", "sad"), None)
        >>> probabilities = np.array([0.75, 0.25], np.float32)
        >>> describer.instant(0.5, probabilities, sampled_fraction=1.0)["probabilities"]
        {'calm': 0.75, 'sad': 0.25}
    """

    spec: FeatureSpec
    classes: tuple[str, ...]
    familiarity: Familiarity | None

    def recording(self, recording: Recording, answer: BatchAnswer) -> dict[str, Any]:
        """Describe the answer to a recording."""
        samples = len(recording.samples)
        fractions = shortest(answer.sampled_fraction)
        instants = [
            self.instant(self.spec.end_of_window(index), probabilities, sampled)
            for index, (probabilities, sampled) in enumerate(
                zip(answer.probabilities, fractions, strict=True)
            )
        ]
        duration, padded = samples / self.spec.sample_rate, samples < self.spec.window_length
        return self.whole(instants, duration, padded, recording.silent, answer.surprisal)

    def whole(
        self,
        instants: list[dict[str, Any]],
        duration: float,
        padded: bool,
        silent: bool,
        surprisal: float,
    ) -> dict[str, Any]:
        """Describe a recording by its instants; surprisal is NaN of a single one."""
        return {
            "emotion": instants[-1]["emotion"],
            "probabilities": instants[-1]["probabilities"],
            "duration": duration,
            "padded": padded,
            "silent": silent,
            "familiarity": self._rank(surprisal),
            "instants": instants,
        }

    def instant(
        self, time: float, probabilities: np.ndarray, sampled_fraction: float
    ) -> dict[str, Any]:
        """Describe an instant, given float32 [C]."""
        return {
            "time": time,
            **name_probabilities(self.classes, probabilities),
            "sampled_fraction": sampled_fraction,
        }

    def _rank(self, surprisal: float) -> float | None:
        """Tell how familiar a recording of this mean surprisal is; None of a single instant."""
        if self.familiarity is None or np.isnan(surprisal):
            return None
        return round(self.familiarity.of(surprisal), 4)
