"""A new model that begins with trained weights."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from typing import Any

import keras

from ser_keras.corpora.matching import find_class
from ser_keras.errors import ConfigurationError
from ser_keras.model.settings import Preset

_HEAD = ("class_logits/kernel", "class_logits/bias", "temperature")  # below the cell
# Settings of the architecture that trained weights may well be used with another value of.
_WITHOUT_CONCERN = ("_dropout", "attention", "initial_log_scale")


def take_weights(model: Any, trained: Any) -> None:
    """Give a model the weights of a trained one, but for classes that the trained one lacks.

    The affine layer that makes logits has a column for each class. Where the classes differ, those
    that the trained model knows, by the same name or a synonym, keep their columns, and others
    begin anew. The temperature was fitted to all of them, and begins at 1.

    Args:
        model: a new `VRNN`.
        trained: the `VRNN` to take from.

    Raises:
        ConfigurationError: settings other than the trained model's make weights of other shapes.

    Example:
        >>> new = ser.VRNN(("calm", "angry"), model.preset)
        >>> take_weights(new, model)
        >>> bool(np.all(new.cell.posterior.kernel == model.cell.posterior.kernel))
        True
    """
    own, others = _by_name(model), _by_name(trained)
    other_classes = model.classes != trained.classes
    if other_classes:
        for name in _HEAD:
            del own[f"cell/{name}"], others[f"cell/{name}"]
    differing = sorted(
        name
        for name in own.keys() | others.keys()
        if name not in own or name not in others or own[name].shape != others[name].shape
    )
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise ConfigurationError(
            f"settings of {trained.preset.name}: expected those that its trained weights fit, or "
            f"load_weights=False for a new model; found other shapes of "
            f"{', '.join(differing[:3])}{more}"
        )
    for name, weight in own.items():
        weight.assign(others[name])
    model.familiarity = trained.familiarity
    if other_classes:
        _take_columns(model, trained)
    if changed := [*_changed(model.preset, trained.preset)]:
        warnings.warn(
            f"{trained.preset.name}: the weights were trained with {', '.join(changed)}",
            stacklevel=3,
        )


def _take_columns(model: Any, trained: Any) -> None:
    """Take what makes the logits of the classes that the trained model knows."""
    known = [find_class(emotion, trained.classes) for emotion in model.classes]
    own = [index for index, name in enumerate(known) if name is not None]
    others = [trained.classes.index(name) for name in known if name is not None]
    layers = model.cell.class_logits, trained.cell.class_logits
    for weight, other in zip(*(layer.weights for layer in layers), strict=True):
        values = weight.numpy()
        values[..., own] = other.numpy()[..., others]
        weight.assign(values)


def _by_name(model: Any) -> dict[str, keras.Variable]:
    """Return the weights by their paths below the model, whose own name may be any."""
    names = [weight.path.partition("/")[2].removeprefix("scan/") for weight in model.weights]
    return dict(zip(names, model.weights, strict=True))


def _changed(preset: Preset, trained: Preset) -> Iterator[str]:
    """Yield the trained settings, replaced ones, of what the weights expect to read."""
    for section in ("features", "architecture"):
        now, then = (dataclasses.asdict(getattr(one, section)) for one in (preset, trained))
        for key, value in then.items():
            if now[key] != value and not key.endswith(_WITHOUT_CONCERN):
                yield f"{section}.{key}={value!r}"
