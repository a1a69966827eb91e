"""`ser-keras stream`: the emotion at every instant, as sound arrives."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from ser_keras.commands import options as shared
from ser_keras.errors import AudioError
from ser_keras.files import json_line
from ser_keras.interruption import deferred
from ser_keras.sound import decoding
from ser_keras.sound import live as live_sound

HELP = "recognise sound as it arrives: a JSON line per instant"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    shared.add_model(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "file", nargs="?", metavar="FILE|-", help="a recording; - reads WAV or PCM from a pipe"
    )
    source.add_argument(
        "--microphone",
        nargs="?",
        const="",
        metavar="DEVICE",
        help="record, from the device of that name or number",
    )
    raw = live_sound.RawFormat()
    pipe = parser.add_argument_group("samples without a header, from a pipe")
    pipe.add_argument(
        "--rate", type=int, default=raw.sample_rate, metavar="HZ", help="(default: %(default)s)"
    )
    pipe.add_argument(
        "--channels", type=int, default=raw.channels, metavar="N", help="(default: %(default)s)"
    )
    pipe.add_argument("--encoding", choices=live_sound.ENCODINGS, default=raw.encoding)
    parser.add_argument(
        "--smoothing",
        type=float,
        default=0.0,
        metavar="S",
        help="share of the past in every answer, 0 to below 1 (default: 0)",
    )
    parser.add_argument(
        "--gate", type=float, metavar="DB", help="take quieter windows, such as -50, for silence"
    )
    parser.add_argument(
        "--json", action="store_true", help="JSON lines on a terminal, too, instead of a picture"
    )


def run(options: argparse.Namespace) -> int:
    """Print a JSON line per instant, or draw on a terminal; 1 if a stretch could not be used."""
    raw = live_sound.RawFormat(options.rate, options.channels, options.encoding)
    shared.start_tensorflow()
    from ser_keras.recognition.streaming import StreamingRecognizer

    recognizer = StreamingRecognizer(options.model, options.smoothing, options.gate)
    if options.microphone is not None:
        chunks = live_sound.from_microphone(
            options.microphone or None, recognizer.model.features.sample_rate
        )
    elif options.file == "-":
        chunks = live_sound.from_pipe(sys.stdin.buffer, raw)
    else:
        chunks = decoding.blocks(options.file)
    answers = Answers(recognizer, chunks)
    try:
        if sys.stdout.isatty() and not options.json:
            from ser_keras.commands.live_picture import draw

            draw(answers, recognizer.model)
        else:
            for instant in answers:
                print(json_line(instant), flush=True)
    except KeyboardInterrupt:
        # The usual end of listening, not a failure.
        print("ser-keras: stopped", file=sys.stderr)
    return 1 if answers.failed else 0


class Answers:
    """The instants of a stream; a chunk that cannot be used is told and heard as silence.

    Args:
        recognizer: a `StreamingRecognizer`.
        chunks: float32 [N, channels] and their rate in hertz.
    """

    def __init__(self, recognizer: Any, chunks: Iterator[live_sound.Chunk]) -> None:
        self._recognizer = recognizer
        self._chunks = chunks
        self.failed = 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # Waiting for sound may be interrupted, the model may not.
        for samples, rate in self._chunks:
            with deferred():
                instants = self._hear(samples, rate)
            yield from instants
        with deferred():
            instants = self._recognizer.finish()
        yield from instants

    def _hear(self, samples: np.ndarray, rate: int) -> list[dict[str, Any]]:
        try:
            return self._recognizer.push(samples, rate)
        except AudioError as error:
            # Silence of the same length keeps the times of what follows right.
            self.failed += 1
            print(f"ser-keras: {error}; taken for silence", file=sys.stderr)
            return self._recognizer.push(np.zeros(len(samples), np.float32), rate)
