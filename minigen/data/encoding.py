"""Labels as vectors."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minigen.data.arguments import whole_number


def one_hot(labels: ArrayLike, classes: int) -> NDArray[np.float32]:
    """A row of zeros with a single 1 at the label, for each label.   labels (...) ->  (..., classes) float32

    Raises TypeError if the labels are not whole numbers, ValueError if one is outside 0 .. classes - 1 (a
    negative label would silently count from the end).
    """
    classes = whole_number("one_hot", "classes", classes)
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"one_hot: labels are {labels.dtype}; it wants whole numbers, such as int64")
    wrong = labels[(labels < 0) | (labels >= classes)]
    if wrong.size:
        raise ValueError(f"one_hot: a label is {wrong[0]}; classes={classes} wants 0 to {classes - 1}")
    return np.eye(classes, dtype=np.float32)[labels]
