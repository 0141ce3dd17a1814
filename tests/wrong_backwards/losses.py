"""Losses, softmax, and their meeting."""

import numpy as np

from wrong_backwards.form import Family, Planted, integers, normal, probabilities, zeros_and_ones

WRONG: list[Planted] = []


def _softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _onehot(labels, C):
    return (np.arange(C) == labels[:, None]) * 1.0


class mse:
    """y = mean of (x - t)^2"""

    def forward(x, t):
        return ((x - t) ** 2).mean()

    def d_x(dy, x, t):
        return dy * 2 * (x - t) / x.size

    d_t = None


f = Family(mse, lambda: (normal(7, 5), normal(7, 5, seed=1)), WRONG)
f("not averaged", "35|7 5|batch, mean|divis", d_x=lambda dy, x, t: dy * 2 * (x - t))
f("2 missing", "factor 2", d_x=lambda dy, x, t: dy * (x - t) / x.size)
f("divided by N alone", "5, divis", d_x=lambda dy, x, t: dy * 2 * (x - t) / len(x))
f("sign", "sign", d_x=lambda dy, x, t: dy * 2 * (t - x) / x.size)
f("upstream ignored", "upstream", d_x=lambda dy, x, t: 2 * (x - t) / x.size)
f("averaged twice", "35|7 5, divis|twice", d_x=lambda dy, x, t: dy * 2 * (x - t) / x.size**2)
f("target forgotten", "t|constant|term", d_x=lambda dy, x, t: dy * 2 * x / x.size)


class half_squares:
    """y = sum of (x - t)^2 / 2N"""

    def forward(x, t):
        return 0.5 * ((x - t) ** 2).sum() / len(x)

    def d_x(dy, x, t):
        return dy * (x - t) / len(x)

    d_t = None


f = Family(half_squares, lambda: (normal(5, 3), normal(5, 3, seed=1)), WRONG)
f("not averaged over the batch", "batch", d_x=lambda dy, x, t: dy * (x - t))
f("divided by N D", "3, divis|factor", d_x=lambda dy, x, t: dy * (x - t) / x.size)
f("1/2 left out", "2", d_x=lambda dy, x, t: 2 * dy * (x - t) / len(x))


class bce:
    """y = mean of -(t ln p + (1 - t) ln(1 - p))"""

    def forward(p, t):
        return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()

    def d_p(dy, p, t):
        return dy * (p - t) / (p * (1 - p)) / p.size

    d_t = None


f = Family(bce, lambda: (probabilities(5, 3), zeros_and_ones(5, 3)), WRONG)
f("(1 - t) term dropped", "t = 0|1 - t|1 - p", d_p=lambda dy, p, t: dy * -t / p / p.size)
f("p (1 - p) left out", "p (1 - p)", d_p=lambda dy, p, t: dy * (p - t) / p.size)
f("not averaged", "15|5 3|batch", d_p=lambda dy, p, t: dy * (p - t) / (p * (1 - p)))
f("sign of the second term", "sign|t = 0", d_p=lambda dy, p, t: dy * (-t / p - (1 - t) / (1 - p)) / p.size)


class bce_logits:
    """y = mean of ln(1 + e^x) - x t"""

    def forward(x, t):
        return (np.log1p(np.exp(x)) - x * t).mean()

    def d_x(dy, x, t):
        return dy * (1 / (1 + np.exp(-x)) - t) / x.size

    d_t = None


f = Family(bce_logits, lambda: (normal(5, 3), zeros_and_ones(5, 3)), WRONG)
f(
    "derivative of the sigmoid multiplied in",
    "1 / (1 + np.exp|sigmoid|too many|exp",
    d_x=lambda dy, x, t: dy * ((s := 1 / (1 + np.exp(-x))) - t) * s * (1 - s) / x.size,
)
f("target left out", "t|path|term", d_x=lambda dy, x: dy * (1 / (1 + np.exp(-x))) / x.size)


class softmax:
    """p_i = e^x_i / sum_j e^x_j along the last axis"""

    def forward(x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def d_x(dy, y):
        return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


f = Family(softmax, lambda: (normal(5, 4),), WRONG)
f("diagonal only", "diagonal", d_x=lambda dy, y: dy * y * (1 - y))
f("sum term missing", "sum", d_x=lambda dy, y: y * dy)
f("sum term of the wrong sign", "sum, sign", d_x=lambda dy, y: y * (dy + (dy * y).sum(axis=-1, keepdims=True)))
f("sum over the wrong axis", "axis", d_x=lambda dy, y: y * (dy - (dy * y).sum(axis=0, keepdims=True)))
f("sum over everything", "axis", d_x=lambda dy, y: y * (dy - (dy * y).sum()))
f("sum of dy without y", "sum|y", d_x=lambda dy, y: y * (dy - dy.sum(axis=-1, keepdims=True)))
f("passed on", "softmax|derivative|left out", d_x=lambda dy: dy.copy())
f("y in front left out", "y|factor", d_x=lambda dy, y: dy - (dy * y).sum(axis=-1, keepdims=True))


class log_softmax:
    """y_i = x_i - ln sum_j e^x_j"""

    def forward(x):
        s = x - x.max(axis=-1, keepdims=True)
        return s - np.log(np.exp(s).sum(axis=-1, keepdims=True))

    def d_x(dy, y):
        return dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)


f = Family(log_softmax, lambda: (normal(5, 4),), WRONG)
f("sum term missing", "sum|np.log|constant", d_x=lambda dy: dy.copy())
f("sum of dy missing", "sum|diagonal", d_x=lambda dy, y: dy - np.exp(y) * dy)
f("softmax left out of the term", "exp|softmax|sum", d_x=lambda dy, y: dy - dy.sum(axis=-1, keepdims=True))


class cross_entropy:
    """loss = mean of -ln p[label], p = softmax(logits).   logits (N, C), labels (N,)"""

    def forward(logits, labels):
        s = logits - logits.max(axis=1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        return -logp[np.arange(len(labels)), labels].mean()

    def d_logits(dy, logits, labels):
        return dy * (_softmax(logits) - _onehot(labels, logits.shape[1])) / len(labels)

    d_labels = None


f = Family(cross_entropy, lambda: (normal(7, 5), integers(5, 7)), WRONG)
f("- 1 at the label missing", "one-hot|labels", d_logits=lambda dy, logits, labels: dy * _softmax(logits) / len(labels))
f(
    "not averaged",
    "batch, mean",
    d_logits=lambda dy, logits, labels: (
        dy * (_softmax(logits) - _onehot(labels, 5 if logits.shape[1] == 5 else logits.shape[1]))
    ),
)
f(
    "sign",
    "sign",
    d_logits=lambda dy, logits, labels: dy * (_onehot(labels, logits.shape[1]) - _softmax(logits)) / len(labels),
)
f(
    "divided by N C",
    "5|C, divis|factor",
    d_logits=lambda dy, logits, labels: dy * (_softmax(logits) - _onehot(labels, logits.shape[1])) / logits.size,
)
f(
    "softmax left out",
    "exp|softmax|one-hot",
    d_logits=lambda dy, logits, labels: dy * -_onehot(labels, logits.shape[1]) / len(labels),
)


class ridge:
    """loss = mean squared error of x @ w + 1/2 l2 w^2.   x (N, D), w (D,), t (N,)"""

    def forward(x, w, t, *, l2):
        return ((x @ w - t) ** 2).mean() + 0.5 * l2 * (w * w).sum()

    def d_w(dy, x, w, t, l2):
        return dy * (2 * x.T @ (x @ w - t) / len(x) + l2 * w)

    d_x = None
    d_t = None


f = Family(ridge, lambda: (normal(7, 5), normal(5), normal(7)), WRONG, l2=0.3)
f("l2 term missing", "l2|w, missing|left out", d_w=lambda dy, x, w, t: dy * 2 * x.T @ (x @ w - t) / len(x))
f("l2 term doubled", "l2|w * w|in w", d_w=lambda dy, x, w, t, l2: dy * (2 * x.T @ (x @ w - t) / len(x) + 2 * l2 * w))
f("l2 term without dy", "dy", d_w=lambda dy, x, w, t, l2: dy * 2 * x.T @ (x @ w - t) / len(x) + l2 * w)
f("data term not averaged", "batch|7", d_w=lambda dy, x, w, t, l2: dy * (2 * x.T @ (x @ w - t) + l2 * w))


class hinge:
    """loss = mean of max(0, 1 - t s)"""

    def forward(s, t):
        return np.maximum(0, 1 - t * s).mean()

    def d_s(dy, s, t):
        return dy * -t * (1 - t * s > 0) / s.size

    d_t = None


f = Family(hinge, lambda: (normal(11), 2 * zeros_and_ones(11) - 1), WRONG)
f("no margin mask", "mask", d_s=lambda dy, s, t: dy * -t / s.size)
f("t left out", "t", d_s=lambda dy, s, t: -dy * (1 - t * s > 0) / s.size)
