"""Distances between all samples of two sets, a block of rows at a time."""

from collections.abc import Iterator

import numpy as np

from minigen.metrics.samples import Rows

BLOCK = 512  # rows: with 10,000 samples on the other side, 40 MB


def squared_distances(a: Rows, b: Rows) -> Iterator[tuple[slice, Rows]]:
    """(rows of a, their squared distances (rows, M) to all of b).   a (N, F), b (M, F)

    |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, so a matrix product does the work. It loses digits where samples lie far
    from 0 and close together, so both are moved to b's mean first.
    """
    middle = b.mean(axis=0)
    a, b = a - middle, b - middle
    of_a, of_b = (a * a).sum(axis=1), (b * b).sum(axis=1)  # (N,), (M,)
    for start in range(0, len(a), BLOCK):
        part = slice(start, start + BLOCK)
        yield part, np.maximum(of_a[part, None] + of_b - 2 * a[part] @ b.T, 0)


def to_nearest(a: Rows, b: Rows, *, k: int = 1) -> Rows:
    """The distance of each sample of a to its k-th nearest in b.   a (N, F), b (M, F) -> (N,)"""
    found = np.empty(len(a))
    for part, squared in squared_distances(a, b):
        found[part] = np.partition(squared, k - 1, axis=1)[:, k - 1]
    return np.sqrt(found)
