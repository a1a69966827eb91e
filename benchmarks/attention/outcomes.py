"""Answers and prediction errors of a model, utterance by utterance."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from benchmarks.attention.variations import VARIATIONS, Instant, Variation, selecting
from ser_keras.features.extraction import Extraction
from ser_keras.model import saliency
from ser_keras.model.cell import Step
from ser_keras.model.vrnn import VRNN
from ser_keras.training import pipeline

Tensor = Any
BATCH = 64


class Answers(NamedTuple):
    """One variation's answers; N utterances."""

    logits: np.ndarray  # [N, C], at each last instant
    sampled: np.ndarray  # [N], elements sampled after the first instant
    elements: np.ndarray  # [N], elements after the first instant


class Generation(NamedTuple):
    """Squared errors summed over the instants after the first, [N] each.

    In a patch, the known part is what the patch before holds too, and the new part the rest; an
    observation without frames is new.
    """

    prediction: dict[str, np.ndarray]  # of the model, by part: "all", "known", "new"
    mean: dict[str, np.ndarray]  # of the training mean
    copy: dict[str, np.ndarray]  # of the last observation shifted; in the new part, of its end
    elements: dict[str, np.ndarray]  # how many were predicted
    kl: np.ndarray  # [N, Z], by latent variable, in nats, summed over all instants
    instants: np.ndarray  # [N]


def answer(model: VRNN, extraction: Extraction, name: str, share: float) -> Answers:
    """Answer every utterance under a variation; `share` is the model's own sampled fraction."""
    found = [
        _answers(steps, instants)
        for steps, instants, _ in _walks(model, extraction, VARIATIONS[name], share, name)
    ]
    return Answers(*map(np.concatenate, zip(*found, strict=True)))


def generate(model: VRNN, extraction: Extraction) -> Generation:
    """Compare the predictions of the model as it is with the observations, and with copies."""
    spec = model.features
    new = spec.frames - spec.overlap_frames if spec.patch_shape else 1
    found = []
    for steps, instants, observations in _walks(
        model, extraction, VARIATIONS["as-it-is"], 0.0, "as-it-is"
    ):
        shape = (*observations.shape[:2], *(spec.patch_shape or (1, -1)))
        truth = observations.reshape(shape)[:, 1:]  # [B, T − 1, frames, bands]
        last = observations.reshape(shape)[:, :-1]
        copied = np.concatenate([last[:, :, new:], np.repeat(last[:, :, -1:], new, axis=2)], axis=2)
        predicted = steps.prediction.reshape(shape)[:, 1:]
        valid = np.arange(1, shape[1]) < instants[:, np.newaxis]
        ours, mean, copy = (
            _by_part((truth - other) ** 2, valid, new)
            for other in (predicted, np.zeros_like(truth), copied)
        )
        elements = _by_part(np.ones_like(truth), valid, new)
        found.append(Generation(ours, mean, copy, elements, _kl(steps, instants), instants))
    return pool(found)


def pool(found: Sequence[Generation]) -> Generation:
    """Join the errors of several batches or models, utterance after utterance."""

    def join(values: Sequence[Any]) -> Any:
        if isinstance(values[0], dict):
            return {part: np.concatenate([one[part] for one in values]) for part in values[0]}
        return np.concatenate(values)

    return Generation(*(join(values) for values in zip(*found, strict=True)))


def _walks(
    model: VRNN, extraction: Extraction, variation: Variation, share: float, name: str
) -> Any:
    """Yield steps [B, T, …], instants [B] and standardized observations [B, T, D] of batches."""
    step = _step(model, variation, share)
    size = model.features.observation_size
    # Draws of a name, the same in every call.
    draw = zlib.crc32(name.encode()) % 2**31
    for number, (inputs, _) in enumerate(
        pipeline.batches(extraction, BATCH, classes=model.classes)
    ):
        observations = inputs["observations"]
        if model.dynamic_range is not None:
            observations = model.dynamic_range(observations)
        flat = tf.reshape(model.standardization(observations), [*observations.shape[:2], size])
        states = model.cell.get_initial_state(flat.shape[0])
        previous, steps = tf.zeros_like(flat[:, 0]), []
        for instant in range(flat.shape[1]):
            seed = tf.constant([draw, 1000 * number + instant])
            fields, states = step(flat[:, instant], previous, seed, states)
            steps.append(fields)
            previous = flat[:, instant]
        together = Step(*(np.stack(field, axis=1) for field in zip(*steps, strict=True)))
        yield together, inputs["instants"].numpy(), flat.numpy()


def _step(model: VRNN, variation: Variation, share: float) -> Callable[..., Any]:
    cell = model.cell
    frames, _ = model.features.patch_shape or (1, None)

    @tf.function(reduce_retracing=True)
    def step(observation: Tensor, previous: Tensor, seed: Tensor, states: list[Tensor]) -> Any:
        def select(observation: Tensor, prediction: Tensor, begun: Tensor) -> Any:
            surprise = saliency.saliency_map(observation, prediction)
            instant = Instant(observation, prediction, previous, surprise, share, seed, frames)
            attention = tf.maximum(variation.attend(instant), 1.0 - begun)
            filled = variation.fill(instant)
            return surprise, attention, saliency.sample_observation(observation, filled, attention)

        with selecting(cell, select):
            output, states = cell(observation, states, training=False)
        return Step.split(output, cell.sizes), states

    return step


def _answers(steps: Step, instants: np.ndarray) -> tuple[np.ndarray, ...]:
    later = np.arange(1, steps.attention.shape[1]) < instants[:, np.newaxis]
    sampled = (steps.attention[:, 1:].sum(axis=-1) * later).sum(axis=1)
    elements = (instants - 1) * steps.attention.shape[-1]
    return steps.logits[np.arange(len(instants)), instants - 1], sampled, elements


def _by_part(values: np.ndarray, valid: np.ndarray, new: int) -> dict[str, np.ndarray]:
    """Sum [B, T − 1, frames, bands] over valid instants and points, by part of the patch."""
    by_frame = (values.sum(axis=-1) * valid[..., np.newaxis]).sum(axis=1)  # [B, frames]
    known = by_frame[:, : by_frame.shape[1] - new].sum(axis=-1)
    return {"all": by_frame.sum(axis=-1), "known": known, "new": by_frame.sum(axis=-1) - known}


def _kl(steps: Step, instants: np.ndarray) -> np.ndarray:
    """KL(N(μ, σ²) ‖ N(0, 1)) of every latent variable, summed over valid instants: [B, Z]."""
    mean, log_scale = steps.posterior_mean, steps.posterior_log_scale
    kl = 0.5 * (mean**2 + np.exp(2 * log_scale) - 1) - log_scale  # [B, T, Z]
    valid = np.arange(kl.shape[1]) < instants[:, np.newaxis]
    return (kl * valid[..., np.newaxis]).sum(axis=1)
