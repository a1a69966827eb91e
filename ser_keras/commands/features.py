"""`ser-keras features`: a corpus as sharded TFRecords."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable
from typing import Any

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


def run(options: argparse.Namespace, write_first: Callable[..., None] | None = None) -> int:
    """Extract, and print what was left out and what is in the shards.

    `write_first` writes shards in its own way, which are then found finished. It takes their
    number, a function that loads the corpus, and options of `shards.write_shard`.
    """
    preset = shared.preset(options)
    shared.start_tensorflow()
    from ser_keras import corpora
    from ser_keras.features.copies import limit_copies, numbered_copies
    from ser_keras.training import shards

    corpus = corpus_options.load(options)
    # Once: every shard would count the whole corpus.
    augmentation = limit_copies(preset.augmentation, corpus)
    if copies := len(numbered_copies(corpus, augmentation)) - len(corpus):
        print(
            f"features: {copies:,} varied copies follow the {len(corpus):,} utterances, as the "
            f"preset {preset.name} trains on them: {copies / len(corpus) + 1:.3g} times the space "
            "and the time. --set copies=N for another number of each, 0 for none",
            file=sys.stderr,
        )
    extraction: dict[str, Any] = {
        "spec": preset.features,
        "out": options.out,
        "shard_size": options.shard_size,
        "augmentation": augmentation,
    }
    if write_first is not None:
        pairs = corpus_options.pairs(options)
        write_first(
            shards.shard_count(corpus, options.shard_size),
            functools.partial(corpora.load_joined, pairs, options.merge_synonyms),
            extraction,
        )
    written = shards.write(corpus, workers=options.workers, **extraction)["shards"]
    left_out = [row for shard in written for row in shard["left_out"]]
    for line in by_kind((row["path"], row["reason"]) for row in left_out):
        print(f"left out {line}")
    utterances = sum(len(shard["utterances"]) for shard in written)
    print(f"{utterances} utterances in {len(written)} shards, {len(left_out)} left out")
    return 0
