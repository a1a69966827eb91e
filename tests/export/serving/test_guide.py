"""Every curl line of docs/serving.md, and its Python, runs against the local server."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser_keras.commands import main as cli

from .conftest import Running, running

GUIDE = (Path(__file__).parents[3] / "docs" / "serving.md").read_text(encoding="utf-8")
LINES = [line.strip() for line in re.findall(r"(?:^ {4}.+\n)+", GUIDE, re.MULTILINE)]
LINES = [line.strip() for block in LINES for line in block.splitlines()]
ADDRESS = "http://127.0.0.1:8501"


@pytest.fixture(scope="module")
def folder(servable: Path, speech: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `served/vrnn/1` and `hello.wav`."""
    folder = tmp_path_factory.mktemp("guide")
    shutil.copytree(servable.parent, folder / "served" / "vrnn")
    shutil.copy(speech[0], folder / "hello.wav")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    with running(folder / "served", "--label", "vrnn:stable=1") as server:
        yield server


def test_every_curl_line_runs(server: Running, folder: Path):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    lines = [line for line in LINES if line.startswith(("curl", "printf"))]
    asked = 0
    for line in lines:
        words = line.replace(ADDRESS, server.url).replace("curl ", "curl -sS --fail-with-body ")
        done = subprocess.run(
            ["sh", "-c", words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        if line.startswith("curl"):
            asked += 1
            if "metrics" in line:
                assert ":tensorflow:serving:request_count" in done.stdout
            else:
                (key,) = {"model_version_status", "model_spec", "predictions", "outputs"} & set(
                    json.loads(done.stdout)
                )
                assert json.loads(done.stdout)[key]
    assert asked >= 8


def test_the_python_runs(
    server: Running,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(folder)
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    exec(compile(code.replace(ADDRESS, server.url), "serving.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.split()[0] in ("neutral", "happy", "sad", "angry")


def test_the_commands_run(
    server: Running,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(folder)
    (predict,) = [line for line in LINES if line.startswith("ser-keras predict")]
    assert cli.main(shlex.split(predict.replace(ADDRESS, server.url))[1:]) == 0
    assert json.loads(capfd.readouterr().out)["probabilities"].keys() == {
        "neutral", "happy", "sad", "angry",
    }  # fmt: skip
    for command in ("serve", "export"):
        (line,) = [line for line in LINES if line.startswith(f"ser-keras {command}")]
        with pytest.raises(SystemExit) as stopped:
            cli.main([*shlex.split(line)[1:], "--help"])
        assert stopped.value.code == 0
