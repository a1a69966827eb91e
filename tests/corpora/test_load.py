"""Loading by name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ser_keras import corpora
from ser_keras.errors import ConfigurationError


def test_names():
    assert corpora.names() == (
        "ravdess",
        "iemocap",
        "emodb",
        "crema-d",
        "savee",
        "tess",
        "nemo",
        "emovo",
        "emotale",
        "ased",
        "urdu",
        "jl-corpus",
        "meld",
        "esd",
        "manifest",
        "synthetic",
    )


def test_an_unknown_corpus_lists_those_known():
    with pytest.raises(ConfigurationError, match=r"ravdess, iemocap, emodb.*found 'ravdes'"):
        corpora.load("ravdes", "/anywhere")


def test_an_unknown_option_lists_those_known(tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"speakers, takes, seed, found 'actors'"):
        corpora.load("synthetic", tmp_path, actors=3)


def test_corpora_and_splits_import_no_tensorflow():
    code = (
        "import sys, ser_keras.corpora, ser_keras.corpora.splits; "
        "print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "set()"
