"""The VRNN of `ser_keras.model` as a PyTorch user would write it.

The same equations, sizes, dropouts and loss, in PyTorch's quickest legal form: the feedback of the
prediction forces recognition and generation to step one instant at a time; nothing waits for the
classification, so its LSTM and everything else runs over all instants at once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ser_keras.model.gaussian import LOG_SCALE_LIMIT
from ser_keras.model.settings import Architecture, Objective


class Steps(NamedTuple):
    """Outputs of every instant; T instants, B utterances, D observation, Z latent, C classes."""

    posterior_mean: Tensor  # [T, B, Z]
    posterior_log_scale: Tensor  # [T, B, Z]
    next_mean: Tensor  # x̂ of the next instant, [T, B, D]
    next_log_scale: Tensor  # [T, B, D]
    logits: Tensor  # at each utterance's last instant, [B, C]


class TorchVRNN(nn.Module):
    """Recognition by generation in PyTorch (Algorithms 1 and 2).

    Args:
        observation_size: D.
        classes: C.
        architecture: sizes, dropouts and attention.
    """

    def __init__(self, observation_size: int, classes: int, architecture: Architecture) -> None:
        super().__init__()
        self.attention = architecture.attention
        latent_size = architecture.latent_size
        self.recognition = nn.LSTMCell(observation_size, architecture.recognition_units)
        self.generation = nn.LSTMCell(latent_size, architecture.generation_units)
        self.classification = nn.LSTM(latent_size, architecture.classification_units)
        self.posterior = nn.Linear(architecture.recognition_units, 2 * latent_size)
        self.likelihood = nn.Linear(architecture.generation_units, 2 * observation_size)
        self.class_logits = nn.Linear(architecture.classification_units, classes)
        self.drop_recognition = nn.Dropout(architecture.recognition_dropout)
        self.drop_generation = nn.Dropout(architecture.generation_dropout)
        self.drop_classification = nn.Dropout(architecture.classification_dropout)

    def forward(self, observations: Tensor, instants: Tensor) -> Steps:
        """Run over a batch; z is sampled in training and the posterior's mean otherwise.

        Args:
            observations: standardised, float32 [B, T, D].
            instants: how many of them are valid, int64 [B].
        """
        batch = len(observations)
        prediction = observations[:, 0]  # nothing is predicted yet, so everything is sampled
        recognition_state: tuple[Tensor, Tensor] | None = None
        generation_state: tuple[Tensor, Tensor] | None = None
        latents, posteriors, likelihoods = [], [], []
        for observation in observations.unbind(1):
            sampled = self._sample_observation(observation, prediction)
            recognition_state = self.recognition(sampled, recognition_state)
            posterior = self.posterior(self.drop_recognition(recognition_state[0]))
            latent = self._latent(posterior)
            generation_state = self.generation(latent, generation_state)
            likelihood = self.likelihood(self.drop_generation(generation_state[0]))
            prediction = likelihood.chunk(2, dim=-1)[0]
            latents.append(latent)
            posteriors.append(posterior)
            likelihoods.append(likelihood)

        hidden, _ = self.classification(torch.stack(latents))
        last = hidden[instants - 1, torch.arange(batch)]
        return Steps(
            *_gaussian_parameters(torch.stack(posteriors)),
            *_gaussian_parameters(torch.stack(likelihoods)),
            self.class_logits(self.drop_classification(last)),
        )

    def _sample_observation(self, observation: Tensor, prediction: Tensor) -> Tensor:
        """Compute the attention of Eq. 2-4, [B, D]."""
        if not self.attention:
            return observation
        saliency = (observation - prediction).abs()
        return torch.where(saliency >= saliency.mean(-1, keepdim=True), observation, prediction)

    def _latent(self, posterior: Tensor) -> Tensor:
        """Draw z_t, [B, Z]."""
        mean, log_scale = _gaussian_parameters(posterior)
        return mean + log_scale.exp() * torch.randn_like(mean) if self.training else mean


def mean_loss(
    steps: Steps, observations: Tensor, instants: Tensor, labels: Tensor, objective: Objective
) -> Tensor:
    """Compute the negative of Eq. 5, averaged over a batch; the class term at the last instant.

    Args:
        steps: of `TorchVRNN`.
        observations: float32 [B, T, D].
        instants: int64 [B].
        labels: int64 [B].
        objective: the three weights.
    """
    length = observations.shape[1]
    valid = torch.arange(length)[:, None] < instants  # [T, B]

    deviation = observations.transpose(0, 1)[1:] - steps.next_mean[:-1]
    log_scale = steps.next_log_scale[:-1]
    generation = (
        0.5 * (deviation * torch.exp(-log_scale)).square() + log_scale + 0.5 * math.log(2 * math.pi)
    ).sum(-1)
    mean, log_scale = steps.posterior_mean, steps.posterior_log_scale
    kl = (0.5 * (mean.square() + torch.exp(2 * log_scale) - 1) - log_scale).sum(-1)
    classification = functional.cross_entropy(steps.logits, labels)
    return (
        objective.generation_weight * (generation * valid[1:]).sum() / len(labels)
        + objective.kl_weight * (kl * valid).sum() / len(labels)
        + objective.classification_weight * classification
    )


def _gaussian_parameters(affine: Tensor) -> tuple[Tensor, Tensor]:
    mean, log_scale = affine.chunk(2, dim=-1)
    return mean, log_scale.clamp(-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT)
