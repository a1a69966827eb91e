"""The weights that come with the package: there, small, and used where no model is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_keras import corpora
from ser_keras.commands import main as cli
from ser_keras.corpora.matching import find_class
from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.corpora.utterance import Corpus
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation.evaluate import evaluate
from ser_keras.model import presets
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound import decoding

CARD = Path(__file__).parents[2] / "docs" / "model-card.md"


def test_all_weights_together_are_small():
    files = [presets.weights(name) for name in presets.trained()]
    assert presets.trained() == ("convolutional", "tiny", "open")
    assert sum(file.stat().st_size for file in files if file) < 8e6


def test_their_license_is_stated_once_a_process(capsys: pytest.CaptureFixture[str]):
    presets._state_license.cache_clear()
    assert presets.weights("ravdess") is None
    assert capsys.readouterr().err == ""
    for name in presets.trained():
        assert presets.weights(name)
    lines = capsys.readouterr().err.splitlines()
    expected = (("convolutional", "tiny", "CC BY-NC-SA 4.0"), ("open", "ODbL 1.0"))
    for line, words in zip(lines, expected, strict=True):
        assert all(word in line for word in words)
        assert Path(line.rpartition(": ")[2]).is_file()


@pytest.mark.parametrize("name", presets.trained())
def test_a_preset_without_classes_is_the_trained_model(name: str):
    model = VRNN.from_preset(name)
    assert model.preset.name == name
    assert model.preset.features == presets.get(name).features
    assert model.adapted
    if name != "open":  # whose corpus has six emotions, by names of its own
        assert model.classes == tuple(EMOTIONS)
    again = VRNN.from_preset(name, classes=model.classes, seed=0)
    observations = np.random.default_rng(0).normal(-40, 10, (2, 3, *model.observation_shape))
    found, expected = (each(observations.astype("float32")) for each in (again, model))
    np.testing.assert_array_equal(found["probabilities"], expected["probabilities"])


@pytest.mark.parametrize("name", presets.trained())
def test_other_classes_begin_anew_on_the_trained_weights(name: str):
    trained = VRNN.from_preset(name)
    model = VRNN.from_preset(name, classes=("happy", "cross"), seed=0)
    assert model.adapted
    assert model.preset == trained.preset
    assert float(model.cell.temperature) == 1.0
    assert model.cell.class_logits.kernel.shape[1] == 2
    head = ("class_logits/kernel", "class_logits/bias", "temperature")
    for one, other in zip(model.weights, trained.weights, strict=True):
        if not one.path.endswith(head):
            np.testing.assert_array_equal(one, other, err_msg=one.path)
    known = trained.classes.index("happy")
    kernels = model.cell.class_logits.kernel.numpy(), trained.cell.class_logits.kernel.numpy()
    np.testing.assert_array_equal(kernels[0][:, 0], kernels[1][:, known])
    assert not np.any(np.all(kernels[0][:, 1:] == kernels[1], axis=0)), "nobody knows `cross`"


def test_classes_that_the_weights_know_are_answered_whatever_their_order_and_spelling():
    """As the trained model does when it may choose among these classes only."""
    trained = VRNN.from_preset("tiny")
    model = VRNN.from_preset("tiny", classes=("Sadness", "angry", "happy"), seed=0)
    chosen = [trained.classes.index(name) for name in ("sad", "angry", "happy")]
    observations = np.random.default_rng(0).normal(-40, 10, (2, 3, *model.observation_shape))
    among = trained(observations.astype("float32"))["probabilities"].numpy()[:, chosen]
    among **= float(trained.cell.temperature)  # a new head's is 1
    expected = among / among.sum(axis=1, keepdims=True)
    found = model(observations.astype("float32"))["probabilities"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_without_weights_a_model_is_new_and_has_the_presets_settings_of_today():
    model = VRNN.from_preset("tiny", classes=EMOTIONS, load_weights=False, latent_size=7, seed=0)
    assert not model.adapted
    assert model.preset == presets.TINY.with_settings({"latent_size": 7})
    np.testing.assert_array_equal(
        model.cell.posterior.kernel, VRNN(EMOTIONS, model.preset, seed=0).cell.posterior.kernel
    )


@pytest.mark.parametrize(
    ("settings", "weight"),
    [({"latent_size": 7}, "cell/classification/kernel"), ({"mel_bands": 48}, "cell/encoder/")],
)
def test_settings_that_the_weights_do_not_fit_are_refused(settings: dict[str, Any], weight: str):
    with pytest.raises(
        ConfigurationError, match=rf"settings of tiny: .*load_weights=False.*{weight}"
    ):
        VRNN.from_preset("tiny", classes=("calm", "angry"), **settings)


def test_settings_that_change_what_the_weights_read_are_named():
    with pytest.warns(UserWarning, match=r"trained with features\.hop=0\.512$"):
        VRNN.from_preset("tiny", classes=("calm", "angry"), hop=0.256)
    without = VRNN.from_preset("tiny", attention=False, latent_size=20)  # which it has
    assert not without.preset.architecture.attention
    assert without.adapted


def test_new_weights_need_classes():
    expected = "classes: expected the names of the emotions, .* convolutional, tiny, open"
    for preset, load_weights in (("ravdess", True), ("tiny", False), (presets.TINY, True)):
        with pytest.raises(ConfigurationError, match=expected):
            VRNN.from_preset(preset, load_weights=load_weights)


def test_the_model_card_has_every_number():
    """Or a dash, where there cannot be one: nothing that was to be filled in later."""
    results = CARD.read_text(encoding="utf-8").partition("## Results")[2]
    rows = [line.strip("| ").split(" | ") for line in results.splitlines() if line[:1] == "|"]
    numbers = [row for row in rows if not row[1].startswith(("---", "`")) and row[0]]
    assert len(numbers) > 15
    for title, *cells in numbers:
        assert all(re.search(r"\b\d|^–$", cell) for cell in cells), title


@pytest.fixture
def own_manifest(synthetic_corpus: Corpus, tmp_path: Path) -> Path:
    """A corpus of a user's own, of three emotions."""
    path = tmp_path / "mine.csv"
    lines = [
        f"{utterance.path},{utterance.emotion},{utterance.speaker}\n"
        for utterance in synthetic_corpus
        if utterance.emotion in ("calm", "happy", "sad")
    ]
    path.write_text("path,emotion,speaker\n" + "".join(lines), encoding="utf-8")
    return path


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
def test_training_on_data_of_ones_own_begins_as_the_model_card_shows(
    own_manifest: Path, eagerly: None
):
    (code,) = re.findall(r"```python\n(.*?)```", CARD.read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("/data/mine.csv", str(own_manifest)).replace("epochs=10", "verbose=0")
    loading, training = code.split("model.compile()")
    names: dict[str, Any] = {}
    exec(compile(loading, CARD.name, "exec"), names)  # noqa: S102
    model, trained = names["model"], VRNN.from_preset("tiny")
    assert model.classes == ("calm", "happy", "sad")
    assert model.adapted
    new = [one.path for one, other in zip(model.weights, trained.weights, strict=True)
           if one.shape != other.shape or not np.array_equal(one, other)]  # fmt: skip
    assert [path.split("cell/")[1] for path in new] == [
        "temperature",
        "class_logits/kernel",
        "class_logits/bias",
    ]
    exec(compile("model.compile()" + training, CARD.name, "exec"), names)  # noqa: S102
    assert len(model.history.history["loss"]) == 1
    assert np.isfinite(model.history.history["loss"][0])


def test_predict_needs_no_training(sound_file: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["predict", str(sound_file)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert list(line["probabilities"]) == list(EMOTIONS)
    assert 0.0 < line["instants"][0]["sampled_fraction"] <= 1.0


@pytest.fixture
def sound_file(tmp_path: Path) -> Path:
    import soundfile

    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=48000) / 20, 16000)
    return path


@pytest.mark.parametrize("name", presets.trained())
def test_a_constant_that_a_microphone_adds_changes_no_answer(name: str):
    generator = np.random.default_rng(0)
    swell = np.sin(np.arange(48000) / 4000) ** 2
    samples = (0.05 * swell * generator.normal(size=48000)).astype(np.float32)
    recognizer = Recognizer(VRNN.from_preset(name))
    answers = [
        list(recognizer.recognize_samples(samples + np.float32(offset))["probabilities"].values())
        for offset in (0.0, 0.005)
    ]
    np.testing.assert_allclose(answers[1], answers[0], atol=0.05)


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*left out 7 recordings of CREMA-D")
@pytest.mark.parametrize(
    ("name", "known", "least"),
    [("convolutional", "ravdess", 0.8), ("tiny", "ravdess", 0.6), ("open", "crema-d", 0.45)],
)
def test_weights_belong_to_the_features(
    name: str, known: str, least: float, request: pytest.FixtureRequest
):
    """On speakers it was trained on: no evidence of quality, but of the right weights and units."""
    corpus = corpora.load(known, request.getfixturevalue(known.replace("-", "_")))
    found = evaluate(VRNN.from_preset(name), corpus[::24], progress=False)
    assert found.weighted_accuracy > least


@pytest.mark.real
@pytest.mark.filterwarnings("ignore:.*left out 7 recordings of CREMA-D")
@pytest.mark.parametrize("name", presets.trained())
def test_a_pause_before_speech_costs_little(name: str, crema_d: Path):
    """`tiny` of before, trained without silence around copies, lost 18 points by a second."""
    recordings = corpora.load("crema-d", crema_d)[::48]
    recognizer = Recognizer(VRNN.from_preset(name))
    rate = recognizer.model.features.sample_rate
    sounds = [decoding.load(each.path, rate) for each in recordings]
    expected = [find_class(each.emotion, recognizer.model.classes) for each in recordings]

    def accuracy(pause: int) -> float:
        padded = [np.pad(samples, (pause * rate, 0)) for samples in sounds]
        answers = [recognizer.recognize_samples(samples)["emotion"] for samples in padded]
        return float(np.mean([one == other for one, other in zip(answers, expected, strict=True)]))

    at_once = accuracy(0)
    assert accuracy(1) > at_once - 0.12
    assert accuracy(2) > at_once - 0.15
