"""Numbers that a TFLite converter leaves alone, whatever precision it is asked for.

It stores every constant in fewer bits: a Hann window in 8 bits puts MFCCs off by tens, 1e-10 in
16 bits is nothing, and its logarithm infinite. What must be exact is kept as integers here.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def exact(numbers: np.ndarray | float, heard: tf.Tensor) -> tf.Tensor:
    """Constants as they are.

    Args:
        numbers: float32 of any shape, or one number.
        heard: what the graph computes from, float32 [1, N]: a constant that depends on it, or
            seems to, is not computed at conversion.

    Returns:
        The same numbers, float32, at least one-dimensional.
    """
    bits = np.atleast_1d(np.asarray(numbers, np.float32)).view(np.int32)
    zero = tf.cast(heard[0, 0] > np.finfo(np.float32).max, tf.int32)
    return tf.bitcast(bits + zero, tf.float32)
