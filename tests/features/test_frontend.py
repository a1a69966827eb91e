"""The TensorFlow front end gives what librosa gives, whatever it is batched with."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ser_keras.features import reference
from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec

SPECS = [
    FeatureSpec(),
    FeatureSpec(statistics=("mean", "std"), top_db=None),
    FeatureSpec(statistics=()),
    FeatureSpec(kind="log-mel"),
    FeatureSpec(kind="log-mel", statistics=(), mel_bands=64, fft_size=1024, frame_hop=256),
    FeatureSpec(kind="log-mel", statistics=(), mel_bands=40),
    FeatureSpec(sample_rate=16000, window=1.3, hop=0.4, coefficients=13, mel_bands=3 * 13),
    FeatureSpec(sample_rate=16000, window=1.0, hop=0.4, trailing_silence=0.7),
    FeatureSpec(kind="log-mel", statistics=(), trailing_silence=0.7, remove_offset=True),
]
pytestmark = pytest.mark.io_stack


def sounds(spec: FeatureSpec) -> list[np.ndarray]:
    """Noise with swells and pauses, of several lengths; the first is shorter than a window."""
    generator = np.random.default_rng(2)
    lengths = [spec.window_length - 1, spec.window_length, 3 * spec.window_length + 17]
    noises = [generator.normal(size=length) for length in lengths]
    return [
        (0.2 * noise * np.sin(np.arange(len(noise)) / 5000) ** 4 + 0.01).astype(np.float32)
        for noise in noises
    ]


def padded(waveforms: list[np.ndarray], value: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    samples = np.array([len(waveform) for waveform in waveforms], np.int32)
    batch = np.full((len(waveforms), samples.max()), value, np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return batch, samples


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: f"{spec.kind} {spec.statistics}")
def test_observations_are_those_of_librosa(spec: FeatureSpec):
    waveforms = sounds(spec)
    observations, instants = Frontend(spec)(*padded(waveforms))
    for waveform, row, count in zip(waveforms, observations.numpy(), instants, strict=True):
        expected = reference.extract(waveform, spec)
        assert len(expected) == count
        np.testing.assert_allclose(row[:count], expected, rtol=1e-5, atol=1e-3)
        assert not row[count:].any()


@pytest.mark.parametrize("padding", [0.0, 1e6, np.nan])
@pytest.mark.parametrize("silence", [0.0, 1.5])
def test_padding_and_other_recordings_of_a_batch_change_nothing(padding: float, silence: float):
    spec = FeatureSpec(trailing_silence=silence)
    waveforms = sounds(spec)
    frontend = Frontend(spec)
    together, instants = frontend(*padded(waveforms, padding))
    assert np.isfinite(together).all()
    for row, count, waveform in zip(together, instants, waveforms, strict=True):
        alone, _ = frontend(waveform[None], np.array([len(waveform)]))
        np.testing.assert_allclose(alone[0], row[:count], atol=1e-4)


def test_windows_of_several_groups_keep_their_order():
    spec = FeatureSpec(sample_rate=8000, window=0.25, hop=0.1, fft_size=512, mel_bands=40)
    waveform = np.random.default_rng(3).normal(size=8000 * 5).astype(np.float32)
    observations, _ = Frontend(spec)(waveform[None], np.array([len(waveform)]))
    np.testing.assert_allclose(
        observations[0], reference.extract(waveform, spec), rtol=1e-5, atol=1e-3
    )


def test_silence_and_sound_too_short_are_finite():
    observations, instants = Frontend(FeatureSpec())(
        np.zeros((2, 50000), np.float32), np.array([50000, 0])
    )
    assert np.isfinite(observations).all()
    np.testing.assert_array_equal(instants, [1, 0])
    nothing, none = Frontend(FeatureSpec())(np.zeros((1, 100), np.float32), np.array([100]))
    assert nothing.shape == (1, 0, 40)
    np.testing.assert_array_equal(none, [0])


def test_a_length_beyond_the_waveform_is_cut():
    _, instants = Frontend(FeatureSpec())(np.zeros((1, 44100), np.float32), np.array([10**9]))
    np.testing.assert_array_equal(instants, [1])


def test_one_graph_serves_every_size():
    frontend = Frontend(FeatureSpec())
    graph = tf.function(
        frontend, input_signature=[tf.TensorSpec([None, None]), tf.TensorSpec([None], tf.int32)]
    )
    for waveforms in (sounds(FeatureSpec()), sounds(FeatureSpec())[:2]):
        batch = padded(waveforms)
        for got, expected in zip(graph(*batch), frontend(*batch), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-4)


def test_the_front_end_is_saved_in_a_keras_model(tmp_path: Path):
    waveform, samples = keras.Input((None,)), keras.Input((), dtype="int32")
    spec = FeatureSpec(kind="log-mel", statistics=())
    model = keras.Model([waveform, samples], Frontend(spec)(waveform, samples))
    assert model.output_shape[0] == (None, None, 87, 128)
    model.save(tmp_path / "model.keras")
    batch = padded(sounds(spec)[:2])
    restored = keras.models.load_model(tmp_path / "model.keras")
    for got, expected in zip(restored(batch), model(batch), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_front_end_computes_in_float32_under_half_precision():
    keras.mixed_precision.set_dtype_policy("mixed_float16")
    try:
        frontend = Frontend(FeatureSpec())
        observations, _ = frontend(*padded(sounds(FeatureSpec())))
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    assert observations.dtype == tf.float32
    expected, _ = Frontend(FeatureSpec())(*padded(sounds(FeatureSpec())))
    np.testing.assert_array_equal(observations, expected)


def test_extract_windows_converts_to_builtin_operations_of_tflite():
    frontend = Frontend(FeatureSpec())
    graph = tf.function(frontend.extract_windows, input_signature=[tf.TensorSpec([1, 44100])])
    names = {operation.type for operation in graph.get_concrete_function().graph.get_operations()}
    assert not {"While", "StatelessWhile", "Bitcast", "TensorListReserve"} & names
