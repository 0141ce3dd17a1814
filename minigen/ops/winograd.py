"""How convolution is made fast for many channels: a 3x3 kernel with a quarter of the multiplications.

A kernel of 3 numbers sliding over 6 meets 4 places: 12 multiplications. Seen the other way round, that is a product of
two polynomials, and such a product is known by its values at 6 points: 6 multiplications, of sums that each belong to
one factor alone. With matrices that evaluate and interpolate,

    y = A [(G w) * (B x)]           A (4, 6), G (6, 3), B (6, 6)

and for tiles of 4 x 4 outputs, with Kronecker products of these, 36 multiplications in the place of 144. Summed over
channels, * is 36 matrix products, beside which A, G and B cost little. The way back gives the kernel's gradient,
G.T [(B x) * (A.T dy)].         Toom 1963; Winograd 1980; Lavin and Gray 2016

In float32 y is off by 2e-6 of its largest entry, with im2col by 5e-7. A step of the U-Net in benchmarks/, on one
thread, takes 230 ms with it and 300 with im2col alone.
"""

from functools import lru_cache

from minigen.backend import asarray, current, xp
from minigen.ops.im2col import blocks, turned
from minigen.threads import shared

KERNEL, TILE = 3, 4  # a kernel's entries and a tile's outputs, on a side
SEEN = TILE + KERNEL - 1  # the pixels that a tile sees, on a side: as many as there are points
POINTS = 0, 3 / 4, -3 / 4, 3 / 2, -3 / 2  # and infinity. With the usual 0, 1, -1, 2, -2 the error is 8e-6


def suits(w, stride, N, OH, OW):
    """Whether this is the better way: 3x3 at stride 1, many channels, and tiles that do not jut out far.

    Not too many channels either, nor too wide an image: what is done at a time should fit into the cache.
    """
    KH, KW, C, F = w.shape
    down, across = -(-OH // TILE), -(-OW // TILE)
    return (
        (KH, KW, *stride) == (KERNEL, KERNEL, 1, 1)
        and 32 <= min(C, F) <= max(C, F) <= 128
        and across <= 64
        and N * down * across >= 64
        and down * across * SEEN**2 * 2 <= OH * OW * KERNEL**2
        and current() != "cupy"
    )


def correlate(x, w, b, padding, other=None):
    """conv2d's y at stride 1, and for another array of y's shape conv2d_weight(x, other)."""
    (N, H, W, C), F, (ph, pw) = x.shape, w.shape[3], padding
    OH, OW = H + 2 * ph - KERNEL + 1, W + 2 * pw - KERNEL + 1
    down, across = -(-OH // TILE), -(-OW // TILE)
    A, G, B = transforms(x.dtype, current())
    of_w = (G @ w.reshape(KERNEL**2, C * F)).reshape(SEEN**2, C, F)
    y = xp.empty((N, OH, OW, F), dtype=x.dtype)

    def images(i, j):
        total = 0
        for n, m, first, last in blocks(i, j, down, across * SEEN**2 * max(C, F) * x.itemsize):
            rows, top = last - first, first * TILE
            squares = in_squares(x[n:m], top - ph, -pw, rows + 1, across + 1)
            of_x = along(B, overlapping(squares)).reshape(SEEN**2, -1, C)
            tiles = along(A, (of_x @ of_w).reshape(SEEN**2, -1, across * F))
            if b is not None:
                tiles.reshape(-1, F)[...] += b
            put(tiles, y[n:m, top : last * TILE], across)
            if other is not None:
                squares = in_squares(other[n:m], top, 0, rows, across).transpose(2, 3, 0, 1, 4, 5)
                of_other = along(A.T, squares.reshape(TILE**2, -1, across * F)).reshape(SEEN**2, -1, F)
                total += of_x.swapaxes(1, 2) @ of_other
        return total

    parts = shared(images, N)
    return y, None if other is None else (G.T @ sum(parts).reshape(SEEN**2, C * F)).reshape(w.shape)


def spread(x, w, b, padding, other=None):
    """conv_transpose2d's y at stride 1, and for another array of y's shape conv2d_weight(other, x)."""
    around = (KERNEL - 1 - padding[0], KERNEL - 1 - padding[1])
    y, dw = correlate(x, turned(w), b, around, other)
    return y, None if dw is None else turned(dw)


def in_squares(x, top, left, rows, columns):
    """x from row `top` and column `left` on, 0 where there is no x, as (n, rows, TILE, TILE, columns, C)."""
    (N, H, W, C), bottom, right = x.shape, top + rows * TILE, left + columns * TILE
    if (top, left, bottom, right) != (0, 0, H, W):
        a, b, c, d = max(top, 0), min(bottom, H), max(left, 0), min(right, W)
        whole = xp.zeros((N, bottom - top, right - left, C), dtype=x.dtype)
        if a < b:
            whole[:, a - top : b - top, c - left : d - left] = x[:, a:b, c:d]
        x = whole
    return x.reshape(N, rows, TILE, columns, TILE, C).transpose(0, 1, 2, 4, 3, 5)


def overlapping(squares):
    """(n, rows + 1, TILE, TILE, columns + 1, C) -> what each tile sees, its square and edges of three more.

    (SEEN SEEN, n rows, columns C): the same pixel of all tiles lies in one piece.
    """
    squares = xp.ascontiguousarray(squares)
    N, rows, _, _, columns, C = squares.shape
    seen = xp.empty((SEEN, SEEN, N, rows - 1, columns - 1, C), dtype=squares.dtype)
    for a, down in ((0, TILE), (1, SEEN - TILE)):
        for c, across in ((0, TILE), (1, SEEN - TILE)):
            part = squares[:, a : rows - 1 + a, :down, :across, c : columns - 1 + c]
            seen[a * TILE :, c * TILE :][:down, :across] = part.transpose(2, 3, 0, 1, 4, 5)
    return seen.reshape(SEEN**2, N * (rows - 1), (columns - 1) * C)


def put(tiles, y, columns):
    """tiles (TILE TILE, n rows, columns F) into the image y (n, up to rows TILE, up to columns TILE, F)."""
    N, H, W, F = y.shape
    tiles = tiles.reshape(TILE, TILE, N, -1, columns, F).transpose(2, 3, 0, 4, 1, 5)
    if y.size == tiles.size:
        y.reshape(tiles.shape)[...] = tiles
    else:
        y[...] = tiles.reshape(N, -1, columns * TILE, F)[:, :H, :W]


def along(matrix, x):
    """matrix @ x over the first of x's three axes, in pieces so small that OpenBLAS does not pack them (see im2col)."""
    y = xp.empty((len(matrix), *x.shape[1:]), dtype=x.dtype)
    xp.matmul(matrix, x.transpose(1, 0, 2), out=y.transpose(1, 0, 2))
    return y


@lru_cache
def transforms(dtype, backend):
    """A (16, 36), G (36, 9), B (36, 36): along both axes.

    With f_p the polynomial that is 0 at all points but p, row p of G evaluates w at p and divides by f_p(p), and row p
    of B holds the coefficients of f_p. At infinity: w's highest power, and the polynomial that is 0 at all points.
    """
    A = [[p**i for p in POINTS] + [float(i == TILE - 1)] for i in range(TILE)]
    G, B = [], []
    for p in POINTS:
        f = with_roots(o for o in POINTS if o != p)
        at_p = sum(c * p**k for k, c in enumerate(f))
        G.append([p**k / at_p for k in range(KERNEL)])
        B.append([*f, 0.0])
    G.append([0.0] * (KERNEL - 1) + [1.0])
    B.append(with_roots(POINTS))
    return [xp.kron(m, m).astype(dtype) for m in (asarray(rows, "float64") for rows in (A, G, B))]


def with_roots(points):
    """The coefficients, lowest power first, of the product of all (t - p)."""
    f = [1.0]
    for p in points:
        f = [low - p * high for low, high in zip([0.0, *f], [*f, 0.0], strict=True)]
    return f
