"""Convolution. Images are N, H, W, C; weights (KH, KW, C, F).

Three ops, each linear in both of its arguments, that are each other's gradients:

    conv2d              slides the kernel over x:       y[n, i, j] = sum_uv  x[n, i s + u, j s + v] @ w[u, v]
    conv_transpose2d    spreads each y over x's places:  x[n, i s + u, j s + v] += y[n, i, j] @ w[u, v].T
    conv2d_weight       what each kernel entry saw:      w[u, v] = sum_nij  x[n, i s + u, j s + v].T @ y[n, i, j]

(As everywhere in deep learning this is the cross-correlation: the kernel is not flipped.) `plain` is the first line
of each, looped over u and v. How they are made fast is in im2col.py (products of large matrices), in winograd.py (3x3,
many channels) and in band.py (few channels).
"""
# fmt: off

from numbers import Integral

from minigen.graph import op
from minigen.ops import band, im2col, winograd
from minigen.ops.linear import column_sums, same_floats
from minigen.ops.shaping import concatenate, pad, scatter


def pair(name, value, least):
    """An int, or (for rows, for columns), as two ints of at least `least`."""
    if type(value) is int and value >= least:
        return value, value
    both = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2 or not all(isinstance(v, Integral) and v >= least for v in both):
        raise ValueError(f"{name} is {value!r}, wants an int of at least {least}, or two of them")
    return both


def out_size(size, kernel, stride, padding):
    """How many places a kernel takes along an axis of this size."""
    return (size + 2 * padding - kernel) // stride + 1


def taps(KH, KW, sh, sw, OH, OW):
    """For each kernel entry (u, v): the rows and columns of the padded image that it meets."""
    return [(u, v, slice(u, u + sh * (OH - 1) + 1, sh), slice(v, v + sw * (OW - 1) + 1, sw))
            for u in range(KH) for v in range(KW)]


def _check(name, x, w, b, channels_axis, out_axis):
    same_floats(name, x=x, w=w, b=b)
    if x.ndim != 4 or w.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape} and w {w.shape}; wants x (N, H, W, C) and w (KH, KW, C, F)")
    if x.shape[3] != w.shape[channels_axis]:
        hint = "; x looks like N, C, H, W: use x.transpose(0, 2, 3, 1)" if x.shape[1] == w.shape[channels_axis] else ""
        raise ValueError(f"{name}: x {x.shape} has {x.shape[3]} channels (axis 3), w {w.shape} wants "
                         f"{w.shape[channels_axis]}{hint}")
    if b is not None and b.shape != (w.shape[out_axis],):
        raise ValueError(f"{name}: b has shape {b.shape}, w {w.shape} wants ({w.shape[out_axis]},)")


@op
class conv2d:
    """y[n, i, j] = sum_uv x[n, i s + u - p, j s + v - p] @ w[u, v] + b,   x is 0 outside, s the stride, p the padding

    x (N, H, W, C), w (KH, KW, C, F), b (F,) or None  ->  y (N, OH, OW, F),   OH = (H + 2p - KH) // s + 1
    """
    def forward(x, w, b=None, *, stride=1, padding=0):
        _check("conv2d", x, w, b, 2, 3)
        (sh, sw), (ph, pw) = pair("conv2d: stride", stride, 1), pair("conv2d: padding", padding, 0)
        N, H, W, C = x.shape
        KH, KW, _, F = w.shape
        OH, OW = out_size(H, KH, sh, ph), out_size(W, KW, sw, pw)
        if OH < 1 or OW < 1:
            raise ValueError(f"conv2d: a kernel of {KH}x{KW} does not fit into {H}x{W} with padding {padding}")
        if band.suits(x, w, (sh, sw), (ph, pw)):
            return band.correlate(x, w, b, (ph, pw))
        if winograd.suits(w, (sh, sw), N, OH, OW):
            return winograd.correlate(x, w, b, (ph, pw))[0]
        return im2col.correlate(x, w, b, (sh, sw), (ph, pw), OH, OW)

    def plain(x, w, b=None, *, stride=1, padding=0):
        (sh, sw), (ph, pw) = pair("stride", stride, 1), pair("padding", padding, 0)
        KH, KW, _, F = w.shape
        OH, OW = out_size(x.shape[1], KH, sh, ph), out_size(x.shape[2], KW, sw, pw)
        x = pad(x, width=((0, 0), (ph, ph), (pw, pw), (0, 0)))
        y = 0.0
        for u, v, rows, columns in taps(KH, KW, sh, sw, OH, OW):
            y = y + x[:, rows, columns] @ w[u, v]                       # (N, OH, OW, C) @ (C, F)
        return y if b is None else y + b

    def d_x(dy, w, x_shape, stride, padding):
        return conv_transpose2d(dy, w, stride=stride, padding=padding,
                                output_padding=left_over(x_shape, w.shape, stride, padding))
    def d_w(dy, x, w_shape, stride, padding):
        return conv2d_weight(x, dy, kernel=w_shape[:2], stride=stride, padding=padding)
    def d_b(dy): return dy.sum(axis=(0, 1, 2))

    def backward(dy, x, w, stride, padding, wanted):                    # the lines, sharing work where they can
        stride, padding = pair("stride", stride, 1), pair("padding", padding, 0)
        dx = dw = None
        if band.suits(x, w, stride, padding):
            dx, dw = band.gradients(x, dy, w, padding, wanted)
        elif "x" in wanted and winograd.suits(w, stride, *dy.shape[:3]):
            dx, dw = winograd.spread(dy, w, None, padding, x if "w" in wanted else None)
        elif {"x", "w"} <= wanted and stride == (1, 1) and padding[0] < w.shape[0] and padding[1] < w.shape[1]:
            dx, dw = im2col.both_at_stride_1(x, dy, w, padding)
        else:
            if "x" in wanted: dx = im2col.spread(dy, w, None, stride, padding, *x.shape[1:3])
            if "w" in wanted: dw = im2col.weights(x, dy, *w.shape[:2], stride, padding)
        return dx, dw, column_sums(dy) if "b" in wanted else None


def surplus(name, output_padding, stride):
    """output_padding as two ints: what a stride may leave over, so less than the stride."""
    (eh, ew), (sh, sw) = pair(f"{name}: output_padding", output_padding, 0), pair(f"{name}: stride", stride, 1)
    if eh >= sh or ew >= sw:
        raise ValueError(f"{name}: output_padding is {output_padding}, wants less than the stride, {stride}")
    return eh, ew


def left_over(x_shape, w_shape, stride, padding):
    """Rows and columns of x at its far edges that no place of the kernel reaches: what conv_transpose2d has to add."""
    (sh, sw), (ph, pw) = pair("stride", stride, 1), pair("padding", padding, 0)
    return (x_shape[1] + 2 * ph - w_shape[0]) % sh, (x_shape[2] + 2 * pw - w_shape[1]) % sw


@op
class conv_transpose2d:
    """y[n, i s + u - p, j s + v - p] += x[n, i, j] @ w[u, v].T,   then + b.   The transpose of conv2d: its d_x

    x (N, H, W, F), w (KH, KW, C, F), b (C,) or None -> y (N, OH, OW, C),   OH = (H - 1) s - 2p + KH + output_padding
    """
    def forward(x, w, b=None, *, stride=1, padding=0, output_padding=0):
        name = "conv_transpose2d"
        _check(name, x, w, b, 3, 2)
        (sh, sw), (ph, pw) = pair(name + ": stride", stride, 1), pair(name + ": padding", padding, 0)
        eh, ew = surplus(name, output_padding, stride)
        N, H, W, F = x.shape
        KH, KW, C, _ = w.shape
        OH, OW = (H - 1) * sh - 2 * ph + KH + eh, (W - 1) * sw - 2 * pw + KW + ew
        if OH < 1 or OW < 1:
            raise ValueError(f"{name}: padding {padding} leaves nothing of {H}x{W} under a kernel of {KH}x{KW}")
        if winograd.suits(w, (sh, sw), N, H, W):
            return winograd.spread(x, w, b, (ph, pw))[0]
        return im2col.spread(x, w, b, (sh, sw), (ph, pw), OH, OW)

    def plain(x, w, b=None, *, stride=1, padding=0, output_padding=0):
        (sh, sw), (ph, pw) = pair("stride", stride, 1), pair("padding", padding, 0)
        eh, ew = pair("output_padding", output_padding, 0)
        N, H, W, F = x.shape
        KH, KW, C, _ = w.shape
        whole = ((H - 1) * sh + KH + eh, (W - 1) * sw + KW + ew)
        y = 0.0
        for u, v, rows, columns in taps(KH, KW, sh, sw, H, W):
            y = y + dilated(x @ w[u, v].T, rows, columns, whole)        # (N, H, W, F) @ (F, C)
        y = y[:, ph : whole[0] - ph, pw : whole[1] - pw]
        return y if b is None else y + b

    def d_x(dy, w, stride, padding): return conv2d(dy, w, stride=stride, padding=padding)
    def d_w(dy, x, w_shape, stride, padding):
        return conv2d_weight(dy, x, kernel=w_shape[:2], stride=stride, padding=padding)
    def d_b(dy): return dy.sum(axis=(0, 1, 2))

    def backward(dy, x, w, stride, padding, wanted):                    # the lines, sharing columns of dy
        stride, padding = pair("stride", stride, 1), pair("padding", padding, 0)
        dx = dw = None
        if "x" in wanted and winograd.suits(w, stride, *x.shape[:3]):
            dx, dw = winograd.correlate(dy, w, None, padding, x if "w" in wanted else None)
        elif {"x", "w"} <= wanted:
            dx, dw = im2col.both_of_transpose(x, dy, w, stride, padding)
        elif "x" in wanted:
            dx = im2col.correlate(dy, w, None, stride, padding, *x.shape[1:3])
        elif "w" in wanted:
            dw = im2col.weights(dy, x, *w.shape[:2], stride, padding)
        return dx, dw, column_sums(dy) if "b" in wanted else None


def dilated(x, rows, columns, size):
    """An image of zeros of this size, with x at the given rows and columns."""
    N, H, W, C = x.shape
    return scatter(x, shape=(N, *size, C), index=(slice(None), rows, columns))


@op
class conv2d_weight:
    """y[u, v] = sum_nij x[n, i s + u - p, j s + v - p].T @ g[n, i, j].   The gradient of conv2d in its weights

    x (N, H, W, C), g (N, OH, OW, F)  ->  y (KH, KW, C, F)
    """
    def forward(x, g, *, kernel, stride=1, padding=0):
        same_floats("conv2d_weight", x=x, g=g)
        (sh, sw), (ph, pw) = pair("conv2d_weight: stride", stride, 1), pair("conv2d_weight: padding", padding, 0)
        if x.ndim != 4 or g.ndim != 4 or len(x) != len(g):
            wants = "x (N, H, W, C) and g (N, OH, OW, F)"
            raise ValueError(f"conv2d_weight: x has shape {x.shape} and g {g.shape}; wants {wants}")
        return im2col.weights(x, g, *kernel, (sh, sw), (ph, pw))

    def plain(x, g, *, kernel, stride=1, padding=0):
        (sh, sw), (ph, pw) = pair("stride", stride, 1), pair("padding", padding, 0)
        N, OH, OW, F = g.shape
        C, (KH, KW) = x.shape[3], kernel
        x = pad(x, width=((0, 0), (ph, ph), (pw, pw), (0, 0)))
        g = g.reshape(-1, F)
        y = [x[:, rows, columns].reshape(-1, C).T @ g for _, _, rows, columns in taps(KH, KW, sh, sw, OH, OW)]
        return concatenate(*y, axis=0).reshape(KH, KW, C, F)           # each (C, F)

    def d_x(dy, g, x_shape, kernel, stride, padding):
        return conv_transpose2d(g, dy, stride=stride, padding=padding,
                                output_padding=left_over(x_shape, kernel, stride, padding))
    def d_g(dy, x, stride, padding): return conv2d(x, dy, stride=stride, padding=padding)
