"""Tempo, vocal tract and the beginning of patches, drawn anew for every utterance of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ser_keras.model.augmentation import RandomLayer
from ser_keras.model.replicas import own_rows

Tensor = Any
Shape = tuple[int | None, ...]

CHANGED = 0.5  # share of the utterances that are warped; the others stay as they are


@keras.saving.register_keras_serializable(package="ser_keras")
class SpectrogramWarp(RandomLayer):
    """Lets half of the utterances have another tempo, vocal tract and beginning.

    The patches of an utterance are one spectrogram. It is read faster or slower, from any frame of
    the first hop, and with frequencies that are all so many times as high (vocal tract length
    perturbation, Jaitly and Hinton 2013), linearly interpolated in time and between bands, and cut
    into patches again. A copy of the sound (`ser_keras.features.augmentation.vary`) changes tempo
    and frequencies together, and is the same in every epoch.

    Args:
        tempo: an utterance is up to e to this power faster or slower.
        tract: its frequencies are up to e to this power higher or lower.
        overlap: frames at the end of a patch that the next one begins with.
        frequencies: of the bands, in hertz, ascending.
        seed: seed of the draws.

    Call arguments:
        inputs: log-mel patches in decibels, float32 [B, T, frames, bands].
        instants: valid instants of each utterance, int32 [B].
        training: whether to warp at all.

    Returns:
        Patches [B, T', frames, bands] and their instants, int32 [B]; the longest utterance has T'.
        What a patch lacks at the end is the last frame again.

    Example:
        >>> warp = SpectrogramWarp(tempo=0.1, tract=0.1, overlap=2, frequencies=[100, 200, 400])
        >>> before = np.array([3, 2])
        >>> patches, instants = warp(np.ones((2, 3, 4, 3), np.float32), before, training=True)
        >>> bool(np.all(np.abs(instants - before) <= 1)), patches.shape[2:]
        (True, TensorShape([4, 3]))
    """

    def __init__(
        self,
        tempo: float,
        tract: float,
        overlap: int,
        frequencies: Sequence[float],
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.tempo, self.tract, self.overlap = tempo, tract, overlap
        self.frequencies = [float(each) for each in frequencies]

    def build(self, inputs_shape: Shape, instants_shape: Shape) -> None:
        """Create nothing: there are no weights."""

    def compute_output_shape(
        self, inputs_shape: Shape, instants_shape: Shape
    ) -> tuple[Shape, Shape]:
        """Return the shapes of patches and instants."""
        return (inputs_shape[0], None, *inputs_shape[2:]), instants_shape

    def call(
        self, inputs: Tensor, instants: Tensor, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Warp; see the class."""
        if not training:
            return inputs, instants
        instants = tf.cast(instants, tf.int32)
        draws = own_rows(self._draws, tf.shape(inputs)[0])  # [B, 4], from 0 to 1
        changed = draws[:, 0] < CHANGED
        rate, height = (
            tf.where(changed, tf.exp(most * (2.0 * draws[:, column] - 1.0)), 1.0)
            for column, most in ((1, self.tempo), (2, self.tract))
        )
        frames = inputs.shape[2]
        hop = frames - self.overlap
        begin = tf.where(changed, tf.floor(draws[:, 3] * hop), 0.0)
        last = tf.cast(instants * hop + self.overlap - 1, tf.float32)  # an utterance's last frame
        longest = tf.floor((last - begin) / rate) + 1.0 - self.overlap
        count = tf.maximum(tf.cast(tf.math.ceil(longest / hop), tf.int32), 1)

        positions = np.arange(frames) + hop * tf.range(tf.reduce_max(count))[:, None]  # [T', F]
        wanted = rate[:, None, None] * tf.cast(positions, tf.float32) + begin[:, None, None]
        wanted = tf.minimum(wanted, last[:, None, None])  # [B, T', frames]
        whole = tf.floor(wanted)
        # As it was, an utterance has the very patches that it came in.
        own = tf.where(changed, -1, tf.shape(inputs)[1])
        earlier, later = (
            self._frames(inputs, tf.minimum(whole + step, last[:, None, None]), instants, own)
            for step in (0.0, 1.0)
        )
        between = (wanted - whole)[..., None]
        warped = earlier + between * (later - earlier)
        return tf.einsum("btfk,bnk->btfn", warped, self._bands(height)), count

    def _frames(self, patches: Tensor, positions: Tensor, instants: Tensor, own: Tensor) -> Tensor:
        """Return frames of spectrograms by their positions [B, T', F]: [B, T', F, bands]."""
        hop = patches.shape[2] - self.overlap
        positions = tf.cast(positions, tf.int32)
        # From the middle of a patch, as its ends are less exact.
        patch = (positions - self.overlap // 2) // hop
        patch = tf.clip_by_value(patch, 0, instants[:, None, None] - 1)
        same = tf.range(tf.shape(positions)[1])[None, :, None]
        patch = tf.where(same < own[:, None, None], same, patch)
        flat = tf.reshape(patches, [tf.shape(patches)[0], -1, patches.shape[3]])
        # Laid end to end, each patch before has moved a frame behind by what it shares.
        return tf.gather(flat, positions + patch * self.overlap, batch_dims=1)

    def _bands(self, height: Tensor) -> Tensor:
        """Return what each band [B, n] has of each that came in, float32 [B, n, k]."""
        centers = tf.constant(self.frequencies, tf.float32)
        wanted = centers[None, :, None] / height[:, None, None]
        steps = (wanted - centers[:-1]) / (centers[1:] - centers[:-1])  # [B, n, k − 1]
        position = tf.reduce_sum(tf.clip_by_value(steps, 0.0, 1.0), axis=-1, keepdims=True)
        return tf.maximum(0.0, 1.0 - tf.abs(position - np.arange(len(self.frequencies))))

    def _draws(self, count: Tensor) -> Tensor:
        return keras.random.uniform((count, 4), seed=self.seed_generator)
