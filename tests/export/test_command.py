"""`ser-keras export`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ser_keras.commands import main as cli
from ser_keras.model.vrnn import VRNN


@pytest.fixture(scope="module")
def run_folder(model: VRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    model.save(folder / "model.keras")
    return folder


def test_exports_a_run_as_the_next_version(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    name = tmp_path / "served" / "vrnn"
    assert cli.main(["export", str(run_folder), "--to", "saved-model", "--out", str(name)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line == {
        "format": "saved-model",
        "path": str(name / "1"),
        "bytes": sum(file.stat().st_size for file in name.rglob("*") if file.is_file()),
        "bundle": [
            str(name.parent / file)
            for file in (
                "models.config", "batching_parameters.txt", "compose.yaml", "kserve-vrnn.yaml",
                "monitoring.config",
            )
        ],
    }  # fmt: skip


def test_a_bundle_that_cannot_be_written_leaves_no_version(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "models.config").write_text("nonsense {")
    name = tmp_path / "vrnn"
    assert cli.main(["export", str(run_folder), "--to", "saved-model", "--out", str(name)]) == 1
    assert "expected a ModelServerConfig" in capsys.readouterr().err
    assert not name.exists()


def test_nothing_but_progress_is_on_standard_error(run_folder: Path, tmp_path: Path):
    words = ["export", str(run_folder), "--to", "tflite", "--out", str(tmp_path / "a.tflite")]
    done = subprocess.run(
        [sys.executable, "-m", "ser_keras", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "cuda" not in done.stderr.lower()
    assert "oneDNN" not in done.stderr


def test_exports_a_file_to_tflite(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "edge"
    words = ["export", str(run_folder / "model.keras"), "--to", "tflite", "--out", str(out)]
    assert cli.main([*words, "--precision", "int8"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (Path(line.pop("runner")).parent / "runner.py").read_text().startswith('"""Recognise')
    assert line == {
        "format": "tflite",
        "precision": "int8",
        "path": str(out / "model.tflite"),
        "description": str(out / "model.json"),
        "bytes": (out / "model.tflite").stat().st_size,
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--to", "tflite"], "model nowhere: expected the folder of a run"),
        (["ravdess", "--to", "tflite"], "comes without trained weights"),
        (["nowhere", "--to", "saved-model", "--precision", "int8"], "expected --to tflite"),
    ],
)
def test_a_model_that_cannot_be_exported_is_a_clear_error(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["export", *words, "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_wrong_usage_exits_with_2(tmp_path: Path):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["export", "run", "--to", "onnx", "--out", str(tmp_path)])
    assert stopped.value.code == 2
