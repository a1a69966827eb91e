"""A stream's answers as a picture on a terminal, redrawn at every instant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ser_keras.model.vrnn import VRNN

BAR = 40  # characters of certainty
SHADES = " ░▒▓█"
STRONG = 3.0  # standard deviations of surprise that are drawn full


def draw(instants: Iterable[dict[str, Any]], model: VRNN, console: Console | None = None) -> None:
    """Redraw at every instant until there are no more; the last picture stays.

    Args:
        instants: as `StreamingRecognizer.push` gives them.
        model: whose they are.
        console: where; standard output if None.
    """
    with Live(Text("listening …"), console=console, auto_refresh=False) as live:
        for instant in instants:
            live.update(picture(instant), refresh=True)


def picture(instant: dict[str, Any]) -> Group:
    """One instant: the emotions with their probabilities, and what of the sound surprised."""
    title = f"{instant['time']:8.1f} s   {instant['emotion'] or 'nothing heard yet'}"
    emotions = Table.grid(padding=(0, 1))
    for emotion, probability in (instant["probabilities"] or {}).items():
        chosen = emotion == instant["emotion"]
        emotions.add_row(
            Text(emotion, style="bold" if chosen else ""),
            Text("█" * round(BAR * probability), style="green" if chosen else "blue"),
            f"{probability:.0%}",
        )
    if not instant["heard"]:
        return Group(Text(title, style="bold"), emotions, Text("silence", style="dim"))
    surprise = Text.assemble(
        "surprise  ", shades(np.array(instant["saliency"])), f"  {instant['sampled_fraction']:.0%}"
    )
    return Group(Text(title, style="bold"), emotions, surprise)


def shades(saliency: np.ndarray, width: int = 2 * BAR) -> str:
    """A character for each element of the saliency [D], or for neighbours where there are many."""
    parts = np.array_split(saliency, min(width, len(saliency)))
    strength = np.clip([part.mean() / STRONG for part in parts], 0.0, 1.0)
    return "".join(SHADES[round(value * (len(SHADES) - 1))] for value in strength)
