"""How convolution is made fast for few channels (LeNet): a product with a band matrix, row by row.

With one or six channels the runs that im2col copies are a few numbers long. Here a place is half a row of the output
(all of it, where its length is odd): what it sees of each of KH rows of the padded image lies in one piece in memory,
and the kernel becomes a matrix that takes these to the half row, with w[u, :, c, f] along a band:

    band[u, i + v, c, i, f] = w[u, v, c, f]         (KH, L + KW - 1, C) x (L, F), zero elsewhere; L = OW / 2

It multiplies (L + KW - 1) / KW times more numbers than needed, and is still twice as fast (LeNet's step: 6 ms, 11 with
im2col; with whole rows 10% more).
"""

from minigen.backend import current, xp
from minigen.ops.im2col import strip
from minigen.threads import shared


def suits(x, w, stride, padding):
    """Whether a band is the better way: stride 1, few channels, and a row not much wider than the kernel."""
    KH, KW, C, F = w.shape
    width = x.shape[2] + 2 * padding[1]
    return stride == (1, 1) and KW > 1 and C * F <= 128 and F <= 16 and width <= 8 * KW and current() != "cupy"


def halves(OW):
    """(into how many pieces an output row is cut, their length)."""
    return (2, OW // 2) if OW % 2 == 0 else (1, OW)


def band_of(w, L):
    """The band matrix (KH (L + KW - 1) C, L F), and a view of its band as (KH, KW, C, L, F)."""
    KH, KW, C, F = w.shape
    W = L + KW - 1
    matrix = xp.zeros((KH * W * C, L * F), dtype=w.dtype)
    row, number = matrix.strides
    # From one output column to the next: C rows down (the next pixel) and F columns to the right.
    steps = (W * C * row, C * row, row, C * row + F * number, number)
    view = xp.lib.stride_tricks.as_strided(matrix, (KH, KW, C, L, F), steps)
    view[...] = w[:, :, :, None]
    return matrix, view


def rows_of(x, KH, pieces, L, W):
    """x (N, H, .., C) -> (N OH pieces, KH W C): what each piece, L places long, sees: W pixels of KH rows."""
    N, H, whole, C = x.shape
    x, pixel = xp.ascontiguousarray(x), C * x.itemsize  # not x.strides: an axis of length 1 may have any
    row = whole * pixel
    steps = (H * row, row, L * pixel, row, x.itemsize)
    seen = xp.lib.stride_tricks.as_strided(x, (N, H - KH + 1, pieces, KH, W * C), steps)
    return seen.reshape(-1, KH * W * C)


def correlate(x, w, b, padding):
    """conv2d's forward."""
    (N, H, W, _), (KH, KW, _, F), (ph, pw) = x.shape, w.shape, padding
    OH, OW = H + 2 * ph - KH + 1, W + 2 * pw - KW + 1
    pieces, L = halves(OW)
    matrix, _ = band_of(w, L)
    y = xp.empty((N, OH, OW, F), dtype=x.dtype)

    def images(i, j):
        out = y[i:j].reshape(-1, L * F)
        seen = strip(x[i:j], -ph, H + ph, pw, pw)
        xp.matmul(rows_of(seen, KH, pieces, L, L + KW - 1), matrix, out=out)
        if b is not None:
            out += xp.tile(b, L)

    shared(images, N)
    return y


def gradients(x, dy, w, padding, wanted):
    """(dx, dw) of that conv2d, None for what is not wanted."""
    (N, H, W, C), (KH, KW, _, F), (ph, pw) = x.shape, w.shape, padding
    _, OH, OW, _ = dy.shape
    pieces, L = halves(OW)
    matrix, view = band_of(w, L)
    dx = xp.empty(x.shape, dtype=x.dtype) if "x" in wanted else None

    def images(i, j):
        flat = dy[i:j].reshape(-1, L * F)
        if dx is not None:
            rows = (flat @ matrix.T).reshape(j - i, OH, pieces, KH, L + KW - 1, C)
            whole = xp.zeros((j - i, H + 2 * ph, W + 2 * pw, C), dtype=x.dtype)
            for u in range(KH):
                for k in range(pieces):
                    whole[:, u : u + OH, k * L : (k + 1) * L + KW - 1] += rows[:, :, k, u]
            dx[i:j] = whole[:, ph : ph + H, pw : pw + W]
        seen = strip(x[i:j], -ph, H + ph, pw, pw)
        return rows_of(seen, KH, pieces, L, L + KW - 1).T @ flat if "w" in wanted else None

    parts = shared(images, N)
    if "w" not in wanted:
        return dx, None
    matrix[...] = sum(parts)
    return dx, view.sum(axis=3)  # along the band, the same weight was used at every output column
