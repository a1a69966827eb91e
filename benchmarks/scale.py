"""Recognition of thousands of recordings: its costs, and whether they grow with the number alone.

    python -m benchmarks.scale --recordings 1000 --recordings 10000 --out OUT

makes up WAV files, half of 22.05 and half of 48 kHz: `DIFFERENT` of them, and links to those for
more, so that the disk is not what is measured. `ser-keras predict` answers all, and `ser-keras
batch` with one worker process and with two. Of each: wall time, processor time of all its
processes, the most memory that they had together, bytes read and written.

Each is measured once and kept: the same command goes on after an interruption, and one with other
numbers adds to the table. Left in OUT: `scale.json` and `scale.md`. Measure on a machine with
nothing else to do.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.bulk import make
from benchmarks.outcome import leave
from ser_keras import export, provenance
from ser_keras.commands.predict import BATCH_SIZE
from ser_keras.files import write_json
from ser_keras.model import files as model_files
from ser_keras.recognition.bulk import SoundBatch
from ser_keras.recognition.decoded import Recording, decode
from ser_keras.sound.takes import Take

DIFFERENT = 1000
SOME = 320  # recordings that tell where the time goes
WAYS = ("predict", "batch 1", "batch 2")  # and its worker processes

_PAGE = os.sysconf("SC_PAGE_SIZE")
_EVERY = 0.25  # seconds between two looks at the memory


def recordings(folder: Path, count: int) -> Iterator[Path]:
    """Make so many recordings, most of them links, unless they are there; yield them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [folder / f"{number:06d}.wav" for number in range(min(count, DIFFERENT))]
    if not all(path.exists() for path in made):
        made = make(folder, len(made))
    yield from made
    for number in range(len(made), count):
        path = folder / f"{number:06d}.wav"
        if not path.exists():
            path.hardlink_to(made[number % len(made)])
        yield path


def command(way: str, model: Path, folder: Path, out: Path) -> list[str]:
    """Return the words that start a measured process."""
    if way == "predict":
        # Not on the command line, whose length has a limit.
        program = (
            "import sys; from pathlib import Path; from ser_keras.commands.main import main; "
            "files = sorted(map(str, Path(sys.argv[1]).iterdir())); "
            "sys.exit(main(['predict', '--model', *sys.argv[2:], *files]))"
        )
        return [sys.executable, "-c", program, str(folder), str(model), "--out", f"{out}.jsonl"]
    return [
        *(sys.executable, "-m", "ser_keras", "batch", str(folder), "--model", str(model)),
        *("--out", str(out), "--direct_running_mode", "multi_processing"),
        *("--direct_num_workers", way.split()[1]),
    ]


def costs(words: Sequence[str]) -> dict[str, float]:
    """Run a process to its end; return seconds, processor seconds and megabytes at the peak."""
    began, before = time.perf_counter(), os.times()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
        peak = Peak(process.pid)
        peak.start()
        status = process.wait()
        peak.ended.set()
        peak.join()
        if status:
            log.seek(0)
            raise RuntimeError(log.read().decode("utf-8", "replace")[-3000:])
    after = os.times()
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": after.children_user
        + after.children_system
        - before.children_user
        - before.children_system,
        "peak_megabytes": peak.most * _PAGE / 2**20,
    }


class Peak(threading.Thread):
    """Watches the resident memory of a process and all that it has started."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process = process
        self.most = 0  # pages
        self.ended = threading.Event()

    def run(self) -> None:
        """Look until the process has ended."""
        while not self.ended.wait(_EVERY):
            self.most = max(self.most, sum(family(self.process).values()))


def family(process: int) -> dict[int, int]:
    """Return the pages of memory of a process and all that it has started, by their numbers."""
    parents, pages = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(entry.name)], pages[int(entry.name)] = int(fields[1]), int(fields[21])
    own = {process}
    while more := {each for each, parent in parents.items() if parent in own} - own:
        own |= more
    return {each: pages[each] for each in own if each in pages}


def parts(name: str, folder: Path) -> dict[str, float]:
    """Measure, in this process, what of the processor's time goes where: ms a recording."""
    model = model_files.load(name)
    answer, spec = SoundBatch(model), model.features
    takes = [Take(str(path)) for path in recordings(folder, SOME)]

    def decoded() -> list[np.ndarray]:
        found = [decode(take, spec) for take in takes]
        return [each.samples for each in found if isinstance(each, Recording)]

    sounds = sorted(decoded(), key=len)
    batches = [sounds[first : first + BATCH_SIZE] for first in range(0, SOME, BATCH_SIZE)]
    answer(batches[0])  # the graph is made
    times = [time.process_time()]
    for work in (decoded, lambda: [answer(batch) for batch in batches]):
        work()
        times.append(time.process_time())
    decoding, answering = np.diff(times)
    return {"decoding": 1000 * decoding / SOME, "answering": 1000 * answering / SOME}


def measure(out: Path, name: str, sizes: Sequence[int], ways: Sequence[str]) -> dict[str, Any]:
    """Measure what is not in `scale.json` yet; return its content."""
    file, scratch = out / "scale.json", out / "scratch"
    found = json.loads(file.read_text("utf-8")) if file.exists() else {"measured": [], "parts": {}}
    known = {(one["model"], one["recordings"], one["way"]) for one in found["measured"]}
    wanted = [(size, way) for size in sorted(sizes) for way in ways]
    wanted = [(size, way) for size, way in wanted if (name, size, way) not in known]
    if wanted and name not in found["parts"]:
        found["parts"][name] = parts(name, scratch / "some")
    models = exported(name, scratch) if wanted else {}
    for size, way in wanted:
        one = measured(way, models[way], size, scratch)
        found["measured"].append({"model": name, "recordings": size, "way": way, **one})
        found |= {"versions": provenance.versions(), "git": provenance.git_state()}
        write_json(file, found)
        print(f"{size} by {way}: {size / one['seconds']:.1f} a second", file=sys.stderr, flush=True)
    shutil.rmtree(scratch, ignore_errors=True)
    return found


def exported(name: str, scratch: Path) -> dict[str, Path]:
    """Write a model as each way takes it."""
    model = model_files.load(name)
    shutil.rmtree(scratch / "exported", ignore_errors=True)
    folder = export.saved_model(model, scratch / "exported")
    model.save(scratch / "model.keras")
    return {way: scratch / "model.keras" if way == "predict" else folder for way in WAYS}


def measured(way: str, model: Path, size: int, scratch: Path) -> dict[str, float]:
    """Make so many recordings, answer them, and return what that cost."""
    folder, results = scratch / f"recordings-{size}", scratch / "results"
    paths = list(recordings(folder, size))
    shutil.rmtree(results, ignore_errors=True)  # of a killed run
    results.mkdir()
    cost = costs(command(way, model, folder, results / "answers"))
    answers = list(results.glob("answers*"))
    lines = sum(path.read_bytes().count(b"\n") for path in answers)
    assert lines == size, f"{way}: {lines} answers to {size} recordings"
    return {
        "hours_of_sound": sum(soundfile.info(path).duration for path in paths) / 3600,
        **cost,
        "bytes_read": sum(path.stat().st_size for path in paths),
        "bytes_written": sum(path.stat().st_size for path in answers),
    }


def markdown(found: dict[str, Any]) -> str:
    """Format the content of `scale.json`."""
    lines = [
        "| model | recordings | by | seconds | a second | processor ms a recording | "
        "processor s an hour of sound | peak MB | kB read, written a recording |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    order = sorted(
        found["measured"],
        key=lambda one: (one["model"], WAYS.index(one["way"]), one["recordings"]),
    )
    for one in order:
        count, used = one["recordings"], one["processor_seconds"]
        lines.append(
            f"| `{one['model']}` | {count:,} | {one['way']} | {one['seconds']:.0f} | "
            f"{count / one['seconds']:.0f} | {1000 * used / count:.1f} | "
            f"{used / one['hours_of_sound']:.1f} | {one['peak_megabytes']:.0f} | "
            f"{one['bytes_read'] / count / 1000:.0f}, {one['bytes_written'] / count / 1000:.1f} |"
        )
    lines += ["", *_further(order)]
    lines += [
        f"`{name}`: {part['decoding']:.1f} ms of a processor to read, decode and resample a "
        f"recording, {part['answering']:.1f} ms to answer it."
        for name, part in found.get("parts", {}).items()
    ]
    return "\n".join(lines).rstrip() + "\n"


def _further(order: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Say what a further recording costs, beyond what starts once: from size to size."""
    for one, other in itertools.pairwise(order):
        if (one["model"], one["way"]) == (other["model"], other["way"]):
            more = other["recordings"] - one["recordings"]
            used = other["processor_seconds"] - one["processor_seconds"]
            took = other["seconds"] - one["seconds"]
            yield (
                f"`{one['model']}`, {one['way']}, from {one['recordings']:,} to "
                f"{other['recordings']:,}: {1000 * used / more:.2f} ms of a processor and "
                f"{1000 * took / more:.2f} ms for each further recording."
            )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--model", default="tiny", metavar="RUN|FILE.keras|PRESET")
    parser.add_argument("--recordings", type=int, action="append", metavar="N")
    parser.add_argument("--way", choices=WAYS, action="append", help="(default: all)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args(arguments)
    sizes, ways = options.recordings or [1000], options.way or WAYS
    return leave(
        "scale", options.out, lambda out: measure(out, options.model, sizes, ways), markdown
    )


if __name__ == "__main__":
    sys.exit(main())
