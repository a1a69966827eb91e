"""Explanations to listen to: the recording, the expectation, and what was not expected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ser_keras.evaluation.explanation.maps import DECIBELS, Maps
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition import inversion

Samples = NDArray[np.float32]

LOUDEST = 0.7  # of full scale: the loudest peak of sounds that are written
MOST_GAIN = 100.0  # silence stays silence


def power_of(model: VRNN, maps: Maps, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the power in mel bands that values of a map stand for.

    Args:
        model: the maps' model.
        maps: a recording's.
        values: of the map, in its unit, [columns, rows]; NaN stands for no sound.

    Returns:
        [columns, mel_bands].

    Example:
        >>> maps = ser.explain(model, wav).maps
        >>> power_of(model, maps, maps.came).shape == (len(maps.came), 40)
        True
    """
    if maps.unit == DECIBELS:
        raw = values + maps.reference
    else:
        scale, mean = model.standardization.scale.numpy(), model.standardization.mean.numpy()
        raw = values * scale + mean
    return inversion.mel_power(raw, model.features)


def sounds(model: VRNN, maps: Maps, samples: Samples) -> dict[str, Samples]:
    """Make the sounds of an explanation, as long as the recording.

    What was expected, and what came beyond it: in each band, the power that came less the power
    that was expected, where that is more than nothing. Both are made of mel spectra and have the
    recording's own phase; where nothing was predicted they are silent.

    Args:
        model: the maps' model.
        maps: the recording's.
        samples: the recording, float32 [N], at the model's rate.

    Returns:
        recording, expected and surprise, float32 [N].

    Example:
        >>> explanation = ser.explain(model, wav)
        >>> list(sounds(model, explanation.maps, explanation.samples))
        ['recording', 'expected', 'surprise']
    """
    came, expected = (power_of(model, maps, values) for values in (maps.came, maps.expected))
    return sounds_of_power(model.features, maps, samples, came, expected)


def sounds_of_power(
    spec: FeatureSpec,
    maps: Maps,
    samples: Samples,
    came: NDArray[np.float64],
    expected: NDArray[np.float64],
) -> dict[str, Samples]:
    """Make the sounds of an explanation from the power in mel bands, [columns, mel_bands].

    Args:
        spec: of the observations.
        maps: the recording's.
        samples: the recording, float32 [N], at the spec's rate.
        came: the power that came.
        expected: the power that was expected.

    Example:
        >>> maps, silence = ser.explain(model, wav).maps, np.zeros(8000, np.float32)
        >>> power = np.zeros((len(maps.came), 40))
        >>> sounds_of_power(model.features, maps, silence, power, power)["surprise"].shape
        (8000,)
    """
    predicted = np.isfinite(maps.expected).all(axis=1, keepdims=True)
    column = inversion.frames_of(maps.begin, maps.end, len(samples), spec)

    def made(power: NDArray[np.float64]) -> Samples:
        of_frames = np.where(column[:, np.newaxis] < 0, 0.0, power[column])
        return inversion.sound(of_frames, spec, phase_of=samples)

    surprise = np.where(predicted, np.maximum(came - expected, 0.0), 0.0)
    return {"recording": samples, "expected": made(expected), "surprise": made(surprise)}


def amplified(made: dict[str, Samples]) -> dict[str, Samples]:
    """Amplify sounds by one factor, so that the loudest peak of all is `LOUDEST`.

    Example:
        >>> sounds = {"a": np.full(2, 0.01, np.float32), "b": np.full(2, 0.1, np.float32)}
        >>> [round(float(sound[0]), 2) for sound in amplified(sounds).values()]
        [0.07, 0.7]
    """
    peak = max(float(np.abs(sound).max(initial=0.0)) for sound in made.values())
    gain = np.float32(min(LOUDEST / max(peak, 1e-9), MOST_GAIN))
    return {name: np.clip(gain * sound, -1.0, 1.0) for name, sound in made.items()}
