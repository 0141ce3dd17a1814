"""KID, the kernel distance: like the Frechet distance, but unbiased, and not only for Gaussians."""

from typing import Any

from minigen.metrics.distances import BLOCK
from minigen.metrics.samples import Rows, alike


def kernel_distance(a: Any, b: Any) -> float:
    """The squared maximum mean discrepancy with the kernel (x.y / F + 1)^3.   a (N, F), b (M, F), features

    mean k(a, a') + mean k(b, b') - 2 mean k(a, b), over pairs of different samples: so chance adds nothing on average,
    whatever N and M, and the same distribution gives 0 plus or minus a little. A negative value is no mistake. The
    cubic kernel sees the first three moments of the features.

    Raises ValueError for fewer than two samples, or sets with different numbers of features.

    Source: Binkowski et al., "Demystifying MMD GANs", 2018, who call it KID.
    """
    a, b = alike("kernel_distance", a=a, b=b, at_least=2)
    N, M = len(a), len(b)
    own_a = (_sum(a, a) - _kernel((a * a).sum(axis=1), a.shape[1]).sum()) / (N * (N - 1))
    own_b = (_sum(b, b) - _kernel((b * b).sum(axis=1), b.shape[1]).sum()) / (M * (M - 1))
    return float(own_a + own_b - 2 * _sum(a, b) / (N * M))


def _kernel(products: Rows, F: int) -> Rows:
    root = products / F + 1
    return root * root * root  # ten times as fast as ** 3


def _sum(a: Rows, b: Rows) -> float:
    """The kernel summed over all pairs, a block of rows at a time."""
    parts = (a[start : start + BLOCK] for start in range(0, len(a), BLOCK))
    return float(sum(_kernel(part @ b.T, a.shape[1]).sum() for part in parts))
