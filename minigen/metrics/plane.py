"""Points in the plane: the distance of two clouds, and which modes of a mixture were found."""

from typing import Any, NamedTuple

import numpy as np

from minigen.metrics.distances import squared_distances
from minigen.metrics.samples import Rows, alike


class Modes(NamedTuple):
    """caught: modes with at least one good sample; good: the share of good samples; kl: to all alike, in nats."""

    caught: int
    good: float
    kl: float


def modes(points: Any, centres: Any, *, sigma: float) -> Modes:
    """What became of a mixture of Gaussians of standard deviation sigma.   points (N, 2), centres (K, 2)

    A point is good within 3 sigma of a centre: of the true mixture, 1 - e^-4.5 = 98.9% are. A mode is caught if at
    least one good point is its own. kl = KL(share of points nearest to each centre, 1/K) = ln K - their entropy: 0 if
    all modes get equally many, ln K if one gets all.

    Raises ValueError for a sigma that is not above 0, or points of other than the centres' dimensions.

    Source: Lin et al., "PacGAN: the power of two samples in generative adversarial networks", 2018.
    """
    points, centres = alike("modes", points=points, centres=centres)
    if not sigma > 0:
        raise ValueError(f"modes: sigma is {sigma}; it wants a standard deviation above 0")
    nearest, squared = np.empty(len(points), dtype=np.int64), np.empty(len(points))
    for part, block in squared_distances(points, centres):  # (some of N, K)
        nearest[part], squared[part] = block.argmin(axis=1), block.min(axis=1)
    good = squared <= (3 * sigma) ** 2  # (N,)
    shares = np.bincount(nearest, minlength=len(centres)) / len(points)  # (K,)
    found = shares[shares > 0]
    return Modes(len(np.unique(nearest[good])), float(good.mean()), float((found * np.log(found * len(centres))).sum()))


def sliced_wasserstein(a: Any, b: Any, *, directions: int = 128) -> float:
    """The sliced Wasserstein-2 distance of two clouds in the plane, in the points' unit.   a (N, 2), b (M, 2)

    In one dimension the cheapest way to carry one cloud to the other is in sorted order. So both are projected on
    `directions` lines, evenly spaced around the half circle (nothing is random), sorted, and compared; the distance is
    the root of the mean square. 0 for the same cloud; for one moved by v it is |v| / sqrt(2). Two samples of the
    same distribution are not at 0: compare with that floor.

    Raises ValueError for points that are not in the plane, or fewer than 2 directions.

    Source: Rabin et al., "Wasserstein barycenter and its application to texture mixing", 2011.
    """
    a, b = alike("sliced_wasserstein", a=a, b=b)
    if a.shape[1] != 2:
        raise ValueError(f"sliced_wasserstein: the points have {a.shape[1]} coordinates; it wants 2")
    if directions < 2:
        raise ValueError(f"sliced_wasserstein: got {directions} directions; it wants at least 2")
    angles = np.pi * np.arange(directions) / directions
    lines = np.stack([np.cos(angles), np.sin(angles)])  # (2, directions)
    squares = _carried(np.sort(a @ lines, axis=0), np.sort(b @ lines, axis=0))
    return float(np.sqrt(squares.mean()))


def _carried(a: Rows, b: Rows) -> Rows:
    """Squared distances W2^2 in one dimension, column by column.   a (N, D), b (M, D), sorted -> (D,)

    The i-th of N sorted points holds the mass from i / N to (i + 1) / N. Where either cloud goes on to its next
    point, cut: within a piece one point of a meets one of b, and the piece's length is the mass that is carried.
    """
    N, M = len(a), len(b)
    cuts = np.union1d(np.arange(N + 1) * M, np.arange(M + 1) * N)  # whole numbers, in units of 1 / (N M)
    mass = np.diff(cuts) / (N * M)  # (P,), of each piece
    return mass @ (a[cuts[:-1] // M] - b[cuts[:-1] // N]) ** 2
