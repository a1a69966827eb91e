"""Every public function and class shows how it is called, and the examples run."""

from __future__ import annotations

import doctest
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import ser_keras as ser
from ser_keras import export, tuning
from ser_keras.corpora.utterance import Corpus
from ser_keras.model.settings import Preset

PACKAGES = (
    *("sound", "corpora", "features", "model", "training", "recognition", "evaluation", "commands"),
    *("export", "tuning"),
)


def modules(package: str) -> Iterator[ModuleType]:
    """A package and all modules below it that have what they import."""
    found = importlib.import_module(package)
    yield found
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        try:
            yield importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name != "apache_beam":  # which is an extra
                raise


def public(module: ModuleType) -> dict[str, Any]:
    """The functions and classes that a module defines for others.

    A command's `add_arguments` and `run` are called by the command line alone, which is their
    example: tests/test_readme.py runs it.
    """
    protocol = ("add_arguments", "run") if hasattr(module, "HELP") else ()
    return {
        name: member
        for name, member in vars(module).items()
        if not name.startswith("_")
        and name not in protocol
        and (inspect.isclass(member) or inspect.isroutine(member))
        and getattr(member, "__module__", None) == module.__name__
    }


def in_root() -> list[ModuleType]:
    """The modules directly in `ser_keras`."""
    names = [module.name for module in pkgutil.iter_modules(ser.__path__) if not module.ispkg]
    return [importlib.import_module(f"ser_keras.{name}") for name in names if name != "__main__"]


def modules_of(part: str) -> list[ModuleType]:
    return in_root() if part == "root" else list(modules(f"ser_keras.{part}"))


@pytest.fixture
def names(
    synthetic_corpus: Corpus,
    tiny_preset: Preset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """What examples may use unsaid; CONTRIBUTING.md lists it. They run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    given = {"ser": ser, "np": np, "export": export, "tuning": tuning, "corpus": synthetic_corpus}
    given["wav"] = str(synthetic_corpus[0].path)
    given["model"] = _model(synthetic_corpus, tiny_preset)
    return given


@functools.cache
def _model(corpus: Corpus, preset: Preset) -> Any:
    """An untrained model that has learnt the standardization; examples do not change it."""
    model = ser.VRNN.from_preset(preset, classes=corpus.emotions, seed=0)
    model.adapt(ser.pipeline.dataset(corpus, model.features, cache=False, progress=False))
    return model


@pytest.mark.parametrize("part", ["root", *PACKAGES])
def test_every_public_function_and_class_has_an_example(part: str):
    without = [
        f"{module.__name__}.{name}"
        for module in modules_of(part)
        for name, member in public(module).items()
        if ">>> " not in (inspect.getdoc(member) or "")
    ]
    assert not without


@pytest.mark.parametrize("part", ["root", *PACKAGES])
def test_examples_give_what_they_say(part: str, names: dict[str, Any]):
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(optionflags=options)
    reports: list[str] = []
    for module in modules_of(part):
        for example in finder.find(module, module.__name__, extraglobs=names):
            runner.run(example, out=reports.append)
    assert not reports, "".join(reports)
