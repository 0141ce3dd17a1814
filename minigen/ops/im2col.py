"""How convolution is made fast: im2col, in blocks.

What a kernel sees at each place is copied into a row, and all places become one matrix product. The rows would take
KH KW times the image's memory, so a block of a few images (or a strip of rows of a large one) is done at a time: its
columns, about a megabyte, stay in the processor's cache. Backward makes them again, which is cheaper than keeping
them. The images are shared among the threads.

    correlate     conv2d's forward, and the gradient through conv_transpose2d
    spread        conv_transpose2d's forward, and the gradient through conv2d
    weights       what each kernel entry saw
"""

from minigen.backend import current, xp
from minigen.threads import shared, small_products

BLOCK = 1 << 20  # bytes of columns at a time


def windows(x, KH, KW, sh, sw):
    """A view of x (N, H, W, C) as (N, OH, OW, KH, KW, C): what the kernel sees at each place. Nothing is copied."""
    N, H, W, C = x.shape
    n, h, w, c = x.strides
    shape = (N, (H - KH) // sh + 1, (W - KW) // sw + 1, KH, KW, C)
    return xp.lib.stride_tricks.as_strided(x, shape, (n, h * sh, w * sw, h, w, c))


def blocks(i, j, rows, bytes_per_row):
    """(first image, last, first row, last) of the blocks of images i to j, of about BLOCK bytes of columns each."""
    limit = BLOCK if current() != "cupy" else 1 << 28
    if rows * bytes_per_row <= limit:
        step = max(1, limit // (rows * bytes_per_row))
        return [(n, min(n + step, j), 0, rows) for n in range(i, j, step)]
    step = max(1, limit // bytes_per_row)
    return [(n, n + 1, r, min(r + step, rows)) for n in range(i, j) for r in range(0, rows, step)]


def strip(x, top, bottom, left, right):
    """x (N, H, W, C) from row `top` up to `bottom`, with so many columns more on both sides; 0 where there is no x."""
    N, H, W, C = x.shape
    if top >= 0 and bottom <= H and not left and not right:
        return x[:, top:bottom]
    y = xp.zeros((N, bottom - top, left + W + right, C), dtype=x.dtype)
    first, last = max(top, 0), min(bottom, H)
    if first < last:  # else it is padding alone
        y[:, first - top : last - top, left : left + W] = x[:, first:last]
    return y


def column_blocks(x, i, j, KH, KW, stride, padding, OH, OW):
    """For the blocks of images i to j: (its place in the output, its columns (places, KH KW C))."""
    (sh, sw), (ph, pw) = stride, padding
    C = x.shape[3]
    for n, m, r, s in blocks(i, j, OH, OW * KH * KW * C * x.itemsize):
        seen = strip(x[n:m], r * sh - ph, (s - 1) * sh - ph + KH, pw, pw)
        yield (slice(n, m), slice(r, s)), windows(seen, KH, KW, sh, sw)[:, :, :OW].reshape(-1, KH * KW * C)


def reach(size, stride, offset, limit):
    """(which of range(size), where they go): the i for which i stride + offset is in range(limit), as two slices."""
    first = max(0, -(offset // stride))
    last = max(first, min(size, -((offset - limit) // stride)))
    start = first * stride + offset
    return slice(first, last), slice(start, start + stride * (last - first), stride)


def product(columns, w, out):
    """out = columns @ w, columns (places, K), w (K, F).

    Newer OpenBLAS kernels multiply small matrices without packing them first, with one thread: there a stack of small
    products is up to a third faster than the whole one. On older processors it is slower.
    """
    (places, K), F = columns.shape, w.shape[1]
    if small_products() and 24 <= 1_000_000 // (K * F) < places:
        rows = next((r for r in range(min(places, 1_000_000 // (K * F)), 23, -1) if places % r == 0), None)
        if rows:
            xp.matmul(columns.reshape(-1, rows, K), w, out=out.reshape(-1, rows, F))
            return
    xp.matmul(columns, w, out=out)


def correlate(x, w, b, stride, padding, OH, OW):
    """y[n, i, j] = sum_uv x[n, i s + u - p, j s + v - p] @ w[u, v] + b"""
    KH, KW, C, F = w.shape
    if stride == (1, 1) and KH * KW * F <= C:
        return products_first(x, w, b, padding, OH, OW)
    flat = w.reshape(KH * KW * C, F)
    y = xp.empty((x.shape[0], OH, OW, F), dtype=x.dtype)

    def images(i, j):
        for place, columns in column_blocks(x, i, j, KH, KW, stride, padding, OH, OW):
            out = y[place].reshape(-1, F)
            product(columns, flat, out)
            if b is not None:
                out += b

    shared(images, x.shape[0])
    return y


def products_first(x, w, b, padding, OH, OW):
    """The same at stride 1, for few outputs: x @ w[u, v] for all u, v in one product, then shifted and added."""
    (N, H, W, C), (KH, KW, _, F), (ph, pw) = x.shape, w.shape, padding
    flat = w.transpose(0, 1, 3, 2).reshape(KH * KW * F, C)
    y = xp.zeros((N, OH, OW, F), dtype=x.dtype)

    def images(i, j):
        for n, m, r, s in blocks(i, j, H, W * KH * KW * F * x.itemsize):
            maps = (flat @ x[n:m, r:s].reshape(-1, C).T).reshape(KH, KW, F, m - n, s - r, W)
            for u in range(KH):  # x[i, j] goes to the place (i - u + p, j - v + p)
                for v in range(KW):
                    (a, rows), (b_, columns) = reach(s - r, 1, r - u + ph, OH), reach(W, 1, pw - v, OW)
                    y[n:m, rows, columns] += maps[u, v][:, :, a, b_].transpose(1, 2, 3, 0)
        if b is not None:
            y[i:j] += b

    shared(images, N)
    return y


def spread(x, w, b, stride, padding, OH, OW):
    """y[n, i s + u - p, j s + v - p] += x[n, i, j] @ w[u, v].T,  then + b"""
    KH, KW, C, F = w.shape
    (sh, sw), (ph, pw) = stride, padding
    if (sh, sw) == (1, 1) and ph < KH and pw < KW:  # the same as sliding the kernel, turned by half a circle
        return correlate(x, turned(w), b, stride, (KH - 1 - ph, KW - 1 - pw), OH, OW)
    N, H, W, _ = x.shape
    flat = xp.ascontiguousarray(w.reshape(KH * KW * C, F).T)
    y = xp.zeros((N, OH, OW, C), dtype=x.dtype)

    def images(i, j):
        for n, m, r, s in blocks(i, j, H, W * KH * KW * C * x.itemsize):
            columns = (x[n:m, r:s].reshape(-1, F) @ flat).reshape(m - n, s - r, W, KH, KW, C)
            for u in range(KH):
                for v in range(KW):
                    (a, rows), (b_, cols) = reach(s - r, sh, r * sh + u - ph, OH), reach(W, sw, v - pw, OW)
                    y[n:m, rows, cols] += columns[:, a, b_, u, v]
        if b is not None:
            y[i:j] += b

    shared(images, N)
    return y


def weights(x, g, KH, KW, stride, padding):
    """w[u, v] = sum_nij x[n, i s + u - p, j s + v - p].T @ g[n, i, j]"""
    _, OH, OW, F = g.shape

    def images(i, j):
        total = xp.zeros((KH * KW * x.shape[3], F), dtype=x.dtype)
        for place, columns in column_blocks(x, i, j, KH, KW, stride, padding, OH, OW):
            total += columns.T @ g[place].reshape(-1, F)
        return total

    return sum(shared(images, x.shape[0])).reshape(KH, KW, x.shape[3], F)


def turned(w):
    """The kernel turned by half a circle, input and output channels exchanged: (KH, KW, C, F) -> (KH, KW, F, C)."""
    return xp.ascontiguousarray(w[::-1, ::-1].transpose(0, 1, 3, 2))


def both_at_stride_1(x, dy, w, padding):
    """(dx, dw) of a stride-1 conv2d from one set of columns, those of dy: a tenth faster than two."""
    KH, KW, C, F = w.shape
    N, H, W, _ = x.shape
    flat = turned(w).reshape(KH * KW * F, C)
    dx = xp.empty(x.shape, dtype=x.dtype)
    around = (KH - 1 - padding[0], KW - 1 - padding[1])

    def images(i, j):
        total = xp.zeros((C, KH * KW * F), dtype=x.dtype)
        for place, columns in column_blocks(dy, i, j, KH, KW, (1, 1), around, H, W):
            product(columns, flat, dx[place].reshape(-1, C))
            total += x[place].reshape(-1, C).T @ columns  # (C, KH KW F)
        return total

    dw = sum(shared(images, N)).reshape(C, KH, KW, F)[:, ::-1, ::-1]
    return dx, dw.transpose(1, 2, 0, 3)


def both_of_transpose(x, dy, w, stride, padding):
    """(dx, dw) of a conv_transpose2d from one set of columns of dy."""
    KH, KW, C, F = w.shape
    N, H, W, _ = x.shape
    flat = w.reshape(KH * KW * C, F)
    dx = xp.empty(x.shape, dtype=x.dtype)

    def images(i, j):
        total = xp.zeros((KH * KW * C, F), dtype=x.dtype)
        for place, columns in column_blocks(dy, i, j, KH, KW, stride, padding, H, W):
            product(columns, flat, dx[place].reshape(-1, F))
            total += columns.T @ x[place].reshape(-1, F)
        return total

    return dx, sum(shared(images, N)).reshape(KH, KW, C, F)
