"""Losses. reduction: "mean" over all entries (the default), "sum", or "none" for the loss of each entry.

Targets are data: they have the predictions' shape (or are one number), and take their dtype.
"""
# fmt: off

from minigen.backend import xp
from minigen.graph import keep, op, unbroadcast
from minigen.ops.activations import sigmoid, softmax
from minigen.ops.arithmetic import exp, maximum, sign


def reduced(values, reduction):
    if reduction == "mean": return values.sum() / values.size               # .mean() takes 1.5 us more for the same
    if reduction == "sum":  return values.sum()
    return values


def scaled(dy, n, reduction):
    """The upstream gradient as each of n entries gets it."""
    return dy / n if reduction == "mean" else dy


def _check(name, x, reduction):
    if x.dtype.kind != "f":
        raise TypeError(f"{name}: the predictions are {x.dtype}, wants floating-point numbers")
    if x.size == 0:
        raise ValueError(f"{name}: the predictions have shape {x.shape}: an empty batch has no loss")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f'{name}: reduction is {reduction!r}, wants "mean", "sum" or "none"')


def _target(name, x, target):
    """The target, in the type of the predictions x, refused where it would be broadcast by mistake."""
    if isinstance(target, (int, float)):
        return target
    if target.shape not in (x.shape, ()):
        raise ValueError(f"{name}: the predictions have shape {x.shape}, the target {target.shape}; wants equal shapes")
    return matched(target, x)


def matched(target, x):
    """The target in the type of x: class numbers 0 and 1, say, would turn float32 gradients into float64."""
    return target if getattr(target, "dtype", x.dtype) == x.dtype else target.astype(x.dtype)


@op
class mse:
    """y = mean of (x - target)^2"""
    def forward(x, target, *, reduction="mean"):
        _check("mse", x, reduction)
        return reduced((x - _target("mse", x, target)) ** 2, reduction)
    def d_x(dy, x, target, reduction):      return scaled(dy, x.size, reduction) * 2 * (x - matched(target, x))
    def d_target(dy, x, target, target_shape, reduction):
        return unbroadcast(scaled(dy, x.size, reduction) * 2 * (matched(target, x) - x), target_shape)


@op
class l1:
    """y = mean of |x - target|"""
    def forward(x, target, *, reduction="mean"):
        _check("l1", x, reduction)
        return reduced(xp.abs(x - _target("l1", x, target)), reduction)
    def d_x(dy, x, target, reduction):      return scaled(dy, x.size, reduction) * sign(x - matched(target, x))
    def d_target(dy, x, target, target_shape, reduction):
        return unbroadcast(scaled(dy, x.size, reduction) * sign(matched(target, x) - x), target_shape)


def held_log(p):
    """ln p, but at least -100, also for p = 0."""
    return xp.maximum(xp.log(xp.maximum(p, 1e-45)), -100)


@op
class binary_cross_entropy:
    """y = mean of -(t ln p + (1 - t) ln(1 - p)).   p: probabilities. Logarithms are held at -100, as in PyTorch

    From logits, binary_cross_entropy_with_logits is exact where this one has to clip.
    """
    def forward(p, target, *, reduction="mean"):
        name = "binary_cross_entropy"
        _check(name, p, reduction)
        t = _target(name, p, target)
        if not (float(p.min()) >= 0 and float(p.max()) <= 1):
            raise ValueError(f"{name}: probabilities run from {float(p.min()):.4g} to {float(p.max()):.4g}, wants 0 to "
                             "1; for logits use binary_cross_entropy_with_logits")
        return reduced(-(t * held_log(p) + (1 - t) * held_log(1 - p)), reduction)
    def d_p(dy, p, target, reduction):
        return scaled(dy, p.size, reduction) * (p - matched(target, p)) / maximum(p * (1 - p), 1e-12)
    d_target = None


@op
class binary_cross_entropy_with_logits:
    """y = mean of -(t ln s + (1 - t) ln(1 - s)),  s = sigmoid(x)   =   mean of max(x, 0) - x t + ln(1 + e^-|x|)"""
    def forward(x, target, *, reduction="mean"):
        name = "binary_cross_entropy_with_logits"
        _check(name, x, reduction)
        t = _target(name, x, target)
        return reduced(xp.maximum(x, 0) - x * t + xp.log1p(xp.exp(-xp.abs(x))), reduction)
    def d_x(dy, x, target, reduction): return scaled(dy, x.size, reduction) * (sigmoid(x) - matched(target, x))
    d_target = None


@op
class cross_entropy:
    """y = mean of -ln p[label],  p = softmax(logits).   logits (..., C), labels (...) integers from 0 to C - 1"""
    def forward(logits, labels, *, reduction="mean"):
        _check("cross_entropy", logits, reduction)
        C = logits.shape[-1]
        kind = getattr(labels, "dtype", type(labels).__name__)
        if getattr(kind, "kind", "") not in ("i", "u"):
            raise TypeError(f"cross_entropy: labels are {kind}, wants an array of integers: class numbers, not one-hot")
        if labels.shape != logits.shape[:-1]:
            raise ValueError(f"cross_entropy: logits {logits.shape} want labels of shape {logits.shape[:-1]}, "
                             f"got {labels.shape}")
        if not 0 <= int(labels.min()) <= int(labels.max()) < C:
            raise ValueError(f"cross_entropy: labels run from {int(labels.min())} to {int(labels.max())}; with {C} "
                             f"classes (last axis of the logits) they run from 0 to {C - 1}")
        shifted = logits - logits.max(axis=-1, keepdims=True)
        p = xp.exp(shifted)
        total = p.sum(axis=-1, keepdims=True)
        p /= total
        picked = shifted.reshape(-1, C)[xp.arange(labels.size), labels.ravel()].reshape(labels.shape)
        return keep(reduced(xp.log(total)[..., 0] - picked, reduction), p=p)
    def d_logits(dy, logits, labels, reduction):
        dy = scaled(dy, labels.size, reduction)
        if reduction == "none": dy = dy.reshape(*labels.shape, 1)
        is_label = xp.arange(logits.shape[-1]) == labels[..., None]                     # (..., C), one-hot
        return dy * (softmax(logits) - is_label.astype(logits.dtype))
    d_labels = None
    def backward(dy, labels, p, reduction):                                             # the line, with p kept
        dy = scaled(dy, labels.size, reduction)
        rows = (p * (dy.reshape(*labels.shape, 1) if reduction == "none" else dy)).reshape(-1, p.shape[-1])
        rows[xp.arange(labels.size), labels.ravel()] -= dy.ravel()
        return rows.reshape(p.shape), None


@op
class kl_normal:
    """y = KL(N(mean, e^logvar) || N(0, 1)) = (mean^2 + e^logvar - 1 - logvar) / 2, each dimension

    Kingma and Welling 2014, appendix B. mean, logvar (N, Z). reduction="sum" and a division by N give nats per sample.
    """
    def forward(mean, logvar, *, reduction="mean"):
        _check("kl_normal", mean, reduction)
        if mean.shape != logvar.shape:
            raise ValueError(f"kl_normal: mean has shape {mean.shape}, logvar {logvar.shape}; wants equal shapes")
        return reduced((mean * mean + xp.exp(logvar) - 1 - logvar) * 0.5, reduction)
    def d_mean(dy, mean, reduction):     return scaled(dy, mean.size, reduction) * mean
    def d_logvar(dy, logvar, reduction): return scaled(dy, logvar.size, reduction) * 0.5 * (exp(logvar) - 1)
