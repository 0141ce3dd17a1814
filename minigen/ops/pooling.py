"""Pooling over windows, and nearest up-sampling. Images are N, H, W, C; windows may overlap."""
# fmt: off

from minigen.backend import current, xp
from minigen.graph import keep, op
from minigen.ops.convolution import out_size, pair, taps
from minigen.ops.linear import same_floats
from minigen.threads import ranges


def window(name, kernel, stride, padding):
    """kernel, stride and padding, two ints each; stride None: the kernel's size."""
    (KH, KW), (ph, pw) = pair(f"{name}: kernel", kernel, 1), pair(f"{name}: padding", padding, 0)
    if 2 * ph > KH or 2 * pw > KW:
        raise ValueError(f"{name}: padding is {padding}, wants at most half the kernel, {kernel}: "
                         "a window could be all padding")
    return (KH, KW), (KH, KW) if stride is None else pair(f"{name}: stride", stride, 1), (ph, pw)


def geometry(name, x, kernel, stride, padding):
    """(KH, KW, sh, sw, ph, pw, OH, OW) of a pooling, checked."""
    if x.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}, wants four axes (N, H, W, C)")
    same_floats(name, x=x)
    (KH, KW), (sh, sw), (ph, pw) = window(name, kernel, stride, padding)
    OH, OW = out_size(x.shape[1], KH, sh, ph), out_size(x.shape[2], KW, sw, pw)
    if OH < 1 or OW < 1:
        size = f"{x.shape[1]}x{x.shape[2]}, padding {padding}"
        raise ValueError(f"{name}: a window of {KH}x{KW} does not fit into {size}")
    return KH, KW, sh, sw, ph, pw, OH, OW


def by_pixels(x):
    """x (N, H, W, C) with the C numbers of a pixel as one item, where that can be: it is then copied at once.

    (Every other column of an image of 6 channels: 16 us, 67 number by number.)
    """
    whole = current() == "numpy" and x.flags.c_contiguous and x.size
    return x.view(f"V{x.shape[3] * x.itemsize}") if whole else x


def extreme(name, x, kernel, stride, padding, best_of, better, worst):
    """The best entry of each window, and which kernel entry it was; of equal ones the first.

    Along the rows first, then down the columns: KH + KW comparisons a window, not KH KW.
    """
    KH, KW, sh, sw, ph, pw, OH, OW = geometry(name, x, kernel, stride, padding)
    N, H, W, C = x.shape

    def columns(x, v):                                                  # v, v + sw, ...: (n, H, OW, C)
        return by_pixels(x)[:, :, v : v + sw * (OW - 1) + 1 : sw].copy().view(x.dtype)

    place = xp.uint8 if KH * KW <= 256 else xp.int32                    # its sums wrap around, and come back
    y, winner = xp.empty((N, OH, OW, C), dtype=x.dtype), xp.zeros((N, OH, OW, C), dtype=place)

    def contest(here, code, best, won):
        ahead = better(here, best)
        won += ahead * (code - won)                                     # where(ahead, code, won), without a branch
        best_of(here, best, out=best)

    for n in ranges(0, N, H * W * C * x.itemsize):
        seen = x[n]
        if ph or pw:
            seen = xp.pad(seen, ((0, 0), (ph, ph), (pw, pw), (0, 0)), constant_values=worst)
        row = columns(seen, 0)                                          # (n, H, OW, C), the best of each KW neighbours
        won = xp.zeros(row.shape, dtype=place)
        for v in range(1, KW):
            contest(columns(seen, v), place(v), row, won)
        y[n], winner[n] = row[:, : sh * (OH - 1) + 1 : sh], won[:, : sh * (OH - 1) + 1 : sh]
        for u in range(1, KH):
            down = slice(u, u + sh * (OH - 1) + 1, sh)
            contest(row[:, down], won[:, down] + place(u * KW), y[n], winner[n])
    return y, winner


@op
class max_pool2d:
    """y = the largest entry of each window, channel by channel; outside x there is nothing, not 0

    x (N, H, W, C) -> y (N, OH, OW, C),   OH = (H + 2 padding - kernel) // stride + 1,   stride None: the kernel's size
    """
    def forward(x, *, kernel, stride=None, padding=0):
        best, winner = extreme("max_pool2d", x, kernel, stride, padding, xp.maximum, xp.greater, -xp.inf)
        return keep(best, winner=winner)
    def d_x(dy, winner, x_shape, kernel, stride, padding):
        return unpool2d(dy, winner, shape=x_shape, kernel=kernel, stride=stride, padding=padding)


@op
class min_pool2d:
    """y = the smallest entry of each window; else as max_pool2d"""
    def forward(x, *, kernel, stride=None, padding=0):
        best, winner = extreme("min_pool2d", x, kernel, stride, padding, xp.minimum, xp.less, xp.inf)
        return keep(best, winner=winner)
    def d_x(dy, winner, x_shape, kernel, stride, padding):
        return unpool2d(dy, winner, shape=x_shape, kernel=kernel, stride=stride, padding=padding)


@op
class unpool2d:
    """y = 0, and y += x at the place in each window that `winner` names.   The gradient of max_pool2d"""
    def forward(x, winner, *, shape, kernel, stride, padding):
        (N, H, W, C), (_, OH, OW, _) = shape, x.shape
        (KH, KW), (ph, pw) = pair("kernel", kernel, 1), pair("padding", padding, 0)
        sh, sw = (KH, KW) if stride is None else pair("stride", stride, 1)
        y = xp.zeros((N, H + 2 * ph, W + 2 * pw, C), dtype=x.dtype)
        overlap = sh < KH or sw < KW

        for n in ranges(0, N, H * W * C * x.itemsize):
            here = xp.empty(x[n].shape, dtype=x.dtype)
            for k, (_, _, rows, columns) in enumerate(taps(KH, KW, sh, sw, OH, OW)):
                xp.multiply(x[n], winner[n] == k, out=here)
                if overlap:
                    y[n, rows, columns] += here
                else:
                    by_pixels(y)[n, rows, columns] = by_pixels(here)
        return y[:, ph : ph + H, pw : pw + W]
    d_winner = None
    def d_x(dy, winner, kernel, stride, padding):
        return pool_at(dy, winner, kernel=kernel, stride=stride, padding=padding)


@op
class pool_at:
    """y = the entry of each window of x at the place that `winner` names.   The transpose of unpool2d"""
    def forward(x, winner, *, kernel, stride, padding):
        KH, KW, sh, sw, ph, pw, OH, OW = geometry("pool_at", x, kernel, stride, padding)
        x = xp.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0))) if ph or pw else x
        y = xp.zeros(winner.shape, dtype=x.dtype)
        for k, (_, _, rows, columns) in enumerate(taps(KH, KW, sh, sw, OH, OW)):
            y += x[:, rows, columns] * (winner == k)
        return y
    d_winner = None
    def d_x(dy, winner, x_shape, kernel, stride, padding):
        return unpool2d(dy, winner, shape=x_shape, kernel=kernel, stride=stride, padding=padding)


@op
class avg_pool2d:
    """y = the mean of each window, padding counted as 0;   shapes as max_pool2d"""
    def forward(x, *, kernel, stride=None, padding=0):
        KH, KW, sh, sw, ph, pw, OH, OW = geometry("avg_pool2d", x, kernel, stride, padding)
        x = xp.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0))) if ph or pw else x
        y = xp.zeros((x.shape[0], OH, OW, x.shape[3]), dtype=x.dtype)
        for _, _, rows, columns in taps(KH, KW, sh, sw, OH, OW):
            y += x[:, rows, columns]
        y /= KH * KW
        return y
    def d_x(dy, x_shape, kernel, stride, padding):
        return spread2d(dy, shape=x_shape, kernel=kernel, stride=stride, padding=padding)


@op
class spread2d:
    """y += x / (KH KW), at every place of each window.   The transpose of avg_pool2d"""
    def forward(x, *, shape, kernel, stride, padding):
        (N, H, W, C), (_, OH, OW, _) = shape, x.shape
        (KH, KW), (ph, pw) = pair("kernel", kernel, 1), pair("padding", padding, 0)
        sh, sw = (KH, KW) if stride is None else pair("stride", stride, 1)
        x = x / (KH * KW)
        y = xp.zeros((N, H + 2 * ph, W + 2 * pw, C), dtype=x.dtype)
        for _, _, rows, columns in taps(KH, KW, sh, sw, OH, OW):
            y[:, rows, columns] += x
        return y[:, ph : ph + H, pw : pw + W]
    def d_x(dy, kernel, stride, padding): return avg_pool2d(dy, kernel=kernel, stride=stride, padding=padding)


@op
class upsample2d:
    """y[n, i, j] = x[n, i // s, j // s], s = scale: a pixel becomes a block.   x (N, H, W, C) -> (N, s H, s W, C)"""
    def forward(x, *, scale=2):
        kh, kw = pair("upsample2d: scale", scale, 1)
        if x.ndim != 4:
            raise ValueError(f"upsample2d: x has shape {x.shape}, wants four axes (N, H, W, C)")
        N, H, W, C = x.shape
        return xp.broadcast_to(x[:, :, None, :, None], (N, H, kh, W, kw, C)).reshape(N, H * kh, W * kw, C)
    def d_x(dy, x_shape, scale):
        kh, kw = pair("scale", scale, 1)
        N, H, W, C = x_shape
        return dy.reshape(N, H, kh, W, kw, C).sum(axis=(2, 4))
