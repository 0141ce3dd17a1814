"""How probable a model finds real data: the bound, a better estimate, and the unit to compare in.

Both estimates take the model as two functions, for a batch of data x (N, ...):

    propose(x) -> z, log_q          codes drawn from q(z | x), and ln q(z | x), (N,)
    log_joint(x, z) -> log_p        ln p(x | z) + ln p(z), (N,)

They are called under no_grad, and may give arrays or Tensors.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigen.backend import to_numpy
from minigen.graph import no_grad
from minigen.metrics.samples import Rows

Propose = Callable[[Any], tuple[Any, Any]]
LogJoint = Callable[[Any, Any], Any]


def elbo(x: Any, propose: Propose, log_joint: LogJoint, *, draws: int = 1) -> Rows:
    """The evidence lower bound of each sample, in nats: the mean over `draws` of ln p(x, z) - ln q(z | x).   -> (N,)

    At most ln p(x), by KL(q(z | x), p(z | x)). Raises ValueError for draws below 1, or functions that give other than N
    numbers.

    Source: Kingma and Welling, "Auto-encoding variational Bayes", 2014.
    """
    total = np.zeros(len(x))
    for log_weight in _log_weights("elbo", x, propose, log_joint, draws):
        total += log_weight
    return total / draws


def importance_weighted_nll(x: Any, propose: Propose, log_joint: LogJoint, *, draws: int = 500) -> Rows:
    """-ln p(x) of each sample, in nats, estimated by -ln mean p(x, z) / q(z | x) over `draws`.   -> (N,)

    On average too high, never too low, by less the more draws; with one draw it is -elbo. The weights are summed as
    they come, so memory does not grow with the draws. Raises ValueError as `elbo` does.

    Source: Burda et al., "Importance weighted autoencoders", 2015.
    """
    total = np.full(len(x), -np.inf)  # ln of the sum of the weights so far
    for log_weight in _log_weights("importance_weighted_nll", x, propose, log_joint, draws):
        total = np.logaddexp(total, log_weight)
    return np.log(draws) - total


def bits_per_dimension(nats: Any, dimensions: int, *, levels: int | None = None) -> Any:
    """A negative log-likelihood in nats per sample as bits per dimension (per pixel and channel): nats / (D ln 2).

    levels: give it if the model is a *density* over values scaled to [0, 1], where the data had so many grey levels
    (256), spread out by uniform noise: a density per 1/levels is log2(levels) bits more. Leave it out
    for the probability of the discrete values themselves. Uniform over 256 levels is 8 bits either way.

    Raises ValueError for dimensions below 1 or levels below 2.

    Source: Theis et al., "A note on the evaluation of generative models", 2016.
    """
    if dimensions < 1 or (levels is not None and levels < 2):
        raise ValueError(
            f"bits_per_dimension: got dimensions={dimensions}, levels={levels}; it wants at least 1, and 2 or None"
        )
    return nats / (dimensions * np.log(2)) + (np.log2(levels) if levels is not None else 0)


def _log_weights(where: str, x: Any, propose: Propose, log_joint: LogJoint, draws: int) -> Iterator[Rows]:
    """ln p(x, z) - ln q(z | x), (N,), for one draw of codes after the other."""
    if draws < 1:
        raise ValueError(f"{where}: draws is {draws}; it wants at least 1")
    for _ in range(draws):
        with no_grad():
            z, log_q = propose(x)
            log_p = log_joint(x, z)
        q, p = to_numpy(log_q).astype(np.float64), to_numpy(log_p).astype(np.float64)
        for name, found in (("propose's log_q", q), ("log_joint", p)):
            if found.shape != (len(x),):
                raise ValueError(f"{where}: {name} has shape {found.shape}; it wants a number a sample: ({len(x)},)")
        yield p - q
