"""Recognition of whole recordings: emotion and attention at every instant."""

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


def name_probabilities(classes: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    """Return emotion and probabilities by name, given a vector [C].

    Example:
        >>> name_probabilities(("calm", "angry"), np.array([0.25, 0.75]))
        {'emotion': 'angry', 'probabilities': {'calm': 0.25, 'angry': 0.75}}
    """
    return {
        "emotion": classes[int(probabilities.argmax())],
        "probabilities": dict(zip(classes, probabilities.tolist(), strict=True)),
    }


def describe_attention(saliency: np.ndarray, attention: np.ndarray) -> dict[str, Any]:
    """Return sampled fraction, saliency and attention of an instant, given vectors [D].

    Example:
        >>> describe_attention(saliency=np.array([2.0, 0.5]), attention=np.array([1.0, 0.0]))
        {'sampled_fraction': 0.5, 'saliency': [2.0, 0.5], 'attention': [1, 0]}
    """
    return {
        "sampled_fraction": float(attention.mean()),
        "saliency": saliency.tolist(),
        "attention": attention.astype(int).tolist(),
    }


class Recognizer:
    """Recognises emotion in recordings of any length.

    Args:
        model: a trained model, or the folder of a run or `.keras` file that holds one.

    Raises:
        ConfigurationError: there is no such model.

    Example:
        >>> answer = ser.Recognizer(model).recognize(wav, end=1.0)
        >>> answer["duration"], [instant["time"] for instant in answer["instants"]]
        (1.0, [0.5, 1.0])
    """

    def __init__(self, model: VRNN | str | os.PathLike[str]) -> None:
        self.model = model if isinstance(model, VRNN) else model_files.load(model)
        shape = [None, None, *self.model.features.observation_shape]
        # One trace serves recordings of any length.
        self._call_model = tf.function(
            self.model.call, input_signature=[tf.TensorSpec(shape, tf.float32)]
        )

    def recognize(
        self, path: str | os.PathLike[str], start: float | None = None, end: float | None = None
    ) -> dict[str, Any]:
        """Recognise the emotion in a recording, or in a segment of it.

        Args:
            path: any file that libsndfile reads.
            start: where the segment begins, in seconds; None for the recording's beginning.
            end: where it ends; None for the recording's end.

        Returns:
            file; emotion and probabilities {label: 0..1} at the end; duration in seconds; padded,
            whether the segment was shorter than one window and silence was added to it; and
            instants: time (where the window ends, in seconds of the segment: past its end where
            silence was appended), emotion, probabilities, sampled_fraction, saliency [D] in
            standard deviations, attention [D] of zeros and ones.

        Raises:
            AudioError: the file cannot be used.
        """
        with deferred():
            samples = decoding.load(path, self.model.features.sample_rate, start, end)
            return {"file": str(path), **self._answer(samples)}

    def recognize_samples(self, samples: ArrayLike) -> dict[str, Any]:
        """Recognise the emotion in sound in memory; returns as `recognize`, without the file.

        Args:
            samples: [N] or [N, channels] at the model's sample rate; floats, full scale is -1 to 1,
                or int16.

        Raises:
            AudioError: samples of another kind, or none at all.
        """
        samples = decoding.mono(decoding.IN_MEMORY, samples)
        if not len(samples):
            raise AudioError(decoding.IN_MEMORY, "expected sound, found no samples")
        return self._answer(samples)

    def recognize_files(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[dict[str, Any]]:
        """Recognise one recording after another; one that cannot be used gives {file, error}."""
        return self.recognize_segments((path, None, None) for path in paths)

    def recognize_segments(
        self, segments: Iterable[tuple[str | os.PathLike[str], float | None, float | None]]
    ) -> Iterator[dict[str, Any]]:
        """Recognise segments, each a path, a start and an end, as `recognize_files`."""
        for path, start, end in segments:
            try:
                yield self.recognize(path, start, end)
            except AudioError as error:
                yield {"file": str(path), "error": error.reason}

    def _answer(self, samples: np.ndarray) -> dict[str, Any]:
        """Answer checked samples, float32 [N]."""
        spec, classes = self.model.features, self.model.classes
        duration = len(samples) / spec.sample_rate
        padded = len(samples) < spec.window_length
        if spec.instants(len(samples)) == 0:
            missing = spec.window_length - spec.trailing_length - len(samples)
            samples = np.pad(samples, (0, missing))
        observations = tf.constant(reference.extract(samples, spec)[np.newaxis])  # [1, T, ...]
        outputs = self._call_model(observations)
        probabilities, timeline, saliency, attention = (
            outputs[name][0].numpy()
            for name in ("probabilities", "timeline", "saliency", "attention")
        )  # [C], [T, C], [T, D], [T, D]
        return {
            **name_probabilities(classes, probabilities),
            "duration": duration,
            "padded": padded,
            "instants": [
                {
                    "time": spec.end_of_window(instant),
                    **name_probabilities(classes, timeline[instant]),
                    **describe_attention(saliency[instant], attention[instant]),
                }
                for instant in range(len(timeline))
            ],
        }
