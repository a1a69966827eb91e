"""The page in a real browser, headless, whose microphone is fed a recording.

Skipped where there is no Chromium or no Playwright: `pip install playwright`, and a `chromium` or
`google-chrome` on the path, or SER_KERAS_CHROMIUM.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ser_keras.export.serving.server import page_interface
from tests.export.serving.conftest import Running, running

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


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

    import numpy as np

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


@pytest.fixture(scope="module")
def site(servable: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(servable.parents[1]) as server:
        yield server


@pytest.fixture(scope="module")
def browser(speech: list[Path]) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    found = os.environ.get("SER_KERAS_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if found is None:
        pytest.skip("needs a browser: Chromium on the path, or SER_KERAS_CHROMIUM")
    arguments = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={speech[0]}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=found, args=arguments)
        yield chromium
        chromium.close()


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
    (tmp_path / "picture.wav").write_bytes(b"\x89PNG")
    page.set_input_files("#file", str(tmp_path / "picture.wav"))
    page.wait_for_selector("#status.error")
    assert "picture.wav: found no recording" in page.text_content("#status")
