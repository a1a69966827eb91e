"""Temperature and calibration error where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from ser_keras.evaluation.metrics import calibration_error, reliability
from ser_keras.model.settings import Architecture, Preset
from ser_keras.model.vrnn import VRNN
from ser_keras.training.calibration import best_temperature, calibrate


def drawn(scale: float, count: int = 20000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `scale` times too large, and labels drawn from the right ones."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 4)) * 2
    labels = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)
    return logits * scale, labels


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_a_scale(scale: float):
    logits, labels = drawn(scale)
    assert best_temperature(logits, labels) == pytest.approx(scale, rel=0.05)
    before = calibration_error(reliability(scipy.special.softmax(logits, axis=1), labels))
    after = calibration_error(reliability(scipy.special.softmax(logits / scale, axis=1), labels))
    assert after < 0.02
    assert before > 0.1 or scale == 1.0


def test_a_model_that_diverged_has_no_calibration_error():
    logits, labels = drawn(1.0, count=10)
    logits[3, 1] = np.nan
    assert np.isnan(calibration_error(reliability(scipy.special.softmax(logits, axis=1), labels)))
    assert best_temperature(logits, labels) == 1.0


@pytest.mark.parametrize("batch_size", [40, 2])  # one batch, and enough for a graph
def test_a_calibrated_model_gives_the_same_answers_at_another_certainty(batch_size: int):
    sizes: dict[str, Any] = {
        f"{name}_units": 6 for name in ("recognition", "generation", "classification")
    }
    model = VRNN(("a", "b"), Preset(architecture=Architecture(**sizes)), seed=0)
    random = np.random.default_rng(1)
    sound = random.normal(size=(40, 2, 40)).astype(np.float32)
    labels = random.integers(0, 2, 40).astype(np.int32)
    before = model.predict(sound, verbose=0)
    data = tf.data.Dataset.from_tensor_slices((sound, labels)).batch(batch_size)
    temperature = calibrate(model, data)
    after = model.predict(sound, verbose=0)
    np.testing.assert_allclose(after["logits"] * temperature, before["logits"], atol=1e-5)
    np.testing.assert_array_equal(
        after["probabilities"].argmax(axis=1), before["probabilities"].argmax(axis=1)
    )
    assert temperature == pytest.approx(best_temperature(before["logits"], labels), rel=1e-4)
