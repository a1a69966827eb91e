"""From a recording to the emotion and the attention at every instant."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ser_keras import audio, features, model_files
from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.vrnn import VRNN

# Of the quiet put around a recording, in decibels relative to full scale: a still room. Digital
# silence is unlike any recording.
QUIET_LEVEL = -80.0


class Recognizer:
    """Recognises emotion in recordings of any length.

    Args:
        model: a trained model, or the folder of a run or `.keras` file that holds one.
        quiet: seconds of faint noise to put before and after every recording. A model that was
            trained on recordings that begin and end in silence, as RAVDESS's do, needs it where
            speech has been cut out closely: see docs/model-card.md.

    Raises:
        ConfigurationError: there is no such model, or quiet is not a number of 0 or more.
    """

    def __init__(self, model: VRNN | str | os.PathLike[str], quiet: float = 0.0) -> None:
        if not 0.0 <= quiet < math.inf:
            raise ConfigurationError(f"quiet: found {quiet}, expected seconds, 0 or more")
        self.model = model if isinstance(model, VRNN) else model_files.load(model)
        self.quiet = quiet
        shape = [None, None, *self.model.features.observation_shape]
        # One trace serves recordings of any length.
        self._answer = tf.function(
            self.model.call, input_signature=[tf.TensorSpec(shape, tf.float32)]
        )

    def recognize(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Recognise the emotion in a recording.

        Args:
            path: any file that libsndfile reads.

        Returns:
            file; emotion and probabilities {label: 0..1} at the end; duration in seconds; padded,
            whether the recording was shorter than one window and silence was added to it; and
            instants: time (where the window ends, in seconds of the recording: past its end where
            silence was put behind it), emotion, probabilities, sampled_fraction, saliency [D] in
            standard deviations, attention [D] of zeros and ones.

        Raises:
            AudioError: the file cannot be used.
        """
        samples = audio.load(path, self.model.features.sample_rate)
        return {"file": str(path), **self.recognize_samples(samples)}

    def recognize_samples(self, samples: np.ndarray) -> dict[str, Any]:
        """As `recognize`, of sound that is in memory.

        Args:
            samples: float32 [N], mono, at the model's sample rate.
        """
        spec = self.model.features
        duration = len(samples) / spec.sample_rate
        samples = self._surround(samples)
        padded = spec.instants(len(samples)) == 0
        if padded:
            missing = spec.window_length - spec.trailing_length - len(samples)
            samples = np.pad(samples, (0, missing))
        observations = features.extract(samples, spec)
        outputs = {
            name: np.asarray(value[0])
            for name, value in self._answer(tf.constant(observations[np.newaxis])).items()
        }
        return {
            **name_probabilities(self.model.classes, outputs["probabilities"]),
            "duration": duration,
            "padded": padded,
            "instants": [
                {
                    "time": spec.window + instant * spec.hop - self.quiet,
                    **name_probabilities(self.model.classes, outputs["timeline"][instant]),
                    "sampled_fraction": float(outputs["sampled_fraction"][instant]),
                    "saliency": outputs["saliency"][instant].tolist(),
                    "attention": outputs["attention"][instant].astype(int).tolist(),
                }
                for instant in range(len(observations))
            ],
        }

    def _surround(self, samples: np.ndarray) -> np.ndarray:
        """Put quiet before and after; the same of every recording, so that answers repeat."""
        if not self.quiet:
            return samples
        length = round(self.quiet * self.model.features.sample_rate)
        noise = np.random.default_rng(0).standard_normal((2, length), np.float32)
        before, after = noise * np.float32(10 ** (QUIET_LEVEL / 20))
        return np.concatenate([before, samples, after])

    def recognize_files(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[dict[str, Any]]:
        """Recognise one recording after another; one that cannot be used gives {file, error}."""
        for path in paths:
            try:
                yield self.recognize(path)
            except AudioError as error:
                yield {"file": str(path), "error": error.reason}


def name_probabilities(classes: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """Emotion and probabilities by name, of a vector [C]."""
    return {
        "emotion": classes[int(probabilities.argmax())],
        "probabilities": dict(zip(classes, probabilities.tolist(), strict=True)),
    }
