"""A second batch written after the first: other ways of writing a forward, other corners.

At the first try all 50 were rejected and 48 explained.
"""

import numpy as np

from wrong_backwards.form import Family, Planted, integers, normal, positive, probabilities, zeros_and_ones

WRONG: list[Planted] = []


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def dense_layer(x, w, b):
    return np.dot(x, w) + b


class mlp:
    """Two layers through helpers, mean squared error.   x (N, D), t (N, M)"""

    def forward(x, w1, b1, w2, b2, t):
        h = sigmoid(dense_layer(x, w1, b1))
        p = dense_layer(h, w2, b2)
        return np.mean(np.sum((p - t) ** 2, axis=1))

    d_t = None


def _mlp(slope=True, n=True, h_first=True, bias=True, t2=True):
    def backward(dy, x, w1, b1, w2, b2, t):
        h = sigmoid(np.dot(x, w1) + b1)
        p = np.dot(h, w2) + b2
        dp = dy * 2 * (p - t) / (len(x) if n else 1)
        dh = np.dot(dp, w2.T)
        dz = dh * h * (1 - h) if slope else dh
        dw2 = np.dot(h.T if h_first else np.dot(x, w1).T, dp)
        db1 = dz.sum(axis=0) if bias else dh.sum(axis=0)
        return np.dot(dz, w1.T), np.dot(x.T, dz), db1, dw2, dp.sum(axis=0), None

    return backward


mlp.backward = _mlp()
f = Family(mlp, lambda: (normal(5, 3), normal(3, 4), normal(4), normal(4, 2), normal(2), normal(5, 2)), WRONG)
f("sigmoid' left out", "derivative|slope, left out", backward=_mlp(slope=False))
f("not averaged", "batch|5, mean|divis", backward=_mlp(n=False))
f("sigmoid' left out of db1 alone", "derivative|steps, left out", backward=_mlp(bias=False))
f("x @ w1 for h in dw2", "in the place|used where|belongs", backward=_mlp(h_first=False))


class linalg_norm:
    """y = |x|, each row.   x (N, D) -> (N,)"""

    def forward(x):
        return np.linalg.norm(x, axis=1)

    def d_x(dy, x, y):
        return (dy / y)[:, None] * x


f = Family(linalg_norm, lambda: (normal(5, 3),), WRONG)
f("y^2 for y", "y, left out|divis|1 / y", d_x=lambda dy, x, y: (dy / y**2)[:, None] * x)
f("dy along the wrong axis", "axis|transpos|wrong|order", d_x=lambda dy, x, y: np.resize(dy, x.shape) * x / y[:, None])


class outer:
    """y = a b^T.   a (N,), b (M,) -> (N, M)"""

    def forward(a, b):
        return np.outer(a, b)

    def d_a(dy, b):
        return dy @ b

    def d_b(dy, a):
        return dy.T @ a


f = Family(outer, lambda: (normal(4), normal(3)), WRONG)
f("b left out", "b", d_a=lambda dy: dy.sum(axis=1))
f("a mean over rows", "4, divis|factor", d_b=lambda dy, a: dy.T @ a / len(a))
f("only the first column", "first", d_a=lambda dy, b: dy[:, 0] * b[0])


class bilinear:
    """y_n = x_n^T a z_n.   x (N, D), a (D, E), z (N, E) -> (N,)"""

    def forward(x, a, z):
        return np.einsum("nd,de,ne->n", x, a, z)

    def d_x(dy, a, z):
        return dy[:, None] * (z @ a.T)

    def d_a(dy, x, z):
        return np.einsum("n,nd,ne->de", dy, x, z)

    def d_z(dy, x, a):
        return dy[:, None] * (x @ a)


f = Family(bilinear, lambda: (normal(4, 3), normal(3, 3), normal(4, 3, seed=1)), WRONG)
f("a not transposed", "transpos", d_x=lambda dy, a, z: dy[:, None] * (z @ a))
f("x and z swapped in d_a", "transpos|swap", d_a=lambda dy, x, z: np.einsum("n,nd,ne->de", dy, z, x))
f("d_a of the last sample", "last", d_a=lambda dy, x, z: dy[-1] * np.outer(x[-1], z[-1]))


class geometric_mean:
    """y = (product of x)^(1/n), each row.   x (N, D) -> (N,)"""

    def forward(x):
        return np.prod(x, axis=1) ** (1 / x.shape[1])

    def d_x(dy, x, y):
        return (dy * y)[:, None] / (x.shape[1] * x)


f = Family(geometric_mean, lambda: (positive(4, 3),), WRONG)
f("1/n missing", "3, divis|factor", d_x=lambda dy, x, y: (dy * y)[:, None] / x)
f("not divided by x", "x", d_x=lambda dy, x, y: (dy * y)[:, None] / x.shape[1] * np.ones_like(x))


class temperature:
    """p = softmax(x / T).   x (N, C)"""

    def forward(x, *, T):
        z = x / T
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    def d_x(dy, y, T):
        return y * (dy - np.sum(dy * y, axis=1, keepdims=True)) / T


f = Family(temperature, lambda: (normal(3, 4),), WRONG, T=2.5)
f("1/T missing", "T, divis", d_x=lambda dy, y: y * (dy - np.sum(dy * y, axis=1, keepdims=True)))
f("times T", "T", d_x=lambda dy, y, T: y * (dy - np.sum(dy * y, axis=1, keepdims=True)) * T)
f("the sum over the batch", "axis", d_x=lambda dy, y, T: y * (dy - np.sum(dy * y, axis=0, keepdims=True)) / T)


class gan_loss:
    """loss = -mean ln D(real) - mean ln(1 - D(fake)), from logits.   real (N,), fake (M,)"""

    def forward(real, fake):
        return np.mean(np.log1p(np.exp(-real))) + np.mean(np.log1p(np.exp(fake)))

    def d_real(dy, real):
        return dy * -sigmoid(-real) / len(real)

    def d_fake(dy, fake):
        return dy * sigmoid(fake) / len(fake)


f = Family(gan_loss, lambda: (normal(5), normal(7)), WRONG)
f("real taken for fake", "derivative|sigmoid|sign|factor|exp", d_real=lambda dy, real: dy * sigmoid(real) / len(real))
f("fake divided by N of real", "divis|factor|5|7", d_fake=lambda dy, real, fake: dy * sigmoid(fake) / len(real))
f("sign of real", "sign", d_real=lambda dy, real: dy * sigmoid(-real) / len(real))


class gradient_penalty:
    """loss = mean of (|g| - 1)^2.   g (N, D)"""

    def forward(g):
        return np.mean((np.sqrt(np.sum(g * g, axis=1)) - 1) ** 2)

    def d_g(dy, g):
        n = np.sqrt(np.sum(g * g, axis=1, keepdims=True))
        return dy * 2 * (n - 1) * g / n / len(g)


f = Family(gradient_penalty, lambda: (normal(4, 3),), WRONG)
f(
    "not divided by the norm",
    "sqrt|norm",
    d_g=lambda dy, g: dy * 2 * (np.sqrt(np.sum(g * g, axis=1, keepdims=True)) - 1) * g / len(g),
)
f("the - 1 forgotten", "1|constant|factor|ratio|sqrt", d_g=lambda dy, g: dy * 2 * g / len(g))
f("2 forgotten", "factor 2", d_g=lambda dy, g: gradient_penalty.d_g(dy, g) / 2)


class positional:
    """y = sqrt(d) w[ids] + p.   ids (N, T), w (V, D), p (T, D) -> (N, T, D)"""

    def forward(ids, w, p):
        return np.sqrt(w.shape[1]) * w[ids] + p

    d_ids = None

    def d_w(dy, ids, w):
        d = np.zeros_like(w)
        np.add.at(d, ids, dy * np.sqrt(w.shape[1]))
        return d

    def d_p(dy):
        return dy.sum(axis=0)


def _plain_assign(dy, ids, w):
    d = np.zeros_like(w)
    d[ids] = dy * np.sqrt(w.shape[1])
    return d


f = Family(positional, lambda: (integers(7, 2, 4), normal(7, 3), normal(4, 3)), WRONG)
f("sqrt(d) left out", "sqrt", d_w=lambda dy, ids, w: positional.d_w(dy, ids, w) / np.sqrt(w.shape[1]))
f("repeated words", "repeated|+=", d_w=_plain_assign)
f("d_p a mean", "batch|2", d_p=lambda dy: dy.mean(axis=0))
f("d_p of the first sentence", "first", d_p=lambda dy: dy[0].copy())


class instance_norm:
    """y = (x - mean) / std over the pixels of each image and channel.   x (N, P, C)"""

    def forward(x):
        mu = np.mean(x, axis=1, keepdims=True)
        sd = np.sqrt(np.mean((x - mu) ** 2, axis=1, keepdims=True) + 1e-5)
        return (x - mu) / sd

    def d_x(dy, x):
        return _instance(dy, x)


def _instance(dy, x, axis=1, mean=True, var=True):
    mu = np.mean(x, axis=1, keepdims=True)
    sd = np.sqrt(np.mean((x - mu) ** 2, axis=1, keepdims=True) + 1e-5)
    h = (x - mu) / sd
    d = dy - (np.mean(dy, axis=axis, keepdims=True) if mean else 0)
    return (d - (h * np.mean(dy * h, axis=axis, keepdims=True) if var else 0)) / sd


f = Family(instance_norm, lambda: (normal(2, 5, 3),), WRONG)
f("means over the batch too", "axis", d_x=lambda dy, x: _instance(dy, x, axis=(0, 1)))
f("means over the channels", "axis", d_x=lambda dy, x: _instance(dy, x, axis=2))
f("mean term missing", "mean", d_x=lambda dy, x: _instance(dy, x, mean=False))
f("variance term missing", "mean((x - mu) ** 2|sd|variance|var", d_x=lambda dy, x: _instance(dy, x, var=False))


class leaky_rnn:
    """h_t = (1 - a) h_{t-1} + a tanh(x_t + h_{t-1} w).   x (T, H), w (H, H), h0 (H,) -> (T, H)"""

    def forward(x, w, h0, *, a):
        hs, h = np.zeros_like(x), h0
        for t in range(len(x)):
            h = (1 - a) * h + a * np.tanh(x[t] + h @ w)
            hs[t] = h
        return hs


def _leaky(leak=True, scale=True, slope=True, through_w=True, last=False):
    def backward(dy, x, w, h0, a):
        hs, h = [h0], h0
        for t in range(len(x)):
            h = (1 - a) * h + a * np.tanh(x[t] + h @ w)
            hs.append(h)
        dx, dw, dh = np.zeros_like(x), np.zeros_like(w), 0
        for t in reversed(range(len(x))):
            dh = (dy[t] if not last or t == len(x) - 1 else 0) + dh
            th = np.tanh(x[t] + hs[t] @ w)
            dz = dh * (a if scale else 1) * ((1 - th * th) if slope else 1)
            dx[t] = dz
            dw += np.outer(hs[t], dz)
            dh = (dh * (1 - a) if leak else 0) + (dz @ w.T if through_w else 0)
        return dx, dw, dh

    return backward


leaky_rnn.backward = _leaky()
f = Family(leaky_rnn, lambda: (normal(4, 3), 0.5 * normal(3, 3), normal(3)), WRONG, a=0.3)
f("the leak path lost", "1 - a|path", backward=_leaky(leak=False))
f("a left out", "a|factor", backward=_leaky(scale=False))
f("tanh' left out", "tanh, derivative", backward=_leaky(slope=False))
f("the path through w lost", "h @ w|path", backward=_leaky(through_w=False))
f("upstream at the last step only", "last", backward=_leaky(last=True))


class depthwise:
    """y[n, i, j, c] = sum_uv x[n, i + u, j + v, c] w[u, v, c].   x (N, H, W, C), w (K, K, C)"""

    def forward(x, w):
        K = len(w)
        H, W = x.shape[1] - K + 1, x.shape[2] - K + 1
        y = np.zeros((len(x), H, W, x.shape[3]))
        for u in range(K):
            for v in range(K):
                y += x[:, u : u + H, v : v + W] * w[u, v]
        return y

    def d_x(dy, x, w):
        return _depthwise(dy, x, w)

    def d_w(dy, x, w):
        K, (_, H, W, _) = len(w), dy.shape
        return np.array([[(x[:, u : u + H, v : v + W] * dy).sum(axis=(0, 1, 2)) for v in range(K)] for u in range(K)])


def _depthwise(dy, x, w, add=True, swap=False):
    d, (_, H, W, _) = np.zeros_like(x), dy.shape
    for u in range(len(w)):
        for v in range(len(w)):
            piece = dy * (w[v, u] if swap else w[u, v])
            d[:, u : u + H, v : v + W] = d[:, u : u + H, v : v + W] + piece if add else piece
    return d


f = Family(depthwise, lambda: (normal(2, 4, 5, 3), normal(2, 2, 3)), WRONG)
f("= for +=", "= where +=|overlap|overwrit", d_x=lambda dy, x, w: _depthwise(dy, x, w, add=False))
f("rows and columns of the kernel swapped", "axes|transpos", d_x=lambda dy, x, w: _depthwise(dy, x, w, swap=True))
f("d_w over one image", "first|batch|axis 0", d_w=lambda dy, x, w: depthwise.d_w(dy[:1], x[:1], w))
f(
    "d_w a mean",
    "divis|factor|mean",
    d_w=lambda dy, x, w: depthwise.d_w(dy, x, w) / (len(x) * dy.shape[1] * dy.shape[2]),
)


class quantile_loss:
    """y = mean of max(q r, (q - 1) r),  r = t - p"""

    def forward(p, t, *, q):
        return np.mean(np.maximum(q * (t - p), (q - 1) * (t - p)))

    def d_p(dy, p, t, q):
        return dy * np.where(t > p, -q, 1 - q) / p.size

    d_t = None


f = Family(quantile_loss, lambda: (normal(11), normal(11, seed=1)), WRONG, q=0.7)
f("q for 1 - q", "1 - q|q|wrong only", d_p=lambda dy, p, t, q: dy * np.where(t > p, -q, q) / p.size)
f("not averaged", "11, divis|mean", d_p=lambda dy, p, t, q: dy * np.where(t > p, -q, 1 - q))
f("sign", "sign", d_p=lambda dy, p, t, q: dy * np.where(t > p, q, q - 1) / p.size)


class dice:
    """loss = 1 - 2 sum p t / (sum p + sum t)"""

    def forward(p, t):
        return 1 - 2 * (p * t).sum() / (p.sum() + t.sum())

    def d_p(dy, p, t):
        s = p.sum() + t.sum()
        return dy * (-2 * t / s + 2 * (p * t).sum() / s**2)

    d_t = None


f = Family(dice, lambda: (probabilities(4, 3), zeros_and_ones(4, 3)), WRONG)
f("the denominator taken as a constant", "constant|p.sum()", d_p=lambda dy, p, t: dy * -2 * t / (p.sum() + t.sum()))
f(
    "the denominator not squared",
    "factor|divis|squared|times",
    d_p=lambda dy, p, t: dy * (-2 * t / (p.sum() + t.sum()) + 2 * (p * t).sum() / (p.sum() + t.sum())),
)


class scaled_tanh:
    """An invented op: y = a tanh(b x) with numbers a (1,) and b (1,).   x (N, D)"""

    def forward(x, a, b):
        return a * np.tanh(b * x)

    def d_x(dy, x, a, b):
        return dy * a * b * (1 - np.tanh(b * x) ** 2)

    def d_a(dy, x, b):
        return (dy * np.tanh(b * x)).sum().reshape(1)

    def d_b(dy, x, a, b):
        return (dy * a * x * (1 - np.tanh(b * x) ** 2)).sum().reshape(1)


f = Family(scaled_tanh, lambda: (normal(4, 3), positive(1), positive(1, seed=1)), WRONG)
f("b left out of d_x", "b", d_x=lambda dy, x, a, b: dy * a * (1 - np.tanh(b * x) ** 2))
f("x left out of d_b", "x", d_b=lambda dy, x, a, b: (dy * a * (1 - np.tanh(b * x) ** 2)).sum().reshape(1))
f("tanh' left out of d_b", "tanh, derivative", d_b=lambda dy, x, a: (dy * a * x).sum().reshape(1))
f("1 - (b x)^2 in d_x", "derivative|tanh", d_x=lambda dy, x, a, b: dy * a * b * (1 - (b * x) ** 2))
f("d_a not summed", "sum|shape", d_a=lambda dy, x, b: dy * np.tanh(b * x))
