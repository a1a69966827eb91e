"""The whole loop in a few minutes: train, evaluate, export, predict, report."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ser_keras.evaluation import results
from ser_keras.evaluation.evaluate import Evaluation
from ser_keras.files import json_line, output_folder, write_text
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.training.run import TrainingRun, train

EXAMPLES = 3

Exporter = Callable[[Path, str, Path], None]


def demo(run: TrainingRun, out: Path, export: Exporter | None = None) -> Evaluation:
    """Train on a corpus and leave everything a user would want to look at.

    Args:
        run: what to train.
        out: gets the run's files, the evaluation's, `predictions.jsonl` of some recordings of the
            test part, and `exported/`.
        export: exports a run's folder to a format ("saved-model", "tflite") and a place; None
            where the exporting part of the package is not installed.
    """
    out = output_folder(out)
    model = train(run, out, label="demo")
    evaluation = results.evaluate_run(model, out, out)
    if export is not None:
        for number, (kind, place) in enumerate(
            (("saved-model", "exported/saved-model"), ("tflite", "exported/model.tflite"))
        ):
            print(f"demo: export {number + 1} of 2, {kind}", file=sys.stderr, flush=True)
            export(out, kind, out / place)
    test = results.test_subset(run, out)
    chosen = [test[index] for index in range(0, len(test), max(1, len(test) // EXAMPLES))]
    parts = [(utterance.path, utterance.start, utterance.end) for utterance in chosen[:EXAMPLES]]
    lines = Recognizer(model).recognize_segments(parts)
    write_text(out / "predictions.jsonl", "".join(json_line(line) + "\n" for line in lines))
    return evaluation
