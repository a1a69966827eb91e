"""One recording, with more and more of it replaced by what the model expected there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ser_keras.features.columns import Columns, join
from ser_keras.recognition.replay import Observations, Replay

SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)  # of what was predicted
ORDERS = ("surprise", "random", "energy")
UNITS = ("cells", "instants")
WAYS = ("deletion", "insertion")


class Version(NamedTuple):
    """A way to change a recording."""

    way: str  # of WAYS
    unit: str  # of UNITS
    order: str  # of ORDERS
    share: float  # deleted or inserted


VERSIONS = tuple(
    Version(way, unit, order, share)
    for way in WAYS
    for unit in UNITS
    for order in ORDERS
    for share in SHARES
)


def answers(replay: Replay, samples: np.ndarray, seed: int) -> np.ndarray:
    """Answer every version of a recording: float32 [VERSIONS, C].

    Args:
        replay: of the model.
        samples: float32 [N], at the model's rate.
        seed: of the random order.
    """
    spec = replay.model.features
    observed = replay.read(samples)
    length = len(observed.standardized)
    columns = join(spec, length, len(samples) / spec.sample_rate)  # the recording, no padding
    values = scores(replay, observed, columns, seed)
    chosen = {version: replaced(version, values, columns) for version in VERSIONS}
    # Some are the same: nothing of it deleted, in whatever order.
    different = {mask.tobytes(): mask for mask in chosen.values()}

    def of_windows() -> Iterator[np.ndarray]:
        for mask in different.values():
            yield columns.spread(spec, mask, length).reshape(length, -1)

    found = replay.probabilities(observed.standardized, of_windows())
    by_mask = dict(zip(different, found, strict=True))
    return np.stack([by_mask[chosen[version].tobytes()] for version in VERSIONS])


def scores(
    replay: Replay, observed: Observations, columns: Columns, seed: int
) -> dict[tuple[str, str], np.ndarray]:
    """Score the cells of a recording, [F, rows], by unit and order: the highest go first.

    All cells that an instant brought have their mean score, where instants are the unit.
    """
    spec, length = replay.model.features, len(observed.standardized)
    nothing = np.zeros((1, *observed.standardized.shape), bool)
    saliency = replay(observed.standardized, nothing).saliency[0]
    random = np.random.default_rng(seed)
    surprise = columns.of(saliency.reshape(length, *spec.observation_shape))
    cells = {
        "surprise": surprise,
        "random": random.random(surprise.shape),
        "energy": energy(replay, observed, columns),
    }
    instants = {order: _means(values, columns) for order, values in cells.items()}
    # The means of thousands of random numbers are the same.
    drawn = random.random(length)[columns.instant, np.newaxis]
    instants["random"] = np.broadcast_to(drawn, surprise.shape)
    return {("cells", order): values for order, values in cells.items()} | {
        ("instants", order): values for order, values in instants.items()
    }


def energy(replay: Replay, observed: Observations, columns: Columns) -> np.ndarray:
    """Return the level of every cell, [F, rows]; of MFCCs, the first one, which is an instant's."""
    spec = replay.model.features
    values = observed.standardized.reshape(-1, *spec.observation_shape)
    if not spec.in_decibels:
        came = columns.of(values)
        return np.broadcast_to(came[:, :1], came.shape)
    decibels = np.asarray(replay.model.standardization.undo(values))
    return columns.of(decibels + observed.loudest[:, np.newaxis, np.newaxis])


def _means(values: np.ndarray, columns: Columns) -> np.ndarray:
    means = np.zeros(values.shape)
    for instant in np.unique(columns.instant):
        means[columns.instant == instant] = values[columns.instant == instant].mean()
    return means


def replaced(
    version: Version, values: dict[tuple[str, str], np.ndarray], columns: Columns
) -> np.ndarray:
    """Choose the cells that the prediction takes the place of, bool [F, rows].

    None of the first window is: there was nothing that had been predicted.
    """
    scored = values[version.unit, version.order]
    predicted = np.broadcast_to(columns.instant[:, np.newaxis] >= 1, scored.shape)
    most = highest(scored, predicted, version.share)
    return most if version.way == "deletion" else predicted & ~most


def highest(values: np.ndarray, among: np.ndarray, share: float) -> np.ndarray:
    """Choose a share of cells, those with the highest values; of equal ones, all or none.

    Args:
        values: [F, rows].
        among: bool [F, rows], those to choose from.
        share: 0 to 1; that which is nearest is chosen.
    """
    count = round(share * among.sum())
    if not count:
        return np.zeros(values.shape, bool)
    least = np.sort(values[among])[-count]
    without, within = among & (values > least), among & (values >= least)
    return without if count - without.sum() < within.sum() - count else within
