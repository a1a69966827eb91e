"""Players of sounds in a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ser_keras.errors import ConfigurationError
from ser_keras.evaluation.explanation.listening import amplified


def in_notebook(sounds: Mapping[str, np.ndarray], sample_rate: int) -> Any:
    """Return one object that IPython shows as a named player for each sound.

    Args:
        sounds: by name, float32 [N] each.
        sample_rate: theirs, in hertz.

    Raises:
        ConfigurationError: IPython is not installed.

    Example:
        >>> in_notebook({"silence": np.zeros(8000, np.float32)}, 8000)  # doctest: +SKIP
    """
    try:
        from IPython.display import HTML, Audio
    except ImportError as error:
        raise ConfigurationError(
            "audio: expected IPython, which shows players in a notebook, found none; "
            "pip install ipython, or write the sounds by save(folder)"
        ) from error
    parts = [
        f"<p>{name}<br>{Audio(sound, rate=sample_rate, normalize=False)._repr_html_()}</p>"
        for name, sound in amplified(dict(sounds)).items()
    ]
    return HTML("\n".join(parts))
