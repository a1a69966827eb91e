"""Sound to observations inside an exported graph: WAV files or waveforms of any length."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from ser_keras.export.graph import sequences, wav
from ser_keras.features.frontend import Frontend
from ser_keras.features.spec import FeatureSpec
from ser_keras.sound import resampling
from ser_keras.sound.level import SILENT_LEVEL

# Windows decoded, resampled and transformed at once; bounds the memory that a long recording takes
# beyond its own bytes.
_WINDOWS_PER_GROUP = 16


class Observed(NamedTuple):
    """The observations of sound.

    Example:
        >>> observations, instants = np.zeros((1, 3, 13)), np.array([3])
        >>> Observed(observations, instants, np.array([True]), np.array([""])).silent
        array([ True])
    """

    observations: tf.Tensor  # float32 [B, T, *observation_shape], zero beyond the valid ones
    instants: tf.Tensor  # int32 [B]
    silent: tf.Tensor  # bool [B]: all windows are below `ser_keras.sound.level.SILENT_LEVEL`
    problem: tf.Tensor  # string [B], why the sound cannot be used; "" where it can


class SoundFrontend:
    """Computes observations from sound, in TensorFlow core operations alone.

    Sound that is shorter than one window, the silence behind it included, is padded to one.

    Example:
        >>> frontend = SoundFrontend(model.features)  # windows and hops of 0.5 s
        >>> frontend.from_waveforms(np.zeros((1, 12_000), "f"), np.array([12_000]))[0].shape
        TensorShape([1, 3, 13])
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        # The silence behind a recording is added here, before the recording is cut into groups.
        self._frontend = Frontend(dataclasses.replace(spec, trailing_silence=0.0))

    def from_waveforms(self, waveform: tf.Tensor, samples: tf.Tensor) -> Observed:
        """Compute the observations of waveforms.

        Args:
            waveform: float32 [B, N] at the specification's rate.
            samples: int32 [B], valid lengths, 1 to N; what lies beyond has no influence.
        """
        waveform, samples, problem = sequences.usable("waveform", waveform, "samples", samples)
        window, silence = self.spec.window_length, self.spec.trailing_length
        longest = tf.shape(waveform)[1]
        padded = tf.pad(waveform, [[0, 0], [0, tf.maximum(window - longest, silence)]])
        observations, instants = self._frontend(padded, tf.maximum(samples + silence, window))
        levels = self._deviations(padded)  # [B, at least T]
        complete = tf.sequence_mask(instants, tf.shape(levels)[1])
        return Observed(
            observations,
            instants,
            _is_silent(tf.reduce_max(tf.where(complete, levels, 0.0), axis=1)),
            problem,
        )

    def from_files(self, contents: tf.Tensor) -> Observed:
        """Do as `from_waveforms` for recordings: string [B], the bytes of 16-bit PCM WAV files."""
        fields = wav.Recording(tf.int64, tf.int64, tf.int64, tf.int64, tf.string)
        recordings = tf.map_fn(wav.inspect, contents, fn_output_signature=fields)  # [B] each
        # Windows that fit into the resampled sound and the silence, and at least one.
        length = self._samples(recordings) + self.spec.trailing_length
        beyond_first = tf.maximum(length - self.spec.window_length, 0)
        instants = tf.cast(beyond_first // self.spec.hop_length + 1, tf.int32)
        most = tf.reduce_max(instants)  # T
        observations, loudest = tf.map_fn(
            lambda item: self._from_file(item[0], item[1], item[2], most),
            (contents, recordings, instants),
            fn_output_signature=(
                tf.TensorSpec([None, *self.spec.observation_shape], tf.float32),
                tf.TensorSpec([], tf.float32),
            ),
        )
        return Observed(observations, instants, _is_silent(loudest), recordings.problem)

    def _deviations(self, waveforms: tf.Tensor) -> tf.Tensor:
        """Compute the standard deviation of every window: [B, N] to [B, T]."""
        windows = tf.signal.frame(waveforms, self.spec.window_length, self.spec.hop_length)
        return tf.math.reduce_std(windows, axis=-1)

    def _samples(self, recording: wav.Recording) -> tf.Tensor:
        """Samples after resampling, rounded up as librosa does, int64."""
        return -(-recording.frames * self.spec.sample_rate // recording.rate)

    def _from_file(
        self, contents: tf.Tensor, recording: wav.Recording, instants: tf.Tensor, most: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Observe one file.

        Returns:
            observations [most, *observation_shape], zero from `instants` on, and the largest
            standard deviation of a window, [].
        """
        spec, rate = self.spec, self.spec.sample_rate
        resampler = resampling.design(recording.rate, rate)
        samples = self._samples(recording)

        def read(start: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
            """Samples from `start` on at the specification's rate, [length]."""
            # Both sample grids meet exactly on whole seconds: begin there, drop what is too early.
            second = start // rate
            skipped = start - second * rate
            first = second * recording.rate - resampler.before
            inputs = resampler.inputs(skipped + length)
            waveform = wav.read(contents, recording, first, first + inputs)  # [inputs]
            resampled = resampler.resample(waveform, skipped + length)[skipped:]
            # The filter rings on behind the recording, where silence belongs.
            valid = tf.clip_by_value(samples - start, 0, length)
            return tf.where(tf.sequence_mask(valid, length), resampled, 0.0)

        def add(
            group: tf.Tensor, loudest: tf.Tensor, results: tf.TensorArray
        ) -> tuple[tf.Tensor, tf.Tensor, tf.TensorArray]:
            first = group * _WINDOWS_PER_GROUP
            windows = tf.minimum(_WINDOWS_PER_GROUP, instants - first)
            start = tf.cast(first, tf.int64) * spec.hop_length
            length = tf.cast(windows - 1, tf.int64) * spec.hop_length + spec.window_length
            waveform = read(start, length)
            observations, _ = self._frontend(waveform[tf.newaxis], length[tf.newaxis])
            loudest = tf.maximum(loudest, tf.reduce_max(self._deviations(waveform[tf.newaxis])))
            return group + 1, loudest, results.write(group, observations[0])  # [windows, …]

        groups = -(-instants // _WINDOWS_PER_GROUP)
        shape = spec.observation_shape
        results = tf.TensorArray(
            tf.float32, groups, infer_shape=False, element_shape=[None, *shape]
        )
        # One group after another: in parallel all of them would be in memory at once.
        _, loudest, results = tf.while_loop(
            lambda group, *_: group < groups, add, (0, 0.0, results), parallel_iterations=1
        )
        observations = tf.reshape(results.concat(), [instants, *shape])
        return tf.pad(observations, [[0, most - instants]] + [[0, 0]] * len(shape)), loudest


def _is_silent(loudest: tf.Tensor) -> tf.Tensor:
    """Tell silence, bool [B], by the largest standard deviations of windows [B]."""
    return loudest < 10 ** (SILENT_LEVEL / 20)
