"""The models to measure: runs that were trained already, or presets that are trained here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.export.edge import PRECISIONS
from ser_keras.export.edge.convert import tflite
from ser_keras.model import presets
from ser_keras.training.run import TrainingRun, read_run, split_corpus
from ser_keras.training.train import train


@dataclass(frozen=True)
class Candidate:
    """A trained model on disk.

    Attributes:
        name: of the run's folder, or of the preset.
        folder: of the run.
        run: what it was trained on.
    """

    name: str
    folder: Path
    run: TrainingRun

    def test_subset(self) -> Corpus:
        """The test subset, on which the model was not trained."""
        return split_corpus(self.run)["test"]


def candidate(name: str, corpus: str, data: str | None, epochs: int | None, out: Path) -> Candidate:
    """Find a run, or train a preset on the training subset of a random split, seed 0.

    Args:
        name: folder of a run, or name of a preset.
        corpus: of all that are measured together.
        data: where it is, here and now.
        epochs: of training; the preset's own if None.
        out: below it presets are trained; one that is trained there already is taken as it is.

    Raises:
        ConfigurationError: there is neither run nor preset of that name, or the run is of another
            corpus.
    """
    if Path(name).is_dir():
        run = read_run(Path(name))
        if run.corpus != corpus:
            raise ConfigurationError(f"{name}: was trained on {run.corpus}, expected {corpus}")
        return Candidate(Path(name).name, Path(name), dataclasses.replace(run, data=data))
    preset = presets.get(name)
    if epochs is not None:
        preset = preset.with_settings({"epochs": epochs})
    run = TrainingRun(corpus, data, preset)
    folder = out / "runs" / name
    train(run, folder, label=name)
    return Candidate(name, folder, run)


def exported(found: Candidate, out: Path) -> dict[str, Path]:
    """Export a TFLite file of each precision."""
    from ser_keras.model import files as model_files

    model = model_files.load(found.folder)
    return {
        precision: tflite(model, out / found.name / f"{precision}.tflite", precision)
        for precision in PRECISIONS
    }
