"""Has it learned, or learned by heart? The distance to the nearest training sample tells."""

from typing import Any

from minigen.metrics.distances import to_nearest
from minigen.metrics.samples import alike, rows


def nearest_distance(samples: Any, others: Any) -> float:
    """The mean distance of a sample to its nearest among the others.   samples (N, F), others (M, F); images too.

    Raises ValueError for sets with different numbers of features.
    """
    samples, others = alike("nearest_distance", samples=samples, others=others)
    return float(to_nearest(samples, others).mean())


def memorising(generated: Any, test: Any, train: Any) -> float:
    """How far generated samples lie from the training set, over how far real test samples lie: 1 is like new ones.

    generated (N, F), test (M, F), train (T, F): pixels or features. Near 0: copies of training samples. Well below 1:
    too close to them. Above 1: further off than real samples are, which blur or noise do as well as novelty.

    Raises ValueError for sets with different numbers of features, and where the test samples are in the training set.
    """
    rows("memorising", "generated", generated)
    of_test = nearest_distance(test, train)
    if of_test == 0:
        raise ValueError("memorising: every test sample is in train; it wants real samples that are not")
    return nearest_distance(generated, train) / of_test
