"""The pipeline of `ser-keras batch`: from names of recordings to files of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import RunInference

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
        form: one of `outputs.FORMATS`.
        channel: of recordings with several.
        longest: recording that is accepted, in seconds.
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
    longest: float = 600.0
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
        >>> import json
        >>> json.loads(Path("piped-answers-00000-of-00001.jsonl").read_text())["file"] == wav
        True
    """
    spec = exported.spec
    items = pipeline | beam.Create(list(job.patterns)) | "Inputs" >> Items(job.channel)
    decoded = items["items"] | "Decode" >> beam.ParDo(Decode(spec, job.longest)).with_outputs(
        FAILED, main="sounds"
    )
    answered = (
        decoded["sounds"]
        | "ByLength" >> beam.ParDo(ByLength(spec.sample_rate))
        | "Answer" >> RunInference(ExportedModelHandler(job.model))
        | "Lines" >> beam.ParDo(Counted("answered"))
    )
    failed = (
        (items[FAILED], decoded[FAILED])
        | "AllFailed" >> beam.Flatten()
        | beam.Map(lambda line: [line])
        | "Failed" >> beam.ParDo(Counted("failed"))
    )
    _ = answered | "WriteAnswers" >> outputs.write_answers(
        job.out, job.form, job.shards, exported.labels
    )
    _ = failed | "WriteFailed" >> outputs.write_failed(job.out)


def run(job: Job, exported: Exported, options: Any = None) -> dict[str, int]:
    """Run a job to its end; return its `counts`.

    Args:
        job: what to do.
        exported: the description of its model.
        options: `PipelineOptions`; None for Beam's defaults.

    Example:
        >>> from ser_keras.export.batch.handler import exported
        >>> folder = str(export.saved_model(model, "run"))
        >>> run(Job([wav], folder, "run-answers"), exported(folder))["answered"]
        1
    """
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job, exported)
    result = pipeline.run()
    result.wait_until_finish()
    return counts(result)


class Counted(beam.DoFn):
    """Counts lines, and takes them out of the lists that they come in.

    Args:
        name: of the counter.

    Example:
        >>> list(Counted("answered").process([{"file": "a.wav"}]))
        [{'file': 'a.wav'}]
    """

    def __init__(self, name: str) -> None:
        self.count = Metrics.counter(COUNTERS, name)

    def process(self, lines: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the lines of a list."""
        for line in lines:
            self.count.inc()
            yield line


def counts(result: Any) -> dict[str, int]:
    """Return the counters of a pipeline that has ended, 0 for what was never counted.

    Example:
        >>> with beam.Pipeline() as pipeline:
        ...     _ = pipeline | beam.Create([[{}]]) | beam.ParDo(Counted("failed"))
        >>> counts(pipeline.result)["failed"]
        1
    """
    found = dict.fromkeys(("answered", "failed", "bytes_read", "milliseconds_of_sound"), 0)
    metrics = result.metrics().query(MetricsFilter().with_namespace(COUNTERS))
    for counter in metrics["counters"]:
        found[counter.key.metric.name] += counter.result
    return found
