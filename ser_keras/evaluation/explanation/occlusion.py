"""Occlusion by the model's own means: what if a part had come as it was expected?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_keras.evaluation.explanation.maps import listed
from ser_keras.features.columns import join
from ser_keras.recognition.replay import Observations, Replay, Replayed

BANDS = 8  # groups of rows


@dataclass(frozen=True, eq=False)
class Occlusion:
    """Changes of the answer's probability where a part is replaced by its prediction.

    A change below 0 means that the part spoke for the answer. Where the first window alone has
    something, nothing was predicted, and nothing is replaced.

    Args:
        instants: change by what each instant brought, in all windows that hold it, [T]; NaN first.
        instant_saliency: mean saliency of it, in standard deviations, [T]; NaN first.
        bands: first row of each group of rows, and the row after its last.
        band_changes: change by each group of rows, throughout, [groups].
        band_saliency: mean saliency of it, [groups].

    Example:
        >>> occlusion = ser.explain(model, wav).occlusion()
        >>> len(occlusion.bands), bool(np.isnan(occlusion.instants[0]))
        (8, True)
    """

    instants: NDArray[np.float64]
    instant_saliency: NDArray[np.float64]
    bands: tuple[tuple[int, int], ...]
    band_changes: NDArray[np.float64]
    band_saliency: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON has.

        Example:
            >>> list(ser.explain(model, wav).occlusion().to_dict())[0]
            'instants'
        """
        arrays = ("instants", "instant_saliency", "band_changes", "band_saliency")
        lists = {name: listed(getattr(self, name)) for name in arrays}
        return lists | {"bands": [list(band) for band in self.bands]}


def occlude(replay: Replay, observed: Observations, replayed: Replayed) -> Occlusion:
    """Replace what every instant brought, and every group of rows, one after the other.

    Args:
        replay: of the model.
        observed: the recording as the model reads it.
        replayed: what it makes of it as it came.

    Example:
        >>> replay = Replay(model)
        >>> observed = replay.read(np.zeros(12000, np.float32))
        >>> nothing = np.zeros((1, *observed.standardized.shape), bool)
        >>> as_it_came = replay(observed.standardized, nothing)
        >>> occlude(replay, observed, as_it_came).instants.shape
        (3,)
    """
    spec, windows = replay.model.features, len(observed.standardized)
    rows = spec.observation_shape[-1]
    columns = join(spec, windows, np.inf)
    ends = np.linspace(0, rows, min(BANDS, rows) + 1).round().astype(int)
    bands = tuple(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
    parts = [np.repeat(columns.instant[:, np.newaxis] == t, rows, axis=1) for t in range(windows)]
    for first, after in bands:
        in_band = np.zeros((len(columns.instant), rows), bool)
        in_band[:, first:after] = True
        parts.append(in_band)

    saliency = columns.of(replayed.saliency[0].reshape(windows, *spec.observation_shape))
    predicted = (columns.instant > 0)[:, np.newaxis]
    means = [
        float(saliency[part & predicted].mean()) if (part & predicted).any() else np.nan
        for part in parts
    ]
    versions = (columns.spread(spec, part, windows).reshape(windows, -1) for part in parts)
    as_it_came = replayed.probabilities[0, -1]
    answered = int(as_it_came.argmax())
    found = replay.probabilities(observed.standardized, versions)[:, answered]
    changes = found.astype(float) - float(as_it_came[answered])
    changes[0] = np.nan
    return Occlusion(
        instants=changes[:windows],
        instant_saliency=np.array(means[:windows]),
        bands=bands,
        band_changes=changes[windows:],
        band_saliency=np.array(means[windows:]),
    )
