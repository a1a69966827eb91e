"""The runner for the browser, in Node.js, on the WebAssembly of LiteRT.js."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from ser_keras import export
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound import decoding

BROWSER = Path(__file__).parents[2] / "export" / "browser"


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None or not (BROWSER / "node_modules" / "@litertjs" / "core").is_dir():
        pytest.skip("needs Node.js and LiteRT.js: npm install in export/browser")
    return found


@pytest.fixture(scope="module")
def sound(model: VRNN, speech: list[Path]) -> np.ndarray:
    return np.concatenate([decoding.load(path, model.features.sample_rate) for path in speech])


@pytest.fixture(scope="module", params=("float32", "int8"))
def file(request: Any, model: VRNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "model.tflite"
    return export.tflite(model, path, request.param)


def run(node: str, file: Path, sound: np.ndarray, chunk: int) -> dict[str, Any]:
    samples = file.with_name("sound.f32")
    samples.write_bytes(sound.astype("<f4").tobytes())
    program = Path(__file__).with_name("browser_in_node.mjs")
    words = [node, program, BROWSER / "runner.mjs", file, samples, chunk]
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("chunk", [777, 10_000_000])
def test_the_runner_answers_as_the_model_does(
    node: str, file: Path, model: VRNN, sound: np.ndarray, chunk: int
):
    precision = json.loads(file.with_suffix(".json").read_text("utf-8"))["precision"]
    tolerance = {"float32": 1e-4, "int8": 1e-1}[precision]
    found = run(node, file, sound, chunk)["instants"]
    expected = Recognizer(model).recognize_samples(sound)["instants"]
    assert [i["time"] for i in found] == [i["time"] for i in expected]
    for mine, keras in zip(found, expected, strict=True):
        assert mine["probabilities"] == pytest.approx(keras["probabilities"], abs=tolerance)
        if precision == "float32":
            assert mine["emotion"] == keras["emotion"]
            assert mine["attention"] == keras["attention"]


@pytest.mark.parametrize("length", [70_000, 9000, 2000])
def test_the_silence_behind_a_recording_is_answered(
    node: str, patch_model: VRNN, sound: np.ndarray, length: int, tmp_path: Path
):
    file = export.tflite(patch_model, tmp_path / "model.tflite")
    found = run(node, file, sound[:length], 4096)["instants"]
    expected = Recognizer(patch_model).recognize_samples(sound[:length])["instants"]
    assert [i["time"] for i in found] == [i["time"] for i in expected]
    for mine, keras in zip(found, expected, strict=True):
        assert mine["probabilities"] == pytest.approx(keras["probabilities"], abs=1e-3)


def test_short_sound_is_padded_and_bad_samples_are_refused(
    node: str, model: VRNN, sound: np.ndarray, tmp_path: Path
):
    file = export.tflite(model, tmp_path / "model.tflite")
    answer = run(node, file, sound[:9000], 4096)
    assert answer["refused"] == [
        "RangeError: samples: expected finite numbers, found NaN or infinity",
        "RangeError: samples: expected finite numbers, found NaN or infinity",
        "TypeError: samples: expected Float32Array",
    ]
    (found,) = answer["instants"]
    (expected,) = Recognizer(model).recognize_samples(sound[:9000])["instants"]
    assert found["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)


def test_the_page_finds_its_modules_where_npm_puts_them():
    page = (BROWSER / "index.html").read_text(encoding="utf-8")
    (table,) = re.findall(r'<script type="importmap">(.*?)</script>', page, re.DOTALL)
    modules = json.loads(table)["imports"]
    (wanted,) = json.loads((BROWSER / "package.json").read_text("utf-8"))["dependencies"]
    assert wanted in modules
    if not (BROWSER / "node_modules").is_dir():
        pytest.skip("needs LiteRT.js: npm install in export/browser")
    for name, path in modules.items():
        assert (BROWSER / path).is_file(), name


@pytest.mark.parametrize(("rate", "wanted"), [(48000, 22050), (44100, 16000), (8000, 22050)])
def test_the_microphone_is_resampled_as_by_soxr(rate: int, wanted: int):
    """In pieces of any length, the same; against another implementation."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    time = np.arange(rate) / rate
    chirp = np.sin(2 * np.pi * time * (100.0 + 0.35 * min(rate, wanted) / 2 * time))
    program = f"""
      import {{Resampler}} from {json.dumps((BROWSER / "resampler.mjs").as_uri())};
      const chirp = Float32Array.from({json.dumps(chirp.tolist())});
      const found = [128, 1000, chirp.length].map((size) => {{
        const resampler = new Resampler({rate}, {wanted});
        const made = [];
        for (let at = 0; at < chirp.length; at += size) {{
          made.push(...resampler.push(chirp.subarray(at, at + size)));
        }}
        return made;
      }});
      console.log(JSON.stringify(found));
    """
    done = subprocess.run(
        [node, "--input-type=module"], input=program, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    pieces = [np.array(values) for values in json.loads(done.stdout)]
    for values in pieces[1:]:
        np.testing.assert_allclose(values, pieces[0], atol=1e-6)
    expected = soxr.resample(chirp, rate, wanted)
    assert len(expected) - 0.02 * wanted < len(pieces[0]) <= len(expected)
    inner = slice(200, len(pieces[0]) - 200)
    np.testing.assert_allclose(pieces[0][inner], expected[: len(pieces[0])][inner], atol=0.01)


RUNNER = """
export class Runner {
  static async load() { return new Runner(); }
  sampleRate = 22050;
  reset() {}
  async push(samples) { globalThis.pushed = (globalThis.pushed ?? 0) + samples.length; return []; }
}
"""


def edge_page(browser: Any, address: str) -> Any:
    """The page at an address, of which nothing is asked but its own files; a stub of the runner."""
    page = browser.new_context(permissions=["microphone"]).new_page()

    def answer(route: Any) -> None:
        name = route.request.url.rpartition("/")[2] or "index.html"
        if name == "runner.mjs":
            route.fulfill(body=RUNNER, content_type="text/javascript")
        else:
            route.fulfill(path=BROWSER / name)

    page.route(f"{address}**", answer)
    page.goto(address)
    page.wait_for_function("() => document.getElementById('said').textContent.startsWith('Choose')")
    return page


def test_the_page_says_what_a_microphone_needs(browser: Any):
    page = edge_page(browser, "http://edge.test/")
    said = page.text_content("#said")
    assert "browsers expect a page from https or localhost" in said
    assert "http://edge.test" in said
    assert page.is_disabled("#microphone")
    assert page.is_enabled("#file")


def test_the_page_takes_the_microphones_own_rate(browser: Any):
    page = edge_page(browser, "https://edge.test/")
    page.evaluate(
        """() => { globalThis.AudioContext = class extends AudioContext {
        constructor(options) { super(options); globalThis.options = options; } } }"""
    )
    page.click("#microphone")
    page.wait_for_function("() => globalThis.pushed > 11025", timeout=60_000)
    assert page.evaluate("globalThis.options === undefined")
