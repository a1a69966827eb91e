"""`ser-keras explain`: what the model expected of a recording, to be heard, seen and sent."""

from __future__ import annotations

import argparse
from pathlib import Path

from ser_keras.commands import options as shared

HELP = "let a recording's answer be heard and seen: what was expected, and what came instead"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, "model")
    parser.add_argument("file", metavar="FILE", help="a recording of up to two minutes")
    parser.add_argument(
        "--start", type=float, metavar="SECONDS", help="explain the recording from here on"
    )
    parser.add_argument("--end", type=float, metavar="SECONDS", help="explain it up to here")
    shared.add(parser, "channel")
    parser.add_argument(
        "--continue",
        dest="seconds",
        type=float,
        metavar="SECONDS",
        help="also let the generator go on by itself, for so long",
    )
    shared.add(parser, "seed", "out")


def run(options: argparse.Namespace) -> int:
    """Write the explanation, and print what moved the answer."""
    channel = shared.one_channel(options)
    shared.start_tensorflow()
    from ser_keras.evaluation.explanation import explain
    from ser_keras.files import output_folder

    output_folder(options.out)  # an answer that cannot be written is not worth the wait
    explanation = explain(
        options.model,
        options.file,
        start=options.start,
        end=options.end,
        channel=channel,
    )
    written = explanation.save(options.out, options.seconds, options.seed)
    emotion = explanation.answer["emotion"]
    print(f"{emotion} ({explanation.answer['probabilities'][emotion]:.0%})")
    for told in explanation.story:
        print(told)
    print(Path(written[-1]))
    return 0
