"""From a recording to the emotion and the attention at every instant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from ser_keras.errors import AudioError
from ser_keras.features import reference
from ser_keras.interruption import deferred
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.sound import decoding


class Recognizer:
    """Recognises emotion in recordings of any length.

    Args:
        model: a trained model, or the folder of a run or `.keras` file that holds one.

    Raises:
        ConfigurationError: there is no such model.
    """

    def __init__(self, model: VRNN | str | os.PathLike[str]) -> None:
        self.model = model if isinstance(model, VRNN) else model_files.load(model)
        shape = [None, None, *self.model.features.observation_shape]
        # One trace serves recordings of any length.
        self._answer = tf.function(
            self.model.call, input_signature=[tf.TensorSpec(shape, tf.float32)]
        )

    def recognize(
        self, path: str | os.PathLike[str], start: float | None = None, end: float | None = None
    ) -> dict[str, Any]:
        """Recognise the emotion in a recording, or in a part of it.

        Args:
            path: any file that libsndfile reads.
            start: where the part begins, in seconds; None for the recording's beginning.
            end: where it ends; None for the recording's end.

        Returns:
            file; emotion and probabilities {label: 0..1} at the end; duration in seconds; padded,
            whether the part was shorter than one window and silence was added to it; and
            instants: time (where the window ends, in seconds of the part: past its end where
            silence was put behind it), emotion, probabilities, sampled_fraction, saliency [D] in
            standard deviations, attention [D] of zeros and ones.

        Raises:
            AudioError: the file cannot be used.
        """
        with deferred():
            samples = decoding.load(path, self.model.features.sample_rate, start, end)
            return {"file": str(path), **self._answer_sound(samples)}

    def recognize_samples(self, samples: ArrayLike) -> dict[str, Any]:
        """As `recognize`, of sound that is in memory.

        Args:
            samples: [N] or [N, channels] at the model's sample rate; floats, full scale is -1 to 1,
                or int16.

        Raises:
            AudioError: samples of another kind, or none at all.
        """
        samples = decoding.mono(decoding.IN_MEMORY, samples)
        if not len(samples):
            raise AudioError(decoding.IN_MEMORY, "expected sound, found no samples")
        return self._answer_sound(samples)

    def recognize_files(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[dict[str, Any]]:
        """Recognise one recording after another; one that cannot be used gives {file, error}."""
        return self.recognize_segments((path, None, None) for path in paths)

    def recognize_segments(
        self, parts: Iterable[tuple[str | os.PathLike[str], float | None, float | None]]
    ) -> Iterator[dict[str, Any]]:
        """As `recognize_files`, of parts of recordings.

        Args:
            parts: path, start and end of each, as `recognize` takes them.
        """
        for path, start, end in parts:
            try:
                yield self.recognize(path, start, end)
            except AudioError as error:
                yield {"file": str(path), "error": error.reason}

    def _answer_sound(self, samples: np.ndarray) -> dict[str, Any]:
        """What `recognize_samples` gives, of float32 [N] that have been checked."""
        spec = self.model.features
        duration = len(samples) / spec.sample_rate
        padded = len(samples) < spec.window_length
        if spec.instants(len(samples)) == 0:
            missing = spec.window_length - spec.trailing_length - len(samples)
            samples = np.pad(samples, (0, missing))
        observations = reference.extract(samples, spec)
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
                    "time": spec.window + instant * spec.hop,
                    **name_probabilities(self.model.classes, outputs["timeline"][instant]),
                    "sampled_fraction": float(outputs["sampled_fraction"][instant]),
                    "saliency": outputs["saliency"][instant].tolist(),
                    "attention": outputs["attention"][instant].astype(int).tolist(),
                }
                for instant in range(len(observations))
            ],
        }


def name_probabilities(classes: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """Emotion and probabilities by name, of a vector [C]."""
    return {
        "emotion": classes[int(probabilities.argmax())],
        "probabilities": dict(zip(classes, probabilities.tolist(), strict=True)),
    }
