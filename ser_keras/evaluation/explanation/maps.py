"""Maps of time and frequency: what came, what was expected and what was sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_keras.features.columns import join as join_windows
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.replay import Observations, Replayed

Array = NDArray[np.float64]

DECIBELS = "dB below the loudest point"
DEVIATIONS = "standard deviations from the mean"
# Decibels below the loudest point where a picture ends of a model that cuts nothing off.
_DECIBELS = 80.0


@dataclass(frozen=True, eq=False)
class Maps:
    """A recording's windows joined to one map of columns (time) and rows (frequency).

    `ser_keras.features.columns` defines how. There is no column past the recording's end.

    Args:
        begin: where columns begin, in seconds, [columns].
        end: where they end: where the next begins, unless windows lie apart.
        rows: names of the rows: mel bands, or coefficients.
        frequencies: where each row has its peak, in hertz; None if rows are coefficients.
        unit: of came and expected: decibels below the loudest point of the recording so far, of
            log-mel patches, or standard deviations from the mean of the training subset.
        came: what the model read, [columns, rows].
        expected: the prediction of it that was made before; NaN where nothing was predicted, in
            the columns that the first window brought.
        sampled: share of the windows that hold a cell in which it was sampled, 0 to 1: where it is
            0, the model believed its own prediction. The first window samples everything.
        saliency: |came - expected| in standard deviations; NaN where nothing was predicted.
        reference: decibels of full scale that are 0 in came and expected; 0 for other units.
        instant: of the window that each column is taken from, int [columns].
        softest: where pictures of came and expected end, see `softest`.

    Example:
        >>> maps = ser.explain(model, wav).maps
        >>> maps.came.shape == maps.sampled.shape == (len(maps.begin), len(maps.rows))
        True
        >>> bool(np.isnan(maps.expected[0]).all())  # nothing was expected before the first window
        True
    """

    begin: Array
    end: Array
    rows: tuple[str, ...]
    frequencies: Array | None
    unit: str
    came: Array
    expected: Array
    sampled: Array
    saliency: Array
    reference: float
    instant: NDArray[np.int64]
    softest: float

    def to_dict(self) -> dict[str, Any]:
        """Return lists that JSON has, with None for NaN; values have three decimals.

        Example:
            >>> ser.explain(model, wav).maps.to_dict()["unit"]
            'standard deviations from the mean'
        """
        return {
            "unit": self.unit,
            "rows": list(self.rows),
            "frequencies": None if self.frequencies is None else self.frequencies.tolist(),
            "begin": listed(self.begin),
            "end": listed(self.end),
            "came": listed(self.came),
            "expected": listed(self.expected),
            "sampled": listed(self.sampled),
            "saliency": listed(self.saliency),
        }


def listed(values: NDArray[Any]) -> list[Any]:
    """Return nested lists of three decimals, with None for NaN.

    Example:
        >>> listed(np.array([0.12345, np.nan]))
        [0.123, None]
    """
    rounded = np.asarray(values, np.float64).round(3)
    numbers = rounded.astype(object)
    numbers[np.isnan(rounded)] = None
    return numbers.tolist()


def join(model: VRNN, observed: Observations, replayed: Replayed, duration: float) -> Maps:
    """Join a recording's windows.

    Args:
        model: the model that went through it.
        observed: what it was given.
        replayed: what it made of that, one version.
        duration: of the recording, in seconds.

    Example:
        >>> from ser_keras.recognition.replay import Replay
        >>> replay = Replay(model)  # windows of 0.5 s, 0.5 s apart
        >>> observed = replay.read(np.zeros(12000, np.float32))
        >>> replayed = replay(observed.standardized, np.zeros((1, 3, 13), bool))
        >>> join(model, observed, replayed, duration=1.2).end.tolist()
        [0.5, 1.0, 1.2]
    """
    came, expected = observed.standardized, replayed.prediction[0]
    reference = 0.0
    if model.features.in_decibels:
        came, expected = decibels(model, observed, came), decibels(model, observed, expected)
        reference = float(observed.loudest[-1] if model.dynamic_range is not None else np.max(came))
    return lay_out(
        model.features,
        duration,
        came=came,
        expected=expected,
        saliency=replayed.saliency[0],
        attention=replayed.attention[0],
        reference=reference,
        range_db=model.architecture.range_db,
    )


def lay_out(
    spec: FeatureSpec,
    duration: float,
    *,
    came: Array,
    expected: Array,
    saliency: Array,
    attention: Array,
    reference: float,
    range_db: float | None = None,
) -> Maps:
    """Join windows, given what a model makes of each of them, float [T, D].

    Args:
        spec: of the observations.
        duration: of the recording, in seconds.
        came: in decibels of full scale where `FeatureSpec.in_decibels`, else in standard deviations
            from the mean.
        expected: the prediction of it, in the same unit; of the first window it means nothing.
        saliency: in standard deviations; of the first window it means nothing.
        attention: 1 where the model sampled, else 0.
        reference: decibels of full scale that are to be 0; 0 for other units.
        range_db: the model's, see `softest`.

    Example:
        >>> zeros = np.zeros((2, 40))
        >>> read = {name: zeros for name in ("came", "expected", "saliency", "attention")}
        >>> maps = lay_out(ser.FeatureSpec(), 3.0, **read, reference=0.0)
        >>> maps.expected[:, 0].tolist()
        [nan, 0.0]
    """
    windows = len(came)
    columns = join_windows(spec, windows, duration)

    def patches(flat: Array) -> Array:
        return np.array(flat, dtype=float).reshape(windows, *spec.observation_shape)

    predicted, surprise = patches(expected), patches(saliency)
    predicted[0] = surprise[0] = np.nan
    frequencies = spec.band_frequencies if len(spec.labels()) == spec.bands else None
    return Maps(
        begin=columns.begin,
        end=columns.end,
        rows=tuple(spec.labels()),
        frequencies=None if frequencies is None else np.array(frequencies),
        unit=DECIBELS if spec.in_decibels else DEVIATIONS,
        came=columns.of(patches(came)) - reference,
        expected=columns.of(predicted) - reference,
        sampled=columns.mean(spec, patches(attention)),
        saliency=columns.of(surprise),
        reference=reference,
        instant=columns.instant,
        softest=softest(spec, range_db),
    )


def softest(spec: FeatureSpec, range_db: float | None) -> float:
    """Return the decibels where pictures end: the model cuts off what is softer.

    Args:
        spec: of the observations, which may be cut off, too.
        range_db: the model's (`Architecture.range_db`); None where it cuts nothing off.

    Example:
        >>> softest(ser.FeatureSpec(kind="log-mel", top_db=70.0), range_db=None)
        -70.0
    """
    return -(range_db or spec.top_db or _DECIBELS)


def decibels(model: VRNN, observed: Observations, standardized: Array) -> Array:
    """Undo standardization and relative level of log-mel patches.

    Args:
        model: of log-mel patches.
        observed: with the loudest points that levels are relative to.
        standardized: float [T, D].

    Returns:
        Decibels of full scale, float [T, D].

    Example:
        >>> decibels(model, Observations(np.zeros((1, 13)), np.zeros(1)), np.zeros((1, 13))).shape
        (1, 13)
    """
    rows = standardized.reshape(len(standardized), -1, model.standardization.mean.shape[0])
    values = rows * model.standardization.scale.numpy() + model.standardization.mean.numpy()
    return (values + observed.loudest[:, np.newaxis, np.newaxis]).reshape(standardized.shape)
