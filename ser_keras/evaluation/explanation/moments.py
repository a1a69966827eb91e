"""The moments that moved an answer most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_keras.evaluation.explanation.maps import DECIBELS, DEVIATIONS, Maps
from ser_keras.recognition.moments import moments

# A smaller change of a probability is not worth anybody's attention.
LEAST_CHANGE = 0.005
_AS_EXPECTED = {DECIBELS: 3.0, DEVIATIONS: 0.3}


@dataclass(frozen=True)
class Moment:
    """An instant that changed the probability of the answer.

    Args:
        instant: its index, at least 1.
        start: where what its window brought begins, in seconds.
        time: where its window ends, in seconds.
        before: probability of the answer at the instant before, 0 to 1.
        after: probability of the answer at this instant.
        row: index of the row of the map that was then farthest from the expectation, on average;
            None in appended silence.
        difference: what came in that row less what was expected, in the map's unit.

    Example:
        >>> Moment(instant=1, start=1.0, time=1.5, before=0.25, after=0.75).change
        0.5
    """

    instant: int
    start: float
    time: float
    before: float
    after: float
    row: int | None = None
    difference: float | None = None

    @property
    def change(self) -> float:
        """Change of the probability."""
        return self.after - self.before

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON has.

        Example:
            >>> list(Moment(1, 1.0, 1.5, 0.25, 0.75).to_dict())[:3]
            ['instant', 'start', 'time']
        """
        fields = ("instant", "start", "time", "before", "after", "change", "row", "difference")
        return {name: getattr(self, name) for name in fields}


def find(timeline: NDArray[Any], times: NDArray[Any], hop: float, maps: Maps) -> list[Moment]:
    """Describe the instants with the largest change of the answer's probability, by time.

    Args:
        timeline: the probabilities at every instant, [T, C].
        times: where windows end, in seconds, [T].
        hop: seconds from window to window, which each of them brings.
        maps: the recording's.

    Returns:
        At most three; fewer of a recording with fewer changes.

    Example:
        >>> maps = ser.explain(model, wav).maps
        >>> timeline = np.array([[0.5, 0.5], [0.75, 0.25], [0.625, 0.375]])
        >>> moments = find(timeline, np.array([0.5, 1.0, 1.5]), 0.5, maps)
        >>> [(moment.time, moment.change) for moment in moments]
        [(1.0, 0.25), (1.5, -0.125)]
    """
    answer = timeline[:, int(timeline[-1].argmax())]
    found = [
        Moment(
            index,
            round(float(times[index]) - hop, 6),
            float(times[index]),
            float(answer[index - 1]),
            float(answer[index]),
            *_most_surprising(maps, index),
        )
        for index in sorted(moments(timeline))
    ]
    return [moment for moment in found if abs(moment.change) >= LEAST_CHANGE]


def _most_surprising(maps: Maps, instant: int) -> tuple[int, float] | tuple[None, None]:
    """Return the row that was farthest from the expectation in what an instant brought."""
    brought = maps.instant == instant
    if not brought.any():
        return None, None
    differences = (maps.came - maps.expected)[brought].mean(axis=0)  # [rows]
    row = int(np.argmax(np.abs(differences)))
    return row, float(differences[row])


def in_words(moment: Moment, emotion: str, maps: Maps) -> str:
    """Tell in plain English what happened at a moment.

    Args:
        moment: the moment.
        emotion: the answer.
        maps: the recording's.

    Example:
        >>> in_words(Moment(1, 1.0, 1.5, 0.25, 0.75), "sad", ser.explain(model, wav).maps)
        'at 1.5 s, "sad" rose from 25 to 75 %: in the silence after the recording'
    """
    way = "rose" if moment.change > 0 else "fell"
    told = f'at {moment.time:.1f} s, "{emotion}" {way} '
    told += f"from {100 * moment.before:.0f} to {100 * moment.after:.0f} %: "
    if moment.row is None or moment.difference is None:
        return f"{told}in the silence after the recording"
    if abs(moment.difference) < _AS_EXPECTED[maps.unit]:
        return f"{told}about as expected, after what came before"
    more = moment.difference > 0
    if maps.frequencies is None:
        return f"{told}{maps.rows[moment.row]} was {'higher' if more else 'lower'} than expected"
    hertz = float(f"{maps.frequencies[moment.row]:.2g}")
    return (
        f"{told}{abs(moment.difference):.0f} dB {'louder' if more else 'softer'} than expected "
        f"around {hertz:,.0f} Hz"
    )
