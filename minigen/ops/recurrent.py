"""Recurrent layers over whole sequences. x (N, T, D) in, the hidden states of all T steps (N, T, H) out.

Each is written twice: `plain` is one step as in the textbook, looped; forward and backward are the kernels. There a
step is one product, [h, x, 1] @ [w_h; w_x; b], and the weights' gradients of all steps are one more. The slopes of the
gates depend on what forward kept alone, so they are computed for many steps at a time; what is left in backward's loop
is to multiply them by what arrives. Training step of a character LSTM of 256, one thread: 43 ms, 52 with a projection,
a product and the slopes in each step.

The initial states are inputs and have gradients, so a sequence can be cut in pieces and carried on.
"""
# fmt: off

from minigen.backend import current, xp
from minigen.graph import keep, op
from minigen.ops.activations import sigmoid, tanh
from minigen.ops.linear import same_floats
from minigen.ops.shaping import split, stack
from minigen.threads import ranges, shared, shared_product, small_products


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


def unrolled(x, h0):
    """What the products of the steps see: [t] is [h before step t, x_t, 1], (T + 1, N, H + D + 1).

    Filled in here are x, the ones and h0; step t writes its h into [t + 1].
    """
    (N, T, D), H = x.shape, h0.shape[1]
    seen = xp.empty((T + 1, N, H + D + 1), dtype=x.dtype)
    seen[0, :, :H] = h0
    seen[:T, :, H:-1] = x.transpose(1, 0, 2)
    seen[:, :, -1] = 1
    return seen


def joined(w_h, w_x, b):
    """The weights for rows [h, x, 1]: (H + D + 1, gates H)."""
    return xp.concatenate([w_h, w_x, b[None]])


def in_blocks(w, gates, N):
    """w (K, gates H) as `multiply` wants it for N rows: (gates, blocks, K, H / blocks), each block in one piece.

    OpenBLAS has a kernel without packing for products of at most a million multiplications: 16 rows times (321, 1024)
    take 77 us in blocks of 64 columns, 140 whole. Blocks have 16 to 64 columns, all the same number.
    """
    K, H = w.shape[0], w.shape[1] // gates
    most = min(64, 1_000_000 // max(1, N * K))
    counts = range(-(-H // most), H // 16 + 1) if most >= 16 and small_products() and current() == "numpy" else ()
    blocks = next((n for n in counts if H % n == 0), 1)
    return xp.ascontiguousarray(w.reshape(K, gates, blocks, H // blocks).transpose(1, 2, 0, 3))


def multiply(a, w, out):
    """a (N, K) times w, from in_blocks, into out (gates, N, H): each gate's numbers in one piece.

    As columns of rows (N, gates H), short pieces with gaps, they would take the gates' formulas three times as long.
    """
    gates, blocks, _, width = w.shape
    xp.matmul(a, w, out=out.reshape(gates, len(a), blocks, width).transpose(0, 2, 1, 3))


def by_gate(rows, gates):
    """Rows (N, gates H) seen as (gates, N, H)."""
    return rows.reshape(len(rows), gates, rows.shape[1] // gates).transpose(1, 0, 2)


def by_samples(work, N, M):
    """work(n, m) for samples n to m: each thread a part, where a step makes N x M numbers, as many as LSTM 256 for 32.

    Smaller steps hand Python's lock back and forth for longer than they compute: at LSTM 128 two threads win nothing.
    """
    if N * M >= 1 << 15:
        shared(work, N)
    else:
        work(0, N)


def backwards(T, N, H, dtype):
    """The steps in pieces, last piece first: as many steps as stay in the cache while their slopes are computed."""
    return reversed(list(ranges(0, T, N * H * dtype.itemsize)))


def weight_gradients(seen, da):
    """The gradient of the joined weights, (H + D + 1, M), from da (T, N, M): all steps in one product."""
    T, N, M = da.shape
    return shared_product(seen[:T].reshape(T * N, seen.shape[2]).T, da.reshape(T * N, M))


def input_gradient(da, w_x):
    """dx (N, T, D) from the same da, in one product."""
    T, N, M = da.shape
    return shared_product(da.reshape(T * N, M), w_x.T).reshape(T, N, len(w_x)).transpose(1, 0, 2)


@op
class rnn:
    """h_t = tanh(x_t w_x + h_{t-1} w_h + b).   Elman 1990

    x (N, T, D), h0 (N, H), w_x (D, H), w_h (H, H), b (H,)  ->  all h (N, T, H); the final state is y[:, -1]
    """
    def forward(x, h0, w_x, w_h, b):
        _check("rnn", 1, x, h0, w_x, w_h, b)
        (N, T, _), H = x.shape, h0.shape[1]
        seen, joint = unrolled(x, h0), joined(w_h, w_x, b)

        def samples(n, m):
            w = in_blocks(joint, 1, m - n)
            for t in range(T):
                h = seen[t + 1, n:m, :H]
                multiply(seen[t, n:m], w, out=h[None])
                xp.tanh(h, out=h)

        by_samples(samples, N, H)
        return keep(seen[1:, :, :H].transpose(1, 0, 2), seen=seen)

    def backward(dy, x_shape, w_x, w_h, seen, wanted):
        (N, T, _), H = x_shape, len(w_h)
        da, d_h0 = xp.empty((T, N, H), dtype=seen.dtype), xp.zeros((N, H), dtype=seen.dtype)

        def samples(n, m):
            dh, w_t = d_h0[n:m], in_blocks(w_h.T, 1, m - n)
            for steps in backwards(T, m - n, H, da.dtype):
                h = seen[1:][steps, n:m, :H]
                da[steps, n:m] = 1 - h * h                                             # the slope of tanh
                for t in reversed(range(steps.start, steps.stop)):
                    dh += dy[n:m, t]                                                   # from above and from the future
                    da[t, n:m] *= dh
                    multiply(da[t, n:m], w_t, out=dh[None])

        by_samples(samples, N, H)
        d_w = weight_gradients(seen, da)
        dx = input_gradient(da, w_x) if "x" in wanted else None
        return dx, d_h0, d_w[H:-1], d_w[:H], d_w[-1]

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
        (N, T, D), H = x.shape, h0.shape[1]
        seen, gates = unrolled(x, h0), xp.empty((4, T, N, H), dtype=x.dtype)           # r, z, u = h w_hn + b_n, n
        joint = xp.zeros((H + D + 1, 4 * H), dtype=x.dtype)
        joint[:H, : 3 * H], joint[-1, 2 * H : 3 * H] = w_h, b_n
        joint[H:-1, : 2 * H], joint[H:-1, 3 * H :] = w_x[:, : 2 * H], w_x[:, 2 * H :]
        joint[-1, : 2 * H], joint[-1, 3 * H :] = b[: 2 * H], b[2 * H :]
        joint[:, : 2 * H] *= 0.5                                                   # sigmoid(a) = tanh(a / 2) / 2 + 1/2

        def samples(k, m):
            w = in_blocks(joint, 4, m - k)
            for t in range(T):
                now = gates[:, t, k:m]
                multiply(seen[t, k:m], w, out=now)
                (r, z, u, n), rz = now, now[:2]
                xp.tanh(rz, out=rz)
                rz *= 0.5
                rz += 0.5
                n += r * u
                xp.tanh(n, out=n)
                h = xp.subtract(seen[t, k:m, :H], n, out=seen[t + 1, k:m, :H])
                h *= z
                h += n                                                                 # n + z (h - n)

        by_samples(samples, N, 4 * H)
        return keep(seen[1:, :, :H].transpose(1, 0, 2), seen=seen, gates=gates)

    def backward(dy, x_shape, w_x, w_h, seen, gates, wanted):
        (N, T, _), H = x_shape, len(w_h)
        da, d_h0 = xp.empty((T, N, 4 * H), dtype=gates.dtype), xp.zeros((N, H), dtype=gates.dtype)

        def samples(k, m):
            w_t = in_blocks(w_h.T, 1, m - k)
            dh, through = d_h0[k:m], xp.empty((m - k, H), dtype=gates.dtype)
            for steps in backwards(T, m - k, H, gates.dtype):
                r, z, u, n = gates[:, steps, k:m]
                slope_n = (1 - z) * (1 - n * n)
                slope_u = slope_n * r
                slope_z = (seen[steps, k:m, :H] - n) * z * (1 - z)
                slopes = xp.stack([slope_u * u * (1 - r), slope_z, slope_u, slope_n])
                for t in reversed(range(steps.start, steps.stop)):
                    dh += dy[k:m, t]                                                   # from above and from the future
                    xp.multiply(slopes[:, t - steps.start], dh, out=by_gate(da[t, k:m], 4))
                    multiply(da[t, k:m, : 3 * H], w_t, out=through[None])
                    dh *= gates[1, t, k:m]
                    dh += through

        by_samples(samples, N, 4 * H)
        d_w = weight_gradients(seen, da)
        rows_x = xp.concatenate([d_w[H:, : 2 * H], d_w[H:, 3 * H :]], axis=1)          # of w_x, and b below
        dx = None
        if "x" in wanted:
            dx = input_gradient(xp.concatenate([da[..., : 2 * H], da[..., 3 * H :]], axis=2), w_x)
        return dx, d_h0, rows_x[:-1], d_w[:H, : 3 * H], rows_x[-1], d_w[-1, 2 * H : 3 * H]

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
        (N, T, _), H = x.shape, h0.shape[1]
        joint = g_first(joined(w_h, w_x, b))
        joint[:, H:] *= 0.5                                                        # sigmoid(a) = tanh(a / 2) / 2 + 1/2
        seen = unrolled(x, h0)
        cells = xp.empty((5, T + 1, N, H), dtype=x.dtype)                              # c before the step, g, f, i, o
        tanh_c = xp.empty((T, N, H), dtype=x.dtype)
        cells[0, 0] = c0

        def samples(n, m):
            w, products = in_blocks(joint, 4, m - n), xp.empty((2, m - n, H), dtype=x.dtype)
            for t in range(T):
                cg, gates, fi, sigmoids = cells[:2, t, n:m], cells[1:, t, n:m], cells[2:4, t, n:m], cells[2:, t, n:m]
                multiply(seen[t, n:m], w, out=gates)
                xp.tanh(gates, out=gates)
                sigmoids *= 0.5
                sigmoids += 0.5
                xp.multiply(cg, fi, out=products)                                      # f c, i g
                c = xp.add(products[0], products[1], out=cells[0, t + 1, n:m])
                xp.tanh(c, out=tanh_c[t, n:m])
                xp.multiply(cells[4, t, n:m], tanh_c[t, n:m], out=seen[t + 1, n:m, :H])        # h

        by_samples(samples, N, 4 * H)
        return keep(seen[1:, :, :H].transpose(1, 0, 2), cells[0, T].copy(), seen=seen, cells=cells, tanh_c=tanh_c)

    def backward(d_hs, d_c_n, x_shape, w_x, w_h, seen, cells, tanh_c, wanted):
        (N, T, _), H = x_shape, len(w_h)
        da = xp.empty((T, N, 4 * H), dtype=seen.dtype)                              # of g, f, i, o before tanh, sigmoid
        d_h0, d_c0 = xp.zeros((N, H), dtype=seen.dtype), xp.array(d_c_n)
        ordered = g_first(w_h)

        def samples(n, m):
            w_t = in_blocks(ordered.T, 1, m - n)
            dh, dc, through = d_h0[n:m], d_c0[n:m], xp.empty((m - n, H), dtype=seen.dtype)
            for steps in backwards(T, m - n, H, da.dtype):
                (_, g, f, i, o), h = cells[:, steps, n:m], seen[1:][steps, n:m, :H]
                slopes = xp.empty((4, *h.shape), dtype=seen.dtype)
                xp.multiply(cells[:2, steps, n:m], cells[2:4, steps, n:m], out=slopes[1:3])            # c f, g i
                slopes[0] = i - slopes[2] * g                                          # i (1 - g g)
                slopes[3] = h                                                          # o tanh(c)
                slopes[1:] *= 1 - cells[2:, steps, n:m]                                # by 1 - f, 1 - i, 1 - o
                c_by_h = o - h * tanh_c[steps, n:m]                                    # o (1 - tanh(c)^2)
                for t in reversed(range(steps.start, steps.stop)):
                    s, d = t - steps.start, by_gate(da[t, n:m], 4)
                    dh += d_hs[n:m, t]                                                 # from above and from the future
                    xp.multiply(slopes[3, s], dh, out=d[3])
                    dc += xp.multiply(c_by_h[s], dh, out=through)
                    xp.multiply(slopes[:3, s], dc, out=d[:3])
                    dc *= f[s]
                    multiply(da[t, n:m], w_t, out=dh[None])

        by_samples(samples, N, 4 * H)
        d_w = g_first(weight_gradients(seen, da))
        dx = input_gradient(da, g_first(w_x)) if "x" in wanted else None
        return dx, d_h0, d_c0, d_w[H:-1], d_w[:H], d_w[-1]

    def plain(x, h0, c0, w_x, w_h, b):
        h, c, hs = h0, c0, []
        for t in range(x.shape[1]):
            i, f, g, o = split(x[:, t] @ w_x + h @ w_h + b, sections=4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * tanh(g)
            h = sigmoid(o) * tanh(c)
            hs.append(h)
        return stack(hs, axis=1), c


def g_first(w):
    """Columns for i, f, g, o as columns for g, f, i, o, or back: [c, g] can meet [f, i] in one product, f c and i g."""
    i, f, g, o = xp.split(w, 4, axis=1)
    return xp.concatenate([g, f, i, o], axis=1)
