"""Clipping, in place: gradients by their norm or one by one, weights to a box."""

import math
from collections.abc import Iterable

from minigen.backend import xp
from minigen.graph import mark_changed
from minigen.optim.arguments import number, tensors
from minigen.tensor import Tensor


def clip_grad_norm(params: Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients by one factor, so that their norm, over all of them together, is at most max_norm.

    Returns the norm from before; where that is nan or infinite no gradient is usable any more, as in PyTorch.
    Parameters without a gradient are passed over. Pascanu et al. 2013, "On the difficulty of training
    recurrent neural networks". Raises TypeError for what is no Tensor, ValueError for a negative max_norm.
    """
    max_norm = number("clip_grad_norm", "max_norm", max_norm)
    found = [p for p in tensors("clip_grad_norm", params) if p.grad is not None]
    norm = math.sqrt(float(sum(xp.vdot(p.grad, p.grad) for p in found)))
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:
        for p in found:
            p.grad *= factor
    return norm


def clip_grad_value(params: Iterable[Tensor], limit: float) -> None:
    """Hold every number of every gradient between -limit and limit.

    Raises TypeError for what is no Tensor, ValueError for a negative limit.
    """
    limit = number("clip_grad_value", "limit", limit)
    for p in tensors("clip_grad_value", params):
        if p.grad is not None:
            p.grad = xp.clip(p.grad, -limit, limit, out=p.grad if p.ndim else None)


def clip_weights(params: Iterable[Tensor], limit: float) -> None:
    """Hold every weight between -limit and limit, to keep a critic's slope bounded.

    Arjovsky et al. 2017, "Wasserstein GAN", algorithm 1. Raises TypeError for what is no Tensor, ValueError
    for a negative limit.
    """
    limit = number("clip_weights", "limit", limit)
    for p in tensors("clip_weights", params):
        xp.clip(p._data, -limit, limit, out=p._data)
        mark_changed(p)
