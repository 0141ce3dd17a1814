"""What an image data set returns: a training and a test part."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Split(NamedTuple):
    """Training and test samples: `x_train, y_train, x_test, y_test = data.digits()`, or by name.

    x_train (N, H, W, C) float32 in [0, 1], y_train (N,) int64; x_test and y_test the same, with other
    samples.
    """

    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
