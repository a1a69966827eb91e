"""Explanations in a folder: sounds, a picture, numbers, and a page that holds all of it."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from ser_keras import files
from ser_keras.evaluation import plots
from ser_keras.evaluation.explanation import page
from ser_keras.evaluation.explanation.continued import Continuation
from ser_keras.evaluation.explanation.listening import amplified
from ser_keras.evaluation.explanation.occlusion import Occlusion

if TYPE_CHECKING:
    from ser_keras.evaluation.explanation.explanation import Explanation

PAGE_FILE = "explanation.html"
PICTURE_FILE = "explanation.png"
NUMBERS_FILE = "explanation.json"


def save(
    explanation: Explanation,
    folder: str | PathLike[str],
    occlusion: Occlusion,
    continuation: Continuation | None = None,
) -> list[Path]:
    """Write an explanation to a folder, which is made; what an earlier one left is replaced.

    The sounds are amplified by one factor, so that the loudest of them is as loud as a recording
    usually is.

    Args:
        explanation: a recording's.
        folder: where to.
        occlusion: of the same recording.
        continuation: of it, if one is wanted.

    Returns:
        The files: recording.wav, expected.wav, surprise.wav, perhaps continuation.wav,
        explanation.png, explanation.json, and explanation.html, which needs none of the others.

    Raises:
        OutputError: they cannot be written.

    Example:
        >>> explanation = ser.explain(model, wav)
        >>> paths = save(explanation, "hello", explanation.occlusion())
        >>> [path.name for path in paths][-1]
        'explanation.html'
    """
    out, rate = files.output_folder(folder), explanation.model.features.sample_rate
    sounds = dict(explanation.sounds)
    if continuation is not None:
        sounds["continuation"] = continuation.samples
    else:
        (out / "continuation.wav").unlink(missing_ok=True)
    sounds = amplified(sounds)
    written = []
    for name, samples in sounds.items():
        _write_sound(out / f"{name}.wav", samples, rate)
        written.append(out / f"{name}.wav")
    plots.save(explanation.plot(), out / PICTURE_FILE)
    content = explanation.to_dict() | {"occlusion": occlusion.to_dict()}
    content["continuation"] = None if continuation is None else continuation.to_dict()
    # On one line: with one number a line, a minute would take a million lines.
    files.write_text(out / NUMBERS_FILE, files.json_line(content) + "\n")
    html = page.render_page(explanation, sounds, occlusion, continuation)
    files.write_text(out / PAGE_FILE, html)
    return [*written, *(out / name for name in (PICTURE_FILE, NUMBERS_FILE, PAGE_FILE))]


def _write_sound(path: Path, samples: np.ndarray[Any, Any], rate: int) -> None:
    with files.replacing(path) as temporary:
        soundfile.write(temporary, samples, rate, subtype="PCM_16")
