"""The pipeline of `ser-keras batch`: from names of recordings to files of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import RunInference
from apache_beam.pvalue import TaggedOutput

from ser_keras.export.batch import outputs
from ser_keras.export.batch.handler import Exported, ExportedModelHandler
from ser_keras.export.batch.inputs import FAILED, Items
from ser_keras.export.batch.reading import COUNTERS, ByLength, Decode
from ser_keras.sound.takes import Choice


@dataclass(frozen=True)
class Job:
    """The work of a pipeline.

    Args:
        patterns: of `inputs.patterns`.
        model: the folder of the SavedModel.
        out: the prefix of the results' names.
        form: json or parquet.
        channel: of recordings with several.
        shards: number of files; 0 leaves it to the runner.

    Example:
        >>> Job(["calls/*.wav"], "exported/1", "answers").form
        'json'
    """

    patterns: Sequence[str]
    model: str
    out: str
    form: str = "json"
    channel: Choice = None
    shards: int = 0


def build(pipeline: beam.Pipeline, job: Job, exported: Exported) -> None:
    """Put the steps of a job on a pipeline.

    Whatever a runner does twice, because a worker was lost or is slow, is in the results once:
    files get their names when all of them are written.

    Args:
        pipeline: to put them on.
        job: what to do.
        exported: the description of its model.

    Example:
        >>> from ser_keras.export.batch.handler import exported
        >>> folder = str(export.saved_model(model, "piped"))
        >>> with beam.Pipeline() as pipeline:
        ...     build(pipeline, Job([wav], folder, "piped-answers"), exported(folder))
        >>> from pathlib import Path
        >>> import json
        >>> json.loads(Path("piped-answers-00000-of-00001.jsonl").read_text())["file"] == wav
        True
    """
    items = pipeline | beam.Create(list(job.patterns)) | "Inputs" >> Items(job.channel)
    decoded = items["items"] | "Decode" >> beam.ParDo(Decode(exported.spec)).with_outputs(
        FAILED, main="sounds"
    )
    answered = (
        decoded["sounds"]
        | "ByLength" >> beam.ParDo(ByLength())
        | "Answer" >> RunInference(ExportedModelHandler(job.model))
        | "Lines" >> beam.FlatMap(lines).with_outputs(FAILED, main="lines")
    )
    failed = (items[FAILED], decoded[FAILED], answered[FAILED]) | "AllFailed" >> beam.Flatten()
    failed = failed | "CountFailed" >> beam.ParDo(Count("failed"))
    answered = answered["lines"] | "CountAnswered" >> beam.ParDo(Count("answered"))
    _ = answered | "WriteAnswers" >> outputs.write_answers(
        job.out, job.form, job.shards, exported.labels
    )
    _ = failed | "WriteFailed" >> outputs.write_failed(job.out)


def lines(answers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any] | TaggedOutput]:
    """Yield the lines of a batch; those of errors as `FAILED`.

    Example:
        >>> list(lines([{"file": "a.wav"}]))
        [{'file': 'a.wav'}]
    """
    for line in answers:
        yield TaggedOutput(FAILED, line) if "error" in line else line


class Count(beam.DoFn):
    """Counts lines and the sound in them.

    Args:
        name: of the counter of lines.

    Example:
        >>> list(Count("answered").process({"file": "a.wav", "duration": 1.5}))
        [{'file': 'a.wav', 'duration': 1.5}]
    """

    def __init__(self, name: str) -> None:
        self.count = Metrics.counter(COUNTERS, name)
        self.milliseconds = Metrics.counter(COUNTERS, "milliseconds_of_sound")

    def process(self, line: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Count a line and pass it on."""
        self.count.inc()
        self.milliseconds.inc(round(1000 * line.get("duration", 0.0)))
        yield line
