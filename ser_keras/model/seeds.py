"""Seeds of a model's parts, all from one."""

from __future__ import annotations

import random

import numpy as np


def derive_seeds(seed: int | None, count: int) -> list[int]:
    """Derive independent seeds from one.

    Args:
        seed: None draws one as Keras does, from Python's own generator, so that
            `keras.utils.set_random_seed` makes it repeatable.
        count: how many to derive.

    Example:
        >>> import keras
        >>> keras.utils.set_random_seed(7)
        >>> drawn = derive_seeds(None, 2)
        >>> keras.utils.set_random_seed(7)
        >>> derive_seeds(None, 2) == drawn, derive_seeds(0, 2) == derive_seeds(0, 2)
        (True, True)
    """
    entropy = random.getrandbits(32) if seed is None else seed  # no secret
    return np.random.SeedSequence(entropy).generate_state(count).tolist()
