"""The variations of a preset, by the names that `--only` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ser_keras.features.augmentation import STEPWISE
from ser_keras.model.settings import Preset


@dataclass(frozen=True)
class Variation:
    """A preset with one thing changed.

    Attributes:
        title: its row's title in the table.
        settings: the settings that `Preset.with_settings` replaces.
    """

    title: str
    settings: Callable[[Preset], dict[str, Any]]

    def of(self, preset: Preset) -> Preset:
        """Return the preset with the change."""
        return preset.with_settings(self.settings(preset))


def _fixed(title: str, **settings: Any) -> Variation:
    return Variation(title, lambda _: settings)


def _plain_end(preset: Preset) -> dict[str, Any]:
    if not any(getattr(preset.augmentation, name) for name in STEPWISE):
        return {}
    return {"plain_epochs": preset.optimization.epochs // 4}


AS_IT_IS = "as-it-is"
VARIATIONS: dict[str, Variation] = {
    AS_IT_IS: _fixed("the preset as it is"),
    "no-attention": _fixed("everything sampled at every instant", attention=False),
    "no-generation": _fixed(
        "no generation term: the prediction is not trained", generation_weight=0.0
    ),
    "no-range": _fixed("patches as they are, at any level", range_db=None),
    "no-silence": _fixed("no silence behind recordings", trailing_silence=0.0),
    "no-filters": _fixed("no random filters", band_gain=0.0),
    "no-mixtures": _fixed("no mixtures of utterances", mixup=0.0),
    # As many steps of gradient descent: an epoch goes through the recordings and all their copies.
    "no-copies": Variation(
        "no varied copies, as many steps",
        lambda preset: {
            "copies": 0,
            "epochs": preset.optimization.epochs * (1 + preset.augmentation.copies),
        },
    ),
    "no-masks": _fixed("no masks", band_mask=0, frame_mask=0),
    "plain-end": Variation(
        "no masks, filters and mixtures in the last quarter of the epochs", _plain_end
    ),
    "no-dropout": _fixed(
        "no dropout", recognition_dropout=0.0, generation_dropout=0.0, classification_dropout=0.0
    ),
    "no-smoothing": _fixed("labels not smoothed", label_smoothing=0.0),
    "no-average": _fixed("the last weights, not their average", weight_average=0.0),
    "every-instant": _fixed("the class term at every instant", class_term="every"),
    "half-as-long": Variation(
        "half the epochs", lambda preset: {"epochs": -(-preset.optimization.epochs // 2)}
    ),
}
