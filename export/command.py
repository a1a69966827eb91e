"""`ser-keras export`: a trained model as a SavedModel or a TFLite file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ser_keras.commands.options import start_tensorflow
from ser_keras.errors import ConfigurationError
from ser_keras.export.edge import PRECISIONS

HELP = "export a trained model for TensorFlow Serving or TFLite: a JSON line says what was written"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "model",
        metavar="RUN|FILE.keras|PRESET",
        help="a trained model: the folder that `train` left, a .keras file, or a preset that comes "
        "with weights",
    )
    parser.add_argument("--to", choices=("saved-model", "tflite"), required=True, help="the format")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="saved-model: the folder NAME/VERSION, or NAME for its next version; "
        "tflite: the file, or a folder for model.tflite",
    )
    parser.add_argument(
        "--precision", choices=PRECISIONS, help="of the weights in a TFLite file (default: float32)"
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="LABEL",
        help="saved-model: give the new version this label in models.config, such as stable, and "
        "take it from the version that had it; may be repeated",
    )
    parser.add_argument(
        "--no-bundle",
        action="store_true",
        help="saved-model: leave out the files beside NAME that configure TF Serving, Docker and "
        "Kubernetes",
    )


def run(options: argparse.Namespace) -> int:
    """Export, and print what was written."""
    if options.to == "saved-model" and options.precision is not None:
        raise ConfigurationError("--precision: expected --to tflite, found --to saved-model")
    if options.label and (options.to == "tflite" or options.no_bundle):
        found = "--to tflite" if options.to == "tflite" else "--no-bundle"
        raise ConfigurationError(f"--label: expected a models.config to be written, found {found}")
    start_tensorflow()
    from ser_keras.model import files

    model = files.load(options.model)
    if options.to == "saved-model":
        line = _saved_model(model, options.out, options.label, bundled=not options.no_bundle)
    else:
        line = _tflite(model, options.out, options.precision or "float32")
    print(json.dumps({"format": options.to, **line}, ensure_ascii=False))
    return 0


def _saved_model(model: Any, out: Path, labels: list[str], bundled: bool) -> dict[str, Any]:
    from ser_keras.export import saving
    from ser_keras.export.serving.tf_serving import bundle

    version = saving.version_folder(out)
    labeled = dict.fromkeys(labels, int(version.name))
    if bundled:
        # Before the export: if it failed afterwards, each attempt would leave one more version.
        bundle.check(version.parent, labeled)
    written = saving.saved_model(model, version)
    beside = bundle.write(written.parent, labeled) if bundled else []
    size = sum(file.stat().st_size for file in written.rglob("*") if file.is_file())
    return {"path": str(written), "bytes": size, "bundle": [str(path) for path in beside]}


def _tflite(model: Any, out: Path, precision: str) -> dict[str, Any]:
    from ser_keras import export

    file = out if out.suffix == ".tflite" else out / "model.tflite"
    written = export.tflite(model, file, precision)
    return {
        "precision": precision,
        "path": str(written),
        "description": str(written.with_suffix(".json")),
        # Not imported: it needs the TFLite runtime, which the export does not.
        "runner": str(Path(__file__).with_name("runner.py")),
        "bytes": written.stat().st_size,
    }
