"""`ser-keras features` with options of Beam: each shard by whichever worker is free."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import apache_beam as beam

from ser_keras.corpora.utterance import Corpus
from ser_keras.export.batch import attempts
from ser_keras.training import shards


class WriteShard(beam.DoFn):
    """Writes shards by their numbers, unless they are finished; yields the names of their files.

    Args:
        load: the corpus, which every worker loads itself.
        options: of `shards.write_shard`.

    Example:
        >>> writer = WriteShard(lambda: corpus, {"spec": model.features, "out": "beam-shards"})
        >>> writer.setup()
        >>> list(writer.process(0))
        ['synthetic-00001-of-00001.tfrecord']
    """

    def __init__(self, load: Callable[[], Corpus], options: Mapping[str, Any]) -> None:
        self.load = load
        self.options = dict(options)

    def setup(self) -> None:
        """Load the corpus, once a worker."""
        self.corpus = self.load()

    def process(self, number: int) -> Iterator[str]:
        """Write a shard."""
        # Beam starts the processes.
        yield shards.write_shard(
            self.corpus, number=number, workers=1, progress=False, **self.options
        )["file"]


def write(
    count: int, load: Callable[[], Corpus], options: Mapping[str, Any], chosen: Mapping[str, Any]
) -> None:
    """Write all shards of a corpus through Beam; `shards.write` then finds them finished.

    Args:
        count: of the shards.
        load: the corpus.
        options: of `shards.write_shard`.
        chosen: options of Beam, by name.

    Example:
        >>> from pathlib import Path
        >>> write(2, lambda: corpus, {"spec": model.features, "out": "b", "shard_size": 20}, {})
        >>> sorted(path.name for path in Path("b").glob("*.tfrecord"))
        ['synthetic-00001-of-00002.tfrecord', 'synthetic-00002-of-00002.tfrecord']
    """
    attempts.run(functools.partial(_build, count=count, load=load, options=dict(options)), chosen)


def _build(
    pipeline: beam.Pipeline, count: int, load: Callable[[], Corpus], options: Mapping[str, Any]
) -> None:
    numbers = pipeline | beam.Create(range(count)) | beam.Reshuffle()
    _ = numbers | beam.ParDo(WriteShard(load, options))
