"""Uncertainty by Monte Carlo: the answers' spread when the latent variable is sampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr

from ser_keras.model.vrnn import VRNN


def sample(model: VRNN, inputs: Any, samples: int = 20) -> dict[str, np.ndarray]:
    """Answer with z_t sampled from its posterior instead of taking the posterior's mean.

    Args:
        model: a trained model.
        inputs: as the model's `call` takes them.
        samples: answers per input.

    Returns:
        probabilities: [B, C], the mean over the samples.
        standard_deviation: [B, C], over the samples.
        entropy: [B], of the mean, in nats.
        mutual_information: [B], the share of the entropy that is due to the latent variable
            (Houlsby et al. 2011, arXiv:1112.5745, Eq. 1).

    Example:
        >>> observations = ser.features.extract(np.ones(24000, np.float32), model.features)
        >>> answer = ser.uncertainty.sample(model, observations[np.newaxis], samples=3)
        >>> bool(answer["mutual_information"][0] < answer["entropy"][0] < np.log(8))
        True
    """
    model.cell.sample_latent = True
    try:
        draws = np.stack([model(inputs)["probabilities"].numpy() for _ in range(samples)])
    finally:
        model.cell.sample_latent = None
    mean = draws.mean(axis=0)  # [samples, B, C] to [B, C]
    entropy = entr(mean).sum(axis=-1)  # [B]; entr(p) is -p log p
    return {
        "probabilities": mean,
        "standard_deviation": draws.std(axis=0),
        "entropy": entropy,
        "mutual_information": entropy - entr(draws).sum(axis=-1).mean(axis=0),
    }
