"""TFLite files, run by the runtime of phones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated

from ser_keras import export
from ser_keras.errors import ConfigurationError, SerKerasError
from ser_keras.export.edge import PRECISIONS
from ser_keras.export.edge.frontend import EdgeFrontend
from ser_keras.features import reference
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.vrnn import VRNN
from ser_keras.sound import decoding

# Largest error of probabilities: rounding in float32, that of the weights at less precision.
TOLERANCE = {"float32": 1e-5, "float16": 1e-2, "int8": 1e-1}


@pytest.fixture(scope="module")
def files(model: VRNN, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("edge")
    return {
        precision: export.tflite(model, folder / f"{precision}.tflite", precision)
        for precision in PRECISIONS
    }


@pytest.fixture(scope="module")
def sounds(model: VRNN, speech: list[Path]) -> list[np.ndarray]:
    rate = model.features.sample_rate
    sounds = [decoding.load(path, rate) for path in speech]
    return [*sounds, sounds[0][:1000], np.concatenate(sounds)]


def padded(model: VRNN, sound: np.ndarray) -> np.ndarray:
    return np.pad(sound, (0, max(0, model.features.window_length - len(sound))))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_utterances_agree_with_the_model(
    model: VRNN, files: dict[str, Path], sounds: list[np.ndarray], precision: str
):
    utterance = Interpreter(str(files[precision])).get_signature_runner("utterance")
    for sound in sounds:
        observations = reference.extract(padded(model, sound), model.features)
        expected = model(observations[np.newaxis])
        answer = utterance(waveform=sound[np.newaxis])
        assert all(np.isfinite(values).all() for values in answer.values())
        np.testing.assert_array_equal(answer["probabilities"], answer["timeline"][:, -1])
        np.testing.assert_allclose(
            answer["timeline"], expected["timeline"], atol=TOLERANCE[precision]
        )
        if precision == "float32":
            np.testing.assert_array_equal(answer["attention"], expected["attention"])
            np.testing.assert_allclose(
                answer["sampled_fraction"],
                np.mean(expected["sampled_fraction"], axis=1),
                rtol=1e-6,
            )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_steps_with_the_state_passed_on_agree_with_the_utterance(
    model: VRNN, files: dict[str, Path], sounds: list[np.ndarray], precision: str
):
    interpreter = Interpreter(str(files[precision]))
    timeline = interpreter.get_signature_runner("utterance")(waveform=sounds[-1][np.newaxis])
    step = interpreter.get_signature_runner("step")
    step_mfcc = interpreter.get_signature_runner("step_mfcc")
    size = step.get_input_details()["state"]["shape"][1]
    state = state_mfcc = np.zeros((1, size), np.float32)
    spec = model.features
    for instant, observation in enumerate(reference.extract(sounds[-1], spec)):
        window = sounds[-1][instant * spec.hop_length :][: spec.window_length]
        from_sound = step(waveform=window[np.newaxis], state=state)
        from_mfcc = step_mfcc(observation=observation[np.newaxis], state=state_mfcc)
        state, state_mfcc = from_sound["state"], from_mfcc["state"]
        np.testing.assert_allclose(
            from_sound["probabilities"][0], timeline["timeline"][0, instant], atol=1e-5
        )
        np.testing.assert_allclose(
            from_mfcc["probabilities"], from_sound["probabilities"], atol=TOLERANCE[precision]
        )
        assert (
            from_sound["attention"].shape
            == from_sound["prediction"].shape
            == (1, spec.observation_size)
        )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_silence_and_clipping_have_finite_answers(files: dict[str, Path], precision: str):
    utterance = Interpreter(str(files[precision])).get_signature_runner("utterance")
    for level in (0.0, 1.0, 1e4):
        answer = utterance(waveform=np.full((1, 60000), level, np.float32))
        assert all(np.isfinite(values).all() for values in answer.values())


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_front_end_is_exact_at_every_precision(files: dict[str, Path], precision: str):
    """Seen through the model: noise gives the same answer as its observation by librosa."""
    interpreter = Interpreter(str(files[precision]))
    step = interpreter.get_signature_runner("step")
    step_mfcc = interpreter.get_signature_runner("step_mfcc")
    state = np.zeros(step.get_input_details()["state"]["shape"], np.float32)
    generator = np.random.default_rng(0)
    for _ in range(3):
        sound = generator.normal(0, 0.1, 44100).astype(np.float32)
        observation = reference.extract(sound, FeatureSpec())
        from_sound = step(waveform=sound[np.newaxis], state=state)
        from_mfcc = step_mfcc(observation=observation, state=state)
        for name in ("probabilities", "state"):
            np.testing.assert_allclose(from_sound[name], from_mfcc[name], atol=1e-3)


def test_files_hold_built_in_operations_alone(files: dict[str, Path]):
    for file in files.values():
        model = schema_py_generated.Model.GetRootAs(file.read_bytes())
        codes = [model.OperatorCodes(index) for index in range(model.OperatorCodesLength())]
        assert len(codes) > 10
        assert [code.CustomCode() for code in codes] == [None] * len(codes)


@pytest.mark.parametrize(("precision", "size"), [("float32", 4), ("int8", 1)])
def test_weights_are_in_the_file_once(tmp_path: Path, precision: str, size: int):
    names = ("recognition_units", "generation_units", "classification_units")
    units: dict[str, Any] = dict.fromkeys(names, 256)
    model = VRNN.from_preset("ravdess", ("neutral", "angry"), seed=0, **units)
    file = export.tflite(model, tmp_path / "model.tflite", precision)
    expected = size * model.cell.count_params()
    assert file.stat().st_size == pytest.approx(expected, abs=200_000)


def test_the_description_lies_beside_the_file(files: dict[str, Path], model: VRNN):
    description = json.loads(files["int8"].with_suffix(".json").read_text("utf-8"))
    assert description["labels"] == list(model.classes)
    assert description["precision"] == "int8"
    assert (description["sample_rate"], description["window"], description["hop"]) == (22050, 2, 1)
    step = Interpreter(str(files["int8"])).get_signature_runner("step")
    assert description["state_size"] == step.get_input_details()["state"]["shape"][1]


def test_patches_at_another_rate_agree_with_the_model(
    patch_model: VRNN, speech: list[Path], tmp_path: Path
):
    file = export.tflite(patch_model, tmp_path / "patches.tflite")
    sound = decoding.load(speech[0], patch_model.features.sample_rate)
    answer = Interpreter(str(file)).get_signature_runner("utterance")(waveform=sound[np.newaxis])
    expected = patch_model(reference.extract(sound, patch_model.features)[np.newaxis])
    np.testing.assert_allclose(answer["timeline"], expected["timeline"], atol=1e-3)


@pytest.mark.parametrize(
    "spec",
    [
        FeatureSpec(),
        FeatureSpec(statistics=("mean", "std"), top_db=None),
        FeatureSpec(kind="log-mel", statistics=(), sample_rate=16000, mel_bands=40, fft_size=512),
        FeatureSpec(sample_rate=8000, mel_bands=20, coefficients=13, fft_size=256, frame_hop=80),
        FeatureSpec(kind="log-mel", statistics=(), mel_bands=40, top_db=None),
    ],
    ids=["paper", "mean and std", "patch", "telephone", "patch of full range"],
)
def test_the_front_end_agrees_with_librosa(spec: FeatureSpec):
    sound = np.random.default_rng(0).normal(0, 0.1, spec.window_length).astype(np.float32)
    sound *= np.linspace(0, 1, len(sound), dtype=np.float32) ** 8
    np.testing.assert_allclose(
        EdgeFrontend(spec).extract_windows(sound[np.newaxis]),
        reference.extract(sound, spec),
        atol=2e-3,
    )


def test_an_unknown_precision_is_a_clear_error(model: VRNN, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="float32, float16, int8"):
        export.tflite(model, tmp_path / "m.tflite", "int4")


def test_a_path_that_cannot_be_written_is_a_clear_error(model: VRNN, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(SerKerasError, match="expected a folder to write to"):
        export.tflite(model, tmp_path / "file" / "m.tflite")
