"""`ser-keras demo`: the whole loop in a few minutes."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ser_keras.commands import options as shared
from ser_keras.commands.main import COMMANDS
from ser_keras.errors import SerKerasError
from ser_keras.files import json_line, write_text

if TYPE_CHECKING:
    from ser_keras.corpora.utterance import Corpus
    from ser_keras.model.vrnn import VRNN

HELP = "train, evaluate, export and predict; on synthetic speech unless told otherwise"
RESUMES = True

_EXPORTS = {"saved-model": "exported/saved-model", "tflite": "exported/model.tflite"}
_PREDICTIONS_FILE = "predictions.jsonl"
_PREDICTED = 3  # recordings of the test subset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, *shared.TRAINING, "out", corpus="synthetic", out="demo-out")


def run(options: argparse.Namespace) -> int:
    """Run the loop; print the evaluation and where everything is."""
    run = shared.training_run(options)
    from ser_keras.evaluation import results
    from ser_keras.training.train import train

    out = options.out
    model = train(run, out, label="demo")
    evaluation = results.evaluate_run(model, out, out)
    _export(out)
    _predict(model, results.test_subset(run, out), out)
    print(results.summary(evaluation))
    print(f"\nreport       {out / results.REPORT_FILE}")
    print(f"predictions  {out / _PREDICTIONS_FILE}")
    print(f"exported     {out / 'exported'}")
    return 0


def _export(run: Path) -> None:
    """Export a run's model in both formats, through the command `export`."""
    command = importlib.import_module(COMMANDS["export"])
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    for number, (kind, path) in enumerate(_EXPORTS.items(), start=1):
        print(f"demo: export {number} of {len(_EXPORTS)}, {kind}", file=sys.stderr, flush=True)
        words = [str(run), "--to", kind, "--out", str(run / path)]
        if command.run(parser.parse_args(words)) != 0:
            raise SerKerasError(f"{run}: cannot be exported as {kind}")


def _predict(model: VRNN, test: Corpus, out: Path) -> None:
    """Write the predictions of a few recordings, spread over the test subset."""
    from ser_keras.recognition.recognizer import Recognizer

    chosen = test.utterances[:: max(1, len(test) // _PREDICTED)][:_PREDICTED]
    segments = [(utterance.path, utterance.start, utterance.end) for utterance in chosen]
    lines = Recognizer(model).recognize_segments(segments, attention=False)
    write_text(out / _PREDICTIONS_FILE, "".join(json_line(line) + "\n" for line in lines))
