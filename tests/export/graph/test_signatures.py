"""A SavedModel's answers are those of the Keras model on librosa's features."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorflow.python.client import pywrap_tf_session as tf_session

from ser_keras import export
from ser_keras.features import reference as features
from ser_keras.model.vrnn import VRNN
from ser_keras.recognition.recognizer import Recognizer
from ser_keras.sound import decoding

Signatures = dict[str, Any]


@pytest.fixture(scope="module")
def signatures(servable: Path):
    loaded = tf.saved_model.load(str(servable))
    return loaded.signatures


def wav(samples: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def expected(model: VRNN, samples: np.ndarray) -> dict[str, np.ndarray]:
    """The Keras model's answer to one recording at its rate."""
    missing = max(0, model.features.window_length - len(samples))
    observations = features.extract(np.pad(samples, (0, missing)), model.features)
    return {name: np.asarray(value) for name, value in model(observations[np.newaxis]).items()}


def check(model: VRNN, answer: dict, row: int, reference: dict, tolerance: float = 1e-4) -> None:
    instants = int(reference["instants"][0])
    assert int(answer["instants"][row]) == instants
    probabilities = answer["probabilities"][row].numpy()
    np.testing.assert_allclose(probabilities, reference["probabilities"][0], atol=tolerance)
    timeline = answer["timeline"][row].numpy()
    np.testing.assert_allclose(timeline[:instants], reference["timeline"][0], atol=tolerance)
    assert not timeline[instants:].any()
    assert answer["emotion"][row].numpy().decode() == model.classes[probabilities.argmax()]
    np.testing.assert_allclose(
        answer["sampled_fraction"][row], reference["sampled_fraction"].mean(), atol=1e-6
    )


def test_names_types_and_shapes_are_the_contract(model: VRNN, signatures: Signatures):
    size, classes = model.features.observation_size, len(model.classes)
    state = 2 * (16 + 12 + 16) + size + 1

    def shapes(specs: dict) -> dict:
        return {name: (spec.dtype, spec.shape.as_list()) for name, spec in specs.items()}

    answer = {
        "emotion": (tf.string, [None]),
        "probabilities": (tf.float32, [None, classes]),
        "timeline": (tf.float32, [None, None, classes]),
        "sampled_fraction": (tf.float32, [None]),
        "instants": (tf.int32, [None]),
        "error": (tf.string, [None]),
    }
    inputs = {
        "serving_default": {"audio": (tf.string, [None])},
        "waveform": {"waveform": (tf.float32, [None, None]), "samples": (tf.int32, [None])},
        "features": {"features": (tf.float32, [None, None, size]), "instants": (tf.int32, [None])},
        "mfcc": {"mfcc": (tf.float32, [None, None, size]), "instants": (tf.int32, [None])},
        "step": {"observation": (tf.float32, [None, size]), "state": (tf.float32, [None, state])},
    }
    assert set(signatures) == set(inputs)
    for name, signature in signatures.items():
        assert shapes(signature.structured_input_signature[1]) == inputs[name]
        outputs = shapes(signature.structured_outputs)
        is_of_sound = name in ("serving_default", "waveform")
        assert (outputs.pop("silent", None) == (tf.bool, [None])) is is_of_sound
        assert set(outputs) == set(
            answer
            if name != "step"
            else ("probabilities", "attention", "prediction", "state", "error")
        )
        if name != "step":
            assert {key: value[0] for key, value in outputs.items()} == {
                key: value[0] for key, value in answer.items()
            }


def test_silence_is_told_by_the_level_that_recognizers_have(model: VRNN, signatures: Signatures):
    """Of the windows that are answered: a click behind the last one is not."""
    spec = model.features
    random = np.random.default_rng(0)
    long = 40 * spec.hop_length  # several groups of windows
    sounds = {
        "silence": np.zeros(long),
        "a constant": np.full(long, 0.25),
        "-60 dB": random.normal(0, 1e-3, long),
        "speech at the end": np.r_[np.zeros(long), random.normal(0, 0.1, spec.window_length)],
        "short": random.normal(0, 0.1, 500),
        "short silence": np.zeros(500),
        "a click behind": np.r_[np.zeros(spec.window_length), np.full(50, 0.5)],
    }
    expected = [Recognizer(model).recognize_samples(sound)["silent"] for sound in sounds.values()]
    assert expected == [True, True, False, False, False, True, True]
    files = [wav(sound, spec.sample_rate) for sound in sounds.values()]
    answer = signatures["serving_default"](audio=tf.constant(files))
    assert answer["silent"].numpy().tolist() == expected
    lengths = np.array([len(sound) for sound in sounds.values()], np.int32)
    padded = [np.pad(sound, (0, max(lengths) - len(sound))) for sound in sounds.values()]
    answer = signatures["waveform"](
        waveform=tf.constant(padded, tf.float32), samples=tf.constant(lengths)
    )
    assert answer["silent"].numpy().tolist() == expected
    # 16 bits cannot hold it.
    noise = tf.constant(random.normal(0, 1e-4, (1, long)), tf.float32)
    assert signatures["waveform"](waveform=noise, samples=[long])["silent"].numpy().all()


def test_files_of_many_lengths_in_one_batch_agree_with_the_model(
    model: VRNN, signatures: Signatures, speech: list[Path]
):
    rate = model.features.sample_rate
    sounds = [decoding.load(path, rate) for path in speech]
    sounds += [sounds[0][:100], np.tile(sounds[1], 10)]  # short, and longer than one group
    files = [wav(sound, rate) for sound in sounds]
    answer = signatures["serving_default"](audio=tf.constant(files))
    for row, file in enumerate(files):
        check(model, answer, row, expected(model, decoding.load(file, rate)))


def test_noise_in_the_padding_of_waveforms_has_no_influence(
    model: VRNN, signatures: Signatures, speech: list[Path]
):
    rate = model.features.sample_rate
    sounds = [decoding.load(path, rate) for path in speech[:3]]
    sounds.append(sounds[0][:5000])
    samples = [len(sound) for sound in sounds]
    waveform = np.random.default_rng(0).normal(size=(len(sounds), max(samples)))
    waveform[1, samples[1] :] = np.nan
    for row, sound in enumerate(sounds):
        waveform[row, : len(sound)] = sound
    answer = signatures["waveform"](
        waveform=tf.constant(waveform, tf.float32), samples=tf.constant(samples)
    )
    for row, sound in enumerate(sounds):
        check(model, answer, row, expected(model, sound))


def test_waveforms_shorter_than_a_window_are_padded_to_one(
    model: VRNN, signatures: Signatures, speech: list[Path]
):
    sound = decoding.load(speech[0], model.features.sample_rate)[:3000]
    answer = signatures["waveform"](waveform=sound[np.newaxis], samples=tf.constant([3000]))
    check(model, answer, 0, expected(model, sound))


def test_features_and_steps_agree_with_the_model(
    model: VRNN, signatures: Signatures, speech: list[Path]
):
    sounds = [decoding.load(path, model.features.sample_rate) for path in speech[:4]]
    observations = [features.extract(sound, model.features) for sound in sounds]
    instants = [len(item) for item in observations]
    padded = np.full((4, max(instants) + 1, model.features.observation_size), np.inf, np.float32)
    for row, item in enumerate(observations):
        padded[row, : len(item)] = item
    for name in ("features", "mfcc"):
        answer = signatures[name](**{name: tf.constant(padded)}, instants=tf.constant(instants))
        for row, sound in enumerate(sounds):
            check(model, answer, row, expected(model, sound), tolerance=1e-5)

    reference = expected(model, sounds[0])
    state = tf.zeros([1, signatures["step"].structured_outputs["state"].shape[1]])
    for instant, observation in enumerate(observations[0]):
        step = signatures["step"](observation=observation[np.newaxis], state=state)
        state = step["state"]
        for name, of_model in (
            ("probabilities", "timeline"),
            ("attention", "attention"),
            ("prediction", "prediction"),
        ):
            np.testing.assert_allclose(step[name][0], reference[of_model][0, instant], atol=1e-5)


def test_patches_at_another_rate_agree_with_the_model(
    patch_model: VRNN, speech: list[Path], tmp_path: Path
):
    folder = export.saved_model(patch_model, tmp_path / "patches" / "1")
    signatures = tf.saved_model.load(str(folder)).signatures
    assert "features" in signatures
    assert "mfcc" not in signatures
    rate = patch_model.features.sample_rate
    files = [wav(decoding.load(path, rate), rate) for path in speech[:2]]
    answer = signatures["serving_default"](audio=tf.constant(files))
    for row, file in enumerate(files):
        check(patch_model, answer, row, expected(patch_model, decoding.load(file, rate)), 1e-3)


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("waveform", {"waveform": [[0.0, 0.1]], "samples": [3]}, "samples: expected 1 to"),
        ("waveform", {"waveform": [[0.0, 0.1]], "samples": [0]}, "samples: expected 1 to"),
        (
            "waveform",
            {"waveform": [[0.0, np.nan]], "samples": [2]},
            "waveform: expected finite numbers, found NaN",
        ),
        (
            "mfcc",
            {"mfcc": [[[np.inf] * 40]], "instants": [1]},
            "mfcc: expected finite numbers, found NaN",
        ),
        ("mfcc", {"mfcc": [[[0.0] * 40]], "instants": [2]}, "instants: expected 1 to"),
        (
            "features",
            {"features": [[[np.nan] * 40]], "instants": [1]},
            "features: expected finite numbers, found NaN",
        ),
        ("features", {"features": [[[0.0] * 40]], "instants": [2]}, "the length of features"),
    ],
)
def test_an_instance_that_cannot_be_used_is_told_and_the_others_are_answered(
    model: VRNN, signatures: Signatures, name: str, inputs: dict, message: str
):
    bad: dict[str, Any] = {key: np.asarray(value, _dtype(key)) for key, value in inputs.items()}
    # Zeros as long as the bad instance, and one instant of them.
    good = {key: np.ones_like(value) * (_dtype(key) is np.int32) for key, value in bad.items()}
    both = {key: tf.constant(np.concatenate([good[key], bad[key]])) for key in bad}
    answer = {key: value.numpy() for key, value in signatures[name](**both).items()}
    alone = signatures[name](**{key: tf.constant(value) for key, value in good.items()})
    assert answer["error"][0] == b""
    assert message in answer["error"][1].decode()
    assert answer["emotion"].tolist() == [alone["emotion"].numpy()[0], b""]
    assert answer["instants"].tolist() == [1, 0]
    for key in ("probabilities", "timeline", "sampled_fraction"):
        np.testing.assert_allclose(answer[key][0], alone[key][0], atol=1e-6)
        assert not answer[key][1].any()


def _dtype(name: str) -> type:
    return np.int32 if name in ("samples", "instants") else np.float32


def test_a_file_that_cannot_be_used_is_told_and_the_others_are_answered(
    model: VRNN, signatures: Signatures, speech: list[Path]
):
    rate = model.features.sample_rate
    sounds = [decoding.load(path, rate) for path in speech[:2]]
    files = [wav(sounds[0], rate), b"", b"a picture", wav(sounds[1], rate), wav(sounds[1], 500)]
    answer = signatures["serving_default"](audio=tf.constant(files))
    errors = [error.decode() for error in answer["error"].numpy()]
    assert errors == [
        "",
        "audio: expected a WAV file, found another format",
        "audio: expected a WAV file, found another format",
        "",
        "audio: expected a sample rate of 1000 to 768000 Hz, found 500",
    ]
    for row, sound in ((0, sounds[0]), (3, sounds[1])):
        check(model, answer, row, expected(model, decoding.load(wav(sound, rate), rate)))
    for row in (1, 2, 4):
        assert answer["emotion"][row].numpy() == b""
        for name in ("probabilities", "timeline", "sampled_fraction", "instants", "silent"):
            assert not np.any(answer[name][row])


def test_a_step_that_cannot_be_used_leaves_the_state_as_it_was(model: VRNN, signatures: Signatures):
    size = model.features.observation_size
    state_size = signatures["step"].structured_input_signature[1]["state"].shape[1]
    random = np.random.default_rng(0)
    observation = random.normal(size=(3, size)).astype(np.float32)
    observation[1, 0] = np.nan
    state = random.normal(size=(3, state_size)).astype(np.float32)
    state[2, 0] = np.inf
    answer = signatures["step"](observation=tf.constant(observation), state=tf.constant(state))
    assert [error.decode().split(":")[0] for error in answer["error"].numpy()] == [
        "", "observation", "state",
    ]  # fmt: skip
    np.testing.assert_array_equal(answer["state"][1:], state[1:])
    assert not answer["probabilities"][1:].numpy().any()
    alone = signatures["step"](
        observation=tf.constant(observation[:1]), state=tf.constant(state[:1])
    )
    for name, value in alone.items():
        if name != "error":
            np.testing.assert_allclose(answer[name][:1], value, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("features", {"features": np.zeros(80), "instants": [1]}),
        ("features", {"features": np.zeros((1, 80)), "instants": [1]}),
        ("mfcc", {"mfcc": np.zeros((1, 2, 20)), "instants": [1]}),
        ("mfcc", {"mfcc": np.zeros((2, 1, 40)), "instants": [1]}),
        ("waveform", {"waveform": np.zeros(100), "samples": [1]}),
        ("waveform", {"waveform": np.zeros((1, 100)), "samples": [[1]]}),
        ("step", {"observation": np.zeros((2, 20)), "state": np.zeros((1, 129))}),
        ("serving_default", {"audio": [[b"RIFF"]]}),
    ],
)
def test_the_graph_refuses_other_shapes_even_where_nobody_checks_them_before(
    servable: Path, name: str, inputs: dict
):
    """As a TF Serving core does: a session, fed without a look at what signatures declare."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(servable))
        signature = meta.signature_def[name]
        feeds: dict[Any, np.ndarray] = {
            session.graph.get_tensor_by_name(signature.inputs[key].name)._as_tf_output(): (
                np.asarray(value, object if key == "audio" else _dtype(key))
            )
            for key, value in inputs.items()
        }
        fetches = [
            session.graph.get_tensor_by_name(output.name)._as_tf_output()
            for output in signature.outputs.values()
        ]
        session._extend_graph()
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf_session.TF_SessionRun_wrapper(session._session, None, feeds, fetches, [], None)
