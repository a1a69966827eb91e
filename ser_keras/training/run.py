"""One training run: a corpus, a split, a preset and a seed become a folder with a model in it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from ser_keras import corpora, provenance
from ser_keras.corpora import splits
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError, CorpusError, SerKerasError
from ser_keras.features.extraction import extract_subsets
from ser_keras.files import output_folder, write_json
from ser_keras.interruption import deferred
from ser_keras.model import files as model_files
from ser_keras.model import presets
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training import callbacks, pipeline
from ser_keras.training.calibration import calibrate

CONFIGURATION_FILE = "config.json"
SPLIT_FILE = "split.csv"
HISTORY_FILE = "history.csv"


@dataclass(frozen=True)
class TrainingRun:
    """All that decides the numbers of a run.

    Attributes:
        corpus: name of the corpus.
        data: its folder or file; None where it needs none.
        preset: features, architecture, objective and optimisation.
        split: "random", "speaker", "session" or "predefined".
        fold: which speakers or session are left out for the test part.
        test_fraction: share of the test part in a random split.
        validation_fraction: share of the training part that is only watched, for the learning
            curves, and that the temperature is fitted on; nothing else is chosen by it. A
            predefined split that names a validation part has that one, unless the share is nil.
        seed: of the split, the initial weights, the noise and the order of the utterances.
    """

    corpus: str
    data: str | None = None
    preset: Preset = presets.RAVDESS
    split: str = "random"
    fold: int = 0
    test_fraction: float = 0.2
    validation_fraction: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.validation_fraction < 1.0:
            raise ConfigurationError(
                f"validation_fraction: found {self.validation_fraction}, "
                "expected at least 0 and below 1"
            )

    def to_dict(self) -> dict[str, Any]:
        """A nested dictionary that JSON can hold."""
        return dataclasses.asdict(self)

    @property
    def split_index(self) -> int:
        """Which of its kind the split is: a random one's seed, else the fold."""
        return self.seed if self.split == "random" else self.fold

    def on_split(self, split_index: int) -> TrainingRun:
        """The run on another split of its kind; see `split_index`."""
        if self.split == "random":
            return dataclasses.replace(self, seed=split_index)
        return dataclasses.replace(self, fold=split_index)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainingRun:
        """The inverse of `to_dict`."""
        return cls(**{**values, "preset": Preset.from_dict(values["preset"])})


def train(run: TrainingRun, out: Path, label: str = "train") -> VRNN:
    """Train, or go on where a killed call with the same arguments stopped.

    Args:
        run: what to train.
        out: the run's folder: `config.json`, `split.csv`, `history.csv`, `model.keras`, TensorBoard
            logs, and a backup while it runs.
        label: what progress lines begin with.

    Returns:
        The trained model; one that is there already is loaded.

    Raises:
        ConfigurationError: the folder holds another run.
        CorpusError: the corpus or the split cannot be used.
        DivergenceError: the loss became NaN or infinite; no model is left.
        OutputError: the folder cannot be written to.
    """
    out = output_folder(out)
    refuse_another(out, run)
    if (out / model_files.MODEL_FILE).exists():
        _record_where_data_lies(out, run)
        print(f"{label}: {out} is trained already", file=sys.stderr)
        return model_files.load(out)

    parts = split_corpus(run)
    refuse_another_split(out, run, parts)
    epoch = tf.Variable(0, dtype=tf.int64)
    data, validation = _batches(run, parts, epoch)

    with deferred(f"{label}: stopping soon; Ctrl-C again stops at once") as interruption:
        model = VRNN.from_preset(run.preset, parts["train"].emotions, seed=run.seed)
        model.compile()
        model.adapt(data)
        _claim(out, run, parts)
        first = callbacks.restore(model, out / "backup")
        interruption.check()
        model.fit(
            data,
            validation_data=validation,
            initial_epoch=first,
            epochs=run.preset.optimization.epochs,
            shuffle=False,  # the pipeline does
            verbose=0,
            callbacks=[
                *callbacks.for_training(out, label, run.seed, epoch, run.preset),
                callbacks.StopBetweenBatches(interruption),
            ],
        )
        if validation is not None:
            calibrate(model, validation)
        model_files.save(model, out / model_files.MODEL_FILE)
        shutil.rmtree(out / "backup", ignore_errors=True)
    return model


def _batches(
    run: TrainingRun, subsets: Mapping[str, Corpus], epoch: tf.Variable
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Batches of the training subset with its varied copies, and of the validation subset if any.

    Only the batches keep the observations in memory.
    """
    preset, batch_size = run.preset, run.preset.optimization.batch_size
    extracted = extract_subsets(
        {name: corpus for name, corpus in subsets.items() if name != "test"},
        preset.features,
        augmentation=preset.augmentation,
    )
    training = pipeline.batches(
        extracted["train"], batch_size, shuffle=True, seed=run.seed, epoch=epoch
    )
    if "validation" not in extracted:
        return training, None
    return training, pipeline.batches(extracted["validation"], batch_size)


def split_corpus(run: TrainingRun) -> dict[str, Corpus]:
    """The run's parts: train, test and, unless its share is nil, validation."""
    corpus = corpora.load(run.corpus, run.data)
    training, test = splits.split(corpus, run.split, run.fold, run.test_fraction, run.seed)
    if run.validation_fraction == 0.0:
        return {"train": training, "test": test}
    training, validation = splits.validation(training, run.split, run.validation_fraction, run.seed)
    return {"train": training, "validation": validation, "test": test}


def read_run(folder: Path) -> TrainingRun:
    """The configuration of the run in a folder.

    Raises:
        ConfigurationError: the folder holds no run.
    """
    path = folder / CONFIGURATION_FILE
    try:
        return TrainingRun.from_dict(json.loads(path.read_text(encoding="utf-8"))["run"])
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigurationError(f"{folder}: holds no run, looked for {path.name}") from error
    except (ValueError, KeyError, TypeError, SerKerasError) as error:
        raise ConfigurationError(f"{path}: not the configuration of a run ({error})") from error


def refuse_another(out: Path, run: TrainingRun) -> None:
    """Make sure that a folder holds this run or none; where its data lies may have changed.

    Raises:
        ConfigurationError: it holds another; the message names every difference.
    """
    if not (out / CONFIGURATION_FILE).exists():
        return
    found = _flat(read_run(out).to_dict())
    wanted = _flat(run.to_dict())
    differences = [
        f"{key} {found.get(key)!r} instead of {wanted.get(key)!r}"
        for key in sorted(wanted)
        if found.get(key) != wanted.get(key) and key != "data"
    ]
    if differences:
        raise ConfigurationError(
            f"output folder {out}: found another run ({'; '.join(differences)}); "
            "expected this one or an empty folder"
        )


def refuse_another_split(out: Path, run: TrainingRun, parts: Mapping[str, Corpus]) -> None:
    """Make sure that the split in a folder, if there is one, is that of the corpus now.

    Raises:
        CorpusError: it is another.
    """
    path = out / SPLIT_FILE
    if not path.exists():
        return
    together = Corpus(
        run.corpus,
        tuple(utterance for part in parts.values() for utterance in part),
        parts["train"].emotions,
        parts["train"].root,
    )
    kept = splits.read(path, together)
    if {name: part.utterances for name, part in kept.items()} != {
        name: part.utterances for name, part in parts.items()
    }:
        raise CorpusError(
            f"{path}: found another split than corpus {run.corpus} gives now; "
            "expected the corpus that the run began with, or an empty folder"
        )


def _claim(out: Path, run: TrainingRun, parts: Mapping[str, Corpus]) -> None:
    """Write configuration and split.

    Only what can be trained claims the folder: a mistaken option must not stand in the way of the
    right one.
    """
    if not (out / SPLIT_FILE).exists():
        splits.write(out / SPLIT_FILE, parts)
    if (out / CONFIGURATION_FILE).exists():
        _record_where_data_lies(out, run)
        return
    write_json(
        out / CONFIGURATION_FILE,
        {
            "run": run.to_dict(),
            "versions": provenance.versions(),
            "git": provenance.git_state(),
        },
    )


def _record_where_data_lies(out: Path, run: TrainingRun) -> None:
    """Evaluation looks for the test part where the configuration says; it may have moved."""
    path = out / CONFIGURATION_FILE
    if path.exists() and read_run(out).data != run.data:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["run"]["data"] = run.data
        write_json(path, record)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat
