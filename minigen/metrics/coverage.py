"""How good and how varied, apart: density and coverage, precision and recall. Both look at nearest neighbours."""

from typing import Any, NamedTuple

import numpy as np

from minigen.metrics.distances import squared_distances, to_nearest
from minigen.metrics.samples import Rows, alike, neighbours


class DensityCoverage(NamedTuple):
    """density: about 1 where samples lie among real ones; coverage: the share of real ones with a sample near."""

    density: float
    coverage: float


class PrecisionRecall(NamedTuple):
    """precision: the share of samples that lie among real ones; recall: of real ones that lie among samples."""

    precision: float
    recall: float


def density_coverage(real: Any, generated: Any, *, k: int = 5) -> DensityCoverage:
    """Around each real sample a ball that reaches to its k-th nearest real one; who falls into whose?

    real (N, F), generated (M, F), features. density: how many balls hold a generated sample, on average, over k.
    It can exceed 1: samples that keep to where real ones lie closest. coverage: the share of balls that hold
    at least one. For two sets of the same distribution, density is 1 on average and coverage
    1 - (N-1)...(N-k) / ((M+N-1)...(M+N-k)), near 1 - 2^-k = 0.97 if M = N. With M smaller than N, coverage falls.

    Raises ValueError for k outside 1 .. N - 1, or sets with different numbers of features.

    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models", 2020.
    """
    real, generated = alike("density_coverage", real=real, generated=generated)
    inside, covered = 0, 0
    for held in _held("density_coverage", real, generated, k):  # (some of N, M)
        inside += int(held.sum())
        covered += int(held.any(axis=1).sum())
    return DensityCoverage(inside / (k * len(generated)), covered / len(real))


def precision_recall(real: Any, generated: Any, *, k: int = 5) -> PrecisionRecall:
    """The share of generated samples in a ball around a real one, and of real ones in a ball around a generated one.

    real (N, F), generated (M, F), features; a ball reaches to the k-th nearest of its own set. One outlier with its
    wide ball can raise either number, which density and coverage (`density_coverage`) were made to mend.

    Raises ValueError for k outside 1 .. min(N, M) - 1, or sets with different numbers of features.

    Source: Kynkaanniemi et al., "Improved precision and recall metric for assessing generative models", 2019.
    """
    real, generated = alike("precision_recall", real=real, generated=generated)

    def share(balls: Rows, samples: Rows) -> float:
        within = np.zeros(len(samples), dtype=bool)
        for held in _held("precision_recall", balls, samples, k):
            within |= held.any(axis=0)
        return float(within.mean())

    return PrecisionRecall(share(real, generated), share(generated, real))


def _held(where: str, centres: Rows, samples: Rows, k: int) -> Any:
    """Which samples the ball around each centre holds, (some centres, all samples) bool, a block at a time.

    Only what is truly inside counts (as in the authors' code): then a copy of the real set has a density of
    exactly 1. The last digits, which are rounding, do not decide.
    """
    radius = to_nearest(centres, centres, k=neighbours(where, k, len(centres)) + 1)  # the first nearest is itself
    limit = radius**2 * (1 - 1e-9)
    for part, squared in squared_distances(centres, samples):
        yield squared < limit[part, None]
