"""Recurrent layers, attention, embedding."""

import numpy as np

from wrong_backwards.form import Family, Planted, integers, normal

WRONG: list[Planted] = []


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _rnn(
    slope=lambda h: 1 - h * h,
    carry=True,
    reach=None,
    dw="+=",
    wt=True,
    last_only=False,
    forward=False,
    before="h0",
    dh0=True,
    mean=False,
):
    """The backward of an rnn, right by default, with one thing changed."""

    def backward(dy, x, h0, w_x, w_h, b, y):
        N, T, D = x.shape
        dx, dh = np.zeros_like(x), np.zeros_like(h0)
        dwx, dwh, db = np.zeros_like(w_x), np.zeros_like(w_h), np.zeros_like(b)
        steps = range(T) if forward else reversed(range(T))
        for n, t in enumerate(steps):
            up = dy[:, t] if not last_only or t == T - 1 else 0
            back = dh if carry and (reach is None or n % (reach + 1) != 0) else 0
            da = (up + back) * slope(y[:, t])
            dx[:, t] = da @ w_x.T
            prev = {"h0": y[:, t - 1] if t else h0, "same": y[:, t], "zero": y[:, t - 1] if t else 0 * h0}[before]
            if dw == "+=":
                dwx, dwh, db = dwx + x[:, t].T @ da, dwh + prev.T @ da, db + da.sum(axis=0)
            else:
                dwx, dwh, db = x[:, t].T @ da, prev.T @ da, da.sum(axis=0)
            dh = da @ (w_h.T if wt else w_h)
        share = T if mean else 1
        return dx, dh if dh0 else np.zeros_like(dh), dwx / share, dwh / share, db / share

    return backward


class rnn:
    """h_t = tanh(x_t w_x + h_{t-1} w_h + b).   x (N, T, D), h0 (N, H), w_x (D, H), w_h (H, H), b (H,) -> (N, T, H)"""

    def forward(x, h0, w_x, w_h, b):
        h, hs = h0, []
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ w_x + h @ w_h + b)
            hs.append(h)
        return np.stack(hs, axis=1)

    backward = _rnn()


f = Family(rnn, lambda: (normal(2, 4, 3), normal(2, 5), normal(3, 5), 0.5 * normal(5, 5), normal(5)), WRONG)
f("tanh' left out", "tanh, derivative", backward=_rnn(slope=lambda h: 1))
f("1 - h for 1 - h^2", "1 - y|square|tanh", backward=_rnn(slope=lambda h: 1 - h))
f("no carry", "carr|time", backward=_rnn(carry=False))
f("truncated to one step", "truncat|stops|time", backward=_rnn(reach=1))
f("dW = for dW +=", "=, last|first|only", backward=_rnn(dw="="))
f("w_h for w_h.T", "transpos", backward=_rnn(wt=False))
f("upstream at the last step only", "last", backward=_rnn(last_only=True))
f("forward in time", "forward|time", backward=_rnn(forward=True))
f("h_t for h_{t-1} in dw_h", "w_h|np.tanh|place", backward=_rnn(before="same"))
f("h0 forgotten in dw_h", "first|h0", backward=_rnn(before="zero"))
f("dh0 zeros", "0", backward=_rnn(dh0=False))
f("averaged over time", "time|4", backward=_rnn(mean=True))


def _rnn_swapped(dy, x, h0, w_x, w_h, b, y):
    dx, dh, dwx, dwh, db = _rnn()(dy, x, h0, w_x, w_h, b, y)
    return dx, dh, dwx, dwh.T.copy(), db


def _rnn_last_sample(dy, x, h0, w_x, w_h, b, y):
    dx, dh, dwx, dwh, db = _rnn()(dy, x, h0, w_x, w_h, b, y)
    right = _rnn()(dy[-1:], x[-1:], h0[-1:], w_x, w_h, b, y[-1:])
    return dx, dh, right[2], dwh, db


f("dw_h transposed", "transpos", backward=_rnn_swapped)
f("dw_x of the last sample", "last, batch|axis 0", backward=_rnn_last_sample)


def _lstm(no=None, swap=None, dc_carry=True, dh_carry=True, tanh_c=True, last_f=True, c_prev=True):
    """The backward of an lstm, right by default, with one thing changed."""

    def backward(dy, x, h0, c0, w_x, w_h, b):
        N, T, D = x.shape
        H = h0.shape[1]
        h, c, saved = h0, c0, []
        for t in range(T):
            a = x[:, t] @ w_x + h @ w_h + b
            i, f, g, o = (
                _sigmoid(a[:, :H]),
                _sigmoid(a[:, H : 2 * H]),
                np.tanh(a[:, 2 * H : 3 * H]),
                _sigmoid(a[:, 3 * H :]),
            )
            before = h, c
            c = f * c + i * g
            h = o * np.tanh(c)
            saved.append((i, f, g, o, c, *before))
        dx, dwx, dwh, db = np.zeros_like(x), 0 * w_x, 0 * w_h, 0 * b
        dh, dc = 0 * h0, 0 * c0
        for t in reversed(range(T)):
            i, f, g, o, c, h_prev, c_p = saved[t]
            dh = dy[:, t] + (dh if dh_carry else 0)
            tc = np.tanh(c)
            dc = (dc if dc_carry else 0) + dh * o * ((1 - tc * tc) if tanh_c else 1)
            di, df, dg, do = dc * g, dc * (c_p if c_prev else c), dc * i, dh * tc
            if swap:
                di, df = df, di
            di = di if no == "i" else di * i * (1 - i)
            df = df if no == "f" else df * f * (1 - f)
            dg = dg if no == "g" else dg * (1 - g * g)
            do = do if no == "o" else do * o * (1 - o)
            da = np.concatenate([di, df, dg, do], axis=1)
            dx[:, t] = da @ w_x.T
            dwx, dwh, db = dwx + x[:, t].T @ da, dwh + h_prev.T @ da, db + da.sum(axis=0)
            dh = da @ w_h.T
            dc = dc * f if last_f or t > 0 else dc
        return dx, dh, dc, dwx, dwh, db

    return backward


class lstm:
    """i, f, o = sigmoid(...), g = tanh(...), c = f c + i g, h = o tanh(c).   x (N, T, D), h0, c0 (N, H) -> (N, T, H)"""

    def forward(x, h0, c0, w_x, w_h, b):
        H = h0.shape[1]
        h, c, hs = h0, c0, []
        for t in range(x.shape[1]):
            a = x[:, t] @ w_x + h @ w_h + b
            i = 1 / (1 + np.exp(-a[:, :H]))
            f = 1 / (1 + np.exp(-a[:, H : 2 * H]))
            g = np.tanh(a[:, 2 * H : 3 * H])
            o = 1 / (1 + np.exp(-a[:, 3 * H :]))
            c = f * c + i * g
            h = o * np.tanh(c)
            hs.append(h)
        return np.stack(hs, axis=1)

    backward = _lstm()


f = Family(
    lstm,
    lambda: (normal(2, 3, 2), normal(2, 3), normal(2, 3, seed=1), normal(2, 12), 0.5 * normal(3, 12), normal(12)),
    WRONG,
)
f("sigma'(f) left out", "H : 2 * H, derivative|slope|factor", backward=_lstm(no="f"))
f("sigma'(i) left out", ":H, derivative|slope|factor", backward=_lstm(no="i"))
f("tanh'(g) left out", "tanh, derivative", backward=_lstm(no="g"))
f("sigma'(o) left out", "3 * H, derivative|slope|factor", backward=_lstm(no="o"))
f("tanh'(c) left out", "np.tanh(c), derivative", backward=_lstm(tanh_c=False))
f("i and f swapped", "swap|place|block|c", backward=_lstm(swap=True))
f("c carry dropped", "f * c|carr|time", backward=_lstm(dc_carry=False))
f("h carry dropped", "h @ w_h|carr|time", backward=_lstm(dh_carry=False))
f("dc0 without f", "f|factor|first", backward=_lstm(last_f=False))
f("c_t for c_{t-1} in df", "c", backward=_lstm(c_prev=False))


def _softmax(s):
    e = np.exp(s - s.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _attention(scale=True, softmax="right", kt=True, v="p.T"):
    """The backward of scaled dot-product attention, right by default, with one thing changed."""

    def backward(dy, q, k, v):
        d = q.shape[-1]
        r = np.sqrt(d)
        p = _softmax(q @ k.swapaxes(-1, -2) / r)
        dp = dy @ v.swapaxes(-1, -2)
        if softmax == "right":
            ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True))
        elif softmax == "diagonal":
            ds = dp * p * (1 - p)
        elif softmax == "axis":
            ds = p * (dp - (dp * p).sum(axis=-2, keepdims=True))
        elif softmax == "no sum":
            ds = p * dp
        else:
            ds = dp
        ds = ds / r if scale else ds
        return ds @ k, ds.swapaxes(-1, -2) @ q, p.swapaxes(-1, -2) @ dy

    return backward


class attention:
    """y = softmax(q k^T / sqrt(d)) v.   q (N, T, D), k (N, S, D), v (N, S, M) -> (N, T, M)"""

    def forward(q, k, v):
        s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        return p @ v

    backward = _attention()


f = Family(attention, lambda: (normal(2, 3, 5), normal(2, 4, 5), normal(2, 4, 2)), WRONG)
f("1/sqrt(d) left out", "sqrt", backward=_attention(scale=False))
f("softmax: diagonal only", "diagonal", backward=_attention(softmax="diagonal"))
f("softmax: sum term missing", "sum", backward=_attention(softmax="no sum"))
f("softmax: derivative left out", "softmax|derivative", backward=_attention(softmax="none"))
f("softmax: wrong axis", "axis", backward=_attention(softmax="axis"))


def _attention_swapped(dy, q, k, v):
    dq, dk, dv = _attention()(dy, q, k, v)
    return dk, dq, dv


f = Family(attention, lambda: (normal(2, 3, 5), normal(2, 3, 5, seed=1), normal(2, 3, 2)), WRONG)
f("dq and dk swapped", "swapped", backward=_attention_swapped)
f("softmax: wrong axis, T = S", "axis", backward=_attention(softmax="axis"))


class embedding:
    """y = w[ids].   ids (N, T) of integers, w (V, D) -> (N, T, D)"""

    def forward(ids, w):
        return w[ids]

    d_ids = None

    def d_w(dy, ids, w):
        d = np.zeros_like(w)
        np.add.at(d, ids, dy)
        return d


def _assigned(dy, ids, w):
    d = np.zeros_like(w)
    d[ids] = dy
    return d


def _fancy(dy, ids, w):
    d = np.zeros_like(w)
    d[ids] += dy
    return d


def _counted(dy, ids, w):
    d = np.zeros_like(w)
    np.add.at(d, ids, dy)
    return d / np.maximum(np.bincount(ids.ravel(), minlength=len(w)), 1)[:, None]


f = Family(embedding, lambda: (np.array([[0, 3, 3], [5, 0, 3]]), normal(7, 2)), WRONG)
f("d[ids] = dy", "repeated, +=", d_w=_assigned)
f("d[ids] += dy", "repeated, +=", d_w=_fancy)
f("averaged by count", "axis 0|count|repeat", d_w=_counted)
f("shifted by one", "offset|shift|index", d_w=lambda dy, ids, w: np.roll(embedding.d_w(dy, ids, w), 1, axis=0))


class bag:
    """y = sum of w[ids] over the words.   ids (N, T), w (V, D) -> (N, D)"""

    def forward(ids, w):
        return w[ids].sum(axis=1)

    d_ids = None

    def d_w(dy, ids, w):
        d = np.zeros_like(w)
        np.add.at(d, ids, dy[:, None, :] + 0 * d[ids])
        return d


f = Family(bag, lambda: (integers(7, 3, 4), normal(7, 2)), WRONG)
f(
    "only the first word",
    "first|outputs|contributions|wrong only|overwrit",
    d_w=lambda dy, ids, w: embedding.d_w(dy, ids[:, 0], w),
)
f("a mean for a sum", "4", d_w=lambda dy, ids, w: bag.d_w(dy, ids, w) / ids.shape[1])
