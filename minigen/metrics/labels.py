"""What a classifier says of generated images: the class asked for? all classes? sure of itself?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from minigen.backend import to_numpy
from minigen.metrics.samples import rows


def label_accuracy(labels: Any, asked: Any) -> float:
    """The share of images taken for the class that was asked for.   labels (N,), asked (N,), whole numbers

    Raises ValueError where they differ in length or are no whole numbers.
    """
    labels, asked = _labels("label_accuracy", "labels", labels), _labels("label_accuracy", "asked", asked)
    if len(labels) != len(asked):
        raise ValueError(f"label_accuracy: {len(labels)} labels, {len(asked)} asked for; it wants equally many")
    return float((labels == asked).mean())


def label_entropy(labels: Any, classes: int) -> float:
    """-sum p ln p over the shares p of the classes, in nats: ln(classes) if all come equally often, 0 if only one.

    labels (N,), whole numbers from 0 to classes - 1. For ten classes the most is 2.303. Raises ValueError for others.
    """
    labels = _labels("label_entropy", "labels", labels)
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"label_entropy: labels go from {labels.min()} to {labels.max()}; "
            f"classes={classes} wants 0 to {classes - 1}"
        )
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return -_plogp(shares).sum().item() + 0.0  # + 0.0 makes -0 a 0


def inception_score(probabilities: Any) -> float:
    """exp(mean KL(p(y | x), p(y))): high if each image is surely of one class, and the classes come equally often.

    probabilities (N, C), a row a classifier's belief; p(y) is their mean. From 1 (the rows are all alike) to C. It
    never looks at a real image, and any image that the classifier is sure of will do: the mean image of each class
    gets the best mark. Raises ValueError where the rows are not probabilities.

    Source: Salimans et al., "Improved techniques for training GANs", 2016.
    """
    p = rows("inception_score", "probabilities", probabilities)
    if p.min() < 0 or abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError("inception_score: a row of probabilities has a negative entry or does not sum to 1")
    return float(np.exp(_plogp(p).sum(axis=1).mean() - _plogp(p.mean(axis=0)).sum()))


def _plogp(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """p ln p, elementwise, with 0 ln 0 = 0."""
    return p * np.log(np.where(p > 0, p, 1))


def _labels(where: str, name: str, labels: Any) -> NDArray[np.integer]:
    array = to_numpy(labels)
    if array.ndim != 1 or array.dtype.kind not in "iu" or array.size == 0:
        raise ValueError(f"{where}: {name} has shape {array.shape} and type {array.dtype}; it wants whole numbers (N,)")
    return array
