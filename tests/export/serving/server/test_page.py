"""The page in a real browser, headless, whose microphone is fed a recording.

Skipped where there is no Chromium or no Playwright: `pip install playwright`, and a `chromium` or
`google-chrome` on the path, or SER_KERAS_CHROMIUM.
"""

from __future__ import annotations

import base64
import io
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from ser_keras import export
from ser_keras.export.serving.server import page_interface, pictures
from ser_keras.export.serving.server.loaded_model import LoadedModel
from ser_keras.export.serving.tf_serving.warm_up import wav
from ser_keras.features import reference
from ser_keras.features.columns import join
from ser_keras.model.dynamic_range import QUIET_SPEECH_DB
from ser_keras.model.vrnn import VRNN
from ser_keras.sound import decoding
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
    sound = speech[0].read_bytes()
    answer = server.ask("POST", "/page/models/vrnn:explain", sound).json
    instants, rows = answer["instants"], len(shown["rows"])
    assert len(answer["timeline"]) == len(answer["times"]) == instants
    columns = len(answer["map"]["came"])
    for name in ("came", "expected", "sampled"):
        assert np.shape(answer["map"][name]) == (columns, rows)
    assert set(answer["map"]["expected"][0]) == {None}  # of the first window, nothing
    assert answer["sampled_fraction"][0] == 1.0
    for body, status in ((b"a picture", 400), (b"", 400)):
        assert server.ask("POST", "/page/models/vrnn:explain", body).status == status
    assert server.ask("POST", "/page/models/toy:explain", sound).status == 501
    assert server.ask("POST", "/page/models/nobody:explain", sound).status == 404
    reply = server.ask("POST", "/page/models/vrnn:live", {"audio": "x", "state": [1.0]})
    assert reply.status == 400
    assert "state: expected" in reply.error


def test_live_instants_are_those_of_the_whole_recording(
    server: Running, speech: list[Path], model: Any
):
    """Window after window, with the state handed back, as the whole at once."""
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
        if instant:
            for name in ("came", "expected"):
                (found,) = answer[name]
                np.testing.assert_allclose(found, whole["map"][name][instant], atol=0.02)


def test_patches_come_in_decibels_below_the_loudest_point(
    patch_model: VRNN, speech: list[Path], tmp_path: Path
):
    """Against the front end in NumPy: what came, and the model's own prediction of it."""
    spec = patch_model.features
    export.saved_model(patch_model, tmp_path / "1")
    loaded = LoadedModel(tmp_path / "1", batcher=lambda _: None)  # type: ignore[arg-type, return-value]
    samples = decoding.load(speech[0], spec.sample_rate)
    explain = loaded.function("explain")
    assert explain is not None
    outputs = explain(tf.constant([wav(samples, spec.sample_rate)]))
    answer = {name: value.numpy()[0] for name, value in outputs.items()}
    found = pictures.of_recording(loaded.description, answer, len(samples) / spec.sample_rate)

    patches = reference.extract(samples, spec)
    loudest = np.maximum.accumulate(np.maximum(patches.max(axis=(1, 2)), QUIET_SPEECH_DB))
    assert patch_model.architecture.range_db == 50.0
    relative = np.maximum(patches - loudest[:, np.newaxis, np.newaxis], -50.0)
    came = relative + loudest[:, np.newaxis, np.newaxis] - loudest[-1]
    columns = join(spec, len(patches), found["duration"])
    np.testing.assert_allclose(found["map"]["came"], columns.of(came), atol=0.1)
    prediction = patch_model(patches[np.newaxis])["prediction"].numpy()[0]
    mean, scale = (
        weight.numpy()
        for weight in (patch_model.standardization.mean, patch_model.standardization.scale)
    )
    expected = prediction.reshape(patches.shape) * scale + mean + loudest[:, None, None]
    expected[0] = np.nan
    np.testing.assert_allclose(
        found["map"]["expected"], columns.of(expected - loudest[-1]), atol=0.1
    )
    # Nothing of the silence after it is drawn.
    assert found["map"]["end"][-1] <= round(found["duration"], 4) < found["times"][-1]
    assert found["moments"], "its answer moved"
    for moment in found["moments"]:
        assert np.shape(moment["came"]) == np.shape(moment["expected"])


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


def test_pictures_of_long_recordings_have_columns_of_several_frames():
    generator = np.random.default_rng(0)
    values = generator.random((2 * pictures.MOST_COLUMNS + 1, 7))
    values[0] = np.nan
    groups = pictures.in_groups(values, 3)
    assert len(groups) == 667
    np.testing.assert_allclose(groups[0], values[1:3].mean(axis=0))  # of what is known
    np.testing.assert_allclose(groups[1], values[3:6].mean(axis=0))
    np.testing.assert_array_equal(pictures.in_groups(values, 1), values)
    assert np.isnan(pictures.in_groups(values[:1], 3)).all()


def test_there_is_an_example_to_try(server: Running):
    reply = server.ask("GET", "/page/example.wav")
    assert reply.headers["content-type"] == "audio/wav"
    samples, rate = soundfile.read(io.BytesIO(reply.body))
    assert len(samples) / rate == pytest.approx(4.0, abs=0.1)
    assert 0.1 < np.abs(samples).max() <= 1.0
    assert not server.ask("POST", "/page/models/vrnn:explain", reply.body).json["silent"]


@pytest.fixture(scope="module")
def site(
    servable: Path, patch_model: VRNN, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(servable, folder / "vrnn" / "1")
    export.saved_model(patch_model, folder / "patches" / "1")
    with running(folder) as server:
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
    page.select_option("#model", "vrnn")
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
    for canvas in ("waveform", "came", "expected", "difference"):
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
    for picture in ("expected", "came", "waveform"):
        size = page.locator(f"#{picture}").bounding_box()
        for share, chosen in ((0.05, "1 of 3: 0.0"), (0.6, "2 of 3: 2.0"), (0.95, "3 of 3: 3.0")):
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


def test_axes_are_in_seconds_and_hertz_and_end_with_the_recording(
    page: Any, speech: list[Path], tmp_path: Path
):
    samples, rate = soundfile.read(speech[0])
    for name, silence in (("vrnn", False), ("patches", True)):
        # A name of its own: that of the model before is in the status until there is an answer.
        file = tmp_path / f"{name}.wav"
        soundfile.write(file, np.resize(samples, 2 * rate), rate)
        page.select_option("#model", name)
        page.set_input_files("#file", str(file))
        page.wait_for_function(
            f"() => document.getElementById('status').textContent.startsWith('{file.name}: ')"
        )
        times = page.locator("#times span").all_text_contents()
        assert times[0] == "0 s"
        assert "2 s" in times
        assert page.is_visible("#silence") == silence
        assert page.is_visible("#padding") == silence
        for panel in ("came", "expected"):
            rows = page.locator(f".panel:has(#{panel}) .rows span").all_text_contents()
            if silence:
                assert {"500 Hz", "1000 Hz", "4000 Hz"} <= set(rows)
            else:
                assert rows[0] == "MFCC 1"
    # What was added is marked, and neither came nor was expected.
    shares = page.evaluate(HATCHED)
    assert shares["came"] == shares["expected"] == shares["waveform"]


HATCHED = """() => {
  const end = 2;  // s
  const last = +document.querySelector('#times span:last-child').textContent.split(' ')[0];
  const found = {};
  for (const id of ['came', 'expected', 'waveform']) {
    const canvas = document.getElementById(id);
    const spans = [...document.querySelectorAll('#times span')];
    const width = parseFloat(spans.at(-1).style.left) / 100 / last;  // of a second
    const left = Math.ceil(end * width * canvas.width) + 2;
    const { data } = canvas.getContext('2d').getImageData(left, 0, 16, 16);
    found[id] = [...data].join();
  }
  return found;
}"""


def test_the_moments_that_moved_the_answer_most_are_shown(page: Any, site: Running):
    page.click("#example")
    page.wait_for_selector("#result:not([hidden])")
    example = site.ask("GET", "/page/example.wav").body
    answer = site.ask("POST", "/page/models/vrnn:explain", example).json
    timeline = np.array(answer["timeline"])
    changes = np.diff(timeline[:, timeline[-1].argmax()])
    assert page.locator("#moments li").count() == len(changes) == 2  # of three instants
    for number, change in enumerate(changes):
        card = page.locator("#moments li").nth(number)
        assert ("rose" if change > 0 else "fell") in card.text_content()
        assert answer["emotion"] in card.text_content()
        assert card.locator("canvas").count() == 2
        card.locator("button").click()
        assert page.text_content("#when").startswith(f"{number + 2} of 3")
    assert page.locator("#marks span").all_text_contents() == ["1", "2"]


@pytest.mark.parametrize(("seconds", "said"), [(0.3, "Too short"), (4.0, "Nothing but silence")])
def test_where_there_is_nothing_to_explain_it_says_so(
    page: Any, speech: list[Path], tmp_path: Path, seconds: float, said: str
):
    samples, rate = soundfile.read(speech[0])
    sound = samples[int(0.5 * rate) :][: int(seconds * rate)]
    sound = sound if seconds < 1 else np.zeros(int(seconds * rate))
    soundfile.write(tmp_path / "sound.wav", sound, rate)
    page.select_option("#model", "patches")
    page.set_input_files("#file", str(tmp_path / "sound.wav"))
    page.wait_for_selector("#result:not([hidden])")
    assert page.text_content("#moments h2").startswith(said)
    assert page.locator("#moments li, #marks span").count() == 0
    assert page.is_hidden("#listen")


@pytest.mark.parametrize("seconds", [0.3, 2.0, 60.0])
def test_a_phone_never_scrolls_sideways_and_the_dark_is_dark(
    page: Any, speech: list[Path], tmp_path: Path, seconds: float
):
    samples, rate = soundfile.read(speech[0])
    soundfile.write(tmp_path / "sound.wav", np.resize(samples, int(seconds * rate)), rate)
    page.set_input_files("#file", str(tmp_path / "sound.wav"))
    page.wait_for_function(
        "() => document.getElementById('status').textContent.startsWith('sound.wav')"
    )
    for width in (320, 390, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        ticks = page.evaluate(
            """() => [...document.querySelectorAll('#times span')].map((span) => {
            const { left, right } = span.getBoundingClientRect();
            return [left, right];
            })"""
        )
        assert all(one[1] < other[0] for one, other in itertools.pairwise(ticks)), "they overlap"
    assert softest(page) > 200
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(200)
    assert softest(page) < 60
    screenshot(page, f"{seconds:g}s-dark")


def softest(page: Any) -> int:
    """The lightness, 0 to 255, of what stands for the lowest values of a map: its paper."""
    return page.evaluate(
        """() => document.getElementById('scale').getContext('2d')
        .getImageData(0, 4, 1, 1).data[1]"""
    )


def test_sound_that_only_the_server_can_read_has_no_waveform(page: Any, speech: list[Path]):
    page.evaluate(
        "() => { OfflineAudioContext.prototype.decodeAudioData = async () => { throw 1; } }"
    )
    page.set_input_files("#file", str(speech[0]))
    page.wait_for_selector("#result:not([hidden])")
    page.wait_for_selector("#came")
    assert page.is_hidden("#waveform")
    assert painted(page, "came") > 2


def test_what_was_expected_is_heard(page: Any, site: Running, speech: list[Path], tmp_path: Path):
    page.set_input_files("#file", str(speech[0]))
    page.wait_for_selector("#result:not([hidden])")
    assert page.is_hidden("#listen")  # of MFCCs there are no sounds here
    page.select_option("#model", "patches")
    page.set_input_files("#file", str(speech[0]))
    page.wait_for_selector("#listen:not([hidden])")
    page.click("#listen")
    page.wait_for_selector("#sounds audio")
    assert page.locator("#sounds audio").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.wait_for_function("() => document.querySelector('#sounds audio').duration > 0")
    samples, rate = soundfile.read(speech[0])
    found = page.evaluate("document.querySelector('#sounds audio').duration")
    assert found == pytest.approx(len(samples) / rate, abs=0.01)
    page.click("#example")
    page.wait_for_function(
        "() => document.getElementById('status').textContent.startsWith('example.wav: ')"
    )
    assert page.locator("#sounds audio").count() == 0  # they were another recording's

    made = site.ask("POST", "/page/models/patches:listen", speech[0].read_bytes()).json
    expected, _ = soundfile.read(io.BytesIO(base64.b64decode(made["expected"])))
    assert not expected[: int(0.9 * 16000)].any()  # nothing was, of the first window of a second
    assert expected[16000:].any()
    assert site.ask("POST", "/page/models/vrnn:listen", speech[0].read_bytes()).status == 501
    soundfile.write(tmp_path / "long.wav", np.zeros(61 * 8000), 8000)
    reply = site.ask("POST", "/page/models/patches:listen", (tmp_path / "long.wav").read_bytes())
    assert "expected at most 60 s" in reply.error


def test_a_patch_is_drawn_in_as_many_columns_as_are_new(page: Any):
    """Of live patches of four frames, two of them new and one at the edge: three, then three."""
    found = page.evaluate(
        """async () => {
        const { ShownLive } = await import("/page/answer.js");
        const model = {
          labels: ["a", "b"], hop: 0.2, window: 0.4, scale: [0, 1], farthest: 1,
          unit: "dB", rows: ["1", "2"],
          band_frequencies: [100, 200],
          step: 0.1, known: 2,
        };
        const shown = new ShownLive(model);
        const values = [0, 1, 2, 3, 4].map((frame) => [frame, frame]);
        const places = [];
        for (const number of [0, 1, 2, 5]) {
          const answer = { came: values, expected: values, sampled: values };
          shown.add(number, {
            ...answer, probabilities: [1, 0], sampled_fraction: 1, emotion: "a",
          }, new Float32Array(40));
          const { came, expected, place } = shown.instants.at(-1);
          places.push([came.map((one) => one[0]), expected[0][0], +place.begin[0].toFixed(2)]);
        }
        return places;
        }"""
    )
    assert found == [
        [[0, 1, 2, 3, 4], None, -0.05],
        [[2, 3, 4], 2, 0.35],  # the frame at the edge again, which is whole now
        [[2, 3, 4], 2, 0.55],
        [[0, 1, 2, 3, 4], 0, 0.95],  # instants were skipped
    ]


def test_live_sound_draws_the_new_column_and_nothing_else(page: Any):
    """However many instants are there, an instant costs as much; the oldest leave on the left."""
    found = page.evaluate(
        """async () => {
        const { ShownLive } = await import("/page/answer.js");
        const model = {
          labels: ["a", "b"], hop: 0.5, window: 2, scale: [0, 1], farthest: 1, unit: "dB",
          rows: new Array(64).fill("band"), band_frequencies: null,
          step: 0.03125, known: 46,
        };
        const shown = new ShownLive(model);
        let calls = 0;
        const drawn = CanvasRenderingContext2D.prototype;
        for (const name of ["fillRect", "drawImage", "putImageData"]) {
          const usual = drawn[name];
          drawn[name] = function (...given) { calls += 1; return usual.apply(this, given); };
        }
        const [costs, times] = [[], []];
        for (let number = 0; number < 75; number++) {
          const before = calls;
          const probabilities = number % 2 ? [0, 1] : [1, 0];
          const came = Array.from({ length: 64 }, () => new Array(64).fill(1));
          const begins = performance.now();
          shown.add(number, {
            probabilities, came, expected: came, sampled: came, sampled_fraction: 1, emotion: "a",
          }, new Float32Array(400).fill(0.5));
          times.push(performance.now() - begins);
          costs.push(calls - before);
        }
        const [{ canvas, context }] = shown.rows;
        const step = canvas.width / 63;  // 60 instants, and the rest of a window
        const filled = [0, 1, 58, 59, 62].map((hop) => context.getImageData(
          Math.floor((hop + 0.5) * step), Math.floor(canvas.height / 2), 1, 1).data[3]);
        return { costs, times, filled, first: shown.first, kept: shown.instants.length };
        }"""
    )
    assert found["first"] == 15
    assert found["kept"] == 60
    assert found["costs"][59] == found["costs"][1]
    assert found["costs"][74] <= found["costs"][1] + 6  # four pictures and two rows move
    # Every other instant is certain of b: what each brought, the last hop of its window.
    assert found["filled"] == [255, 0, 255, 0, 255]
    print(f"an instant is drawn in {np.median(found['times'][60:]):.1f} ms")
