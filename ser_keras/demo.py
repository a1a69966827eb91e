"""The whole loop in a few minutes: train, evaluate, export, predict, report."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ser_keras import results
from ser_keras.corpora.utterance import Utterance
from ser_keras.errors import AudioError
from ser_keras.evaluation import Evaluation
from ser_keras.files import output_folder, write_text
from ser_keras.recognition import Recognizer
from ser_keras.training import TrainingRun, train
from ser_keras.vrnn import VRNN

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
    test = results.test_part(run, out)
    chosen = [test[index] for index in range(0, len(test), max(1, len(test) // EXAMPLES))]
    lines = _recognize(model, chosen[:EXAMPLES])
    write_text(out / "predictions.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    return evaluation


def _recognize(model: VRNN, utterances: Iterable[Utterance]) -> Iterator[dict[str, Any]]:
    """As `Recognizer.recognize_files`, of what may be parts of recordings."""
    recognizer = Recognizer(model)
    for each in utterances:
        try:
            yield recognizer.recognize(each.path, each.start, each.end)
        except AudioError as error:
            yield {"file": str(each.path), "error": error.reason}
