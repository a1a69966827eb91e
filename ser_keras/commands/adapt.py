"""`ser-keras adapt`: a model for one person, from recordings of theirs without labels."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from ser_keras.commands import options as shared
from ser_keras.fields import require

HELP = "make answers relative to one person, by a few recordings of theirs without labels"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    shared.add(parser, "model")
    parser.add_argument(
        "recordings",
        nargs="+",
        metavar="FILE|DIR",
        help="recordings of the person, or folders of them: ten sentences or more, in various "
        "moods; what is longer than ten seconds is cut",
    )
    shared.add(parser, "channel")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE.keras",
        help="where to write the adapted model, which --model takes; what it was made from is told "
        "in FILE.keras.json beside it",
    )


def run(options: argparse.Namespace) -> int:
    """Write the adapted model, and print where it is."""
    channel = shared.one_channel(options)
    require(options.out.suffix == ".keras", "--out", str(options.out), "a name with .keras")
    files = list(_files(options.recordings))
    shared.start_tensorflow()
    from ser_keras import provenance
    from ser_keras.files import output_folder, write_json
    from ser_keras.model import files as model_files
    from ser_keras.recognition.speaker_adaptation import adapt_to_speaker

    output_folder(options.out.parent)
    adapted = adapt_to_speaker(model_files.load(options.model), files, channel)
    record = {
        "model": options.model,
        "recordings": files,
        "channel": channel,
        "versions": provenance.versions(),
        "git": provenance.git_state(),
    }
    write_json(options.out.with_name(f"{options.out.name}.json"), record)
    model_files.save(adapted, options.out)
    print(options.out)
    return 0


def _files(paths: Sequence[str]) -> Iterator[str]:
    """Yield files as they are, and of a folder the sound files in and below it."""
    from ser_keras.corpora.recordings import sound_files

    for path in paths:
        if Path(path).is_dir():
            yield from map(str, sound_files(Path(path)))
        else:
            yield path
