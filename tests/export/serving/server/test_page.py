"""The page in a real browser, headless, whose microphone is fed a recording.

Skipped where there is no Chromium or no Playwright: `pip install playwright`, and a `chromium` or
`google-chrome` on the path, or SER_KERAS_CHROMIUM.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_keras.export.serving.server import page_interface
from ser_keras.export.serving.server.loaded_model import LoadedModel
from tests.export.serving.conftest import Running, running


def test_nothing_is_loaded_from_elsewhere(server: Running):
    """In every file of the page; and what they name is there."""
    for path, (name, content_type) in page_interface.FILES.items():
        reply = server.ask("GET", path)
        assert reply.status == 200
        assert reply.headers["content-type"] == content_type
        assert "default-src 'self'" in reply.headers["content-security-policy"]
        text = reply.body.decode()
        links = re.findall(r"(?:https?:)?//[\w.]+", text.replace("http://www.w3.org/2000/svg", ""))
        assert not [link for link in links if not link.startswith("//page")], (name, links)
        for wanted in re.findall(r'(?:href|src)="([^"]+)"|addModule\("([^"]+)"\)', text):
            assert (wanted[0] or wanted[1]) in page_interface.FILES
    on_disk = {path.name for path in page_interface.FOLDER.iterdir()}
    assert on_disk == {name for name, _ in page_interface.FILES.values()}


def test_the_page_lists_models_and_explains_recordings(
    server: Running, speech: list[Path], model: Any
):
    (shown,) = server.ask("GET", "/page/models").json["models"]  # a toy cannot be shown
    assert shown["name"] == "vrnn"
    assert shown["labels"] == list(model.classes)
    wav = speech[0].read_bytes()
    answer = server.ask("POST", "/page/models/vrnn:explain", wav).json
    instants, size = answer["instants"], shown["observation_size"]
    assert len(answer["saliency"]) == len(answer["attention"]) == instants
    assert len(answer["saliency"][0]) == size
    assert answer["sampled_fraction"][0] == 1.0
    for body, status in ((b"a picture", 400), (b"", 400)):
        assert server.ask("POST", "/page/models/vrnn:explain", body).status == status
    assert server.ask("POST", "/page/models/toy:explain", wav).status == 501
    assert server.ask("POST", "/page/models/nobody:explain", wav).status == 404
    reply = server.ask("POST", "/page/models/vrnn:live", {"audio": "x", "state": [1.0]})
    assert reply.status == 400
    assert "state: expected" in reply.error


def test_live_instants_are_those_of_the_whole_recording(
    server: Running, speech: list[Path], model: Any
):
    """Window after window, with the state handed back, as the whole at once."""
    import base64

    from ser_keras.export.serving.tf_serving.warm_up import wav
    from ser_keras.sound import decoding

    spec = model.features
    samples = decoding.load(speech[0], spec.sample_rate)
    whole = server.ask("POST", "/page/models/vrnn:explain", wav(samples, spec.sample_rate)).json
    state: list[float] = []
    for instant in range(whole["instants"]):
        start = instant * spec.hop_length
        window = wav(samples[start : start + spec.window_length], spec.sample_rate)
        body = {"audio": {"b64": base64.b64encode(window).decode()}, "state": state}
        answer = server.ask("POST", "/page/models/vrnn:live", body).json
        state = answer["state"]
        np.testing.assert_allclose(answer["probabilities"], whole["timeline"][instant], atol=1e-4)
        assert answer["attention"] == whole["attention"][instant]


def test_the_first_visitor_of_the_page_need_not_wait(
    servable: Path, monkeypatch: pytest.MonkeyPatch
):
    called: list[str] = []
    usual = LoadedModel.function

    def function(self: LoadedModel, name: str) -> Any:
        found = usual(self, name)

        if found is None:
            return None

        def call(*inputs: Any) -> Any:
            called.append(name)
            return found(*inputs)

        return call

    monkeypatch.setattr(LoadedModel, "function", function)
    LoadedModel(servable, batcher=lambda _: None)  # type: ignore[arg-type, return-value]
    assert called == ["explain", "live"]


def test_pictures_of_long_recordings_have_columns_of_several_instants():
    generator = np.random.default_rng(0)
    answer = {name: generator.random((301, 7), np.float32) for name in ("saliency", "attention")}
    columns = page_interface.in_columns(answer | {"emotion": b"sad"})
    assert columns["emotion"] == b"sad"
    assert columns["instants_per_column"] == 3
    for name, values in answer.items():
        expected = [values[first : first + 3].mean(axis=0) for first in range(0, 301, 3)]
        np.testing.assert_allclose(columns[name], expected, rtol=1e-6)
    minute = {name: values[:120] for name, values in answer.items()}
    columns = page_interface.in_columns(minute)
    assert columns["instants_per_column"] == 1
    np.testing.assert_array_equal(columns["attention"], minute["attention"])


def test_there_is_an_example_to_try(server: Running):
    reply = server.ask("GET", "/page/example.wav")
    assert reply.headers["content-type"] == "audio/wav"
    samples, rate = soundfile.read(io.BytesIO(reply.body))
    assert len(samples) / rate == pytest.approx(4.0, abs=0.1)
    assert 0.1 < np.abs(samples).max() <= 1.0
    assert not server.ask("POST", "/page/models/vrnn:explain", reply.body).json["silent"]


@pytest.fixture(scope="module")
def site(servable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(servable.parents[1]) as server:
        yield server


@pytest.fixture
def page(browser: Any, site: Running) -> Iterator[Any]:
    """The page, at a phone's width; what goes wrong in it fails the test."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, permissions=["microphone"]
    )
    page = context.new_page()
    problems: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda one: problems.extend([one.text] * (one.type == "error")))
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(60_000)
    page.goto(site.url)
    page.wait_for_selector("#model option", state="attached")
    yield page
    context.close()
    assert not problems
    assert all(url.startswith((site.url, "blob:", "data:")) for url in asked)


def painted(page: Any, canvas: str) -> int:
    """How many colours a picture has."""
    return page.evaluate(
        """id => { const c = document.getElementById(id);
        const image = c.getContext('2d').getImageData(0, 0, c.width, c.height);
        return new Set(new Uint32Array(image.data.buffer)).size }""",
        canvas,
    )


def screenshot(page: Any, name: str) -> None:
    """Keep a picture where SER_KERAS_SCREENSHOTS says, for people to look at."""
    if folder := os.environ.get("SER_KERAS_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_a_file_is_recognised_and_shown(page: Any, speech: list[Path], model: Any):
    page.set_input_files("#file", str(speech[0]))
    page.wait_for_selector("#result:not([hidden])")
    page.wait_for_function("() => document.getElementById('status').textContent.includes(': ')")
    assert page.text_content("#emotion") in model.classes
    assert page.locator("#probabilities li").count() == len(model.classes)
    for canvas in ("waveform", "timeline", "attention"):
        assert painted(page, canvas) > 2, canvas
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.click("summary")
    page.wait_for_selector("#table tr")  # it is filled when it is opened
    assert page.locator("#table tr").count() == 1 + int(page.get_attribute("#instant", "max")) + 1
    screenshot(page, "file-phone")
    page.set_viewport_size({"width": 1100, "height": 900})
    screenshot(page, "file-desktop")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    screenshot(page, "file-dark")


def test_the_keyboard_is_enough(page: Any, speech: list[Path]):
    page.set_input_files("#file", str(speech[0]))
    page.wait_for_selector("#result:not([hidden])")
    reached = []
    page.evaluate("document.activeElement.blur()")
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    for wanted in ("model", "record", "live", "file", "instant"):
        assert wanted in reached
    page.focus("#instant")
    page.keyboard.press("Home")
    assert page.text_content("#when").startswith("1 of ")
    page.focus("#record")
    page.keyboard.press("Enter")
    page.wait_for_selector("#record[aria-pressed=true]")
    page.wait_for_timeout(1200)
    page.keyboard.press("Enter")
    page.wait_for_function(
        "() => document.getElementById('status').textContent.startsWith('the recording:')"
    )


def test_the_page_shows_live_sound(page: Any):
    page.click("#live")
    page.wait_for_function("() => +document.getElementById('instant').max >= 1")
    screenshot(page, "live")
    assert page.text_content("#status").startswith("Listening")
    page.click("#live")
    assert page.text_content("#status") == "Stopped."
    assert page.is_enabled("#record")


def test_the_page_shows_errors(page: Any, tmp_path: Path):
    page.click("#example")
    page.wait_for_selector("#result:not([hidden])")
    (tmp_path / "picture.wav").write_bytes(b"\x89PNG")
    page.set_input_files("#file", str(tmp_path / "picture.wav"))
    page.wait_for_selector("#status.error")
    assert "picture.wav: found no recording" in page.text_content("#status")
    assert page.is_hidden("#result")  # it is not the answer to this file
    assert page.is_hidden("#player")


def test_the_example_is_recognised_and_gone_when_the_page_listens(page: Any, model: Any):
    page.click("#example")
    page.wait_for_selector("#result:not([hidden])")
    assert page.text_content("#status").startswith("example.wav: ")
    assert page.text_content("#emotion") in model.classes
    page.click("#live")
    page.wait_for_function("() => document.getElementById('status').textContent === 'Listening.'")
    assert page.is_hidden("#result")
    page.wait_for_selector("#result:not([hidden])")
    page.click("#live")


def test_a_click_on_a_picture_chooses_the_instant(page: Any):
    page.click("#example")
    page.wait_for_selector("#result:not([hidden])")
    for picture in ("timeline", "attention", "waveform"):
        size = page.locator(f"#{picture}").bounding_box()
        for share, chosen in ((0.05, "1 of 3: 0.0"), (0.3, "2 of 3: 1.0"), (0.95, "3 of 3: 2.0")):
            page.locator(f"#{picture}").click(position={"x": share * size["width"], "y": 20})
            assert page.text_content("#when").startswith(chosen), (picture, share)


def test_times_end_with_the_recording(page: Any, speech: list[Path], tmp_path: Path):
    samples, rate = soundfile.read(speech[0])
    soundfile.write(tmp_path / "short.wav", samples[: int(0.7 * rate)], rate)
    page.set_input_files("#file", str(tmp_path / "short.wav"))
    page.wait_for_selector("#result:not([hidden])")
    assert page.text_content("#when") == "1 of 1: 0.0 to 0.7 s"


def test_live_sound_that_is_answered_late_skips_instants(page: Any):
    """An answer takes six hops: what is shown then is the newest, not the next."""

    def late(route: Any) -> None:
        time.sleep(6.0)
        route.continue_()

    page.route("**/*:live", late)
    page.click("#live")
    page.wait_for_function("() => +document.getElementById('instant').max >= 1")
    page.click("#live")
    begins = float(page.text_content("#when").partition(": ")[2].partition(" ")[0])
    assert begins >= 2.0, "the second instant that was answered is not the second of the sound"


def test_the_tape_gives_no_other_sound_than_it_was_asked_for(page: Any):
    found = page.evaluate(
        """async () => {
        const { Tape } = await import("/page/sound.js");
        const tape = new Tape(6);
        for (let i = 0; i < 20; i += 2) tape.push(Float32Array.of(i, i + 1));
        return [[20, 4], [17, 3], [16, 4], [12, 4]].map(([place, count]) => {
          const samples = tape.before(place, count);
          return samples && [...samples];
        });
        }"""
    )
    assert found == [[16, 17, 18, 19], [14, 15, 16], None, None]


def test_live_sound_draws_the_new_column_and_nothing_else(page: Any):
    """However many instants are there, an instant costs as much; the oldest leave on the left."""
    found = page.evaluate(
        """async () => {
        const { ShownLive } = await import("/page/answer.js");
        const model = {
          labels: ["a", "b"], hop: 0.5, window: 2,
          observation_labels: ["1", "2", "3", "4"],
        };
        const shown = new ShownLive(model);
        let calls = 0;
        const drawn = CanvasRenderingContext2D.prototype;
        for (const name of ["fillRect", "drawImage", "putImageData"]) {
          const usual = drawn[name];
          drawn[name] = function (...given) { calls += 1; return usual.apply(this, given); };
        }
        const costs = [];
        for (let number = 0; number < 75; number++) {
          const before = calls;
          const probabilities = number % 2 ? [0, 1] : [1, 0];
          const saliency = new Array(12).fill(1);
          shown.add(number, {
            probabilities, saliency, attention: saliency, sampled_fraction: 1, emotion: "a",
          }, new Float32Array(400).fill(0.5));
          costs.push(calls - before);
        }
        const { canvas, context, step } = shown.timeline;
        const colours = [0, 1, 59, 60].map((column) => [...context.getImageData(
          Math.floor((column + 0.5) * step), Math.floor(canvas.height / 2), 1, 1).data]);
        return { costs, colours, first: shown.first, kept: shown.instants.length };
        }"""
    )
    assert found["first"] == 15
    assert found["kept"] == 60
    assert found["costs"][59] == found["costs"][1]
    assert found["costs"][74] <= found["costs"][1] + 3  # the three pictures move
    a, b = [0, 0x72, 0xB2, 255], [0xE6, 0x9F, 0, 255]
    assert found["colours"] == [b, a, a, [0, 0, 0, 0]]  # 15, 16, 74; nothing behind it
