"""`ser-keras batch` on a file system of Beam whose names are URLs, as a bucket's are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_keras import export
from ser_keras.commands import main as cli
from ser_keras.corpora.utterance import Corpus
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer

pytest.importorskip("apache_beam", reason="needs Apache Beam (the extra beam)")

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

pytestmark = pytest.mark.filterwarnings("default")  # of Beam's own imports


class Shelf(LocalFileSystem):
    """Keeps what is called shelf://NAME in a folder, which only itself can read."""

    folder = ""

    @classmethod
    def scheme(cls) -> str:
        return "shelf"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        folder, _, name = path.rpartition("/")
        return folder, name

    def _url_dirname(self, url: str) -> str:
        return self.split(url)[0]

    def _here(self, url: str) -> str:
        return os.path.join(self.folder, url.removeprefix("shelf://"))  # noqa: PTH118

    def _list(self, prefix: str) -> Iterator[FileMetadata]:
        for found in super()._list(self._here(prefix)):
            url = "shelf://" + os.path.relpath(found.path, self.folder)
            yield FileMetadata(url, found.size_in_bytes, found.last_updated_in_seconds)

    def metadata(self, path: str) -> FileMetadata:
        found = super().metadata(self._here(path))
        return FileMetadata(path, found.size_in_bytes, found.last_updated_in_seconds)

    def rename(self, sources: list[str], destinations: list[str]) -> None:
        super().rename(list(map(self._here, sources)), list(map(self._here, destinations)))

    def delete(self, paths: list[str]) -> None:
        super().delete(list(map(self._here, paths)))


def of_one_path(name: str) -> Any:
    def method(self: Shelf, path: str, *rest: Any, **options: Any) -> Any:
        return getattr(LocalFileSystem, name)(self, self._here(path), *rest, **options)

    return method


for _name in ("mkdirs", "create", "open", "exists", "size", "last_updated", "checksum"):
    setattr(Shelf, _name, of_one_path(_name))


def test_sound_manifest_model_and_results_lie_anywhere(
    synthetic_corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(Shelf, "folder", str(tmp_path))
    recognizer = Recognizer(VRNN.from_preset("tiny"))
    export.saved_model(recognizer.model, tmp_path / "models" / "1")
    (tmp_path / "in").mkdir()
    for number, utterance in enumerate(synthetic_corpus[:4]):
        shutil.copy(utterance.path, tmp_path / "in" / f"{number}{'.wav' if number else '.sound'}")
    (tmp_path / "in" / "more.csv").write_text("path\n0.sound\nmissing.wav\n")
    words = ["batch", "shelf://in/*.wav", "shelf://in/*.csv", "--model", "shelf://models/1"]
    assert cli.main([*words, "--out", "shelf://out/answers"]) == 1
    counted = json.loads(capsys.readouterr().out)
    assert (counted["answered"], counted["failed"]) == (4, 1)
    (shard,) = (tmp_path / "out").glob("answers-0*.jsonl")
    lines = {line["file"]: line for line in map(json.loads, shard.read_text().splitlines())}
    assert sorted(lines) == ["shelf://in/0.sound", *(f"shelf://in/{n}.wav" for n in (1, 2, 3))]
    for url, line in lines.items():
        alone = recognizer.recognize(str(tmp_path / url.removeprefix("shelf://")), attention=False)
        assert line["emotion"] == alone["emotion"]
        assert line["probabilities"] == pytest.approx(alone["probabilities"], abs=1e-5)
    (failed,) = (tmp_path / "out").glob("answers-failed-0*.jsonl")
    assert json.loads(failed.read_text())["file"] == "shelf://in/missing.wav"
