"""Wrong backwards that the explanations were not tuned for: other ops, a learner's own, minigen's own kernels.

Written after the explanations, in one go. At the first try all 63 were rejected and 59 explained.
"""

import numpy as np

from minigen import ops
from wrong_backwards.form import Family, Planted, integers, normal, positive, probabilities, zeros_and_ones

WRONG: list[Planted] = []


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


class huber:
    """y = mean of r^2 / 2 where |r| < delta, else delta (|r| - delta / 2),  r = x - t"""

    def forward(x, t, *, delta=1.0):
        r = x - t
        return np.where(np.abs(r) < delta, 0.5 * r * r, delta * (np.abs(r) - 0.5 * delta)).mean()

    def d_x(dy, x, t, delta):
        return dy * np.clip(x - t, -delta, delta) / x.size

    d_t = None


f = Family(huber, lambda: (normal(5, 3), normal(5, 3, seed=1)), WRONG, delta=0.8)
f("no clipping of the slope", "delta|>|mask", d_x=lambda dy, x, t: dy * (x - t) / x.size)
f(
    "delta left out of the linear part",
    "delta|>|wrong only",
    d_x=lambda dy, x, t, delta: dy * np.where(np.abs(x - t) < delta, x - t, np.sign(x - t)) / x.size,
)
f("not averaged", "mean|divis, 5|15", d_x=lambda dy, x, t, delta: dy * np.clip(x - t, -delta, delta))


class focal:
    """y = mean of -(1 - p)^g ln p"""

    def forward(p, *, g=2.0):
        return -((1 - p) ** g * np.log(p)).mean()

    def d_p(dy, p, g):
        return dy * (g * (1 - p) ** (g - 1) * np.log(p) - (1 - p) ** g / p) / p.size


f = Family(focal, lambda: (probabilities(4, 3),), WRONG, g=2.5)
f("the weight taken as a constant", "constant|1 - p|path", d_p=lambda dy, p, g: dy * -((1 - p) ** g) / p / p.size)
f(
    "g not multiplied in",
    "g|factor",
    d_p=lambda dy, p, g: dy * ((1 - p) ** (g - 1) * np.log(p) - (1 - p) ** g / p) / p.size,
)


class cosine:
    """y = x . z / (|x| |z|), each row.   x (N, D), z (N, D) -> (N,)"""

    def forward(x, z):
        n, m = np.sqrt((x * x).sum(axis=1)), np.sqrt((z * z).sum(axis=1))
        return (x * z).sum(axis=1) / (n * m)

    def d_x(dy, x, z, y):
        n, m = np.sqrt((x * x).sum(axis=1, keepdims=True)), np.sqrt((z * z).sum(axis=1, keepdims=True))
        return dy[:, None] * (z / (n * m) - y[:, None] * x / n**2)

    d_z = None


def _norms(x, z):
    return np.sqrt((x * x).sum(axis=1, keepdims=True)), np.sqrt((z * z).sum(axis=1, keepdims=True))


f = Family(cosine, lambda: (normal(4, 3), normal(4, 3, seed=1)), WRONG)
f(
    "the norm taken as a constant",
    "constant|np.sqrt|sum",
    d_x=lambda dy, x, z: dy[:, None] * z / (_norms(x, z)[0] * _norms(x, z)[1]),
)
f(
    "not divided by the norms",
    "sqrt|n * m|factor",
    d_x=lambda dy, x, z, y: dy[:, None] * (z - y[:, None] * x * _norms(x, z)[1] / _norms(x, z)[0]),
)


class rms_norm:
    """y = g x / sqrt(mean of x^2 + eps), each row.   x (N, D), g (D,)"""

    def forward(x, g):
        r = np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-6)
        return x / r * g

    def d_x(dy, x, g):
        r = np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-6)
        h = dy * g
        return h / r - x * (h * x).mean(axis=-1, keepdims=True) / r**3

    def d_g(dy, x):
        return (dy * x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-6)).sum(axis=0)


f = Family(rms_norm, lambda: (normal(5, 3), positive(3)), WRONG)
f(
    "r taken as a constant",
    "constant",
    d_x=lambda dy, x, g: dy * g / np.sqrt((x * x).mean(axis=-1, keepdims=True) + 1e-6),
)
f("d_g from x", "x|r", d_g=lambda dy, x: (dy * x).sum(axis=0))
f("g left out of d_x", "g", d_x=lambda dy, x: rms_norm.d_x(dy, x, 1.0))


class prelu:
    """y = x where x > 0, else a x.   x (N, C), a (C,)"""

    def forward(x, a):
        return np.where(x > 0, x, a * x)

    def d_x(dy, x, a):
        return dy * np.where(x > 0, 1, a)

    def d_a(dy, x):
        return (dy * np.where(x > 0, 0, x)).sum(axis=0)


f = Family(prelu, lambda: (normal(7, 3), probabilities(3)), WRONG)
f("d_a over all entries", "mask|where|derivative", d_a=lambda dy, x: (dy * x).sum(axis=0))
f("d_a not summed", "sum, axis 0", d_a=lambda dy, x: dy * np.where(x > 0, 0, x))
f("d_x without a", "a|x < 0|mask", d_x=lambda dy, x: dy.copy())


class glu:
    """y = a sigmoid(b)"""

    def forward(a, b):
        return a * _sigmoid(b)

    def d_a(dy, b):
        return dy * _sigmoid(b)

    def d_b(dy, a, b):
        s = _sigmoid(b)
        return dy * a * s * (1 - s)


f = Family(glu, lambda: (normal(4, 3), normal(4, 3, seed=1)), WRONG)
f("sigmoid' left out of d_b", "derivative|factor|sigmoid", d_b=lambda dy, a: dy * a)
f("a left out of d_b", "a, left out", d_b=lambda dy, b: dy * _sigmoid(b) * (1 - _sigmoid(b)))
f("gate forgotten in d_a", "sigmoid(b), left out", d_a=lambda dy: dy.copy())


class highway:
    """y = t h + (1 - t) x,  t = sigmoid(x @ w), h = tanh(x @ u).   x (N, D)"""

    def forward(x, w, u):
        t, h = _sigmoid(x @ w), np.tanh(x @ u)
        return t * h + (1 - t) * x

    def backward(dy, x, w, u):
        t, h = _sigmoid(x @ w), np.tanh(x @ u)
        dt, dh = dy * (h - x) * t * (1 - t), dy * t * (1 - h * h)
        return dy * (1 - t) + dt @ w.T + dh @ u.T, x.T @ dt, x.T @ dh


def _highway(skip=True, minus_x=True, tanh=True):
    def backward(dy, x, w, u):
        t, h = _sigmoid(x @ w), np.tanh(x @ u)
        dt = dy * (h - x if minus_x else h) * t * (1 - t)
        dh = dy * t * (1 - h * h if tanh else 1)
        return (dy * (1 - t) if skip else 0) + dt @ w.T + dh @ u.T, x.T @ dt, x.T @ dh

    return backward


f = Family(highway, lambda: (normal(4, 3), normal(3, 3), normal(3, 3, seed=1)), WRONG)
f("the carry path lost", "1 - t|path", backward=_highway(skip=False))
f("- x left out of dt", "1 - t|path", backward=_highway(minus_x=False))
f("tanh' left out", "tanh, derivative", backward=_highway(tanh=False))


class gru_step:
    """r, z = sigmoid(...), n = tanh(x w_n + r (h u_n)), h' = (1 - z) n + z h"""

    def forward(x, h, w, u):
        H = h.shape[1]
        a, b = x @ w, h @ u
        r, z = _sigmoid(a[:, :H] + b[:, :H]), _sigmoid(a[:, H : 2 * H] + b[:, H : 2 * H])
        n = np.tanh(a[:, 2 * H :] + r * b[:, 2 * H :])
        return (1 - z) * n + z * h


def _gru(direct=True, r_in_n=True, sign=1, slope=True):
    def backward(dy, x, h, w, u):
        H = h.shape[1]
        a, b = x @ w, h @ u
        r, z = _sigmoid(a[:, :H] + b[:, :H]), _sigmoid(a[:, H : 2 * H] + b[:, H : 2 * H])
        n = np.tanh(a[:, 2 * H :] + r * b[:, 2 * H :])
        dn = dy * (1 - z) * (1 - n * n)
        dr = dn * b[:, 2 * H :] * (r * (1 - r) if slope else 1)
        dz = dy * (sign * h - n) * z * (1 - z)
        da = np.concatenate([dr, dz, dn], axis=1)
        db = np.concatenate([dr, dz, dn * r if r_in_n else dn], axis=1)
        dh = db @ u.T + (dy * z if direct else 0)
        return da @ w.T, dh, x.T @ da, h.T @ db

    return backward


gru_step.backward = _gru()
f = Family(gru_step, lambda: (normal(3, 2), normal(3, 4), normal(2, 12), 0.5 * normal(4, 12)), WRONG)
f("the direct path through h lost", "z * h|path|constant", backward=_gru(direct=False))
f("r left out of the candidate's h path", "r, left out|factor", backward=_gru(r_in_n=False))
f("h of the wrong sign in dz", "sign", backward=_gru(sign=-1))
f("sigma'(r) left out", "derivative|slope|factor", backward=_gru(slope=False))


class log_sum_exp:
    """y = ln sum e^x of each row.   x (N, D) -> (N,)"""

    def forward(x):
        m = x.max(axis=1, keepdims=True)
        return np.log(np.exp(x - m).sum(axis=1)) + m[:, 0]

    def d_x(dy, x, y):
        return dy[:, None] * np.exp(x - y[:, None])


f = Family(log_sum_exp, lambda: (normal(4, 3),), WRONG)
f("not normalised", "y|exp|sum", d_x=lambda dy, x: dy[:, None] * np.exp(x))
f(
    "to the largest only",
    "max|lost|lacks|contributions|log|sum",
    d_x=lambda dy, x: dy[:, None] * (x == x.max(axis=1, keepdims=True)),
)


class gram:
    """y = x^T x / (H W C) of each image, as in style transfer.   x (N, P, C) -> (N, C, C)"""

    def forward(x):
        return np.einsum("npc,npd->ncd", x, x) / (x.shape[1] * x.shape[2])

    def d_x(dy, x):
        return np.einsum("npc,ncd->npd", x, dy + dy.swapaxes(1, 2)) / (x.shape[1] * x.shape[2])


f = Family(gram, lambda: (normal(2, 5, 3),), WRONG)
f(
    "only one of the two factors",
    "x|path|constant|product",
    d_x=lambda dy, x: np.einsum("npc,ncd->npd", x, dy) / (x.shape[1] * x.shape[2]),
)
f(
    "2 x dy, dy not symmetrised",
    "transpos|x|constant|2",
    d_x=lambda dy, x: 2 * np.einsum("npc,ncd->npd", x, dy) / (x.shape[1] * x.shape[2]),
)
f("not divided", "5 * 3|15, divis", d_x=lambda dy, x: np.einsum("npc,ncd->npd", x, dy + dy.swapaxes(1, 2)))


class distances:
    """y_ij = |x_i - z_j|^2.   x (N, D), z (M, D) -> (N, M)"""

    def forward(x, z):
        return ((x[:, None] - z[None]) ** 2).sum(axis=2)

    def d_x(dy, x, z):
        return 2 * (dy[:, :, None] * (x[:, None] - z[None])).sum(axis=1)

    def d_z(dy, x, z):
        return -2 * (dy[:, :, None] * (x[:, None] - z[None])).sum(axis=0)


f = Family(distances, lambda: (normal(4, 3), normal(5, 3)), WRONG)
f("sign of d_z", "sign", d_z=lambda dy, x, z: 2 * (dy[:, :, None] * (x[:, None] - z[None])).sum(axis=0))
f("2 missing", "factor 2", d_x=lambda dy, x, z: (dy[:, :, None] * (x[:, None] - z[None])).sum(axis=1))
f("a mean over the points", "5, divis", d_x=lambda dy, x, z: 2 * (dy[:, :, None] * (x[:, None] - z[None])).mean(axis=1))


class film:
    """y = x scale + shift, for each image and channel.   x (N, H, W, C), scale (N, C), shift (N, C)"""

    def forward(x, scale, shift):
        return x * scale[:, None, None] + shift[:, None, None]

    def d_x(dy, scale):
        return dy * scale[:, None, None]

    def d_scale(dy, x):
        return (dy * x).sum(axis=(1, 2))

    def d_shift(dy):
        return dy.sum(axis=(1, 2))


f = Family(film, lambda: (normal(2, 3, 5, 4), normal(2, 4), normal(2, 4, seed=1)), WRONG)
f("x forgotten in d_scale", "x", d_scale=lambda dy: dy.sum(axis=(1, 2)))
f("d_shift over rows only", "sum, axis 1", d_shift=lambda dy: dy.sum(axis=1))
f("d_shift a mean", "3 * 5|15|H * W, divis|mean", d_shift=lambda dy: dy.mean(axis=(1, 2)))


class squeeze_excite:
    """y = x sigmoid(mean over the pixels of x @ w).   x (N, P, C), w (C, C)"""

    def forward(x, w):
        s = _sigmoid(x.mean(axis=1) @ w)
        return x * s[:, None]

    def backward(dy, x, w):
        s = _sigmoid(x.mean(axis=1) @ w)
        da = (dy * x).sum(axis=1) * s * (1 - s)
        return dy * s[:, None] + (da @ w.T)[:, None] / x.shape[1], x.mean(axis=1).T @ da


def _se(gate=True, n=True):
    def backward(dy, x, w):
        s = _sigmoid(x.mean(axis=1) @ w)
        da = (dy * x).sum(axis=1) * s * (1 - s)
        return dy * s[:, None] + ((da @ w.T)[:, None] / (x.shape[1] if n else 1) if gate else 0), x.mean(axis=1).T @ da

    return backward


f = Family(squeeze_excite, lambda: (normal(2, 5, 3), normal(3, 3)), WRONG)
f("the gate taken as a constant", "constant|mean|path", backward=_se(gate=False))
f("1/P left out", "5|P, mean", backward=_se(n=False))


class smoothed_cross_entropy:
    """loss = mean of -sum q ln p,  q = (1 - e) one-hot + e / C.   logits (N, C), labels (N,)"""

    def forward(logits, labels, *, smooth):
        s = logits - logits.max(axis=1, keepdims=True)
        logp = s - np.log(np.exp(s).sum(axis=1, keepdims=True))
        N, C = logits.shape
        return -((1 - smooth) * logp[np.arange(N), labels] + smooth * logp.mean(axis=1)).mean()

    def d_logits(dy, logits, labels, smooth):
        return _smoothed(dy, logits, labels, smooth)

    d_labels = None


def _smoothed(dy, logits, labels, smooth):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    N, C = logits.shape
    q = (1 - smooth) * (np.arange(C) == labels[:, None]) + smooth / C
    return dy * (e / e.sum(axis=1, keepdims=True) - q) / N


f = Family(smoothed_cross_entropy, lambda: (normal(7, 5), integers(5, 7)), WRONG, smooth=0.2)
f("smoothing forgotten", "smooth", d_logits=lambda dy, logits, labels: _smoothed(dy, logits, labels, 0.0))
f(
    "not averaged",
    "batch",
    d_logits=lambda dy, logits, labels, smooth: _smoothed(dy, logits, labels, smooth) * len(labels),
)


class causal_attention:
    """y = softmax of the causally masked q k^T / sqrt(d), times v.   q, k (T, D), v (T, M)"""

    def forward(q, k, v):
        s = np.where(np.tri(len(q)) > 0, q @ k.T / np.sqrt(q.shape[1]), -1e9)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True) @ v


def _causal(scale=True, p_dy="p.T", terms=True):
    def backward(dy, q, k, v):
        d = np.sqrt(q.shape[1])
        s = np.where(np.tri(len(q)) > 0, q @ k.T / d, -1e9)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        dp = dy @ v.T
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) if terms else dp * p * (1 - p)
        ds = ds / d if scale else ds
        return ds @ k, ds.T @ q, (p.T if p_dy == "p.T" else p) @ dy

    return backward


causal_attention.backward = _causal()
f = Family(causal_attention, lambda: (normal(4, 3), normal(4, 3, seed=1), normal(4, 2)), WRONG)
f("p for p.T in dv", "transpos", backward=_causal(p_dy="p"))
f("scale left out", "sqrt", backward=_causal(scale=False))
f("p (1 - p)", "diagonal", backward=_causal(terms=False))


class conv1d:
    """y[n, t] = sum_u x[n, t + u] @ w[u].   x (N, T, C), w (K, C, F)"""

    def forward(x, w):
        K = len(w)
        return sum(x[:, u : x.shape[1] - K + 1 + u] @ w[u] for u in range(K))

    def d_x(dy, w, x_shape):
        return _conv1d_dx(dy, w, x_shape)

    def d_w(dy, x, w_shape):
        K = w_shape[0]
        return np.stack([np.einsum("ntc,ntf->cf", x[:, u : x.shape[1] - K + 1 + u], dy) for u in range(K)])


def _conv1d_dx(dy, w, x_shape, add=True, flip=False, shift=0):
    d = np.zeros(x_shape)
    T = dy.shape[1]
    for u in range(len(w)):
        piece = dy @ (w[::-1][u] if flip else w[u]).T
        if add:
            d[:, u : u + T] += piece
        else:
            d[:, u : u + T] = piece
    return np.roll(d, shift, axis=1)


f = Family(conv1d, lambda: (normal(2, 7, 3), normal(3, 3, 2)), WRONG)
f("= for +=", "= where +=|overlap|overwrit", d_x=lambda dy, w, x_shape: _conv1d_dx(dy, w, x_shape, add=False))
f("kernel flipped", "flip", d_x=lambda dy, w, x_shape: _conv1d_dx(dy, w, x_shape, flip=True))
f("one step late", "shift|offset|roll", d_x=lambda dy, w, x_shape: _conv1d_dx(dy, w, x_shape, shift=1))


class global_pool:
    """y = mean over the pixels.   x (N, H, W, C) -> (N, C)"""

    def forward(x):
        return x.mean(axis=(1, 2))

    def d_x(dy, x_shape):
        return np.broadcast_to(dy[:, None, None], x_shape) / (x_shape[1] * x_shape[2])


f = Family(global_pool, lambda: (normal(2, 3, 5, 4),), WRONG)
f("divided by H alone", "5, divis", d_x=lambda dy, x_shape: np.broadcast_to(dy[:, None, None], x_shape) / x_shape[1])
f(
    "not divided",
    "3 * 5|H * W|15, divis|mean",
    d_x=lambda dy, x_shape: np.broadcast_to(dy[:, None, None], x_shape) * 1.0,
)


class mixup:
    """An invented op: y = sin(x) z^2 + x"""

    def forward(x, z):
        return np.sin(x) * z**2 + x

    def d_x(dy, x, z):
        return dy * (np.cos(x) * z**2 + 1)

    def d_z(dy, x, z):
        return dy * np.sin(x) * 2 * z


f = Family(mixup, lambda: (normal(4, 3), normal(4, 3, seed=1)), WRONG)
f("sin for cos", "sin|derivative|cos", d_x=lambda dy, x, z: dy * (np.sin(x) * z**2 + 1))
f("- cos", "sign", d_x=lambda dy, x, z: dy * (-np.cos(x) * z**2 + 1))
f("the + x path lost", "x|path|term", d_x=lambda dy, x, z: dy * np.cos(x) * z**2)
f("2 missing in d_z", "2", d_z=lambda dy, x, z: dy * np.sin(x) * z)
f("z not squared in d_x", "z", d_x=lambda dy, x, z: dy * (np.cos(x) * z + 1))


class soft_threshold:
    """An invented op: y = sign(x) max(|x| - k, 0)"""

    def forward(x, *, k):
        return np.sign(x) * np.maximum(np.abs(x) - k, 0)

    def d_x(dy, x, k):
        return dy * (np.abs(x) > k)


f = Family(soft_threshold, lambda: (normal(5, 4),), WRONG, k=0.5)
f("sign multiplied in", "sign|x < 0", d_x=lambda dy, x, k: dy * (np.abs(x) > k) * np.sign(x))
f("only the positive side", "x < 0|side|lost|lacks", d_x=lambda dy, x, k: dy * (x > k))


class minigen_lstm:
    """minigen's own lstm kernel, with something changed in its gates"""

    outputs = "hs", "c_n"
    forward = ops.lstm.forward
    backward = ops.lstm.backward


def _lstm_without(gate):
    def backward(d_hs, d_c_n, x, h0, c0, w_x, w_h, b):
        H, h, c, saved = h0.shape[1], h0, c0, []
        for t in range(x.shape[1]):
            a = x[:, t] @ w_x + h @ w_h + b
            s = _sigmoid(a)
            s[:, 2 * H : 3 * H] = np.tanh(a[:, 2 * H : 3 * H])
            saved.append((h, c, s))
            c = s[:, H : 2 * H] * c + s[:, :H] * s[:, 2 * H : 3 * H]
            h = s[:, 3 * H :] * np.tanh(c)
        d_x, d_w_x, d_w_h, d_b = np.zeros_like(x), 0 * w_x, 0 * w_h, 0 * b
        dh, dc = 0, d_c_n
        for t in reversed(range(x.shape[1])):
            h, c, s = saved[t]
            i, f, g, o = s[:, :H], s[:, H : 2 * H], s[:, 2 * H : 3 * H], s[:, 3 * H :]
            tc = np.tanh(f * c + i * g)
            dh = d_hs[:, t] + dh
            dc = dc + dh * o * (1 if gate == "c" else 1 - tc * tc)
            da = [
                dc * g * (1 if gate == "i" else i * (1 - i)),
                dc * c * f * (1 - f),
                dc * i * (1 - g * g),
                dh * tc * o * (1 - o),
            ]
            da = np.concatenate(da, axis=1)
            d_x[:, t], d_w_x, d_w_h, d_b = da @ w_x.T, d_w_x + x[:, t].T @ da, d_w_h + h.T @ da, d_b + da.sum(axis=0)
            dc = dc * (1 if gate == "carry" else f)
            dh = da @ w_h.T
        return d_x, dh, dc * 0 if gate == "c_n" else dc, d_w_x, d_w_h, d_b

    return backward


f = Family(
    minigen_lstm,
    lambda: (normal(2, 3, 2), normal(2, 3), normal(2, 3, seed=1), normal(2, 12), 0.5 * normal(3, 12), normal(12)),
    WRONG,
)
f("tanh'(c) left out", "tanh|derivative, left out", backward=_lstm_without("c"))
f("sigma'(i) left out", "derivative|block 0|slope, left out|wrong", backward=_lstm_without("i"))
f("f left out of the carry", "f|factor, left out|carr", backward=_lstm_without("carry"))
f("dc0 forgotten", "is 0", backward=_lstm_without("c_n"))


class minigen_conv:
    """minigen's own conv kernel"""

    forward = ops.conv2d.forward
    d_x = ops.conv2d.d_x
    d_w = ops.conv2d.d_w
    d_b = ops.conv2d.d_b


f = Family(minigen_conv, lambda: (normal(2, 6, 5, 2), normal(3, 2, 2, 3), normal(3)), WRONG, stride=2, padding=1)
f(
    "d_w flipped",
    "flip",
    d_w=lambda dy, x, w_shape, stride, padding: ops.conv2d.d_w(dy, x, w_shape, stride, padding)[::-1, ::-1].copy(),
)
f("d_b of one image", "first|batch|axis 0", d_b=lambda dy: dy[0].sum(axis=(0, 1)))
f(
    "d_x without padding",
    "pad",
    d_x=lambda dy, w, x_shape, stride, padding: np.roll(
        ops.conv2d.d_x(dy, w, x_shape, stride, padding), 1, axis=(1, 2)
    ),
)


class masked_mean:
    """An invented op: y = the mean of x over the places where mask is 1, each row.   x (N, T), mask (N, T)"""

    def forward(x, mask):
        return (x * mask).sum(axis=1) / mask.sum(axis=1)

    def d_x(dy, mask):
        return dy[:, None] * mask / mask.sum(axis=1, keepdims=True)

    d_mask = None


f = Family(masked_mean, lambda: (normal(5, 7), zeros_and_ones(5, 7, p=0.6)), WRONG)
f("mask not applied", "mask", d_x=lambda dy, mask, x: dy[:, None] * np.ones_like(x) / mask.sum(axis=1, keepdims=True))
f("divided by T", "mask.sum|count|axis 0", d_x=lambda dy, mask: dy[:, None] * mask / mask.shape[1])
f("not divided", "mask.sum|count|axis 0", d_x=lambda dy, mask: dy[:, None] * mask)
