"""The Frechet distance: two clouds of features, each taken for a Gaussian."""

from typing import Any, NamedTuple

import numpy as np

from minigen.metrics.samples import Rows, alike


class FrechetRatio(NamedTuple):
    """distance: generated to test; floor: as many real training samples to test; ratio: distance / floor."""

    distance: float
    floor: float
    ratio: float


def frechet_gaussians(mean_a: Any, covariance_a: Any, mean_b: Any, covariance_b: Any) -> float:
    """|mean_a - mean_b|^2 + trace(A + B - 2 (A^1/2 B A^1/2)^1/2), A and B the covariances.

    mean (F,), covariance (F, F). This is the squared Wasserstein-2 distance of two Gaussians. The matrix under the
    root is symmetric, so its eigenvalues (eigh) give the root; the product A B is not, and a general root of it
    may come out complex.

    Source: Dowson and Landau, "The Frechet distance between multivariate normal distributions", 1982.
    """
    mean_a, mean_b, A, B = (np.asarray(part, np.float64) for part in (mean_a, mean_b, covariance_a, covariance_b))
    values, vectors = np.linalg.eigh(A)
    root_a = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # (F, F); rounding may leave -1e-17 for 0
    under = np.linalg.eigvalsh(root_a @ B @ root_a)  # (F,)
    overlap = np.sqrt(np.maximum(under, 0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(A) + np.trace(B) - 2 * overlap)


def frechet_distance(a: Any, b: Any) -> float:
    """The Frechet distance of two sets of features, a (N, F) and b (M, F): `frechet_gaussians` of their moments.

    0 for the same set. It sees means and covariances only, and it is too large for few samples (some F^2 / N of it is
    chance), so it is worth reading only beside its floor (`frechet_ratio`), and never across classifiers.

    Raises ValueError for fewer than two samples, or sets with different numbers of features.

    Source: Heusel et al., "GANs trained by a two time-scale update rule", 2017, who call it FID.
    """
    a, b = alike("frechet_distance", a=a, b=b, at_least=2)
    return frechet_gaussians(*_moments(a), *_moments(b))


def frechet_ratio(generated: Any, test: Any, train: Any) -> FrechetRatio:
    """The distance of generated features to those of real test images, over its floor: what real images get.

    generated (N, F), test (M, F), train (T, F). The floor is the distance of training images to the same test
    images; chance depends on the number of samples, so both are measured with min(N, T), the larger set thinned out
    evenly. 1 is as good as real. A copy of the training set gets 1, too: look at `memorising` beside it.

    Raises ValueError as `frechet_distance` does.
    """
    generated, test, train = alike("frechet_ratio", generated=generated, test=test, train=train, at_least=2)
    count = min(len(generated), len(train))
    distance, floor = (frechet_distance(_thinned(rows, count), test) for rows in (generated, train))
    if floor <= 0:
        raise ValueError("frechet_ratio: the floor is 0: train and test are the same; it wants other images to test on")
    return FrechetRatio(distance, floor, distance / floor)


def _moments(features: Rows) -> tuple[Rows, Rows]:
    """mean (F,), covariance (F, F)"""
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _thinned(samples: Rows, count: int) -> Rows:
    """`count` of the samples, evenly spaced, so that a set sorted by class keeps its mix."""
    return samples[np.arange(count) * len(samples) // count]
