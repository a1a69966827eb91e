"""Explanations: what is in them, of real models' kinds and of sounds at the edges."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import types
from pathlib import Path
from typing import cast

import librosa
import numpy as np
import pytest
import soundfile

from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import AudioError, ConfigurationError
from ser_keras.evaluation.explanation import Explanation, explain, listening
from ser_keras.files import finite
from ser_keras.model import files as model_files
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer


@pytest.fixture(scope="module")
def patches() -> VRNN:
    return VRNN.from_preset("tiny")


@pytest.fixture(scope="module")
def coefficients(trained_run: Path) -> VRNN:
    return model_files.load(trained_run)


@pytest.fixture(scope="module")
def of_patches(patches: VRNN, synthetic_corpus: Corpus) -> Explanation:
    return explain(patches, synthetic_corpus[0].path)


@pytest.fixture(scope="module")
def of_coefficients(coefficients: VRNN, synthetic_corpus: Corpus) -> Explanation:
    return explain(coefficients, synthetic_corpus[0].path)


def test_the_answer_is_that_of_recognition(patches: VRNN, synthetic_corpus: Corpus):
    path = synthetic_corpus[0].path
    expected = Recognizer(patches).recognize(path, attention=False)
    explanation = explain(patches, path)
    assert explanation.answer == expected
    np.testing.assert_allclose(
        explanation.probabilities, explanation.replayed.probabilities[0], atol=1e-5
    )


def librosas_power(explanation: Explanation) -> np.ndarray:
    """Return the power of every frame and mel band of a recording, [frames, bands]."""
    spec = explanation.model.features
    return librosa.feature.melspectrogram(
        y=explanation.samples - explanation.samples.mean(),
        sr=spec.sample_rate,
        n_fft=spec.fft_size,
        hop_length=spec.frame_hop,
        n_mels=spec.mel_bands,
    ).T


def test_what_came_is_librosas_spectrogram(of_patches: Explanation):
    """In decibels below the loudest point; what is far below it, the model does not read."""
    maps = of_patches.maps
    decibels = librosa.power_to_db(librosas_power(of_patches), top_db=None)[: len(maps.came)]
    decibels -= of_patches.observed.loudest[-1]
    assert maps.unit == "dB below the loudest point"
    audible = decibels > -40
    assert audible.mean() > 0.1
    assert np.abs(maps.came - decibels)[audible].mean() < 0.1
    assert maps.frequencies is not None
    np.testing.assert_allclose(maps.frequencies, librosa.mel_frequencies(42, fmax=8000)[1:-1])


@pytest.mark.parametrize("name", ["convolutional", "open"])
def test_maps_end_where_the_model_cuts_off(name: str, synthetic_corpus: Corpus):
    model = VRNN.from_preset(name)
    maps = explain(model, synthetic_corpus[0].path).maps
    assert maps.softest == -cast("float", model.architecture.range_db)
    loudest = maps.instant == maps.instant[-1]  # levels are relative to the loudest point so far
    assert maps.came[loudest].min() >= maps.softest - 1e-3


def test_saliency_is_the_distance_of_what_came_and_what_was_expected(of_patches: Explanation):
    maps, scale = of_patches.maps, of_patches.model.standardization.scale.numpy()
    predicted = ~np.isnan(maps.expected)
    distance = np.abs(maps.came - maps.expected) / scale
    np.testing.assert_allclose(distance[predicted], maps.saliency[predicted], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["of_patches", "of_coefficients"])
def test_before_the_first_window_nothing_was_expected(kind: str, request: pytest.FixtureRequest):
    maps = request.getfixturevalue(kind).maps
    first = maps.instant == 0
    assert first.any()
    assert not first.all()
    for of_prediction in (maps.expected, maps.saliency):
        assert np.isnan(of_prediction[first]).all()
        assert np.isfinite(of_prediction[~first]).all()
    assert np.isfinite(maps.came).all()
    assert ((maps.sampled >= 0) & (maps.sampled <= 1)).all()


def test_coefficients_have_names_and_no_frequencies(of_coefficients: Explanation):
    maps = of_coefficients.maps
    assert maps.frequencies is None
    assert maps.rows[0] == "MFCC 1 mean"
    assert maps.unit == "standard deviations from the mean"
    np.testing.assert_allclose(maps.came, of_coefficients.observed.standardized[: len(maps.came)])


@pytest.mark.parametrize("kind", ["of_patches", "of_coefficients"])
def test_nothing_lies_past_the_recording(kind: str, request: pytest.FixtureRequest):
    explanation: Explanation = request.getfixturevalue(kind)
    maps = explanation.maps
    assert maps.begin[0] == 0
    assert maps.end[-1] <= explanation.duration
    np.testing.assert_allclose(maps.begin[1:], maps.end[:-1])
    if explanation.padding_from is not None:
        assert explanation.padding_from == explanation.duration < explanation.times[-1]


def test_moments_are_the_largest_changes_of_the_answer(of_patches: Explanation):
    answered = of_patches.model.classes.index(of_patches.answer["emotion"])
    curve = of_patches.probabilities[:, answered]
    changes = np.abs(np.diff(curve))
    moments = of_patches.moments
    assert 1 <= len(moments) <= 3
    assert sorted(abs(moment.change) for moment in moments) == pytest.approx(
        sorted(changes)[-len(moments) :]
    )
    assert [moment.time for moment in moments] == sorted(moment.time for moment in moments)
    for moment in moments:
        assert moment.time == pytest.approx(of_patches.times[moment.instant])
        if moment.start >= of_patches.duration:
            assert moment.row is None


@pytest.mark.parametrize("kind", ["of_patches", "of_coefficients"])
def test_it_becomes_json(kind: str, request: pytest.FixtureRequest):
    explanation: Explanation = request.getfixturevalue(kind)
    content = explanation.to_dict()
    assert json.loads(json.dumps(content, allow_nan=False)) == finite(content)
    joined = content["map"]
    for name in ("came", "expected", "sampled", "saliency"):
        assert np.shape(joined[name]) == (len(joined["begin"]), len(joined["rows"]))
    assert joined["expected"][0][0] is None


def test_silence_and_less_than_a_window(patches: VRNN):
    explanation = explain(patches, np.zeros(4800), 16000)
    assert explanation.answer["silent"]
    assert explanation.answer["padded"]
    assert explanation.duration == explanation.padding_from == pytest.approx(0.3)
    assert explanation.maps.end[-1] == pytest.approx(0.3)
    assert np.ptp(explanation.maps.came) < 1e-4
    assert np.isnan(explanation.maps.expected).all()
    assert explanation.moments == []


def test_a_segment_and_a_channel(patches: VRNN):
    stereo = np.random.default_rng(0).normal(size=(24000, 2)) * 0.1
    found = explain(patches, stereo, 8000, start=0.5, end=2.0, channel=1)
    expected = explain(patches, stereo[4000:16000, 1], 8000)
    assert found.answer == expected.answer
    np.testing.assert_array_equal(found.maps.came, expected.maps.came)


def test_too_long_a_recording_is_refused_before_it_is_read_whole(patches: VRNN):
    with pytest.raises(AudioError, match=r"expected at most 120 s to explain, .* start and end"):
        explain(patches, np.zeros(8000 * 121, np.float32), 8000)
    with pytest.raises(ConfigurationError, match="sample_rate"):
        explain(patches, np.zeros(8000))


def test_the_surprise_is_what_came_beyond_the_expectation(of_patches: Explanation):
    """By hand: where the expectation is put in the place of what came, nothing is left over."""
    maps, model = of_patches.maps, of_patches.model
    sounds = of_patches.sounds
    assert {len(sound) for sound in sounds.values()} == {len(of_patches.samples)}
    np.testing.assert_array_equal(sounds["recording"], of_patches.samples)
    # Nothing was expected of the beginning, so that it surprised nobody.
    first = round(maps.end[maps.instant == 0][-1] * model.features.sample_rate)
    for name in ("expected", "surprise"):
        assert np.abs(sounds[name][: first - model.features.fft_size]).max() < 1e-6
        assert np.abs(sounds[name]).max() > 1e-5
    as_expected = dataclasses.replace(maps, came=maps.expected)
    unsurprising = listening.sounds(model, as_expected, of_patches.samples)
    assert np.abs(unsurprising["surprise"]).max() == 0


def test_power_of_a_map_is_that_of_the_recording(of_patches: Explanation):
    maps = of_patches.maps
    power = listening.power_of(of_patches.model, maps, maps.came)
    expected = librosas_power(of_patches)[: len(power)]
    loud = expected > expected.max() * 1e-4
    np.testing.assert_allclose(power[loud], expected[loud], rtol=0.2)


def test_mean_mfccs_can_be_heard(of_coefficients: Explanation):
    sounds = of_coefficients.sounds
    assert len(sounds["expected"]) == len(of_coefficients.samples)
    assert np.isfinite(sounds["expected"]).all()
    assert np.abs(sounds["expected"]).max() > 0


@pytest.mark.parametrize("kind", ["of_patches", "of_coefficients"])
def test_occlusion_puts_the_prediction_in_a_part_s_place(kind: str, request: pytest.FixtureRequest):
    explanation: Explanation = request.getfixturevalue(kind)
    spec, observed = explanation.model.features, explanation.observed.standardized
    occlusion = explanation.occlusion()
    answered = explanation.replayed.probabilities[0, -1].argmax()
    before = explanation.replayed.probabilities[0, -1, answered]
    # By hand: the rows of the second group, in all windows but the first.
    first, after = occlusion.bands[1]
    replaced = np.zeros((1, len(observed), *spec.observation_shape), bool)
    replaced[..., first:after] = True
    found = explanation.replay(observed, replaced.reshape(1, len(observed), -1))
    expected = found.probabilities[0, -1, answered] - before
    assert occlusion.band_changes[1] == pytest.approx(expected, abs=1e-4)
    assert np.isnan(occlusion.instants[0])
    assert np.isfinite(occlusion.instants[1:]).all()
    assert occlusion.bands[0][0] == 0
    assert occlusion.bands[-1][1] == len(explanation.maps.rows)
    json.dumps(occlusion.to_dict(), allow_nan=False)


def test_a_continuation_begins_with_the_recording(of_patches: Explanation):
    continuation = of_patches.continuation(seconds=1.2, start=1.1, seed=5)
    spec = of_patches.model.features
    assert continuation.start == pytest.approx(spec.end_of_window(0))
    assert len(continuation.times) == 3  # of 0.512 s
    unfaded = round((continuation.start - 0.03) * spec.sample_rate)
    np.testing.assert_array_equal(continuation.samples[:unfaded], of_patches.samples[:unfaded])
    seconds = len(continuation.samples) / spec.sample_rate
    assert seconds == pytest.approx(continuation.start + 3 * spec.hop, abs=0.02)
    again = of_patches.continuation(seconds=1.2, start=1.1, seed=5)
    np.testing.assert_array_equal(continuation.samples, again.samples)
    with pytest.raises(ConfigurationError, match="seconds: expected more than 0, at most 30"):
        of_patches.continuation(seconds=31)
    with pytest.raises(ConfigurationError, match="start: expected where a window ends"):
        of_patches.continuation(seconds=1.0, start=0.2)


def test_it_is_saved_and_needs_nothing_else(of_patches: Explanation, tmp_path: Path):
    paths = of_patches.save(tmp_path / "new" / "folder", seconds=1.0, seed=1)
    names = ["recording.wav", "expected.wav", "surprise.wav", "continuation.wav"]
    names += ["explanation.png", "explanation.json", "explanation.html"]
    assert [path.name for path in paths] == names
    rate = of_patches.model.features.sample_rate
    for path in paths[:3]:
        samples, found = soundfile.read(path)
        assert (len(samples), found) == (len(of_patches.samples), rate)
    content = json.loads(paths[5].read_text())
    assert content["answer"]["emotion"] == of_patches.answer["emotion"]
    assert content["continuation"]["seed"] == 1
    html = paths[6].read_text()
    assert html.count("data:audio/wav;base64,") == 4
    assert html.count("data:image/png;base64,") == 8
    assert re.findall(r'(?:src|href|srcset)="(?!data:)', html) == []
    assert "prefers-color-scheme: dark" in html
    # Without a continuation, that of an earlier call goes.
    again = of_patches.save(tmp_path / "new" / "folder")
    assert sorted(path.name for path in again) == sorted({*names} - {"continuation.wav"})
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == {
        path.name for path in again
    }


def test_players_need_ipython(of_patches: Explanation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(ConfigurationError, match="audio: expected IPython"):
        of_patches.audio()


def test_players_in_a_notebook(of_patches: Explanation, monkeypatch: pytest.MonkeyPatch):
    class Audio:
        def __init__(self, samples: np.ndarray, rate: int, normalize: bool) -> None:
            self.shown = f"<audio {len(samples)} {rate}>"

        def _repr_html_(self) -> str:
            return self.shown

    display = types.SimpleNamespace(Audio=Audio, HTML=str)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    shown = of_patches.audio()
    assert shown.count(f"<audio {len(of_patches.samples)} 16000>") == 3
    assert "surprise" in shown


def test_the_graphs_of_a_model_are_made_once(patches: VRNN):
    first, second = (explain(patches, np.zeros(count), 16000) for count in (4800, 5000))
    assert first.replay is second.replay
