"""The display on a terminal shows what the instant says."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from ser_keras.commands import live_display

INSTANT = {
    "time": 12.0,
    "heard": True,
    "emotion": "calm",
    "probabilities": {"calm": 0.75, "angry": 0.25},
    "sampled_fraction": 0.4,
    "saliency": [0.0, 3.0, 9.0],
    "attention": [0, 1, 1],
}


def drawn(**changes: Any) -> str:
    """The text that stays after one instant."""
    console = Console(file=io.StringIO(), width=100)
    live_display.show([INSTANT | changes], console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def surprise(saliency: list[float]) -> str:
    line = drawn(saliency=saliency).splitlines()[-1]
    return line.removeprefix("surprise  ").removesuffix("  40%")


def test_emotions_have_bars_of_their_probability():
    lines = drawn().splitlines()
    assert "12.0 s" in lines[0]
    assert "calm" in lines[0]
    assert lines[1].count("█") == 30
    assert "75%" in lines[1]
    assert lines[2].count("█") == 10
    assert " ██" in lines[3]
    assert "40%" in lines[3]


def test_only_the_last_instant_stays():
    console = Console(file=io.StringIO(), width=100)
    live_display.show([INSTANT, INSTANT | {"time": 13.0}], console)
    assert "12.0 s" not in console.file.getvalue()  # type: ignore[attr-defined]


def test_silence_is_said():
    silent = drawn(heard=False, emotion=None, probabilities=None)
    assert "no emotion yet" in silent
    assert "silence" in silent


def test_shades_grow_with_the_surprise():
    assert surprise([0.0, 0.75, 1.5, 2.25, 3.0, 30.0]) == " ░▒▓██"
    assert len(surprise([0.0] * 1000)) == 80
