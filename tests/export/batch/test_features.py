"""`ser-keras features` through Beam leaves what it leaves without."""

from __future__ import annotations

from pathlib import Path

import pytest

from ser_keras.commands import main as cli

pytest.importorskip("apache_beam", reason="needs Apache Beam (the extra beam)")

pytestmark = pytest.mark.filterwarnings("default")  # of Beam's own imports


def test_shards_are_those_of_one_machine(
    manifest: Path,
    tiny_settings: dict[str, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("SER_KERAS_CACHE", str(tmp_path / "cache"))
    words = ["features", "--corpus", "manifest", "--data", str(manifest), "--shard-size", "10"]
    for name, value in tiny_settings.items():
        words += ["--set", f"{name}={value}"]
    alone, together = tmp_path / "alone", tmp_path / "together"
    assert cli.main([*words, "--out", str(alone)]) == 0
    printed = capsys.readouterr().out
    assert cli.main([*words, "--out", str(together), "--runner", "DirectRunner"]) == 0
    assert capsys.readouterr().out == printed
    names = sorted(path.name for path in alone.iterdir())
    assert len([name for name in names if name.endswith(".tfrecord")]) == 4
    assert sorted(path.name for path in together.iterdir()) == names
    for name in names:
        assert (together / name).read_bytes() == (alone / name).read_bytes(), name
