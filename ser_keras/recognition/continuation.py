"""The generator on its own: from an instant on, it reads what it has generated itself."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ser_keras.model.cell import Step
from ser_keras.model.objective import DEGREES_OF_FREEDOM
from ser_keras.model.vrnn import VRNN

Tensor = Any


class Generated(NamedTuple):
    """M instants that the generator made.

    Example:
        >>> Generated(np.zeros((3, 40), np.float32), np.full((3, 8), 0.125)).probabilities.shape
        (3, 8)
    """

    observations: np.ndarray  # standardized, float32 [M, D]
    probabilities: np.ndarray  # of the emotion that it infers from them, float32 [M, C]


def generate(model: VRNN, observations: np.ndarray, instants: int, seed: int = 0) -> Generated:
    """Go on from a recording: each next observation is drawn from its likelihood.

    The latent variable is drawn from its posterior. Of a patch, only the frames that are new are
    drawn, around their mean: the others the patch shares with the one before it.

    Args:
        model: a trained model.
        observations: standardized, as `Replay.read` makes them, float32 [T, D].
        instants: how many to generate.
        seed: the same seed gives the same continuation.

    Example:
        >>> read = np.zeros((3, 13), np.float32)
        >>> first, again, other = (generate(model, read, 2, seed) for seed in (0, 0, 1))
        >>> first.observations.shape, np.array_equal(*[g.observations for g in (first, again)])
        ((2, 13), True)
        >>> np.array_equal(first.observations, other.observations)
        False
    """
    random, cell, spec = np.random.default_rng(seed), model.cell, model.features
    state = cell.seed_generator.state  # of the draws of the latent variable
    kept, drew = state.numpy(), cell.sample_latent
    lowest, highest = _limits(model)
    made, answers = [], []
    try:
        with cell.laid_out():
            states = cell.get_initial_state(1)
            for observation in observations:
                step, states = _step(cell, observation[np.newaxis], states)
            state.assign(np.array([seed % 2**31, 0], kept.dtype))
            cell.sample_latent = True
            for _ in range(instants):
                mean, scale = step.next_mean.numpy()[0], np.exp(step.next_log_scale.numpy()[0])
                noise = _noise(random, model.objective.likelihood, mean.shape)
                if spec.patch_shape:
                    frames = noise.reshape(spec.patch_shape)
                    frames[: spec.overlap_frames] = 0.0
                drawn = np.clip(mean + scale * noise, lowest, highest).astype(np.float32)
                step, states = _step(cell, drawn[np.newaxis], states)
                made.append(drawn)
                logits = step.logits.numpy()[0]
                answers.append(np.exp(logits - logits.max()))
    finally:
        state.assign(kept)
        cell.sample_latent = drew
    probabilities = np.stack(answers)
    return Generated(np.stack(made), probabilities / probabilities.sum(axis=1, keepdims=True))


def _step(cell: Any, observation: np.ndarray, states: list[Tensor]) -> tuple[Step, list[Tensor]]:
    output, states = cell(observation, states, training=False)
    return Step.split(output, cell.sizes), states


def _noise(random: np.random.Generator, likelihood: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw from a likelihood of mean 0 and scale 1."""
    if likelihood == "laplace":
        return random.laplace(size=shape)
    if likelihood == "student-t":
        return random.standard_t(DEGREES_OF_FREEDOM, size=shape)
    return random.normal(size=shape)


def _limits(model: VRNN) -> tuple[np.ndarray | float, np.ndarray | float]:
    """Return what observations lie between, standardized, flat; levels have a dynamic range."""
    if model.dynamic_range is None:
        return -np.inf, np.inf
    mean, scale = model.standardization.mean.numpy(), model.standardization.scale.numpy()
    frames = model.features.frames
    low, high = ((level - mean) / scale for level in (-model.dynamic_range.decibels, 0.0))
    return np.tile(low, frames), np.tile(high, frames)
