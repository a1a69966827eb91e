"""The picture on a terminal says what the instant says."""

from __future__ import annotations

import io

import numpy as np
from rich.console import Console

from ser_keras.commands.live_picture import picture, shades

INSTANT = {
    "time": 12.0,
    "heard": True,
    "emotion": "calm",
    "probabilities": {"calm": 0.75, "angry": 0.25},
    "sampled_fraction": 0.4,
    "saliency": [0.0, 3.0, 9.0],
    "attention": [0, 1, 1],
}


def drawn(instant: dict) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(picture(instant))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_emotions_have_bars_of_their_probability():
    lines = drawn(INSTANT).splitlines()
    assert "12.0 s" in lines[0]
    assert "calm" in lines[0]
    assert lines[1].count("█") == 30
    assert "75%" in lines[1]
    assert lines[2].count("█") == 10
    assert " ██" in lines[3]
    assert "40%" in lines[3]


def test_silence_is_said():
    silent = {"time": 2.0, "heard": False, "emotion": None, "probabilities": None}
    assert "nothing heard yet" in drawn(silent)
    assert "silence" in drawn(silent)


def test_shades_grow_with_the_surprise():
    assert shades(np.array([0.0, 0.75, 1.5, 2.25, 3.0, 30.0])) == " ░▒▓██"
    assert len(shades(np.zeros(1000))) == 80
