"""The instants of a stream on a terminal, redrawn as they arrive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

_BAR = 40  # characters of a probability of 1
_SHADES = " ░▒▓█"
_STRONG = 3.0  # saliency, in standard deviations, that is drawn with the darkest shade


def show(instants: Iterable[dict[str, Any]], console: Console | None = None) -> None:
    """Draw every instant of `StreamingRecognizer.push` over the one before; the last one stays.

    Example:
        >>> instant = {"time": 2.0, "heard": False, "emotion": None, "probabilities": None}
        >>> show([instant], Console(width=40))
             2.0 s   no emotion yet
        silence
    """
    with Live(Text("waiting for sound …"), console=console, auto_refresh=False) as live:
        for instant in instants:
            live.update(_render(instant), refresh=True)


def _render(instant: dict[str, Any]) -> Group:
    """Lay out the emotions with their probabilities, and the saliency below."""
    title = f"{instant['time']:8.1f} s   {instant['emotion'] or 'no emotion yet'}"
    if instant["heard"] and instant.get("silent"):
        title += "   (silence)"
    emotions = Table.grid(padding=(0, 1))
    for emotion, probability in (instant["probabilities"] or {}).items():
        chosen = emotion == instant["emotion"]
        emotions.add_row(
            Text(emotion, style="bold" if chosen else ""),
            Text("█" * round(_BAR * probability), style="green" if chosen else "blue"),
            f"{probability:.0%}",
        )
    if instant["heard"]:
        shades = _shades(np.array(instant["saliency"]))
        below = Text(f"surprise  {shades}  {instant['sampled_fraction']:.0%}")
    else:
        below = Text("silence", style="dim")
    return Group(Text(title, style="bold"), emotions, below)


def _shades(saliency: np.ndarray) -> str:
    """Draw a character for each element of the saliency [D]; for neighbors where D is large."""
    neighbors = np.array_split(saliency, min(2 * _BAR, len(saliency)))
    strength = np.clip([values.mean() / _STRONG for values in neighbors], 0.0, 1.0)
    return "".join(_SHADES[round(value * (len(_SHADES) - 1))] for value in strength)
