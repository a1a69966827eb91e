"""The weights that come with the package: there, small, and used where no model is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ser_keras import cli, corpora, presets, shipped
from ser_keras.corpora.ravdess import EMOTIONS
from ser_keras.errors import ConfigurationError
from ser_keras.evaluation import evaluate
from ser_keras.vrnn import VRNN


def test_all_weights_together_are_small():
    files = [shipped.path(name) for name in shipped.names()]
    assert shipped.names() == ["convolutional", "tiny"]
    assert sum(file.stat().st_size for file in files if file) < 6e6


@pytest.mark.parametrize("name", shipped.names())
def test_a_preset_without_classes_is_the_trained_model(name: str):
    model = VRNN.from_preset(name)
    assert model.preset == presets.get(name)
    assert model.adapted
    assert model.classes == tuple(EMOTIONS)
    new = VRNN.from_preset(name, classes=EMOTIONS, seed=0)
    assert not new.adapted


def test_no_weights_and_replaced_settings_need_classes():
    with pytest.raises(ConfigurationError, match="'ravdess' comes without trained weights"):
        VRNN.from_preset("ravdess")
    with pytest.raises(ConfigurationError, match="classes: found none"):
        VRNN.from_preset("convolutional", attention=False)


def test_predict_needs_no_training(sound_file: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["predict", str(sound_file)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert list(line["probabilities"]) == list(EMOTIONS)
    assert len(line["instants"][0]["attention"]) == 64 * 64


@pytest.fixture
def sound_file(tmp_path: Path) -> Path:
    import soundfile

    path = tmp_path / "noise.wav"
    soundfile.write(path, np.random.default_rng(0).normal(size=48000) / 20, 16000)
    return path


@pytest.mark.real
@pytest.mark.parametrize("name", shipped.names())
def test_weights_belong_to_the_features(name: str, ravdess: Path):
    """On speakers it was trained on: no evidence of quality, but of the right weights and units."""
    corpus = corpora.load("ravdess", ravdess)
    found = evaluate(VRNN.from_preset(name), corpus[::24], progress=False)
    assert found.weighted_accuracy > 0.8
