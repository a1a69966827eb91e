"""`ser-keras stream`: the emotion at every instant, as sound arrives."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_keras.commands import options as shared
from ser_keras.errors import AudioError
from ser_keras.files import json_line
from ser_keras.interruption import deferred, undisturbed
from ser_keras.sound import decoding
from ser_keras.sound import live as live_sound
from ser_keras.sound.channels import Mixer

if TYPE_CHECKING:
    from ser_keras.recognition.streaming import StreamingRecognizer

HELP = "recognise sound as it arrives: a JSON line per instant"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, "model")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file",
        nargs="?",
        metavar="FILE|-",
        help="a recording; - reads one, or samples without a header, from a pipe",
    )
    source.add_argument(
        "--microphone",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="record from the default microphone, or from the device of that name or number",
    )
    raw = live_sound.RawFormat()
    pipe = parser.add_argument_group("samples without a header, from a pipe")
    pipe.add_argument(
        "--rate",
        type=int,
        default=raw.sample_rate,
        metavar="HZ",
        help="sample rate, in hertz (default: %(default)s)",
    )
    pipe.add_argument(
        "--channels",
        type=int,
        default=raw.channels,
        metavar="N",
        help="number of channels (default: %(default)s)",
    )
    pipe.add_argument(
        "--encoding",
        choices=live_sound.ENCODINGS,
        default=raw.encoding,
        help="type of each sample, little-endian (default: %(default)s)",
    )
    parser.add_argument(
        "--channel",
        type=int,
        metavar="N",
        help="the channel to take, from 0 (default: the mean of all)",
    )
    parser.add_argument(
        "--smoothing",
        type=float,
        default=0.0,
        metavar="S",
        help="share of the past in every answer, from 0 to below 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--gate",
        type=float,
        metavar="DB",
        help="level, in decibels relative to full scale, below which a window is taken for "
        "silence, such as -50 (default: none)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON lines on a terminal, too, not a display"
    )
    parser.add_argument(
        "--attention",
        action="store_true",
        help="add saliency and attention to the lines, thousands of numbers where observations are "
        "patches",
    )


def run(options: argparse.Namespace) -> int:
    """Print a JSON line per instant, or draw on a terminal; 1 if a chunk could not be used."""
    raw = live_sound.RawFormat(options.rate, options.channels, options.encoding)
    shared.start_tensorflow()
    from ser_keras.recognition.streaming import StreamingRecognizer

    draws = sys.stdout.isatty() and not options.json
    recognizer = StreamingRecognizer(
        options.model, options.smoothing, options.gate, attention=options.attention or draws
    )
    if options.microphone is not None:
        rate = recognizer.model.features.sample_rate
        chunks = live_sound.from_microphone(options.microphone or None, rate)
    elif options.file == "-":
        chunks = live_sound.from_pipe(sys.stdin.buffer, raw)
    else:
        chunks = undisturbed(decoding.blocks(options.file))
    refused: list[AudioError] = []
    mixer = Mixer(options.file or "microphone", options.channel)
    instants = _instants(recognizer, _mixed(mixer, chunks), refused)
    try:
        if draws:
            from ser_keras.commands import live_display

            live_display.show(instants)
        else:
            for instant in instants:
                print(json_line(instant), flush=True)
    except KeyboardInterrupt:
        # The usual end of a stream, not a failure.
        print("ser-keras: stopped", file=sys.stderr)
    return 1 if refused else 0


def _mixed(mixer: Mixer, chunks: Iterator[live_sound.Chunk]) -> Iterator[live_sound.Chunk]:
    """Mix chunks [N, channels] down to [N]."""
    for samples, rate in chunks:
        yield mixer.mix(samples), rate
    mixer.warn()


def _instants(
    recognizer: StreamingRecognizer, chunks: Iterator[live_sound.Chunk], refused: list[AudioError]
) -> Iterator[dict[str, Any]]:
    """Yield the instants of a stream; errors of chunks that cannot be used go to `refused`."""
    for samples, rate in chunks:
        # Waiting for the next chunk may be interrupted, the model may not.
        with deferred():
            try:
                instants = recognizer.push(samples, rate)
            except AudioError as error:
                refused.append(error)
                print(f"ser-keras: {error}; taken for silence", file=sys.stderr)
                # Of the same length, which keeps the times of what follows right.
                instants = recognizer.push(np.zeros(len(samples), np.float32), rate)
        yield from instants
    with deferred():
        instants = recognizer.finish()
    yield from instants
