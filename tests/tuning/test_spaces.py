"""Search spaces: their content, and what is refused before a trial is spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras_tuner as kt
import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.model import presets
from ser_keras.tuning import spaces
from ser_keras.tuning.hypermodel import VRNNHyperModel
from ser_keras.tuning.spaces import Parameter, Space


def from_text(text: str, folder: Path) -> Space:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return spaces.load(str(path))


def test_the_paper_space_has_its_sizes_and_dropouts_and_holds_both_of_its_settings():
    space = spaces.load("paper")
    assert {parameter.name for parameter in space.parameters} == {
        f"{lstm}_{what}"
        for lstm in ("recognition", "generation", "classification")
        for what in ("units", "dropout")
    }
    for name in ("ravdess", "iemocap"):
        preset = presets.get(name)
        space.check(preset)
        own = space.values_of(preset)
        assert own is not None
        assert space.apply(presets.RAVDESS, own).architecture == (
            presets.RAVDESS.with_settings(own).architecture
        )


def test_the_full_space_has_all_settings_of_the_guide_and_is_possible_everywhere():
    space = spaces.load("full")
    space.check(presets.RAVDESS)
    named = {parameter.name for parameter in space.parameters}
    assert named >= {
        "latent_size", "classification_weight", "kl_weight", "learning_rate", "batch_size",
        "attention", "window", "hop", "kind",
    }  # fmt: skip


def test_a_file_of_the_users_own_is_a_space(tmp_path: Path):
    space = from_text(
        """
        latent_size = { values = [5, 20] }
        batch_size = { low = 16, high = 64, step = 16 }
        kl_weight = { low = 0.01, high = 10.0, scale = "log" }
        statistics = { values = [["mean"], ["mean", "std"]] }
        """,
        tmp_path,
    )
    space.check(presets.RAVDESS)
    assert space.name == "mine"
    drawn = {"latent_size": 5, "batch_size": 48, "kl_weight": 0.5, "statistics": "mean,std"}
    preset = space.apply(presets.RAVDESS, drawn)
    assert preset.architecture.latent_size == 5
    assert preset.optimization.batch_size == 48
    assert preset.objective.kl_weight == 0.5
    assert preset.features.statistics == ("mean", "std")
    assert Space.from_dict("mine", space.to_dict()) == space


def test_a_setting_may_be_named_with_its_section(tmp_path: Path):
    space = from_text(
        """
        "objective.kl_weight" = { values = [1.0, 2.0] }
        "features.window" = { values = [1.0, 2.0] }
        """,
        tmp_path,
    )
    space.check(presets.RAVDESS)
    own = space.values_of(presets.RAVDESS)
    assert own == {"objective.kl_weight": 1.0, "features.window": 2.0}
    assert space.apply(presets.RAVDESS, {"objective.kl_weight": 2.0}).objective.kl_weight == 2.0
    assert space.extremes("window", presets.RAVDESS) == (1.0, 2.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("velocity = { values = [1, 2] }", "found 'velocity'"),
        ("latent_size = { low = 20, high = 10 }", "low below high"),
        ("latent_size = { low = 0, high = 10 }", "latent_size: expected at least 1, found 0"),
        ("latent_size = { low = 1.5, high = 10.5 }", "expected a whole number, found 1.5"),
        ("latent_size = { low = 1, high = 9, step = 0.5 }", "whole step between whole ends"),
        ("kl_weight = { low = 0, high = 2, step = 0.5 }", "whole step between whole ends"),
        ("kl_weight = { low = 0, high = 2, step = 1.0 }", "whole step between whole ends"),
        (
            "recognition_dropout = { low = 0.0, high = 1.0 }",
            "recognition_dropout: expected at least 0 and below 1, found 1.0",
        ),
        ("recognition_dropout = { low = 0.0, high = 0.5, step = 0.0 }", "step above 0"),
        ("recognition_dropout = { low = 0.0, high = 0.5, step = 0.6 }", "step above 0"),
        ("kl_weight = { low = 0.0, high = 1.0, scale = 'log' }", "low above 0"),
        ("kl_weight = { low = 0.1, high = 1.0, scale = 'cubic' }", "linear or log"),
        ("kl_weight = { low = 0.1, high = inf }", "finite number for high"),
        ("kl_weight = { low = 0.1 }", "finite number for high"),
        ("kl_weight = { low = 0.1, high = 1.0, values = [0.5] }", "either values"),
        ("kl_weight = { values = [] }", "expected values = […], or low and high"),
        ("kl_weight = { values = [1.0, 1.0] }", "every value once"),
        (
            "kl_weight = { values = ['much'] }",
            "kl_weight: expected float, found 'much'",
        ),
        (
            "kl_weight = { value = [1.0] }",
            "expected only values, low, high, step, scale, found ['value']",
        ),
        ("kl_weight = 3", "expected a table"),
        ("attention = { values = [0, 1] }", "expected true or false, found 0"),
        ("kind = { values = ['mfcc', 'wavelets'] }", "wavelets"),
        # Each is possible, but not together.
        (
            "coefficients = { values = [20, 100] }\nmel_bands = { values = [64, 128] }",
            "coefficients 100, mel_bands 64",
        ),
        ("epochs = { values = [100, 200] }", "--epochs"),
        ('"optimization.epochs" = { values = [100, 200] }', "--epochs"),
        ("", "expected one setting or more"),
        ("kl_weight = {", "expected TOML"),
    ],
)
def test_an_impossible_space_is_named(text: str, message: str, tmp_path: Path):
    with pytest.raises(ConfigurationError) as refusal:
        from_text(text, tmp_path).check(presets.RAVDESS)
    assert message in str(refusal.value)
    assert "search space" in str(refusal.value)


def test_a_range_does_not_hold_a_preset_without_that_limit(tmp_path: Path):
    space = from_text("trim = { low = 20.0, high = 40.0 }", tmp_path)
    assert presets.RAVDESS.augmentation.trim is None
    assert space.values_of(presets.RAVDESS) is None
    VRNNHyperModel(space, presets.RAVDESS, ("calm", "angry")).declare_hyperparameters(
        kt.HyperParameters()
    )


@pytest.mark.parametrize("name", ["papr", "missing.toml"])
def test_a_space_that_does_not_exist_is_refused(name: str):
    with pytest.raises(ConfigurationError, match=name):
        spaces.load(name)


@pytest.mark.parametrize(
    ("parameter", "received", "exact"),
    [
        (Parameter("attention", (True, False)), 0, False),
        (Parameter("units", (64, 128)), 128.0, 128),
        (Parameter("dropout", low=0.0, high=0.8, step=0.1), 0.30000001192092896, 0.3),
        (Parameter("rate", low=1e-4, high=1e-2, scale="log"), 0.0012345678, 0.00123457),
        (Parameter("size", low=1, high=9), 3.0, 3),
    ],
)
def test_values_survive_kerastuners_messages(parameter: Parameter, received: Any, exact: Any):
    """They hold floats of single precision, and whole numbers for truth values."""
    assert parameter.exact(received) == exact
    assert type(parameter.exact(received)) is type(exact)


@pytest.mark.parametrize("name", spaces.NAMES)
def test_kerastuner_draws_what_the_space_holds(name: str):
    space = spaces.load(name)
    hp = kt.HyperParameters()
    VRNNHyperModel(space, presets.RAVDESS, ("calm", "angry")).declare_hyperparameters(hp)
    for seed in range(20):
        for parameter, known in zip(space.parameters, hp.space, strict=True):
            assert parameter.holds(parameter.exact(known.random_sample(seed)))


def test_the_hypermodel_builds_a_compiled_model_from_hyperparameters(tiny_preset: Any):
    space = Space("two", (Parameter("latent_size", (3, 5)), Parameter("attention", (True, False))))
    hypermodel = VRNNHyperModel(space, tiny_preset, ("calm", "angry"), seed=1)
    hp = kt.HyperParameters()
    hp.values = {"latent_size": 5, "attention": False}
    model = hypermodel.build(hp)
    assert model.compiled
    assert model.architecture.latent_size == 5
    assert not model.architecture.attention
    assert model.architecture.recognition_units == tiny_preset.architecture.recognition_units
    assert hypermodel.preset({"tuner/epochs": 7.0}).optimization.epochs == 7  # Hyperband's
