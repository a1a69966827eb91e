"""A recording that the generator continues on its own, as sound and picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser_keras.evaluation.explanation import listening
from ser_keras.evaluation.explanation.maps import Maps, join
from ser_keras.fields import require
from ser_keras.recognition import inversion
from ser_keras.recognition.continuation import generate
from ser_keras.recognition.replay import Observations, Replay, Replayed

LONGEST = 30.0  # seconds
_SPEECH_DB = 20.0  # a stretch that is not softer than this below the loudest is speech, mostly


@dataclass(frozen=True, eq=False)
class Continuation:
    """A recording up to an instant, and what the generator went on with.

    Args:
        start: where the generator begins, in seconds.
        seed: that it drew with.
        samples: the recording up to there, and the continuation, float32 [N]; the latter without a
            phase of its own, which Griffin and Lim's method finds.
        maps: of both; `came` is what the generator made, from `start` on.
        times: where the windows that it made end, in seconds, [M].
        probabilities: of every emotion, as it infers them from what it made, [M, C].

    Example:
        >>> continuation = ser.explain(model, wav).continuation(seconds=1.0)
        >>> len(continuation.times)
        2
    """

    start: float
    seed: int
    samples: NDArray[np.float32]
    maps: Maps
    times: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return start, seed, times and probabilities, as JSON has them.

        Example:
            >>> ser.explain(model, wav).continuation(seconds=1.0).to_dict()["seed"]
            0
        """
        return {
            "start": self.start,
            "seed": self.seed,
            "times": self.times.tolist(),
            "probabilities": self.probabilities.round(4).tolist(),
        }


def go_on(
    replay: Replay,
    observed: Observations,
    samples: NDArray[np.float32],
    seconds: float,
    start: float | None = None,
    seed: int = 0,
) -> Continuation:
    """Let the generator go on from an instant.

    Args:
        replay: of the model.
        observed: the recording as the model reads it.
        samples: the recording, float32 [N], at the model's rate.
        seconds: how long to go on.
        start: in seconds, where a window ends, or the last that does before; None for the last
            window after which speech goes on.
        seed: the same one gives the same continuation.

    Raises:
        ConfigurationError: seconds or start are out of their range.

    Example:
        >>> replay = Replay(model)
        >>> sound = np.zeros(12000, np.float32)
        >>> go_on(replay, replay.read(sound), sound, seconds=1.0).start
        1.0
    """
    model, spec = replay.model, replay.model.features
    require(0 < seconds <= LONGEST, "seconds", seconds, f"more than 0, at most {LONGEST:g}")
    ends = np.array([spec.end_of_window(t) for t in range(len(observed.standardized))])
    if start is None:
        instant = _last_speech(samples, ends, spec.hop, spec.sample_rate)
    else:
        expected = f"where a window ends, {ends[0]:g} to {ends[-1]:g} s, or later"
        require(start >= ends[0], "start", start, expected)
        instant = int(np.searchsorted(ends, start, side="right")) - 1
    count = max(1, -int(-seconds // spec.hop))
    read = observed.standardized[: instant + 1]
    made = generate(model, read, count, seed)

    both = np.concatenate([read, made.observations])
    loudest = np.append(observed.loudest[: instant + 1], np.full(count, observed.loudest[instant]))
    end = float(ends[instant]) + count * spec.hop
    unknown = np.full((1, *both.shape), np.nan, np.float32)
    joined = join(
        model, Observations(both, loudest), Replayed(unknown, unknown, unknown, unknown), end
    )
    power = listening.power_of(model, joined, joined.came)
    length = round(end * spec.sample_rate)
    column = inversion.frames_of(joined.begin, joined.end, length, spec)
    of_frames = np.where(column[:, np.newaxis] < 0, 0.0, power[column])
    whole = inversion.sound(of_frames, spec, seed=seed)
    cut = min(round(float(ends[instant]) * spec.sample_rate), len(samples))
    return Continuation(
        start=float(ends[instant]),
        seed=seed,
        samples=_joined(samples[:cut], whole, round(0.02 * spec.sample_rate)),
        maps=joined,
        times=ends[instant] + spec.hop * np.arange(1, count + 1),
        probabilities=made.probabilities,
    )


def _last_speech(
    samples: NDArray[np.float32], ends: NDArray[np.float64], hop: float, rate: int
) -> int:
    """Return the last window whose last hop, and the hop after it, are about as loud as any."""
    stretches = [samples[max(0, round((end - hop) * rate)) : round(end * rate)] for end in ends]
    power = np.array([float(np.mean(part**2)) if len(part) else 0.0 for part in stretches])
    loud = power >= power.max() * 10 ** (-_SPEECH_DB / 10)
    inside = np.flatnonzero(loud[:-1] & loud[1:])
    return int(inside[-1] if len(inside) else np.flatnonzero(loud)[-1])


def _joined(
    recording: NDArray[np.float32], made: NDArray[np.float32], fade: int
) -> NDArray[np.float32]:
    """Fade from a recording to the same time of made sound, over some samples."""
    fade = min(fade, len(recording))
    whole = np.concatenate([recording, made[len(recording) :]])
    share = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    stretch = slice(len(recording) - fade, len(recording))
    whole[stretch] = (1.0 - share) * recording[stretch] + share * made[stretch]
    return whole
