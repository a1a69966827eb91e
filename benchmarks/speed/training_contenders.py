"""The two programs that `benchmarks.speed.training` times: one epoch at a time, when told to.

    python -m benchmarks.speed.training_contenders pytorch --instants 4 --utterances 1024

Each trains the paper's model for RAVDESS on made-up observations. Once warm it writes a line, then
waits for a line before every epoch and answers with the seconds that the epoch took.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_keras.corpora.utterance import Corpus, Utterance
from ser_keras.features.extraction import Extraction
from ser_keras.model import presets

CLASSES = tuple("abcdefgh")
PRESET = presets.RAVDESS

Epochs = Callable[[np.ndarray, np.ndarray, int], None]


def made_up_data(utterances: int, instants: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw observations float32 [N, T, D], standard normal, and labels int32 [N]."""
    shape = (utterances, instants, PRESET.features.observation_size)
    observations = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return observations, np.arange(utterances, dtype=np.int32) % len(CLASSES)


def train_keras(observations: np.ndarray, labels: np.ndarray, threads: int) -> None:
    """Train through `fit` on the package's own pipeline until the input ends."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    from ser_keras import VRNN
    from ser_keras.training import pipeline

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)

    class Timed(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if epoch > 0 and not told():
                raise SystemExit
            self.started = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            say(time.perf_counter() - self.started)

    utterances = tuple(
        Utterance(Path(str(index)), CLASSES[label]) for index, label in enumerate(labels)
    )
    extraction = Extraction(
        Corpus("made up", utterances, CLASSES), list(observations), np.ones(len(labels)), (), ()
    )
    model = VRNN(CLASSES, PRESET, seed=0)
    model.compile()
    batches = pipeline.batches(extraction, PRESET.optimization.batch_size, shuffle=True)
    model.fit(batches, epochs=sys.maxsize, verbose=0, callbacks=[Timed()])


def train_torch(observations: np.ndarray, labels: np.ndarray, threads: int) -> None:
    """Train in PyTorch, with the data in memory, until the input ends."""
    import torch

    from benchmarks.speed.torch_vrnn import TorchVRNN, mean_loss

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    optimization = PRESET.optimization
    model = TorchVRNN(observations.shape[2], len(CLASSES), PRESET.architecture)
    optimizer = torch.optim.RMSprop(
        model.parameters(),
        lr=optimization.learning_rate,
        alpha=optimization.rho,
        eps=optimization.epsilon,
        foreach=True,  # quicker than PyTorch's own choice on a CPU
    )
    inputs, targets = torch.from_numpy(observations), torch.from_numpy(labels).long()
    instants = torch.full((len(labels),), observations.shape[1])

    model.train()
    warm = False
    while not warm or told():
        started = time.perf_counter()
        total, correct = torch.zeros(()), torch.zeros(())
        for indexes in torch.randperm(len(labels)).split(optimization.batch_size):
            steps = model(inputs[indexes], instants[indexes])
            loss = mean_loss(
                steps, inputs[indexes], instants[indexes], targets[indexes], PRESET.objective
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(indexes)
            correct += (steps.logits.detach().argmax(-1) == targets[indexes]).sum()
        say(time.perf_counter() - started)
        warm = True


CONTENDERS: dict[str, Epochs] = {"ser_keras": train_keras, "pytorch": train_torch}


def told() -> bool:
    """Wait for a line; False at the end of the input."""
    return bool(sys.stdin.readline())


def say(seconds: float) -> None:
    """Print the seconds that an epoch took."""
    print(seconds, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("--utterances", type=int, required=True)
    parser.add_argument("--instants", type=int, required=True)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    data = made_up_data(arguments.utterances, arguments.instants)
    CONTENDERS[arguments.contender](*data, arguments.threads)


if __name__ == "__main__":
    main()
