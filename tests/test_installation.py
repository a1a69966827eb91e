"""The sdist, the wheel built from it, and what a user of the wheel runs first."""

from __future__ import annotations

import email.message
import email.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import readme_renderer.markdown
import soundfile

from ser_keras.model import presets

ROOT = Path(__file__).parents[1]
SOURCES = {"ser_keras": "ser_keras", "export": "ser_keras/export", "tuning": "ser_keras/tuning"}
NO_SOURCES = (".venv*", ".git", ".*_cache", "build", "dist", "*.egg-info", "__pycache__",
              "node_modules", "runs", "demo-out")  # fmt: skip
NOTICE = "ser_keras/model/weights/NOTICE"

# What the package asks for and nothing else: made by `make test-default`.
ENVIRONMENT = ROOT / ".venv-wheel" / "bin"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist; the wheel that was built from it, and not from the checkout, lies beside it."""
    checkout, out = tmp_path_factory.mktemp("checkout") / "ser_keras", tmp_path_factory.mktemp("d")
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*NO_SOURCES))
    words = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(checkout)]
    built = subprocess.run(words, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-2000:] + built.stderr[-2000:]
    assert "Deprecat" not in built.stdout + built.stderr
    (found,) = out.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(sdist: Path) -> Iterator[zipfile.ZipFile]:
    (file,) = sdist.parent.glob("*.whl")
    with zipfile.ZipFile(file) as opened:
        yield opened


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return email.parser.Parser().parsestr(wheel.read(name).decode("utf-8"))


def test_everything_in_the_packages_is_in_the_wheel(wheel: zipfile.ZipFile):
    """Templates, pages, weights and tables of settings lie beside the modules that read them."""
    expected = {
        (Path(installed) / path.relative_to(ROOT / source)).as_posix()
        for source, installed in SOURCES.items()
        for path in (ROOT / source).rglob("*")
        if path.is_file() and not {"__pycache__", "node_modules"} & set(path.parts)
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_the_sdist_has_all_that_it_takes_to_test_it(sdist: Path):
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = ("Makefile", "README.md", "constraints/default.txt", "docs/index.md", "mkdocs.yml")
    assert {*wanted, "tests/test_installation.py", "benchmarks/__init__.py", NOTICE} <= names
    assert not [name for name in names if "__pycache__" in name or ".venv" in name]


def test_the_licenses_of_code_and_weights_are_stated(
    metadata: email.message.Message, wheel: zipfile.ZipFile
):
    assert metadata["License-Expression"] == "Apache-2.0 AND CC-BY-NC-SA-4.0 AND ODbL-1.0"
    assert metadata["License"] is None
    assert metadata.get_all("License-File") == ["LICENSE", NOTICE]
    notice = wheel.read(NOTICE).decode("utf-8")
    (kept,) = [name for name in wheel.namelist() if name.endswith(f"licenses/{NOTICE}")]
    assert wheel.read(kept).decode("utf-8") == notice
    for address in ("creativecommons.org/licenses/by-nc-sa/4.0/", "licenses/odbl/1-0/"):
        assert address in notice
    assert all(f"{name}.keras" in notice for name in presets.trained())


def test_addresses_are_public(metadata: email.message.Message):
    addresses = [line.rpartition(", ")[2] for line in metadata.get_all("Project-URL", [])]
    hosts = {urllib.parse.urlsplit(address).hostname for address in addresses}
    assert hosts == {"doi.org", "creativecommons.org"}


def test_the_description_can_be_read_where_no_file_lies_beside_it(metadata: email.message.Message):
    """As PyPI renders it. What is left of a link to a file of the project is its text."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = str(metadata.get_payload())
    html = readme_renderer.markdown.render(text)
    assert html is not None
    assert html.count("<table>") == (ROOT / "README.md").read_text("utf-8").count("\n| ---")
    targets = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []
    assert "](" not in html
    assert "<img" not in html
    assert "docs/serving.md" in html


Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def environment(sdist: Path) -> dict[str, str]:
    """Install the wheel where nothing else of ours is; return the variables of that environment."""
    if not (ENVIRONMENT.parent / "installed").exists():
        pytest.skip("needs .venv-wheel: make .venv-wheel/installed")
    (file,) = sdist.parent.glob("*.whl")
    words = ["-m", "pip", "install", "-qq", "--force-reinstall", "--no-deps", str(file)]
    subprocess.run([ENVIRONMENT / "python", *words], check=True, timeout=300)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run `ser-keras` from the wheel in an empty folder; it has to succeed."""

    def run(*words: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [ENVIRONMENT / "ser-keras", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "hello.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=32000) / 20, 16000)
    return path


# Not the runner, which is copied to where the TFLite runtime is, nor what an extra brings Beam for.
IMPORT_ALL = """
import importlib, pkgutil, ser_keras
print(ser_keras.__file__)
for module in pkgutil.walk_packages(ser_keras.__path__, "ser_keras."):
    needs_beam = module.name.startswith("ser_keras.export.batch.")
    needs_beam &= module.name.rpartition(".")[2] not in ("command", "beam_options")
    if module.name not in ("ser_keras.__main__", "ser_keras.export.runner") and not needs_beam:
        importlib.import_module(module.name)
"""


def test_every_module_needs_only_what_the_package_asks_for(
    environment: dict[str, str], tmp_path: Path
):
    done = subprocess.run(
        [ENVIRONMENT / "python", "-c", IMPORT_ALL],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "site-packages" in done.stdout
    checked = subprocess.run([ENVIRONMENT / "python", "-m", "pip", "check"], capture_output=True)
    assert checked.returncode == 0, checked.stdout


def test_predict_says_what_it_hears_and_the_license_of_the_weights(run: Run, recording: Path):
    done = run("predict", str(recording))
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["emotion"] in json.loads(line)["probabilities"]
    (license_line,) = [line for line in done.stderr.splitlines() if "CC BY-NC-SA 4.0" in line]
    notice = Path(license_line.rpartition(": ")[2])
    assert notice.parts[-3:] == ("model", "weights", "NOTICE")
    assert notice.is_file()


def test_every_command_has_help(run: Run):
    for command in ("predict", "serve", "export", "tune"):
        assert f"usage: ser-keras {command}" in run(command, "--help").stdout


def test_an_exported_model_is_served_with_its_page(
    run: Run, environment: dict[str, str], recording: Path, tmp_path: Path
):
    run("export", "tiny", "--to", "saved-model", "--out", "served/vrnn")
    run("export", "tiny", "--to", "tflite", "--out", "edge")
    assert (tmp_path / "edge" / "model.tflite").stat().st_size > 100_000
    words = [str(ENVIRONMENT / "ser-keras"), "serve", "served", "--port", "0"]
    server = subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    deadline = threading.Timer(300, server.kill)
    deadline.start()
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        page = _get(f"{address}/")
        for name in re.findall(r'(?:href|src)="([^"]+)"', page):
            assert _get(urllib.parse.urljoin(f"{address}/", name)), name
        shown = json.loads(_get(f"{address}/page/models"))
        assert [model["name"] for model in shown["models"]] == ["vrnn"]
        answer = json.loads(
            _get(f"{address}/page/models/vrnn:explain", data=recording.read_bytes())
        )
        assert answer["instants"] > 0
    finally:
        deadline.cancel()
        server.terminate()
        server.communicate(timeout=60)
    assert server.returncode == 0


def _get(url: str, data: bytes | None = None) -> str:
    with urllib.request.urlopen(url, data=data, timeout=60) as reply:  # noqa: S310
        return reply.read().decode("utf-8")
