"""`predict --format csv|parquet`: tables that other programs read, with all that the lines hold."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.commands import main as cli
from ser_keras.files import replacing
from ser_keras.recognition import tables

duckdb = pytest.importorskip("duckdb", reason="needs DuckDB")
pd = pytest.importorskip("pandas", reason="needs pandas")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs pyarrow")

PLAIN = ["file", "channel", "error", "emotion", "duration", "padded", "silent", "familiarity"]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Five recordings: short, stereo, silent, with a comma in its name; and one that is none."""
    folder = tmp_path_factory.mktemp("sounds")
    draw = np.random.default_rng(0)
    for name, seconds, channels in [
        ("a.wav", 1.2, 1),
        ("two, of them.wav", 2.6, 2),
        ("c.wav", 0.1, 1),
    ]:
        noise = np.repeat(draw.normal(0, 0.1, (round(seconds * 8000), 1)), channels, axis=1)
        soundfile.write(folder / name, noise, 8000)
    soundfile.write(folder / "silent.wav", np.zeros(16000), 8000)
    (folder / "broken.wav").write_text("no sound")
    names = ["broken.wav", "c.wav", "a.wav", "two, of them.wav", "silent.wav"]
    return [str(folder / name) for name in names]


@pytest.fixture
def predict(capfd: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str | Path, status: int = 1) -> str:
        capfd.readouterr()
        found = cli.main(["predict", "--model", "tiny", *map(str, words)])
        captured = capfd.readouterr()
        assert found == status, captured.err
        return captured.out

    return run


def flat(line: dict[str, Any]) -> dict[str, Any]:
    """The row of a line, by a rule written down here again."""
    row = dict.fromkeys(PLAIN) | {k: v for k, v in line.items() if k in PLAIN}
    return row | {f"probability_{k}": v for k, v in line.get("probabilities", {}).items()}


def assert_rows(frame: Any, lines: list[dict[str, Any]]) -> None:
    assert list(frame["file"]) == [line["file"] for line in lines]
    for row, line in zip(frame.to_dict("records"), lines, strict=True):
        for name, expected in flat(line).items():
            found = row[name]
            if expected is None:
                assert pd.isna(found), name
            elif isinstance(expected, float):
                assert found == pytest.approx(expected, abs=1e-12), name
            else:
                assert found == expected, name


def test_csv_holds_what_the_lines_do_but_for_the_instants(
    predict: Any, sounds: list[str], tmp_path: Path
):
    lines = [json.loads(line) for line in predict(*sounds).splitlines()]
    out = tmp_path / "answers.csv"
    assert predict("--out", out, *sounds) == ""
    assert predict("--format", "csv", *sounds) == out.read_text()
    assert_rows(pd.read_csv(out), lines)
    assert_rows(duckdb.sql(f"from '{out}'").df(), lines)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[: len(PLAIN)] == PLAIN
    assert rows[0]["error"] == lines[0]["error"]
    assert rows[0]["emotion"] == ""
    assert [row["silent"] for row in rows] == ["", "false", "false", "false", "true"]
    assert list(tmp_path.iterdir()) == [out]


def test_parquet_holds_the_instants_too(predict: Any, sounds: list[str], tmp_path: Path):
    lines = [json.loads(line) for line in predict("--channel", "each", *sounds).splitlines()]
    assert [line.get("channel") for line in lines] == [None, 0, 0, 0, 1, 0]
    out = tmp_path / "answers.parquet"
    assert predict("--out", out, "--channel", "each", *sounds) == ""
    frame = pd.read_parquet(out)
    assert_rows(frame, lines)
    assert_rows(duckdb.sql(f"from '{out}'").df(), lines)
    assert parquet.read_table(out).to_pylist()[1]["instants"] == lines[1]["instants"]
    instants = duckdb.read_parquet(str(out)).project("file, unnest(instants).time")
    times = instants.fetchall()
    assert times == [
        (line["file"], instant["time"]) for line in lines for instant in line.get("instants", [])
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_is_gone_on_with_in_the_order_asked_for(
    ending: str, predict: Any, sounds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, whole = tmp_path / f"answers.{ending}", tmp_path / f"whole.{ending}"
    predict("--out", whole, *sounds)
    predict("--out", out, sounds[2], sounds[4], status=0)
    monkeypatch.setattr(tables, "ROWS", 2)
    predict("--out", out, *sounds)
    assert_same_answers(read(out), read(whole))
    written = out.read_bytes()
    predict("--out", out, sounds[4], status=0)
    assert list(read(out)["file"]) == [*sounds[:4], sounds[4]]
    predict("--out", out, sounds[0])
    assert list(read(out)["file"]) == [*sounds[1:], sounds[0]]
    out.write_bytes(written)
    assert sorted(tmp_path.iterdir()) == sorted([out, whole])


def read(table: Path) -> Any:
    return pd.read_csv(table) if table.suffix == ".csv" else pd.read_parquet(table)


def assert_same_answers(found: Any, expected: Any) -> None:
    """Compare tables: other batches, whose sums some processors round otherwise, made them."""
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_killed_run_goes_on_and_leaves_nothing_but_the_table(
    ending: str, predict: Any, sounds: list[str], tmp_path: Path
):
    out, whole = tmp_path / f"answers.{ending}", tmp_path / f"whole.{ending}"
    predict("--out", whole, *sounds)
    program = (
        "import os\n"
        "from ser_keras.commands import answers, main as cli\n"
        "answers.json_line, shown = (lambda line: (shown.append(1), os._exit(9)) "
        "if len(shown) == 3 else (shown.append(1), original(line))[1]), []\n"
        f"cli.main(['predict', '--model', 'tiny', '--out', {str(out)!r}, *{sounds}])"
    )
    program = "from ser_keras.files import json_line as original\n" + program
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert killed.returncode == 9, killed.stderr
    lines = out.with_name(f"{out.name}.lines")
    assert len(lines.read_text().splitlines()) == 3
    with lines.open("a") as file:
        file.write('{"file": "half a li')
    assert not out.exists()
    predict("--out", out, *sounds)
    assert_same_answers(read(out), read(whole))
    assert sorted(tmp_path.iterdir()) == sorted([out, whole])


def test_recordings_that_all_cannot_be_used_are_a_table_too(
    predict: Any, sounds: list[str], tmp_path: Path
):
    for ending in ("csv", "parquet"):
        out = tmp_path / f"answers.{ending}"
        predict("--out", out, sounds[0], "missing.wav")
        assert list(read(out)["file"]) == [sounds[0], "missing.wav"]
        assert read(out)["error"].str.len().min() > 0
    assert len(predict("--format", "csv", "missing.wav").splitlines()) == 2


def test_a_name_that_is_no_text_is_escaped(sounds: list[str], tmp_path: Path):
    name = "caf\udce9.wav"
    for ending in ("csv", "parquet"):
        out = tmp_path / f"answers.{ending}"
        tables.write(out, ending, [{"file": name, "error": "missing"}], [])
        assert list(read(out)["file"]) == [r"caf\udce9.wav"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "parquet"], "--format: expected --out FILE beside it, found 'parquet'"),
        (["--format", "csv", "--attention"], "expected json beside --attention, found 'csv'"),
        (["--format", "csv", "--json"], "expected json beside --json, found 'csv'"),
        (["--out", "other.csv"], "other.csv: expected a csv table of answers, found another"),
        (["--out", "other.parquet"], "other.parquet: expected a parquet table of answers, found"),
    ],
)
def test_what_does_not_go_together_is_said_before_anything_is_done(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    for name in ("other.csv", "other.parquet"):
        Path(name).write_text("path,emotion\na.wav,calm\n")
    assert cli.main(["predict", "--model", "tiny", *words, "a.wav"]) == 1
    assert message in capsys.readouterr().err
    assert Path("other.csv").read_text() == "path,emotion\na.wav,calm\n"


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert cli.main(["predict", "--out", str(tmp_path / "a.parquet"), "a.wav"]) == 1
    assert "pip install 'ser-keras[parquet]'" in capsys.readouterr().err


def test_a_table_that_cannot_be_written_leaves_the_lines(
    predict: Any, sounds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "answers.csv"

    def full(path: Path) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tables, "replacing", full)
    predict("--out", out, sounds[1])
    assert not out.exists()
    assert len(Path(f"{out}.lines").read_text().splitlines()) == 1
    monkeypatch.setattr(tables, "replacing", replacing)
    predict("--out", out, sounds[1], status=0)
    assert len(read(out)) == 1
