"""`python -m benchmarks.edge`: size, latency, memory and accuracy on a small computer."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.edge import table
from benchmarks.edge.measurement import measure, peer_cost, run_apart
from benchmarks.edge.models import candidate, exported
from benchmarks.edge.sounds import Sounds
from ser_keras import corpora, provenance
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import SerKerasError
from ser_keras.files import output_folder, write_json, write_text
from ser_keras.model import presets
from ser_keras.sound import decoding


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    load = os.getloadavg()[0]
    try:
        results = compare(options) | {"load_average_before": load}
        shown = table.markdown(results)
        write_json(options.out / "edge.json", results)
        write_text(options.out / "edge.md", shown)
    except SerKerasError as error:
        print(f"benchmarks.edge: {error}", file=sys.stderr)
        return 1
    print(shown, end="")
    return 0


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Train what is not trained, export, then measure everything on the same recordings."""
    out = output_folder(options.out)
    whole = corpora.load(options.corpus, options.data)
    step = -(-len(whole) // options.limit) if options.limit else 1
    corpus = whole.subset(range(0, len(whole), step))
    candidates = [
        candidate(name, options.corpus, options.data, options.epochs, out)
        for name in options.models or presets.names()
    ]
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for found in candidates:
            rate = found.run.preset.features.sample_rate
            sounds = _decoded(corpus, rate, Path(folder))
            models[found.name] = measure(found, exported(found, out), corpus, sounds)
            print(f"{found.name}: measured", file=sys.stderr, flush=True)
        results = {
            "corpus": corpus.name,
            "utterances": len(corpus),
            "seconds": sounds.seconds,
            "models": models,
            "versions": provenance.versions(),
            "git": provenance.git_state(),
        }
        if not options.without_opensmile:
            # At the rate of the first model: the same samples that it received.
            rate = candidates[0].run.preset.features.sample_rate
            sounds = _decoded(corpus, rate, Path(folder))
            results["egemaps"] = peer_cost(run_apart("egemaps", "-", sounds), sounds)
    return results


def _decoded(corpus: Corpus, rate: int, folder: Path) -> Sounds:
    path = folder / f"{rate}.f32"
    if path.exists():
        return Sounds.open(path)
    sounds = (decoding.load(each.path, rate, each.start, each.end) for each in corpus)
    return Sounds.write(path, rate, sounds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.edge", description=__doc__)
    parser.add_argument(
        "models",
        nargs="*",
        metavar="RUN|PRESET",
        help="folders that `train` left, or presets to train here (default: all presets: "
        f"{', '.join(presets.names())})",
    )
    parser.add_argument("--corpus", required=True, choices=corpora.names(), metavar="NAME")
    parser.add_argument("--data", metavar="DIR", help="its folder, or the CSV of a manifest")
    parser.add_argument(
        "--epochs", type=int, metavar="N", help="of training presets (default: each one's own)"
    )
    parser.add_argument(
        "--limit", type=int, metavar="N", help="measure on some N utterances of the corpus"
    )
    parser.add_argument("--without-opensmile", action="store_true")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser


if __name__ == "__main__":
    sys.exit(main())
