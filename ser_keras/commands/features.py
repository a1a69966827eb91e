"""`ser-keras features`: a corpus as sharded TFRecords."""

from __future__ import annotations

import argparse

from ser_keras.commands import options as shared

HELP = "extract a corpus to shards; called again after a kill, it goes on"
RESUMES = True  # after Ctrl-C


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add_corpus(parser)
    shared.add_preset(parser)
    parser.add_argument(
        "--shard-size", type=int, default=512, metavar="N", help="utterances per shard (512)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one a core)")
    shared.add_out(parser)


def run(options: argparse.Namespace) -> int:
    """Extract, and print what is in the shards."""
    spec = shared.preset(options).features
    shared.start_tensorflow()
    from ser_keras import corpora
    from ser_keras.training import shards

    corpus = corpora.load(options.corpus, options.data)
    index = shards.write(
        corpus, spec, options.out, shard_size=options.shard_size, workers=options.workers
    )
    utterances = sum(len(shard["utterances"]) for shard in index["shards"])
    left_out = [row for shard in index["shards"] for row in shard["left_out"]]
    for row in left_out:
        print(f"left out {row['path']}: {row['reason']}")
    print(f"{utterances} utterances in {len(index['shards'])} shards, {len(left_out)} left out")
    return 0
