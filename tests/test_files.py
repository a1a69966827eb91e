"""Result files: whole or not at all, and an error that says where."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras.errors import SerKerasError
from ser_keras.files import (
    OutputError,
    finite,
    json_line,
    output_folder,
    replacing,
    write_csv,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_is_made_with_those_above_it(tmp_path: Path):
    folder = output_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert not names(folder)  # trying it out leaves nothing


def test_an_existing_folder_keeps_its_files(tmp_path: Path):
    (tmp_path / "kept").write_text("kept")
    assert output_folder(str(tmp_path)) == tmp_path
    assert (tmp_path / "kept").read_text() == "kept"


@pytest.mark.parametrize("below", ["", "results"])
def test_a_file_in_the_way_is_named(tmp_path: Path, below: str):
    in_the_way = tmp_path / "out"
    in_the_way.write_text("mine")
    with pytest.raises(OutputError) as error:
        output_folder(in_the_way / below)
    assert str(in_the_way / below) in str(error.value)
    assert isinstance(error.value, SerKerasError)  # the command line shows its message alone
    assert isinstance(error.value, OSError)
    assert in_the_way.read_text() == "mine"


def test_a_read_only_folder_is_named(small_disk: Path):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for folder in (small_disk, small_disk / "results"):
        with pytest.raises(OutputError, match="Read-only") as error:
            output_folder(folder)
        assert str(folder) in str(error.value)


def test_text_is_written_as_it_is(tmp_path: Path):
    write_text(tmp_path / "a.txt", "α\nβ")
    assert (tmp_path / "a.txt").read_bytes() == "α\nβ".encode()
    assert names(tmp_path) == ["a.txt"]


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            assert path.read_text() == "old"
            raise ValueError("the writer's own")

    with pytest.raises(ValueError, match="the writer's own"):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_interrupting_a_write_leaves_nothing(tmp_path: Path):
    def write() -> None:
        with replacing(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert not names(tmp_path)


def test_a_killed_write_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, pathlib, signal, sys\n"
        "from ser_keras.files import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.read_text() == "old"
    assert len(names(tmp_path)) == 2  # it could not remove its half file
    running = tmp_path / f".{os.getppid()}-a.txt"
    running.write_text("another process is at it")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == [running.name, "a.txt"]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc, which Linux has")
def test_what_has_a_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The order that survives a loss of power: content, then the name, then the folder's entry."""
    calls: list[str] = []

    def fsync(descriptor: int) -> None:
        calls.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")

    def replace(self: Path, target: Path) -> Path:
        calls.append(f"rename {target.name}")
        return rename(self, target)

    rename = Path.rename
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    write_text(tmp_path / "a.txt", "a")
    mine = f".{os.getpid()}-"
    assert calls == [f"fsync {mine}a.txt", "rename a.txt", f"fsync {tmp_path.name}"]

    calls.clear()
    with replacing(tmp_path / "folder") as temporary:
        (temporary / "inner").mkdir(parents=True)
        (temporary / "inner" / "file").write_text("b")
    assert (tmp_path / "folder" / "inner" / "file").read_text() == "b"
    assert calls == [
        *("fsync file", "fsync inner", f"fsync {mine}folder"),
        *("rename folder", f"fsync {tmp_path.name}"),
    ]

    calls.clear()
    with replacing(tmp_path / "entry", durable=False) as temporary:
        temporary.write_text("c")
    assert calls == ["rename entry"]


def test_a_full_disk_is_named_and_costs_nothing_else(small_disk: Path):
    kept = small_disk / "kept.json"
    write_json(kept, {"kept": True})
    with pytest.raises(OutputError, match="No space left on device") as error:
        write_text(small_disk / "large.txt", "x" * 100_000)
    assert str(small_disk / "large.txt") in str(error.value)
    with pytest.raises(OutputError, match="No space left on device"):
        write_json(kept, ["x" * 100_000])
    assert names(small_disk) == ["kept.json"]
    assert json.loads(kept.read_text()) == {"kept": True}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
def test_a_full_device_is_named_without_the_right_to_mount_one(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("new")

    with pytest.raises(OutputError, match=r"a\.txt.*No space left"):
        write()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_csv_is_read_back_as_it_was_written(tmp_path: Path):
    path = tmp_path / "a.csv"
    rows = [{"file": 'a, "b".wav', "end": "1.5", "emotion": "surprisé"}, {"file": "c\nd.wav"}]
    write_csv(path, rows, ("emotion", "file", "end"))
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        assert list(table) == [rows[0], {"file": "c\nd.wav", "end": "", "emotion": ""}]
    assert table.fieldnames == ["emotion", "file", "end"]


def test_csv_has_the_columns_of_its_first_row_and_may_have_no_rows(tmp_path: Path):
    write_csv(tmp_path / "a.csv", [{"b": 1, "a": None}])
    assert (tmp_path / "a.csv").read_text() == "b,a\n1,\n"
    write_csv(tmp_path / "a.csv", [], ["b", "a"])
    assert (tmp_path / "a.csv").read_text() == "b,a\n"


def test_numbers_that_are_not_finite_become_null(tmp_path: Path):
    path = tmp_path / "a.json"
    value: dict[str, Any] = {
        "nan": float("nan"),
        "inf": [float("inf"), -float("inf"), np.float64("nan")],
        "nested": ({"x": float("nan"), "label": "surprisé"}, 1, 0.5, None, True),
    }
    write_json(path, value)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse) == {
        "nan": None,
        "inf": [None, None, None],
        "nested": [{"x": None, "label": "surprisé"}, 1, 0.5, None, True],
    }
    assert np.isnan(value["nan"])  # a copy was written


@pytest.mark.parametrize("name", ["Größe.wav", "怒り.wav", "\udce9.wav", "a\u2028b\x85c\nd.wav"])
def test_names_are_written_as_they_are_on_one_line(name: str):
    line = json_line({"file": name})
    assert json.loads(line.encode("utf-8")) == {"file": name}
    assert len(line.splitlines()) == 1
    assert ("\\" in line) == (not name.isprintable())


def test_a_line_of_json_has_null_for_numbers_that_are_not_finite():
    assert json_line({"file": "\udcff", "p": [0.5, 1]}) == '{"file": "\\udcff", "p": [0.5, 1]}'
    assert json_line({"p": [float("nan"), 1.5]}) == '{"p": [null, 1.5]}'


def test_finite_keeps_everything_else():
    assert finite({"a": [1, 2.5, "b", None, False]}) == {"a": [1, 2.5, "b", None, False]}
