"""The page of an explanation: one HTML file to be sent to somebody, with sounds and pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from matplotlib.figure import Figure

from ser_keras.evaluation import plots
from ser_keras.evaluation.explanation.continued import Continuation
from ser_keras.evaluation.explanation.occlusion import Occlusion
from ser_keras.evaluation.plots.explanations import title
from ser_keras.evaluation.report.page import render

if TYPE_CHECKING:
    from ser_keras.evaluation.explanation.explanation import Explanation

PHONE = 3.6  # inches; a picture of this width is legible on a phone held upright
_STRETCHES = 6  # of time, in the table of occlusions
_LEAST_EFFECT = 0.005  # change of a probability


def render_page(
    explanation: Explanation,
    sounds: Mapping[str, np.ndarray],
    occlusion: Occlusion,
    continuation: Continuation | None = None,
) -> str:
    """Render an explanation to a page that loads nothing and has no script.

    Args:
        explanation: a recording's.
        sounds: by name, float32 [N] each, as `Explanation.sounds`, and perhaps continuation.
        occlusion: of the same recording.
        continuation: of it, if there is one.

    Example:
        >>> explanation = ser.explain(model, wav)
        >>> html = render_page(explanation, explanation.sounds, explanation.occlusion())
        >>> "What the model expected" in html and "data:audio/wav;base64," in html
        True
    """
    rate = explanation.model.features.sample_rate
    pictures = _variants(explanation.plot)
    continued = {} if continuation is None else _variants(continuation_figure, continuation)
    return render(
        __package__,
        "explanation.html",
        heading=title(explanation.answer),
        answer=explanation.answer,
        duration=explanation.duration,
        window=explanation.model.features.window,
        hop=explanation.model.features.hop,
        padded=explanation.padding_from is not None,
        classes=explanation.model.classes,
        story=explanation.story,
        moved=bool(explanation.moments),
        expects=bool(np.isfinite(explanation.maps.expected).any()),
        sounds={name: _sound_url(sound, rate) for name, sound in sounds.items()},
        pictures=pictures,
        effects=_effects(explanation, occlusion),
        continuation=continuation,
        continued=continued,
        preset=explanation.model.preset.name,
    )


def continuation_figure(
    continuation: Continuation, width: float | None = None, dark: bool = False
) -> Figure:
    """Draw a recording up to an instant, and what the generator went on with.

    Example:
        >>> continuation = ser.explain(model, wav).continuation(seconds=1.0)
        >>> continuation_figure(continuation).axes[0].get_title("left")
        'the recording, and from the line on what the generator made of it'
    """
    maps = continuation.maps
    return plots.spectrogram(
        maps,
        maps.came,
        "the recording, and from the line on what the generator made of it",
        line=continuation.start,
        width=width,
        dark=dark,
    )


def _variants(draw: Any, *arguments: Any) -> dict[str, str]:
    """Draw a picture for wide and narrow screens, light and dark, as data URLs."""
    variants = {}
    for name, width in (("wide", None), ("narrow", PHONE)):
        for ground in ("light", "dark"):
            figure = draw(*arguments, width=width, dark=ground == "dark")
            encoded = base64.b64encode(plots.png(figure)).decode("ascii")
            variants[f"{name}_{ground}"] = f"data:image/png;base64,{encoded}"
    return variants


def _sound_url(samples: np.ndarray, rate: int) -> str:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"


def _effects(explanation: Explanation, occlusion: Occlusion) -> dict[str, list[tuple[str, float]]]:
    """Name the parts whose replacement changes the answer, each with the change, by kind."""
    maps, hop = explanation.maps, explanation.model.features.hop
    stretches = [
        (f"{end - hop:.1f} to {end:.1f} s", float(change))
        for end, change in zip(explanation.times, occlusion.instants, strict=True)
        if abs(change) >= _LEAST_EFFECT  # not NaN
    ]
    chosen = sorted(stretches, key=lambda each: -abs(each[1]))[:_STRETCHES]
    bands = []
    for (first, after), change in zip(occlusion.bands, occlusion.band_changes, strict=True):
        if maps.frequencies is None:
            name = f"{maps.rows[first]} to {maps.rows[after - 1]}"
        else:
            low, high = (float(f"{maps.frequencies[row]:.2g}") for row in (first, after - 1))
            name = f"{low:,.0f} to {high:,.0f} Hz"
        if abs(change) >= _LEAST_EFFECT:
            bands.append((name, float(change)))
    # The stretches in order of time, as the picture has them.
    return {"stretches": [each for each in stretches if each in chosen], "bands": bands}
