"""Recurrent layers over whole sequences. x (N, T, D) in, the hidden states of all T steps (N, T, H) out.

Each is written twice: `plain` is one step as in the textbook, looped; forward and backward are the kernels, which
project all inputs in one product before the loop, and gather the weights' gradients in one product after it.
The initial states are inputs and have gradients, so a sequence can be cut in pieces and carried on.
"""
# fmt: off

from minigen.backend import xp
from minigen.graph import keep, op
from minigen.ops.activations import sigmoid, tanh
from minigen.ops.linear import column_sums, same_floats
from minigen.ops.shaping import split, stack
from minigen.threads import shared, shared_product


def _check(name, gates, x, h0, w_x, w_h, b, **more):
    same_floats(name, x=x, h0=h0, w_x=w_x, w_h=w_h, b=b, **more)
    if x.ndim != 3 or x.shape[1] < 1:
        raise ValueError(f"{name}: x has shape {x.shape}, wants (N, T, D) with at least one time step")
    (N, _, D), H = x.shape, w_h.shape[0]
    wants = {"w_h": (w_h, (H, gates * H)), "w_x": (w_x, (D, gates * H)), "b": (b, (gates * H,)), "h0": (h0, (N, H))}
    wants |= {"c0": (more["c0"], (N, H))} if "c0" in more else {}
    wants |= {"b_n": (more["b_n"], (H,))} if "b_n" in more else {}
    for argument, (value, shape) in wants.items():
        if value.shape != shape:
            raise ValueError(f"{name}: {argument} has shape {value.shape}, wants {shape} for x (N={N}, T={x.shape[1]}, "
                             f"D={D}) and a hidden size of {H}")


def projected(x, w_x, b):
    """x_t @ w_x + b for all t in one product, time first: (T, N, gates H)."""
    N, T, D = x.shape
    return (x.transpose(1, 0, 2).reshape(T * N, D) @ w_x + b).reshape(T, N, b.size)


def shifted(states, first):
    """The state before each step, time first: (T, N, H), from the states after each step (N, T, H)."""
    before = xp.empty((states.shape[1], states.shape[0], states.shape[2]), dtype=states.dtype)
    before[0] = first
    before[1:] = states.transpose(1, 0, 2)[:-1]
    return before


def weight_gradients(x, before, da, dr=None):
    """d_w_x, d_w_h and d_b from the gradients da (T, N, gates H) of what the products add up to, in one product each.

    dr: the gradient on the recurrent side, where it differs (GRU).
    """
    T, N, G = da.shape
    flat, dr = da.reshape(T * N, G), da if dr is None else dr
    x_t = x.transpose(1, 0, 2).reshape(T * N, x.shape[2])
    d_w_h = shared_product(before.reshape(T * N, before.shape[2]).T, dr.reshape(T * N, G))
    return shared_product(x_t.T, flat), d_w_h, column_sums(flat)


def input_gradient(da, w_x):
    """dx (N, T, D) from the same da, in one product."""
    T, N, G = da.shape
    return shared_product(da.reshape(T * N, G), w_x.T).reshape(T, N, w_x.shape[0]).transpose(1, 0, 2)


@op
class rnn:
    """h_t = tanh(x_t w_x + h_{t-1} w_h + b).   Elman 1990

    x (N, T, D), h0 (N, H), w_x (D, H), w_h (H, H), b (H,)  ->  all h (N, T, H); the final state is y[:, -1]
    """
    def forward(x, h0, w_x, w_h, b):
        _check("rnn", 1, x, h0, w_x, w_h, b)
        a, h = projected(x, w_x, b), h0
        y = xp.empty((x.shape[0], x.shape[1], h0.shape[1]), dtype=x.dtype)
        for t in range(x.shape[1]):
            y[:, t] = h = xp.tanh(a[t] + h @ w_h)
        return y

    def backward(dy, x, h0, w_x, w_h, y, wanted):
        da = xp.empty((x.shape[1], x.shape[0], h0.shape[1]), dtype=x.dtype)
        dh = 0
        for t in reversed(range(x.shape[1])):
            da[t] = (dy[:, t] + dh) * (1 - y[:, t] * y[:, t])          # from above and from the future, through tanh
            dh = da[t] @ w_h.T
        dx = input_gradient(da, w_x) if "x" in wanted else None
        return dx, dh, *weight_gradients(x, shifted(y, h0), da)

    def plain(x, h0, w_x, w_h, b):
        h, hs = h0, []
        for t in range(x.shape[1]):
            h = tanh(x[:, t] @ w_x + h @ w_h + b)
            hs.append(h)
        return stack(hs, axis=1)


@op
class gru:
    """r, z = sigmoid(x_t w_x + h w_h + b),   n = tanh(x_t w_xn + b + r (h w_hn + b_n)),   h_t = (1 - z) n + z h

    Cho et al. 2014. The reset gate after the product, as in cuDNN and PyTorch; gates in the order r, z, n.
    x (N, T, D), h0 (N, H), w_x (D, 3H), w_h (H, 3H), b (3H,), b_n (H,)  ->  all h (N, T, H); the final h is y[:, -1]
    """
    def forward(x, h0, w_x, w_h, b, b_n):
        _check("gru", 3, x, h0, w_x, w_h, b, b_n=b_n)
        (N, T, _), H = x.shape, h0.shape[1]
        a, h = projected(x, w_x, b), h0
        y = xp.empty((N, T, H), dtype=x.dtype)
        gates, recurrent = xp.empty((T, N, 3 * H), dtype=x.dtype), xp.empty((T, N, H), dtype=x.dtype)
        for t in range(T):
            u = h @ w_h
            rz = xp.tanh((a[t, :, : 2 * H] + u[:, : 2 * H]) * 0.5) * 0.5 + 0.5       # sigmoid
            recurrent[t] = u[:, 2 * H :] + b_n
            n = xp.tanh(a[t, :, 2 * H :] + rz[:, :H] * recurrent[t])
            gates[t, :, : 2 * H], gates[t, :, 2 * H :] = rz, n
            z = rz[:, H:]
            y[:, t] = h = n + z * (h - n)
        return keep(y, gates=gates, recurrent=recurrent)

    def backward(dy, x, h0, w_x, w_h, y, gates, recurrent, wanted):
        T, H = x.shape[1], h0.shape[1]
        before, da, dr = shifted(y, h0), xp.empty_like(gates), xp.empty_like(gates)
        dh = 0
        for t in reversed(range(T)):
            r, z, n = gates[t, :, :H], gates[t, :, H : 2 * H], gates[t, :, 2 * H :]
            dh = dy[:, t] + dh
            dn = dh * (1 - z) * (1 - n * n)
            da[t, :, :H] = dn * recurrent[t] * r * (1 - r)
            da[t, :, H : 2 * H] = dh * (before[t] - n) * z * (1 - z)
            da[t, :, 2 * H :] = dn
            dr[t, :, : 2 * H], dr[t, :, 2 * H :] = da[t, :, : 2 * H], dn * r      # what flows into h @ w_h
            dh = dh * z + dr[t] @ w_h.T
        dx = input_gradient(da, w_x) if "x" in wanted else None
        return dx, dh, *weight_gradients(x, before, da, dr), dr[:, :, 2 * H :].sum(axis=(0, 1))

    def plain(x, h0, w_x, w_h, b, b_n):
        h, hs = h0, []
        for t in range(x.shape[1]):
            a_r, a_z, a_n = split(x[:, t] @ w_x + b, sections=3, axis=1)
            u_r, u_z, u_n = split(h @ w_h, sections=3, axis=1)
            r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
            n = tanh(a_n + r * (u_n + b_n))
            h = (1 - z) * n + z * h
            hs.append(h)
        return stack(hs, axis=1)


@op
class lstm:
    """i, f, o = sigmoid(...), g = tanh(x_t w_x + h w_h + b),   c_t = f c + i g,   h_t = o tanh(c_t)

    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; gates in PyTorch's order i, f, g, o.
    x (N, T, D), h0, c0 (N, H), w_x (D, 4H), w_h (H, 4H), b (4H,)  ->  all h (N, T, H), the final c (N, H);
    the final h is hs[:, -1]
    """
    outputs = "hs", "c_n"

    def forward(x, h0, c0, w_x, w_h, b):
        _check("lstm", 4, x, h0, w_x, w_h, b, c0=c0)
        (N, T, D), H = x.shape, h0.shape[1]
        w_x, w_h, b = gates_apart(w_x), gates_apart(w_h), gates_apart(b[None])         # (4, D, H), (4, H, H), (4, 1, H)
        for w in (w_x, w_h, b):
            w[:3] *= 0.5                                                            # sigmoid(a) = tanh(a / 2) / 2 + 1/2
        x_t = x.transpose(1, 0, 2).reshape(T * N, D)
        gates = (x_t @ w_x + b).reshape(4, T, N, H)                                    # i, f, o, g of all steps
        cs, hs = xp.empty((T + 1, N, H), dtype=x.dtype), xp.empty((T, N, H), dtype=x.dtype)
        cs[0] = c0

        def samples(n, m):
            h, product = h0[n:m], xp.empty((4, m - n, H), dtype=x.dtype)
            for t in range(T):
                s, c = gates[:, t, n:m], cs[t + 1, n:m]
                xp.matmul(h, w_h, out=product)
                s += product
                xp.tanh(s, out=s)
                sigmoids = s[:3]
                sigmoids *= 0.5
                sigmoids += 0.5
                i, f, o, g = s
                xp.multiply(f, cs[t, n:m], out=c)
                c += i * g
                h = hs[t, n:m]
                xp.tanh(c, out=h)
                h *= o

        by_samples(samples, N, H)
        return keep(hs.transpose(1, 0, 2), cs[T].copy(), gates=gates, cs=cs)

    def backward(d_hs, d_c_n, x, h0, w_x, w_h, hs, gates, cs, wanted):
        (N, T, _), H = x.shape, h0.shape[1]
        da = xp.empty((T, N, 4, H), dtype=x.dtype)                     # of i, f, o, g before sigmoid and tanh
        w_t = xp.ascontiguousarray(in_order(w_h).T)                                    # (4H, H)
        d_h0, d_c0 = xp.empty((N, H), dtype=x.dtype), xp.array(d_c_n)

        def samples(n, m):
            dh, dc = xp.zeros((m - n, H), dtype=x.dtype), d_c0[n:m]
            for t in reversed(range(T)):
                i, f, o, g = gates[:, t, n:m]
                d = da[t, n:m]
                dh += d_hs[n:m, t]
                tanh_c = xp.tanh(cs[t + 1, n:m])
                do = dh * tanh_c                                                       # h = o tanh(c)
                dc += (dh - do * tanh_c) * o
                slopes = gates[:3, t, n:m] * (1 - gates[:3, t, n:m])
                xp.multiply(slopes[0], dc * g, out=d[:, 0])
                xp.multiply(slopes[1], dc * cs[t, n:m], out=d[:, 1])
                xp.multiply(slopes[2], do, out=d[:, 2])
                xp.multiply(dc * i, 1 - g * g, out=d[:, 3])
                dc *= f
                xp.matmul(d.reshape(m - n, 4 * H), w_t, out=dh)
            d_h0[n:m] = dh

        by_samples(samples, N, H)
        da = da.reshape(T, N, 4 * H)
        dx = input_gradient(da, in_order(w_x)) if "x" in wanted else None
        d_w_x, d_w_h, d_b = weight_gradients(x, shifted(hs, h0), da)
        return dx, d_h0, d_c0, in_order(d_w_x), in_order(d_w_h), in_order(d_b[None])[0]

    def plain(x, h0, c0, w_x, w_h, b):
        h, c, hs = h0, c0, []
        for t in range(x.shape[1]):
            i, f, g, o = split(x[:, t] @ w_x + h @ w_h + b, sections=4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            hs.append(h)
        return stack(hs, axis=1), c


def by_samples(work, N, H):
    """Share the samples among the threads where a step is large enough; small ones would wait for each other."""
    if N * H >= 1 << 13:
        shared(work, N)
    else:
        work(0, N)


def in_order(w):
    """Columns for the gates i, f, g, o as columns for i, f, o, g, or back: the three sigmoids side by side."""
    i, f, g, o = xp.split(w, 4, axis=1)
    return xp.concatenate([i, f, o, g], axis=1)


def gates_apart(w):
    """(D, 4H), columns for i, f, g, o -> (4, D, H) for i, f, o, g: each gate's numbers in one piece of memory."""
    i, f, g, o = xp.split(w, 4, axis=1)
    return xp.stack([i, f, o, g])
