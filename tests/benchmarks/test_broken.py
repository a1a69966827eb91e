"""`benchmarks.broken` counts what is lost, and how far numbers differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import broken, scale


def test_one_recording_in_so_many_is_broken_and_no_link_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scale, "DIFFERENT", 2)
    monkeypatch.setattr(broken, "EVERY", 4)
    made = broken.recordings(tmp_path, 16)
    names = [Path(file).name for file in made]
    assert names == ["000002.wav", "000006.wav", "000010.wav", "000014.wav"]
    assert list(made.values()) == ["empty", "half a header", "a header alone", "text"]
    whole = [path for path in sorted(tmp_path.iterdir()) if str(path) not in made]
    assert len(whole) == 12
    assert min(path.stat().st_size for path in whole) > 10_000
    assert [Path(file).stat().st_size for file in made] == [0, 20, 44, 8]


def test_what_is_missing_double_other_and_new_is_counted(tmp_path: Path):
    def line(file: str, calm: float, emotion: str = "calm") -> dict[str, Any]:
        return {"file": file, "emotion": emotion, "probabilities": {"calm": calm}}

    expected = broken.read([write(tmp_path / "one", *(line(name, 0.5) for name in "abcd"))])
    ours = [line("a", 0.5), line("a", 0.5), line("b", 0.75), line("c", 0.5, "sad"), line("e", 0.5)]
    found = broken.read([write(tmp_path / "other", *ours)])
    assert broken.compare(found, expected) == {
        "missing": 1,
        "not asked for": 1,
        "double": 1,
        "others": 1,
        "differences": {"probabilities": 0.25},
    }


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
