"""Ctrl-C that waits until TensorFlow is left."""

from __future__ import annotations

import functools
import signal
import threading
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from ser_keras.corpora.utterance import Corpus
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.evaluation.metrics import AttentionTotals
from ser_keras.features import extraction, segments
from ser_keras.interruption import deferred, undisturbed
from ser_keras.model import files as model_files
from ser_keras.model.settings import Preset
from ser_keras.sound import decoding
from ser_keras.training import callbacks
from ser_keras.training.run import TrainingRun
from ser_keras.training.train import train

MOMENTS = ("on_train_batch_begin", "on_test_batch_begin", "on_epoch_end")


@pytest.fixture(autouse=True)
def _python_s_own_handler() -> Iterator[None]:
    """Also where the tests run in the background, deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_raised_at_the_next_check_and_once():
    reached = False
    with deferred() as interruption:
        interruption.check()
        press()
        reached = True
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
        interruption.check()
    assert reached


def test_ctrl_c_that_nobody_asked_for_is_raised_on_leaving():
    reached = False
    with pytest.raises(KeyboardInterrupt), deferred():  # noqa: PT012
        press()
        reached = True
    assert reached


def test_a_second_ctrl_c_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), deferred():  # noqa: PT012
        press()
        press()
        pytest.fail("went on after the second Ctrl-C")


def test_pressing_it_is_answered_in_words(capfd: pytest.CaptureFixture[str]):
    with pytest.raises(KeyboardInterrupt), deferred("stopping soon"):
        press()
    assert capfd.readouterr().err == "stopping soon\n"


def test_a_block_inside_another_is_part_of_it():
    reached = False
    with deferred() as outer:
        with deferred() as inner:
            press()
        reached = True
        with pytest.raises(KeyboardInterrupt):
            inner.check()
        outer.check()
    assert reached


def test_ctrl_c_wins_over_the_error_that_takes_its_place():
    with pytest.raises(KeyboardInterrupt) as caught, deferred():  # noqa: PT012
        press()
        raise RuntimeError("Exiting device scope without proper scope nesting")
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_passes_and_python_s_handler_is_back():
    with pytest.raises(ZeroDivisionError), deferred():
        _ = 1 / 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_caller_s_stays():
    pressed: list[int] = []

    def own(number: int, frame: Any) -> None:
        pressed.append(number)

    signal.signal(signal.SIGINT, own)
    with deferred() as interruption:
        press()
        interruption.check()
    assert pressed == [signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is own


def test_threads_that_are_never_interrupted_go_on():
    done = []

    def work() -> None:
        with deferred() as interruption:
            interruption.check()
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


@pytest.mark.parametrize("moment", MOMENTS)
def test_training_stops_between_two_batches(
    moment: str, tiny_run: TrainingRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    events: list[str] = []

    def happen(name: str, *_: object, **__: object) -> None:
        events.append(name)
        if events.count(moment) == 1 and name == moment:
            press()

    pressing = keras.callbacks.Callback()
    for name in (*MOMENTS, "on_train_batch_end", "on_test_batch_end"):
        setattr(pressing, name, functools.partial(happen, name))
    ours = callbacks.for_training

    def with_pressing(*arguments: Any) -> list[Any]:
        return [pressing, *ours(*arguments)]

    monkeypatch.setattr(callbacks, "for_training", with_pressing)
    with pytest.raises(KeyboardInterrupt):
        train(tiny_run, tmp_path)
    after = events[events.index(moment) + 1 :]
    assert len([name for name in after if name.endswith("batch_end")]) == 1


def test_extraction_in_one_process_is_interrupted_between_two_recordings(
    synthetic_corpus: Corpus, tiny_preset: Preset, monkeypatch: pytest.MonkeyPatch
):
    loaded = []

    def load(path: Path, *arguments: Any) -> Any:
        press()
        loaded.append(path)
        return decoding.load(path, *arguments)

    monkeypatch.setattr(segments, "decoding", types.SimpleNamespace(load=load))
    with pytest.raises(KeyboardInterrupt):
        extraction.extract_corpus(
            synthetic_corpus, tiny_preset.features, workers=1, cache=False, progress=False
        )
    assert len(loaded) == 1


def test_evaluation_is_interrupted_between_two_batches(
    trained_run: Path, synthetic_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
):
    batches = []

    def add(totals: AttentionTotals, *batch: Any, **options: Any) -> None:
        press()
        batches.append(batch)

    monkeypatch.setattr(AttentionTotals, "add", add)
    with pytest.raises(KeyboardInterrupt):
        evaluate(model_files.load(trained_run), synthetic_corpus, batch_size=4)
    assert len(batches) == 1


def test_an_item_that_is_being_made_is_made_to_its_end():
    made: list[int] = []
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            if number == 1:
                press()
            made.append(number)
            yield number

    with pytest.raises(KeyboardInterrupt):
        taken.extend(undisturbed(items()))
    assert made == [0, 1]
    assert taken == [0]
