"""`ser-keras features`: a corpus as sharded TFRecords."""

from __future__ import annotations

import argparse
import sys

from ser_keras.commands import corpus_options
from ser_keras.commands import options as shared
from ser_keras.errors import by_kind

HELP = "extract a corpus to shards of features; called again after a kill, it goes on"
RESUMES = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, *shared.CORPUS, *shared.PRESET, "out")
    parser.add_argument(
        "--shard-size",
        type=int,
        default=512,
        metavar="N",
        help="utterances per shard (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes that extract (default: one per core)"
    )


def run(options: argparse.Namespace) -> int:
    """Extract, and print what was left out and what is in the shards."""
    preset = shared.preset(options)
    shared.start_tensorflow()
    from ser_keras.training import shards

    if copies := preset.augmentation.copies:
        print(
            f"features: {copies} varied copies of every utterance follow it, as the preset "
            f"{preset.name} trains on them: {copies + 1} times the space and the time. "
            "--set copies=N for another number, 0 for none",
            file=sys.stderr,
        )
    corpus = corpus_options.load(options)
    written = shards.write(
        corpus,
        preset.features,
        options.out,
        shard_size=options.shard_size,
        augmentation=preset.augmentation,
        workers=options.workers,
    )["shards"]
    left_out = [row for shard in written for row in shard["left_out"]]
    for line in by_kind((row["path"], row["reason"]) for row in left_out):
        print(f"left out {line}")
    utterances = sum(len(shard["utterances"]) for shard in written)
    print(f"{utterances} utterances in {len(written)} shards, {len(left_out)} left out")
    return 0
