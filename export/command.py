"""`ser-keras export`: a trained model as a SavedModel or a TFLite file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ser_keras.commands.options import start_tensorflow
from ser_keras.errors import ConfigurationError

HELP = "export a trained model for TensorFlow Serving or TFLite: a JSON line says what was written"

FORMATS = ("saved-model", "tflite")
PRECISIONS = ("float32", "float16", "int8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "model",
        metavar="RUN|FILE.keras|PRESET",
        help="a trained model: the folder that `train` left, a .keras file, or a preset that comes "
        "with weights",
    )
    parser.add_argument("--to", choices=FORMATS, required=True, help="the format")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="PATH",
        help="saved-model: the folder NAME/VERSION, or NAME for its next version; "
        "tflite: the file, or a folder for model.tflite",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="of TFLite weights (default: float32)",
    )
    parser.add_argument(
        "--no-bundle",
        action="store_true",
        help="saved-model: leave out what TF Serving, Docker and Kubernetes read, beside NAME",
    )


def run(options: argparse.Namespace) -> int:
    """Export, and print what was written.

    Raises:
        SerKerasError: there is no such model, or no place to write.
    """
    if options.to == "saved-model" and options.precision is not None:
        raise ConfigurationError(
            f"--precision {options.precision}: found --to saved-model, expected --to tflite"
        )
    start_tensorflow()
    from ser_keras import export
    from ser_keras.model import files as model_files

    model = model_files.load(options.model)
    if options.to == "saved-model":
        from ser_keras.export import saving
        from ser_keras.export.serving.tf_serving import bundle

        if not options.no_bundle:
            # Before a version is there, which every further call would add one to.
            bundle.check(saving.version_folder(options.out).parent)
        written = export.saved_model(model, options.out)
        beside = [] if options.no_bundle else export.serving_bundle(written.parent)
        size = sum(file.stat().st_size for file in written.rglob("*") if file.is_file())
        line = {
            "format": options.to,
            "path": str(written),
            "bytes": size,
            "bundle": [str(path) for path in beside],
        }
    else:
        file = options.out if options.out.suffix == ".tflite" else options.out / "model.tflite"
        precision = options.precision or "float32"
        written = export.tflite(model, file, precision)
        line = {
            "format": options.to,
            "precision": precision,
            "path": str(written),
            "description": str(written.with_suffix(".json")),
            # Not imported: it needs the TFLite runtime, which the export does not.
            "runner": str(Path(__file__).with_name("runner.py")),
            "bytes": written.stat().st_size,
        }
    print(json.dumps(line, ensure_ascii=False))
    return 0
