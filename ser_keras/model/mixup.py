"""Mixtures of two utterances and their labels, while training (mixup)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Tensor = Any


@keras.saving.register_keras_serializable(package="ser_keras")
class Mixup(keras.layers.Layer):
    """Mixes every utterance of a batch with another of it, observations and labels alike.

    λ x + (1 − λ) x' for every element of the observations and for the label, with λ drawn from
    Beta(α, α) for each utterance (Zhang et al. 2018, arXiv:1710.09412). λ is at least one half, for
    the mixture is as long as its first utterance: where the other has ended, the first is alone.

    Args:
        alpha: α; the larger, the more even the mixtures.
        seed: of shares and partners.

    Call arguments:
        observations: standardised, float32 [B, T, D].
        instants: valid ones, int32 [B].
        labels: probabilities of the classes, float32 [B, C].

    Returns:
        Mixed observations [B, T, D] and labels [B, C].
    """

    def __init__(self, alpha: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.alpha, self.seed = alpha, seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, observations: Tensor, instants: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mix; the shapes stay."""
        batch, length = ops.shape(observations)[:2]
        drawn = keras.random.beta((batch, 1), self.alpha, self.alpha, seed=self.seed_generator)
        share = ops.maximum(drawn, 1.0 - drawn)
        partners = keras.random.shuffle(ops.arange(batch), seed=self.seed_generator)
        mixed_labels = share * labels + (1.0 - share) * ops.take(labels, partners, axis=0)

        heard = ops.arange(length)[None, :] < ops.take(instants, partners, axis=0)[:, None]
        shares = ops.where(heard, share, 1.0)[..., None]
        others = ops.take(observations, partners, axis=0)
        return shares * observations + (1.0 - shares) * others, mixed_labels

    def get_config(self) -> dict[str, Any]:
        """Arguments of the constructor."""
        config = super().get_config()
        del config["dtype"]
        return config | {"alpha": self.alpha, "seed": self.seed}
