"""Training: a run becomes a folder with a model in it."""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from ser_keras import provenance
from ser_keras.corpora import splits, unlabeled
from ser_keras.corpora.utterance import Corpus
from ser_keras.features.augmentation import NONE, Augmentation
from ser_keras.features.copies import limit_copies
from ser_keras.features.extraction import Extraction, extract_subsets
from ser_keras.files import output_folder, write_json
from ser_keras.interruption import deferred
from ser_keras.model import files as model_files
from ser_keras.model.settings import Optimization
from ser_keras.model.vrnn import VRNN
from ser_keras.training import (
    callbacks,
    checkpoint,
    distillation,
    fine_tuning,
    pipeline,
    stored,
    workers,
)
from ser_keras.training.balance import draws_of_epoch
from ser_keras.training.calibration import calibrate
from ser_keras.training.familiarity import learn_familiarity
from ser_keras.training.run import (
    CONFIGURATION_FILE,
    SPLIT_FILE,
    TrainingRun,
    classes_of,
    refuse_another,
    split_corpus,
)

Batches = Callable[..., tf.data.Dataset]  # of whole batches, or with `share` of a worker's rows


def train(
    run: TrainingRun,
    out: Path,
    label: str = "train",
    strategy: tf.distribute.Strategy | None = None,
) -> VRNN:
    """Train, or go on where a killed call with the same arguments stopped; return the model.

    The folder `out` holds `config.json`, `split.csv`, `history.csv`, TensorBoard logs, a backup
    while training goes on, and `model.keras`: where that is there already, it is loaded.
    Progress lines begin with `label`.

    Of several workers, each calls it with the same arguments and the `strategy` of `workers.join`,
    and takes its share of every batch. They have the folder in common; the chief alone writes.

    Raises:
        ConfigurationError: the folder holds another run.
        CorpusError: the corpus or the split cannot be used.
        DivergenceError: the loss became NaN or infinite; no model is left.
        OutputError: the folder cannot be written to.

    Example:
        >>> train(TrainingRun("ravdess", "nowhere"), Path("run"))
        Traceback (most recent call last):
        ser_keras.errors.CorpusError: ...
    """
    out = output_folder(out)
    refuse_another(out, run)
    if (out / model_files.MODEL_FILE).exists():
        if (out / CONFIGURATION_FILE).exists():
            _record(out, run)
        print(f"{label}: {out} is trained already", file=sys.stderr)
        return model_files.load(out)

    strategy = strategy or tf.distribute.get_strategy()
    writes = workers.is_chief(strategy)
    subsets = split_corpus(run)
    refuse_another(out, run, subsets)
    data = _data(run, subsets, label, out / callbacks.BACKUP_FOLDER if writes else None)
    stopping = deferred(f"{label}: stopping soon; Ctrl-C again stops at once")
    with stopping as interruption, stored.errors_of_reading():
        model = _begin(run, data, strategy)
        # Only now: a mistaken option must not claim the folder, and stand in the right one's way.
        if writes and not (out / SPLIT_FILE).exists():
            splits.write(out / SPLIT_FILE, subsets)
        if writes:
            _record(out, run)
        first = checkpoint.restore(model, out / callbacks.BACKUP_FOLDER)
        workers.agree(strategy, first, f"{out}: epochs in the backup")
        interruption.check()
        model.fit(
            workers.share(strategy, data.training),
            validation_data=data.validation and workers.share(strategy, data.validation),
            initial_epoch=first,
            epochs=run.preset.optimization.epochs,
            shuffle=False,  # the pipeline does
            verbose=0,
            callbacks=[
                *callbacks.for_training(out, label, run.seed, data.epoch, run.preset, writes),
                callbacks.stop_between_batches(interruption),
            ],
        )
        if data.validation is not None:
            calibrate(model, data.validation())
        learn_familiarity(model, _known(run, subsets, data))
        fine_tuning.release(model, run.frozen)
        if not writes:
            return model
        model_files.save(model, out / model_files.MODEL_FILE)
        shutil.rmtree(out / callbacks.BACKUP_FOLDER, ignore_errors=True)
    return model


class _Data(NamedTuple):
    """Classes and batches that a run learns from.

    Attributes:
        classes: of the model.
        training: makes the batches of an epoch; of several workers, of one's share.
        validation: likewise, in the order of the corpus; None where nobody is held out.
        epoch: the epochs begun, int64; the order of the training's batches is a function of it.
    """

    classes: tuple[str, ...]
    training: Batches
    validation: Batches | None
    epoch: tf.Variable


def _data(run: TrainingRun, subsets: dict[str, Corpus], label: str, kept: Path | None) -> _Data:
    """Return what a run learns from, its observations extracted; say what is special about it.

    The answers of teachers are kept in a folder, unless that is None.
    """
    preset, optimization = run.preset, run.preset.optimization
    used = {name: subset for name, subset in subsets.items() if name != "test"}
    if run.unlabeled is not None:
        used["train"] = unlabeled.add(subsets["train"], run.unlabeled, subsets.values())
        count = len(used["train"]) - len(subsets["train"])
        print(f"{label}: {count} recordings without a label", file=sys.stderr)
    # By whole corpora, as `ser-keras features` does.
    augmentation = limit_copies(preset.augmentation, *(subsets | used).values())
    joined = used["train"].sources
    if any(augmentation.copies_in(one.name) for one in joined) and not augmentation.silence:
        print(
            f"{label}: a model of several corpora may tell them by the silence around recordings; "
            "with --set silence=1, varied copies have some of any length",
            file=sys.stderr,
        )
    extracted = _extract(run, used, augmentation)
    classes = classes_of(run, subsets["train"])
    targets = None
    if run.teachers:
        print(f"{label}: learning from {', '.join(run.teachers)}", file=sys.stderr)
        targets = distillation.targets(
            run.teachers,
            preset.objective.teacher_share,
            used["train"],
            augmentation,
            extracted["train"],
            classes,
            kept,
        )
    _tell_draws(label, optimization, extracted["train"].corpus)
    epoch = tf.Variable(0, dtype=tf.int64)
    batches = functools.partial(
        pipeline.batches, batch_size=optimization.batch_size, classes=classes
    )
    training = functools.partial(
        batches,
        extracted["train"],
        shuffle=True,
        seed=run.seed,
        epoch=epoch,
        balance=optimization.balance,
        epoch_draws=optimization.epoch_draws,
        targets=targets,
    )
    held_out = extracted.get("validation")
    validation = None if held_out is None else functools.partial(batches, held_out)
    return _Data(classes, training, validation, epoch)


def _begin(run: TrainingRun, data: _Data, strategy: tf.distribute.Strategy) -> VRNN:
    """Return the run's model as it is before the first epoch."""
    with strategy.scope():
        model = VRNN.from_preset(run.preset, data.classes, seed=run.seed)
        if run.pretrained is not None:
            fine_tuning.begin(model, run.pretrained, run.frozen)
        model.compile()
    if not model.adapted:
        model.adapt(data.training())
    return model


def _known(run: TrainingRun, subsets: Mapping[str, Corpus], data: _Data) -> tf.data.Dataset:
    """Return recordings of those whom the model knows, for its familiarity."""
    if data.validation is not None:
        return data.validation()
    # Without copies, which sound as no recording does.
    extracted = _extract(run, {"train": subsets["train"]})["train"]
    return pipeline.batches(extracted, run.preset.optimization.batch_size, classes=data.classes)


def _extract(
    run: TrainingRun, subsets: Mapping[str, Corpus], augmentation: Augmentation = NONE
) -> dict[str, Extraction]:
    """Return the observations of a run's subsets: from its shards, or else from sound."""
    if run.features is None:
        return extract_subsets(subsets, run.preset.features, augmentation)
    return stored.extract_subsets(run.features, subsets, run.preset.features, augmentation)


def _tell_draws(label: str, optimization: Optimization, versions: Corpus) -> None:
    """Say how many recordings and copies an epoch draws, unless it is each of them once."""
    draws = draws_of_epoch(versions, optimization.balance, optimization.epoch_draws)
    if draws is None:
        return
    told = f"{label}: an epoch draws {round(draws.sum()):,} of {len(draws):,} recordings and copies"
    if optimization.balance != "none":
        told += (
            f", each {draws.min():.2g} to {draws.max():.2g} times, balanced by "
            f"{optimization.balance}"
        )
    print(told, file=sys.stderr)


def _record(folder: Path, run: TrainingRun) -> None:
    """Write the configuration of a run, or where its data is now: evaluation looks there."""
    path = folder / CONFIGURATION_FILE
    if path.exists():
        record = json.loads(path.read_text(encoding="utf-8")) | {"run": run.to_dict()}
    else:
        versions, git = provenance.versions(), provenance.git_state()
        record = {"run": run.to_dict(), "versions": versions, "git": git}
    write_json(path, record)
