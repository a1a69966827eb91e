"""Batches, observed by what the batcher runs and never by the clock of this machine."""

from __future__ import annotations

import asyncio
import functools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.batching import Batcher
from ser_keras.export.serving.server.loaded_model import LoadedModel
from ser_keras.export.serving.tf_serving.warm_up import wav

AGES = 3600.0  # longer than any test


class Doubling:
    """A signature that answers with twice its input, when it is let, and knows its batches."""

    batchable = True

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.may_end = threading.Semaphore(0)

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.sizes.append(len(tensors["x"]))
        assert self.may_end.acquire(timeout=60)
        return {"y": 2 * tensors["x"]}

    def rows(self, outputs: dict[str, np.ndarray], first: int, last: int) -> dict[str, np.ndarray]:
        return {"y": outputs["y"][first:last]}


def ask(values: list[int], batches: list[int], seconds: float = 0.0, **settings: Any) -> Doubling:
    """Ask for each value at once, then let batches end when so many have begun.

    Args:
        values: a request of one instance for each.
        batches: before each end, how many batches must have begun.
        seconds: that each instance lasts.
        settings: the batcher's.
    """
    signature = Doubling()

    async def play(executor: ThreadPoolExecutor) -> None:
        batcher = Batcher(signature, executor, threads=2, fits=sound_limits.fits, **settings)  # type: ignore[arg-type]
        asked = [asyncio.ensure_future(batcher.run({"x": np.array([v])}, seconds)) for v in values]
        for begun in batches:
            while len(signature.sizes) < begun:
                await asyncio.sleep(0.001)
            signature.may_end.release()
        answers = [int(answer["y"][0]) for answer in await asyncio.gather(*asked)]
        assert answers == [2 * value for value in values]

    with ThreadPoolExecutor(2) as executor:
        asyncio.run(asyncio.wait_for(play(executor), timeout=60))
    return signature


def test_one_request_starts_at_once():
    assert ask([7], [1], patience=AGES).sizes == [1]


def test_requests_gather_while_a_batch_runs():
    assert ask([1, 2, 3, 4, 5], [1, 2], patience=AGES).sizes == [1, 4]


def test_a_full_batch_starts_beside_the_one_that_runs():
    # Both must have begun before either ends.
    assert ask([1, 2, 3, 4, 5, 6], [2, 2, 3], largest=4, patience=AGES).sizes == [1, 4, 1]


def test_a_request_waits_no_longer_than_patience():
    assert ask([1, 2], [2, 2], patience=0.01).sizes == [1, 1]


def test_without_patience_every_free_thread_is_used():
    assert ask([1, 2, 3, 4], [2, 2, 3], patience=0.0).sizes == [1, 1, 2]


def test_sound_that_would_be_too_much_together_is_answered_in_several_batches():
    hour = sound_limits.MOST_PADDED_SECONDS
    assert ask([1, 2, 3, 4, 5], [1, 2, 3], seconds=hour / 2, patience=AGES).sizes == [1, 2, 2]
    assert ask([1, 2, 3], [1, 2, 3], seconds=hour * 2, patience=AGES).sizes == [1, 1, 1]


@pytest.fixture(scope="module")
def loaded(servable: Path) -> LoadedModel:
    with ThreadPoolExecutor(1) as executor:
        return LoadedModel(servable, functools.partial(Batcher, executor=executor, threads=1))


def request(name: str, rate: int, size: int) -> dict[str, np.ndarray]:
    """One instance of five seconds, of which the last two are padding where there can be any."""
    if name == "waveform":
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 5 * rate)).astype(np.float32)
        return {"waveform": noise, "samples": np.array([3 * rate], np.int32)}
    if name in ("features", "mfcc"):
        numbers = np.random.default_rng(0).normal(0, 1, (1, 4, size)).astype(np.float32)
        return {name: numbers, "instants": np.array([2], np.int32)}
    return {"audio": np.array([wav(np.zeros(5 * rate), rate)], object)}


@pytest.mark.parametrize("name", ["serving_default", "waveform", "features", "mfcc"])
def test_an_answer_has_the_same_shape_alone_and_in_a_batch(loaded: LoadedModel, name: str):
    signature = loaded.signature(name)
    asked = request(name, loaded.description["sample_rate"], loaded.description["observation_size"])

    async def play(executor: ThreadPoolExecutor) -> list[dict[str, np.ndarray]]:
        batcher = Batcher(signature, executor, threads=1, patience=AGES)
        # The first runs alone, the others together when it has ended.
        return await asyncio.gather(*[batcher.run(asked) for _ in range(3)])

    with ThreadPoolExecutor(1) as executor:
        answers = asyncio.run(asyncio.wait_for(play(executor), timeout=60))
    for answer in answers:
        assert answer["timeline"].shape[:2] == (1, 4)
        np.testing.assert_allclose(answer["timeline"], answers[0]["timeline"], atol=1e-5)
