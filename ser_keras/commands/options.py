"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_keras.errors import ConfigurationError

if TYPE_CHECKING:
    from ser_keras.model.settings import Preset
    from ser_keras.training.run import TrainingRun

DATA_HELP = "the corpus' folder, or the CSV file of a manifest"


def start_tensorflow() -> None:
    """Import TensorFlow without what its C++ part prints on a machine that has no GPU.

    Environment variables do not silence it: it writes before its logging is set up.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow as tf
        import tensorflow_probability  # noqa: F401

        tf.config.list_logical_devices()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def add_corpus(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """`--corpus NAME --data DIR`."""
    parser.add_argument(
        "--corpus",
        default=default,
        required=default is None,
        metavar="NAME",
        help="ravdess, iemocap, emodb, crema-d, savee, tess, manifest or synthetic"
        + (f" (default: {default})" if default else ""),
    )
    parser.add_argument("--data", metavar="DIR", help=DATA_HELP)


def add_model(parser: argparse.ArgumentParser) -> None:
    """`--model RUN|FILE.keras|PRESET`."""
    parser.add_argument(
        "--model",
        default="convolutional",
        metavar="RUN|FILE.keras|PRESET",
        help="a trained model: the folder that `train` left, a .keras file, or a preset that comes "
        "with weights (default: %(default)s)",
    )


def add_out(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    """`--out DIR`."""
    parser.add_argument(
        "--out",
        type=Path,
        default=default and Path(default),
        required=default is None,
        metavar="DIR",
        help="folder for results" + (f" (default: {default})" if default else ""),
    )


def add_preset(parser: argparse.ArgumentParser, default: str = "ravdess") -> None:
    """`--preset NAME --epochs N --no-attention --set key=value --seed N`."""
    parser.add_argument(
        "--preset",
        default=default,
        metavar="NAME",
        help=f"a preset's name, or a JSON file of your own (default: {default})",
    )
    parser.add_argument("--epochs", type=int, metavar="N", help="instead of the preset's")
    parser.add_argument(
        "--no-attention", action="store_true", help="sample everything at every instant (ablation)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="replace any setting of the preset, such as latent_size=10",
    )
    add_seed(parser)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """`--seed N`."""
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(default: 0)")


def add_split(parser: argparse.ArgumentParser, default: str | None) -> None:
    """`--split KIND --test-fraction F`."""
    parser.add_argument(
        "--split",
        choices=("random", "speaker", "session", "predefined"),
        default=default,
        help="how the test part is chosen (default: "
        + (default or "the paper's for that corpus")
        + ")",
    )
    parser.add_argument(
        "--test-fraction", type=float, default=0.2, metavar="F", help="of a random split (0.2)"
    )


def preset(options: argparse.Namespace) -> Preset:
    """The preset that the options describe.

    Raises:
        ConfigurationError: an unknown preset or setting, or a value out of its range.
    """
    from ser_keras.model import presets
    from ser_keras.model.settings import Preset

    if options.preset.endswith(".json"):
        try:
            chosen = Preset.from_dict(json.loads(Path(options.preset).read_text("utf-8")))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"preset {options.preset}: {error}") from error
    else:
        chosen = presets.get(options.preset)
    settings: dict[str, Any] = {}
    for assignment in options.set:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {assignment}: expected KEY=VALUE")
        settings[key] = value
    if options.epochs is not None:
        settings["epochs"] = options.epochs
    if options.no_attention:
        settings["attention"] = False
    return chosen.with_settings(settings)


def training_run(options: argparse.Namespace, **replaced: Any) -> TrainingRun:
    """The training run that the options describe; TensorFlow is started."""
    chosen = preset(options)
    start_tensorflow()
    from ser_keras.training.run import TrainingRun

    values = {
        "corpus": options.corpus,
        # The run remembers it, and may be evaluated from another folder.
        "data": options.data and str(Path(options.data).expanduser().absolute()),
        "preset": chosen,
        "split": options.split,
        "test_fraction": options.test_fraction,
        "seed": options.seed,
    }
    return TrainingRun(**{**values, **replaced})
