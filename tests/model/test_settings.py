"""Settings: from and to JSON, replaced one by one, refused with a word to say why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ser_keras.errors import ConfigurationError
from ser_keras.model import presets
from ser_keras.model.settings import Architecture, Objective, Preset, _find


@pytest.mark.parametrize("name", presets.names())
def test_presets_survive_json(name: str):
    preset = presets.get(name)
    assert Preset.from_dict(json.loads(json.dumps(preset.to_dict()))) == preset


def test_the_papers_settings():
    """Section 3.2."""
    ravdess, iemocap = presets.get("ravdess"), presets.get("iemocap")
    sizes = ("recognition_units", "generation_units", "classification_units", "latent_size")
    dropouts = ("recognition_dropout", "generation_dropout", "classification_dropout")
    assert [getattr(ravdess.architecture, name) for name in sizes] == [512, 256, 512, 20]
    assert [getattr(ravdess.architecture, name) for name in dropouts] == [0.3, 0.3, 0.1]
    assert [getattr(iemocap.architecture, name) for name in sizes] == [64, 64, 64, 10]
    assert [getattr(iemocap.architecture, name) for name in dropouts] == [0.8, 0.8, 0.8]
    for preset in (ravdess, iemocap):
        assert preset.optimization.batch_size == 256
        assert preset.optimization.learning_rate == 0.001
        weights = preset.objective
        assert (weights.generation_weight, weights.classification_weight) == (1.0, 50.0)
        assert weights.kl_weight == 1.0
        assert (preset.features.window, preset.features.hop) == (2.0, 1.0)
        assert preset.features.coefficients == 40


def test_settings_given_as_text_get_their_type():
    preset = presets.RAVDESS.with_settings(
        {
            "recognition_units": "128",
            "attention": "false",
            "kl_weight": "0.5",
            "statistics": "mean,std",
            "top_db": "none",
            "class_term": "every",
            "recognition_channels": "8,16",
            "gain": "-24,6",
        }
    )
    assert preset.architecture.recognition_units == 128
    assert preset.architecture.attention is False
    assert preset.objective.kl_weight == 0.5
    assert preset.features.statistics == ("mean", "std")
    assert preset.features.top_db is None
    assert preset.objective.class_term == "every"
    assert preset.architecture.recognition_channels == (8, 16)
    assert preset.augmentation.gain == (-24.0, 6.0)
    assert presets.RAVDESS.architecture.recognition_units == 512


def test_settings_may_be_named_with_their_section():
    short = presets.TINY.with_settings({"kl_weight": "0.5", "epochs": 3})
    full = presets.TINY.with_settings({"objective.kl_weight": "0.5", "optimization.epochs": 3})
    assert full == short
    assert full.objective.kl_weight == 0.5


@pytest.mark.parametrize(
    ("setting", "possible"),
    [
        ("size", "one.size, two.size"),  # ambiguous
        ("three", "one.size, one.speed, two.size"),  # unknown
        ("one.level", "one.size, one.speed"),
        ("one", "one.size, one.speed"),
        ("three.size", "one.size, one.speed, two.size"),
        ("two.speed", "two.size"),
    ],
)
def test_the_possible_names_are_told_where_a_name_is_ambiguous_or_unknown(
    setting: str, possible: str
):
    fields = {"one": ("size", "speed"), "two": ("size",)}
    assert _find("speed", fields) == ("one", "speed")
    assert _find("two.size", fields) == ("two", "size")
    with pytest.raises(ConfigurationError) as error:
        _find(setting, fields)
    assert str(error.value) == f"setting: expected one of {possible}, found {setting!r}"


def test_setting_names_are_unambiguous():
    import dataclasses

    preset = presets.RAVDESS
    parts = (
        preset.features,
        preset.architecture,
        preset.objective,
        preset.optimization,
        preset.augmentation,
    )
    names = [field.name for part in parts for field in dataclasses.fields(part)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"units": "3"},
            r"setting: .* features\.kind, .*e\.latent_size, .*, found 'units'",
        ),
        ({"latent_size": "many"}, "latent_size: expected a whole number, found 'many'"),
        ({"latent_size": "0"}, "latent_size: expected at least 1, found 0"),
        ({"recognition_dropout": "1.0"}, "recognition_dropout: expected .*, found 1.0"),
        ({"attention": "maybe"}, "attention: expected true or false, found 'maybe'"),
        ({"attention": 1}, "attention: expected true or false, found 1"),
        ({"class_term": "first"}, "class_term: expected .*, found 'first'"),
        ({"likelihood": "cauchy"}, "likelihood: expected one of .*, found 'cauchy'"),
        ({"optimizer": "magic"}, "optimizer: expected one of rmsprop.*, found 'magic'"),
        ({"window": "-1"}, "window"),
        ({"recognition_channels": 8}, "recognition_channels: expected a list.*, found 8"),
        ({"recognition_channels": (1.5,)}, "recognition_channels: .*each a whole number"),
        ({"latent_size": None}, "latent_size: expected a whole number, found None"),
        ({"latent_size": 2.5}, "latent_size: expected a whole number, found 2.5"),
        ({"recognition_units": True}, "recognition_units: expected a whole number, found True"),
        ({"learning_rate": "inf"}, "learning_rate: expected a finite number, found inf"),
        ({"initial_log_scale": "nan"}, "initial_log_scale: expected .*, found nan"),
        ({"range_db": "inf"}, "range_db: expected a finite number or none, found inf"),
        ({"epsilon": "1e999"}, "epsilon: expected .*, found inf"),
        ({"speed": "nan"}, "speed: expected .*, found nan"),
        ({"trim": "nan"}, "trim: expected .*, found nan"),
        ({"gain": "nan,6"}, "gain: expected .*, found"),
        ({"gain": "low,high"}, "gain: expected a number, found 'low'"),
        (
            {"recognition_channels": "8,wide"},
            "channels: expected a whole .*, found 'wide'",
        ),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        presets.RAVDESS.with_settings(settings)


def test_unknown_fields_of_a_preset_are_refused():
    with pytest.raises(ConfigurationError, match="hidden"):
        Preset.from_dict({"name": "mine", "architecture": {"hidden": 3}})
    with pytest.raises(ConfigurationError, match=r"expected .*optimization.*found 'optimisation'"):
        Preset.from_dict({"name": "mine", "optimisation": {"epochs": 3}})
    with pytest.raises(ConfigurationError, match="name"):
        Preset.from_dict({})


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"optimization": {"epochs": 1.5}}, "epochs: expected a whole number, found 1.5"),
        ({"optimization": {"batch_size": "8"}}, "batch_size: expected a whole number, found '8'"),
        ({"augmentation": {"gain": 3}}, "gain: expected a list, each a finite number, found 3"),
        ({"features": []}, "preset 'mine': features: expected a table of fields, found .*"),
    ],
)
def test_fields_of_another_kind_are_refused_by_name(sections: dict[str, Any], message: str):
    with pytest.raises(ConfigurationError, match=message):
        Preset.from_dict({"name": "mine", **sections})


def test_a_file_that_holds_no_preset_is_not_told_whole():
    with pytest.raises(ConfigurationError, match=r"preset: expected a table.*, found \['run'\]"):
        Preset.from_dict({"run": {"much": "more"}})


def test_settings_that_are_right_together_are_taken_in_any_order():
    settings = {"mel_bands": "32", "coefficients": "20"}
    for order in (settings, dict(reversed(settings.items()))):
        features = presets.RAVDESS.with_settings(order).features
        assert (features.mel_bands, features.coefficients) == (32, 20)


def test_defaults_are_the_papers_for_ravdess():
    assert Architecture() == presets.RAVDESS.architecture
    assert Objective() == presets.RAVDESS.objective
