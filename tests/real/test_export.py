"""Exported models answer real speech as the Keras model does on librosa's features."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from ser_keras import corpora, export
from ser_keras.corpora.utterance import Corpus
from ser_keras.export.graph.frontend import SoundFrontend
from ser_keras.features import reference as features
from ser_keras.features.spec import FeatureSpec
from ser_keras.model.vrnn import VRNN
from ser_keras.sound import decoding
from ser_keras.training import pipeline

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def corpus(ravdess: Path) -> Corpus:
    """Every 19th utterance: all speakers and emotions."""
    corpus = corpora.load("ravdess", ravdess)
    return corpus.subset(range(0, len(corpus), 19))


@pytest.fixture(scope="module")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> VRNN:
    """A model of the paper's sizes that has learnt these utterances by heart: it is sure."""
    model = VRNN.from_preset("ravdess", corpus.emotions, seed=0)
    model.compile()
    cache = tmp_path_factory.mktemp("features")
    model.fit(
        pipeline.dataset(corpus, model.features, cache=cache), epochs=40, shuffle=False, verbose=0
    )
    return model


@pytest.fixture(scope="module")
def sounds(corpus: Corpus, trained: VRNN) -> list[np.ndarray]:
    return [decoding.load(utterance.path, trained.features.sample_rate) for utterance in corpus]


@pytest.fixture(scope="module")
def reference(trained: VRNN, sounds: list[np.ndarray]) -> list[np.ndarray]:
    """Probabilities of every utterance, from librosa's features."""
    answers = []
    for sound in sounds:
        observations = features.extract(sound, trained.features)[np.newaxis]
        answers.append(trained(observations)["probabilities"][0].numpy())
    return answers


@pytest.fixture(scope="module")
def originals(ravdess: Path) -> list[Path]:
    """Files as released: 48 kHz WAV, some stereo, half of them with a chunk of odd length."""
    files = sorted((ravdess.parent / "ravdess-original").glob("Actor_*/*.wav"))
    if not files:
        pytest.skip(f"needs files as released in {ravdess.parent / 'ravdess-original'}")
    return files


@pytest.fixture(scope="module")
def serve(trained: VRNN, tmp_path_factory: pytest.TempPathFactory):
    folder = export.saved_model(trained, tmp_path_factory.mktemp("served") / "1")
    return tf.saved_model.load(str(folder)).signatures["serving_default"]


def observe(spec: FeatureSpec) -> Callable[..., Any]:
    return tf.function(SoundFrontend(spec).from_files, autograph=False)


def wav(sound: np.ndarray, rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def test_features_at_the_models_own_rate(trained: VRNN, sounds: list[np.ndarray]):
    spec = trained.features
    observations, instants, *_ = observe(spec)(
        tf.constant([wav(sound, spec.sample_rate) for sound in sounds])
    )
    for row, sound in enumerate(sounds):
        expected = features.extract(sound, spec)
        assert int(instants[row]) == len(expected)
        np.testing.assert_allclose(observations[row, : len(expected)], expected, atol=1e-2)


def test_probabilities_at_the_models_own_rate(
    serve: Callable[..., Any], trained: VRNN, sounds: list[np.ndarray], reference: list[np.ndarray]
):
    files = [wav(sound, trained.features.sample_rate) for sound in sounds]
    answer = serve(audio=tf.constant(files))
    np.testing.assert_allclose(answer["probabilities"], reference, atol=1e-3)


def test_files_as_released_are_resampled_as_soxr_does(
    serve: Callable[..., Any], trained: VRNN, originals: list[Path]
):
    spec = trained.features
    contents = tf.constant([path.read_bytes() for path in originals])
    observations, instants, *_ = observe(spec)(contents)
    emotions = serve(audio=contents)["emotion"].numpy()
    for row, path in enumerate(originals):
        expected = features.extract(decoding.load(path, spec.sample_rate), spec)
        assert int(instants[row]) == len(expected)
        np.testing.assert_allclose(observations[row, : len(expected)], expected, atol=0.1)
        probabilities = trained(expected[np.newaxis])["probabilities"][0].numpy()
        assert emotions[row].decode() == trained.classes[probabilities.argmax()]


# Weights in 8 bits can move a coefficient across the threshold of its attention: an utterance then
# differs more than rounding alone would make it.
@pytest.mark.parametrize(
    ("precision", "tolerance", "share", "megabytes"),
    [("float32", 1e-4, 1.0, 10.5), ("float16", 1e-2, 1.0, 5.5), ("int8", 1e-1, 0.98, 3.0)],
)
def test_tflite_agrees_with_the_model(
    trained: VRNN,
    sounds: list[np.ndarray],
    reference: list[np.ndarray],
    tmp_path: Path,
    precision: str,
    tolerance: float,
    share: float,
    megabytes: float,
):
    file = export.tflite(trained, tmp_path / "model.tflite", precision)
    assert file.stat().st_size < megabytes * 1e6
    utterance = Interpreter(str(file)).get_signature_runner("utterance")
    answers = np.array(
        [utterance(waveform=sound[np.newaxis])["probabilities"][0] for sound in sounds]
    )
    differences = np.abs(answers - reference).max(axis=1)
    assert np.mean(differences <= tolerance) >= share
    same = answers.argmax(axis=1) == np.argmax(reference, axis=1)
    assert same.mean() >= 0.98


def test_the_copied_runner_answers_with_numpy_and_the_runtime_alone(
    trained: VRNN,
    sounds: list[np.ndarray],
    reference: list[np.ndarray],
    bare_packages: Path,
    tmp_path: Path,
):
    export.tflite(trained, tmp_path / "model.tflite")
    shutil.copy(Path(export.__file__).with_name("runner.py"), tmp_path)
    for sound, expected in list(zip(sounds, reference, strict=True))[::16]:
        (tmp_path / "speech.wav").write_bytes(wav(sound, trained.features.sample_rate))
        done = subprocess.run(
            [sys.executable, "-S", "runner.py", "model.tflite", "speech.wav"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(bare_packages)},
            capture_output=True,
            check=True,
        )
        *_, last = done.stdout.splitlines()
        probabilities = list(json.loads(last)["probabilities"].values())
        np.testing.assert_allclose(probabilities, expected, atol=1e-4)
