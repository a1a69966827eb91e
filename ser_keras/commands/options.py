"""Options that several commands share, and what commands make of them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_keras.commands import corpus_options
from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.sound.takes import choice

if TYPE_CHECKING:
    from ser_keras.model.settings import Preset
    from ser_keras.training.run import TrainingRun

_DEFAULT_PRESET = "ravdess"
_SPLITS = ("random", "speaker", "session", "corpus", "predefined")
_OPTIONS: dict[str, dict[str, Any]] = {
    "corpus": {
        "action": corpus_options.CorpusAction,
        "required": True,
        "metavar": "NAME",
        "help": "ravdess, iemocap, emodb, crema-d, savee, tess, nemo, emovo, emotale, ased, urdu, "
        "jl-corpus, meld, esd, manifest or synthetic; repeated, each with its --data after it, to "
        "join several: emotions become one class by name or synonym",
    },
    "data": {
        "action": corpus_options.DataAction,
        "metavar": "DIR",
        "help": "the corpus' folder, or the CSV file of a manifest",
    },
    "merge-synonyms": {
        "action": "store_true",
        "help": "make one class of a manifest's names for one emotion, such as Angry, ANGRY and "
        "anger",
    },
    "model": {
        "default": "convolutional",
        "metavar": "RUN|FILE.keras|PRESET",
        "help": "a trained model: the folder that `train` left, a .keras file, or a preset that "
        "comes with weights",
    },
    "channel": {
        "type": choice,
        "default": "mix",
        "metavar": "N|mix",
        "help": "of recordings with several channels: one of them, from 0, or their mean",
    },
    "preset": {
        "default": _DEFAULT_PRESET,
        "metavar": "NAME",
        "help": "a preset, or a JSON file of one",
    },
    "from": {
        "dest": "pretrained",
        "metavar": "RUN|FILE.keras|PRESET",
        "help": "begin with this trained model, its preset and a lower learning rate, instead of "
        f"new weights of --preset ({_DEFAULT_PRESET} by default); classes that it does not know "
        "begin anew",
    },
    "freeze": {
        "action": "append",
        "metavar": "PART",
        "help": "with --from: leave a part of the model as it is: encoder, recognition, posterior, "
        "generation, likelihood or classification; may be repeated",
    },
    "epochs": {"type": int, "metavar": "N", "help": "epochs of training (default: the preset's)"},
    "no-attention": {"action": "store_true", "help": "sample everything at every instant"},
    "set": {
        "action": "append",
        "metavar": "KEY=VALUE",
        "help": "replace a setting of the preset, such as latent_size=10 or, by its full name, "
        "objective.kl_weight=0.5; may be repeated",
    },
    "seed": {"type": int, "default": 0, "metavar": "N", "help": "seed of all randomness"},
    "split": {"choices": _SPLITS, "default": "random", "help": "how the test subset is chosen"},
    "test-fraction": {
        "type": float,
        "default": 0.2,
        "metavar": "F",
        "help": "share of the test subset in a random split",
    },
    "folds": {
        "type": int,
        "metavar": "N",
        "help": "groups of speakers that are left out in turn (default: the corpus' own)",
    },
    "fold": {"type": int, "default": 0, "metavar": "K", "help": "index of the fold to test on"},
    "adapt-speakers": {
        "action": "store_true",
        "help": "also answer as `ser-keras adapt` makes the model, with each speaker known by the "
        "others of their utterances, without labels, and report that beside",
    },
    "out": {"type": Path, "required": True, "metavar": "DIR", "help": "folder for results"},
}

CORPUS = ("corpus", "data", "merge-synonyms")
PRESET = ("preset", "epochs", "no-attention", "set", "seed")
TRAINING = (*CORPUS, *PRESET, "split", "test-fraction")


def add(parser: argparse.ArgumentParser, *names: str, **defaults: str | None) -> None:
    """Add options that several commands share; one with a default here is not required.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add(parser, *CORPUS, "seed", corpus="synthetic")
        >>> parser.parse_args(["--seed", "3"])
        Namespace(corpus='synthetic', data=None, merge_synonyms=False, seed=3)
    """
    for name in names:
        settings = dict(_OPTIONS[name])
        if name in defaults:
            settings |= {"default": defaults[name], "required": False}
        if settings.get("default") is not None:
            settings["help"] += " (default: %(default)s)"
        parser.add_argument(f"--{name}", **settings)


def start_tensorflow() -> None:
    """Import TensorFlow without the lines that its C++ part prints on a machine without a GPU.

    Environment variables do not silence them: they are written before its logging is set up.

    Example:
        >>> start_tensorflow()
    """
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf

        if "TF_CONFIG" not in os.environ:  # a cluster is joined before any device is used
            tf.config.list_logical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def one_channel(options: argparse.Namespace) -> int | None:
    """Return the channel that `--channel` names, None for the mean of all; refuse each of them.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add(parser, "channel")
        >>> one_channel(parser.parse_args(["--channel", "1"]))
        1
    """
    chosen: int | None = options.channel
    require(options.channel != "each", "--channel", options.channel, "one channel or mix")
    return chosen


def preset(options: argparse.Namespace) -> Preset:
    """Make the preset that the options of `PRESET` describe.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add(parser, *PRESET)
        >>> preset(parser.parse_args(["--set", "latent_size=10"])).architecture.latent_size
        10
    """
    from ser_keras.model import presets
    from ser_keras.model.settings import Preset

    settings: dict[str, Any] = {}
    for assignment in options.set or []:
        key, equals, value = assignment.partition("=")
        require(bool(equals), "--set", assignment, "KEY=VALUE")
        settings[key] = value
    if options.epochs is not None:
        settings["epochs"] = options.epochs
    if options.no_attention:
        settings["attention"] = False
    if getattr(options, "pretrained", None) is not None:
        require(options.preset is None, "--preset", options.preset, "none beside --from")
        start_tensorflow()
        from ser_keras.training import fine_tuning

        return fine_tuning.preset_for(options.pretrained, settings)
    name = options.preset or _DEFAULT_PRESET
    if not name.endswith(".json"):
        return presets.get(name).with_settings(settings)
    try:
        chosen = Preset.from_dict(json.loads(Path(name).read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"preset {name}: {error}") from error
    return chosen.with_settings(settings)


def training_run(options: argparse.Namespace, **replaced: Any) -> TrainingRun:
    """Start TensorFlow, and make the run of the options of `TRAINING`, with fields replaced.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add(parser, *TRAINING, corpus="synthetic")
        >>> training_run(parser.parse_args(["--seed", "3"]), fold=1).split_index
        3
    """
    chosen = preset(options)
    start_tensorflow()
    from ser_keras.training.run import TrainingRun

    (corpus, data), *joined = corpus_options.pairs(options)
    given = {
        name: getattr(options, name)
        for name in ("split", "test_fraction", "seed", "merge_synonyms")
    }
    given |= {"corpus": corpus, "data": data, "joined": tuple(joined), "preset": chosen}
    return TrainingRun(**{**given, **replaced})
