"""Pictures of an answer for the page: maps over time and frequency, and what moved it.

Sizes: T instants, D elements of an observation, C columns and R rows of a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ser_keras.evaluation.explanation import maps, moments
from ser_keras.evaluation.explanation.maps import Maps
from ser_keras.features.columns import join
from ser_keras.features.spec import FeatureSpec

# More columns than a screen has pixels show nothing; of ten minutes there would be 40,000.
MOST_COLUMNS = 1000

# Deviations from the mean beyond which all values look the same.
_DEVIATIONS = 3.0
# Decibels beyond which differences of what came from what was expected look the same.
_FARTHEST_DB = 30.0

_PICTURED = ("came", "expected", "saliency", "attention")  # [T, D], too long for JSON


def describe(description: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the maps of a model, given its own description.

    Returns:
        unit, of what came and was expected; scale, the values that the ends of the scale stand for;
        farthest, the difference of both that the ends of its scale stand for; rows, their names;
        step, from a frame to the next in seconds, None where an observation has none; known, the
        frames at the beginning of a window that the windows before it have; heard, whether `sounds`
        can be made.

    Example:
        >>> from ser_keras.export.graph import inference
        >>> described = describe(inference.describe(model))
        >>> described["unit"], described["scale"]
        ('standard deviations from the mean', [-3.0, 3.0])
    """
    spec, scale, farthest = _spec(description), [-_DEVIATIONS, _DEVIATIONS], _DEVIATIONS
    if spec.in_decibels:
        scale = [maps.softest(spec, _range_db(description)), 0.0]
        farthest = _FARTHEST_DB
    return {
        "heard": spec.in_decibels,
        "unit": maps.DECIBELS if spec.in_decibels else maps.DEVIATIONS,
        "scale": scale,
        "farthest": farthest,
        "rows": spec.labels(),
        "step": spec.frame_hop / spec.sample_rate if spec.patch_shape else None,
        "known": int(join(spec, 2, np.inf).new_at(1).frame[0]),
    }


def of_recording(
    description: Mapping[str, Any], answer: Mapping[str, Any], duration: float
) -> dict[str, Any]:
    """Make pictures of the answer to a recording.

    Args:
        description: the model's.
        answer: what its function `explain` returns of one recording, as NumPy has it.
        duration: of the recording, in seconds.

    Returns:
        The answer, with a map and moments in place of what is as long as T × D:
        duration, in seconds; times, where windows end, [T]: behind the recording where it is
        padded; map: came, expected and sampled, [C, R], None where there is nothing, and begin and
        end, in seconds, [C]; moments, as `ser_keras.evaluation.explanation.moments.Moment.to_dict`
        has them, with came and expected of what the moment brought, and told, in a sentence.

    Example:
        >>> from ser_keras.export.graph import inference
        >>> answer = {name: np.zeros((2, 13)) for name in ("came", "expected", "saliency")}
        >>> answer |= {"attention": np.ones((2, 13)), "timeline": np.full((2, 8), 0.125)}
        >>> answer["emotion"] = b"calm"
        >>> sorted(of_recording(inference.describe(model), answer, duration=0.7)["map"])
        ['begin', 'came', 'end', 'expected', 'sampled']
    """
    spec, timeline = _spec(description), answer["timeline"]
    times = np.array([spec.end_of_window(instant) for instant in range(len(timeline))])
    whole, emotion = map_of(description, answer, duration), answer["emotion"].decode()
    found = [
        {
            **moment.to_dict(),
            "came": _rounded(whole.came[whole.instant == moment.instant]),
            "expected": _rounded(whole.expected[whole.instant == moment.instant]),
            "told": moments.in_words(moment, emotion, whole),
        }
        for moment in moments.find(timeline, times, spec.hop, whole)
    ]
    size = max(1, -(-len(whole.came) // MOST_COLUMNS))
    left_out = (*_PICTURED, "loudest")
    return {
        **{name: value for name, value in answer.items() if name not in left_out},
        "duration": duration,
        "times": times,
        "map": {
            "begin": whole.begin[::size].round(4),
            "end": np.append(whole.end[size - 1 : -1 : size], whole.end[-1]).round(4),
            **{
                name: _rounded(in_groups(getattr(whole, name), size))
                for name in ("came", "expected", "sampled")
            },
        },
        "moments": found,
    }


def of_instant(description: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Make a picture of the answer to a window of live sound.

    Args:
        description: the model's.
        answer: what its function `live` returns of one window, as NumPy has it.

    Returns:
        The answer, but with came, expected and sampled as [frames, R], of all of the window.

    Example:
        >>> from ser_keras.export.graph import inference
        >>> answer = {name: np.zeros(13) for name in ("came", "expected", "attention")}
        >>> of_instant(inference.describe(model), answer | {"loudest": 0.0})["came"].shape
        (1, 13)
    """
    rows, loudest = len(_spec(description).labels()), answer["loudest"]
    pictured = {
        "came": answer["came"] - loudest,
        "expected": answer["expected"] - loudest,
        "sampled": answer["attention"],
    }
    left_out = (*_PICTURED, "prediction", "loudest")
    return {
        **{name: value for name, value in answer.items() if name not in left_out},
        **{name: _rounded(value.reshape(-1, rows)) for name, value in pictured.items()},
    }


def _spec(description: Mapping[str, Any]) -> FeatureSpec:
    return FeatureSpec.from_dict(description["preset"]["features"])


def _range_db(description: Mapping[str, Any]) -> float | None:
    """Return the decibels below the loudest point that the model hears, None for no limit."""
    found: float | None = description["preset"]["architecture"]["range_db"]
    return found


def map_of(description: Mapping[str, Any], answer: Mapping[str, Any], duration: float) -> Maps:
    """Join the windows of a recording; arguments as for `of_recording`.

    Example:
        >>> from ser_keras.export.graph import inference
        >>> names = ("came", "expected", "saliency", "attention")
        >>> answer = {name: np.zeros((2, 13)) for name in names}
        >>> map_of(inference.describe(model), answer, duration=0.7).came.shape
        (2, 13)
    """
    spec, range_db, reference = _spec(description), _range_db(description), 0.0
    if spec.in_decibels:
        relative = range_db is not None
        reference = float(answer["loudest"][-1] if relative else np.max(answer["came"]))
    pictured = {name: answer[name] for name in _PICTURED}
    return maps.lay_out(spec, duration, reference=reference, range_db=range_db, **pictured)


def in_groups(values: np.ndarray, size: int) -> np.ndarray:
    """Average columns in groups of a size, the last perhaps smaller; of a mean, NaN is no part.

    Args:
        values: [C, R].
        size: 1 leaves columns as they are.

    Example:
        >>> in_groups(np.array([[1.0], [2.0], [np.nan]]), size=2).tolist()
        [[1.5], [nan]]
    """
    if size == 1:
        return values
    starts = np.arange(0, len(values), size)
    known = np.isfinite(values)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts)
    counts = np.add.reduceat(known.astype(float), starts)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _rounded(values: np.ndarray) -> np.ndarray:
    """Keep two decimals, in as few digits of JSON as they take."""
    return np.round(values, 2).astype(np.float32)
