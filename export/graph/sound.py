"""From sound to observations inside an exported graph: WAV files or waveforms, of any length."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from ser_keras.export.graph import resampling, wav
from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec

# Windows that are decoded, resampled and observed together: what memory a long recording takes
# beyond its own bytes.
WINDOWS_TOGETHER = 16


class Hearing:
    """Makes sound into observations, in TensorFlow core operations alone.

    Sound shorter than one window, with the silence that follows it, is padded to one.

    Args:
        spec: the observations wanted.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        # The silence behind a recording is put there before its windows are cut.
        self._frontend = Frontend(dataclasses.replace(spec, trailing_silence=0.0))

    def of_waveforms(self, waveform: tf.Tensor, samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Observe waveforms.

        Args:
            waveform: float32 [B, N] at the specification's rate.
            samples: int32 [B], valid lengths, 1 to N; what lies beyond has no influence.

        Returns:
            observations float32 [B, T, *observation_shape], zero beyond the valid ones, and
            instants int32 [B].
        """
        window, silence = self.spec.window_length, self.spec.trailing_length
        longest = tf.shape(waveform)[1]
        valid = tf.sequence_mask(samples, longest)
        padded = tf.pad(
            tf.where(valid, waveform, 0.0), [[0, 0], [0, tf.maximum(window - longest, silence)]]
        )
        return self._frontend(padded, tf.maximum(samples + silence, window))

    def of_files(self, contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Observe recordings.

        Args:
            contents: string [B], the bytes of 16-bit PCM WAV files.

        Returns:
            As `of_waveforms`.

        Raises:
            tf.errors.InvalidArgumentError: on running, as `wav.inspect`.
        """
        types = wav.Recording(*[tf.int64] * len(wav.Recording._fields))
        recordings = tf.map_fn(wav.inspect, contents, fn_output_signature=types)
        instants = self._instants(recordings)
        most = tf.reduce_max(instants)
        observations = tf.map_fn(
            lambda item: self._of_file(item[0], item[1], item[2], most),
            (contents, recordings, instants),
            fn_output_signature=tf.TensorSpec([None, *self.spec.observation_shape], tf.float32),
        )
        return observations, instants

    def _instants(self, recording: wav.Recording) -> tf.Tensor:
        """Windows that fit after resampling, and at least one; int32."""
        heard = self._samples(recording) + self.spec.trailing_length
        beyond_first = tf.maximum(heard - self.spec.window_length, 0)
        return tf.cast(beyond_first // self.spec.hop_length + 1, tf.int32)

    def _samples(self, recording: wav.Recording) -> tf.Tensor:
        """Samples after resampling, as many as librosa gives; int64."""
        return -(-recording.frames * self.spec.sample_rate // recording.rate)

    def _of_file(
        self, contents: tf.Tensor, recording: wav.Recording, instants: tf.Tensor, most: tf.Tensor
    ) -> tf.Tensor:
        """Observations of one file, [most, *observation_shape], zero from `instants` on."""
        spec = self.spec
        resampler = resampling.design(recording.rate, spec.sample_rate)
        groups = -(-instants // WINDOWS_TOGETHER)
        results = tf.TensorArray(
            tf.float32, groups, infer_shape=False, element_shape=[None, *spec.observation_shape]
        )

        def add(group: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            first = group * WINDOWS_TOGETHER
            windows = tf.minimum(WINDOWS_TOGETHER, instants - first)
            start = tf.cast(first, tf.int64) * spec.hop_length
            length = tf.cast(windows - 1, tf.int64) * spec.hop_length + spec.window_length
            waveform = self._resampled(contents, recording, resampler, start, length)
            observations, _ = self._frontend(waveform[tf.newaxis], length[tf.newaxis])
            return group + 1, results.write(group, observations[0])

        _, results = tf.while_loop(
            lambda group, _: group < groups, add, (0, results), parallel_iterations=1
        )
        padding = [[0, most - instants]] + [[0, 0]] * len(spec.observation_shape)
        observations = tf.reshape(results.concat(), [instants, *spec.observation_shape])
        return tf.pad(observations, padding)

    def _resampled(
        self,
        contents: tf.Tensor,
        recording: wav.Recording,
        resampler: resampling.Resampler,
        start: tf.Tensor,
        length: tf.Tensor,
    ) -> tf.Tensor:
        """Samples start to start + length at the specification's rate; silence after the end."""
        rate = self.spec.sample_rate
        # On whole seconds the two rates meet exactly.
        second = start // rate
        skipped = start - second * rate
        first = second * recording.rate - resampler.before
        inputs = resampler.inputs(skipped + length)
        waveform = wav.read(contents, recording, first, first + inputs)
        resampled = resampler.resample(waveform, skipped + length)[skipped:]
        # The filter rings on after the recording; a short one is padded with silence.
        heard = tf.clip_by_value(self._samples(recording) - start, 0, length)
        return tf.where(tf.sequence_mask(heard, length), resampled, 0.0)
