"""Training that begins with a trained model, to make it one's own with few recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ser_keras.errors import ConfigurationError
from ser_keras.fields import require
from ser_keras.model import files as model_files
from ser_keras.model.pretrained import take_weights
from ser_keras.model.settings import Preset
from ser_keras.model.vrnn import VRNN

# The cell's parts that can stay as they are.
PARTS = ("encoder", "recognition", "posterior", "generation", "likelihood", "classification")
# Of the learning rate that trained the model: the whole rate would undo what it has learnt.
RATE = 0.3


def preset_for(model: str, settings: Mapping[str, Any]) -> Preset:
    """Return the preset to go on with: the trained model's, at a lower rate, settings replaced.

    It has as many copies of every corpus: what was settled for some was for those of that training.

    Raises:
        ConfigurationError: there is no such model, or no such setting.

    Example:
        >>> chosen, trained = preset_for("tiny", {"epochs": 4}), ser.VRNN.from_preset("tiny").preset
        >>> chosen.optimization.epochs
        4
        >>> round(chosen.optimization.learning_rate / trained.optimization.learning_rate, 3) == RATE
        True
    """
    trained = model_files.load(model).preset
    rate = RATE * trained.optimization.learning_rate
    own = {"optimization.learning_rate": rate, "augmentation.copies_of": ()}
    return trained.with_settings(own).with_settings(settings)


def begin(model: VRNN, pretrained: str, frozen: tuple[str, ...] = ()) -> None:
    """Give a new model a trained one's weights and standardization, and freeze parts of it.

    Raises:
        ConfigurationError: there is no such model or part, or its weights do not fit.

    Example:
        >>> mine = ser.VRNN.from_preset(ser.VRNN.from_preset("tiny").preset, ("calm", "cross"))
        >>> begin(mine, "tiny", frozen=("encoder",))
        >>> mine.adapted, mine.cell.encoder.trainable, mine.cell.recognition.trainable
        (True, False, True)
    """
    for part in frozen:
        require(part in PARTS, "frozen", part, f"one of {', '.join(PARTS)}")
        layer = getattr(model.cell, part)
        if layer is None:
            raise ConfigurationError(f"frozen: expected a part of {pretrained}, found {part}")
        layer.trainable = False
    take_weights(model, model_files.load(pretrained))


def release(model: VRNN, frozen: tuple[str, ...]) -> None:
    """Let parts that were frozen be trained again, once training is over.

    The optimizer is new, since a `.keras` file cannot be loaded with one of fewer weights.

    Example:
        >>> mine = ser.VRNN.from_preset("tiny")
        >>> release(mine, frozen=("encoder",))
        >>> mine.cell.encoder.trainable
        True
    """
    for part in frozen:
        getattr(model.cell, part).trainable = True
    if frozen:
        model.compile()
