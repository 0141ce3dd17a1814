"""How convolution is made fast for few channels (LeNet): a product with a band matrix, row by row.

With one or six channels the runs that im2col copies are a few numbers long. Here a place is a whole row of the output:
what it sees, KH rows of the padded image, lies in one piece in memory, and the kernel becomes a matrix that takes those
rows to the output's row, with w[u, :, c, f] along a band:

    band[u, i + v, c, i, f] = w[u, v, c, f]         (KH, W, C) x (OW, F), zero elsewhere

It multiplies W / KW times more numbers than needed, and is still twice as fast (LeNet's step: 6 ms, 11 with im2col).
"""

from minigen.backend import current, xp
from minigen.ops.im2col import strip
from minigen.threads import shared


def suits(x, w, stride, padding):
    """Whether a band is the better way: stride 1, few channels, and a row not much wider than the kernel."""
    KH, KW, C, F = w.shape
    width = x.shape[2] + 2 * padding[1]
    return stride == (1, 1) and KW > 1 and C * F <= 128 and F <= 16 and width <= 8 * KW and current() != "cupy"


def band_of(w, W):
    """The band matrix (KH W C, OW F), and a view of its band as (KH, KW, C, OW, F)."""
    KH, KW, C, F = w.shape
    OW = W - KW + 1
    matrix = xp.zeros((KH * W * C, OW * F), dtype=w.dtype)
    row, number = matrix.strides
    # From one output column to the next: C rows down (the next pixel) and F columns to the right.
    steps = (W * C * row, C * row, row, C * row + F * number, number)
    view = xp.lib.stride_tricks.as_strided(matrix, (KH, KW, C, OW, F), steps)
    view[...] = w[:, :, :, None]
    return matrix, view


def rows_of(x, KH):
    """x (N, H, W, C) -> (N OH, KH W C): the KH image rows above one another that an output row sees."""
    N, H, W, C = x.shape
    x, row = xp.ascontiguousarray(x), W * C * x.itemsize  # not x.strides: an axis of length 1 may have any
    steps = (H * row, row, x.itemsize)
    return xp.lib.stride_tricks.as_strided(x, (N, H - KH + 1, KH * W * C), steps).reshape(-1, KH * W * C)


def correlate(x, w, b, padding):
    """conv2d's forward."""
    (N, H, W, _), (KH, KW, _, F), (ph, pw) = x.shape, w.shape, padding
    OH, OW = H + 2 * ph - KH + 1, W + 2 * pw - KW + 1
    matrix, _ = band_of(w, W + 2 * pw)
    y = xp.empty((N, OH, OW, F), dtype=x.dtype)

    def images(i, j):
        out = y[i:j].reshape(-1, OW * F)
        xp.matmul(rows_of(strip(x[i:j], -ph, H + ph, pw, pw), KH), matrix, out=out)
        if b is not None:
            out += xp.tile(b, OW)

    shared(images, N)
    return y


def gradients(x, dy, w, padding, wanted):
    """(dx, dw) of that conv2d, None for what is not wanted."""
    (N, H, W, C), (KH, _, _, F), (ph, pw) = x.shape, w.shape, padding
    _, OH, OW, _ = dy.shape
    matrix, view = band_of(w, W + 2 * pw)
    dx = xp.empty(x.shape, dtype=x.dtype) if "x" in wanted else None

    def images(i, j):
        flat = dy[i:j].reshape(-1, OW * F)
        if dx is not None:
            rows = (flat @ matrix.T).reshape(j - i, OH, KH, (W + 2 * pw) * C)
            whole = xp.zeros((j - i, H + 2 * ph, (W + 2 * pw) * C), dtype=x.dtype)
            for u in range(KH):
                whole[:, u : u + OH] += rows[:, :, u]
            dx[i:j] = whole.reshape(j - i, H + 2 * ph, W + 2 * pw, C)[:, ph : ph + H, pw : pw + W]
        return rows_of(strip(x[i:j], -ph, H + ph, pw, pw), KH).T @ flat if "w" in wanted else None

    parts = shared(images, N)
    if "w" not in wanted:
        return dx, None
    matrix[...] = sum(parts)
    return dx, view.sum(axis=3)  # along the band, the same weight was used at every output column
