"""Convolution: the laws against naive loops; a worked example; the three ops as each other's transposes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import both, case, normals, paddings, places, sizes, strides

import minigen as mg
from minigen import threads
from minigen.ops import im2col, winograd


def naive_conv(x, w, b, stride, padding):
    """y[n, i, j, f] = sum over u, v, c, one number at a time."""
    (sh, sw), (ph, pw) = both(stride), both(padding)
    KH, KW, _, F = w.shape
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    OH, OW = places(x.shape[1], KH, sh, 0), places(x.shape[2], KW, sw, 0)
    y = np.zeros((x.shape[0], OH, OW, F))
    for n, i, j, f in np.ndindex(*y.shape):
        window = x[n, i * sh : i * sh + KH, j * sw : j * sw + KW]
        y[n, i, j, f] = (window * w[..., f]).sum() + (0 if b is None else b[f])
    return y


def naive_transpose(x, w, b, stride, padding, extra):
    """Every x[n, i, j, f] spreads the kernel w[..., f] over its window."""
    (sh, sw), (ph, pw), (eh, ew) = both(stride), both(padding), both(extra)
    N, H, W, F = x.shape
    KH, KW, C, _ = w.shape
    y = np.zeros((N, (H - 1) * sh + KH + eh, (W - 1) * sw + KW + ew, C))
    for n, i, j, f in np.ndindex(N, H, W, F):
        y[n, i * sh : i * sh + KH, j * sw : j * sw + KW] += x[n, i, j, f] * w[..., f]
    y = y[:, ph : y.shape[1] - ph, pw : y.shape[2] - pw]
    return y if b is None else y + b


def naive_weight(x, g, kernel, stride, padding):
    """y[u, v, c, f]: how x, shifted by (u, v), and g go together."""
    (sh, sw), (ph, pw) = both(stride), both(padding)
    _, OH, OW, F = g.shape
    x = np.pad(x, ((0, 0), (ph, ph), (pw, pw), (0, 0)))
    y = np.zeros((*kernel, x.shape[3], F))
    for u, v, c, f in np.ndindex(*y.shape):
        seen = x[:, u : u + sh * (OH - 1) + 1 : sh, v : v + sw * (OW - 1) + 1 : sw, c]
        y[u, v, c, f] = (seen * g[..., f]).sum()
    return y


@st.composite
def geometries(draw):
    """(x's shape, w's shape, stride, padding): odd and even kernels, KH != KW, overlaps and gaps.

    Some have many filters or long rows, for which the kernels go another way than for few and short ones.
    """
    kernel, stride, padding = draw(sizes(1, 3)), draw(strides), draw(paddings)
    kernel = (kernel, draw(sizes(1, 4)))
    H, W = (max(1, k - 2 * p) + draw(st.integers(0, 3)) for k, p in zip(kernel, both(padding), strict=True))
    C, F = draw(sizes(1, 2)), draw(sizes(1, 3))
    if draw(st.booleans()):
        W, F = draw(st.sampled_from([(W + 9 * kernel[1], F), (W, F + 16)]))
    return (draw(sizes(1, 2)), H, W, C), (*kernel, C, F), stride, padding


@st.composite
def convolutions(draw):
    x, w, stride, padding = draw(geometries())
    x, w, b = draw(normals(x)), draw(normals(w)), draw(st.none() | normals(w[3:]))
    return case(mg.conv2d, [x, w, b], naive_conv(x, w, b, stride, padding), stride=stride, padding=padding)


@st.composite
def transposed(draw):
    (N, H, W, C), w, stride, padding = draw(geometries())
    extra = tuple(draw(st.integers(0, s - 1)) for s in both(stride))
    extra = draw(st.sampled_from([extra, min(extra)]))
    grown = [(n - 1) * s + k + e for n, s, k, e in zip((H, W), both(stride), w, both(extra), strict=False)]
    padding = tuple(min(p, (n - 1) // 2) for p, n in zip(both(padding), grown, strict=True))
    x, w, b = draw(normals((N, H, W, w[3]))), draw(normals(w)), draw(st.none() | normals((C,)))
    wanted = naive_transpose(x, w, b, stride, padding, extra)
    return case(mg.conv_transpose2d, [x, w, b], wanted, stride=stride, padding=padding, output_padding=extra)


@st.composite
def weights(draw):
    x, (KH, KW, _, F), stride, padding = draw(geometries())
    out = [places(*g) for g in zip(x[1:3], (KH, KW), both(stride), both(padding), strict=True)]
    x, g = draw(normals(x)), draw(normals((x[0], *out, F)))
    wanted = naive_weight(x, g, (KH, KW), stride, padding)
    return case(mg.conv2d_weight, [x, g], wanted, kernel=(KH, KW), stride=stride, padding=padding)


CASES = {"conv2d": convolutions(), "conv_transpose2d": transposed(), "conv2d_weight": weights()}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)

IMAGE = [
    [0, 1, 1, 1, 0, 0, 0],
    [0, 0, 1, 1, 1, 0, 0],
    [0, 0, 0, 1, 1, 1, 0],
    [0, 0, 0, 1, 1, 0, 0],
    [0, 0, 1, 1, 0, 0, 0],
    [0, 1, 1, 0, 0, 0, 0],
    [1, 1, 0, 0, 0, 0, 0],
]
KERNEL = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
CONVOLVED = [[1, 4, 3, 4, 1], [1, 2, 4, 3, 3], [1, 2, 3, 4, 1], [1, 3, 3, 1, 1], [3, 3, 1, 1, 0]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_worked_example(dtype):
    x = mg.asarray(np.array(IMAGE, dtype=dtype).reshape(1, 7, 7, 1))
    w = mg.asarray(np.array(KERNEL, dtype=dtype).reshape(3, 3, 1, 1))
    y = mg.conv2d(x, w)
    assert y.dtype == dtype
    same(y.reshape(5, 5), np.array(CONVOLVED, dtype=float))


def test_the_kernel_is_not_flipped():
    x, w = np.zeros((1, 3, 3, 1)), np.arange(9.0).reshape(3, 3, 1, 1)
    x[0, 0, 2, 0] = 1
    same(mg.conv2d(mg.asarray(x), mg.asarray(w)).ravel(), np.array([2.0]))


@given(geometries(), st.integers(0, 100))
def test_the_three_are_each_others_transposes(geometry, seed):
    """<conv2d(x, w), g> = <x, conv_transpose2d(g, w)> = <w, conv2d_weight(x, g)>: one bilinear form."""
    (N, H, W, C), (KH, KW, _, F), stride, padding = geometry
    rng = np.random.default_rng(seed)
    x, w = mg.asarray(rng.standard_normal((N, H, W, C))), mg.asarray(rng.standard_normal((KH, KW, C, F)))
    y = mg.conv2d(x, w, stride=stride, padding=padding)
    g = mg.asarray(rng.standard_normal(y.shape))
    left = [(n + 2 * p - k) % s for n, k, s, p in zip((H, W), (KH, KW), both(stride), both(padding), strict=True)]
    back = mg.conv_transpose2d(g, w, stride=stride, padding=padding, output_padding=tuple(left))
    seen = mg.conv2d_weight(x, g, kernel=(KH, KW), stride=stride, padding=padding)
    same((x * back).sum(), (y * g).sum())
    same((w * seen).sum(), (y * g).sum())


def test_many_images_in_several_blocks():
    """More columns than fit into one block: the batch is cut, and no image is lost at a cut."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((7, 20, 20, 16)), rng.standard_normal((3, 3, 16, 2))
    whole = mg.conv2d(mg.asarray(x), mg.asarray(w), padding=1)
    g = mg.asarray(rng.standard_normal(whole.shape))
    for i in range(7):
        same(whole[i : i + 1], mg.conv2d(mg.asarray(x[i : i + 1]), mg.asarray(w), padding=1))
    one_by_one = sum(
        mg.conv2d_weight(mg.asarray(x[i : i + 1]), g[i : i + 1], kernel=(3, 3), padding=1) for i in range(7)
    )
    same(mg.conv2d_weight(mg.asarray(x), g, kernel=(3, 3), padding=1), one_by_one)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_rows_of_padding_alone(stride, monkeypatch):
    """Blocks so small that some see nothing of the image: a kernel of 2, a padding of 5, one row at a time."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 4, 5, 9)), rng.standard_normal((2, 2, 9, 3))
    monkeypatch.setattr(im2col, "BLOCK", 64)
    for op, image, naive in (
        (mg.conv2d, x, naive_conv(x, w, None, stride, 5)),
        (mg.conv_transpose2d, rng.standard_normal((2, 12, 13, 3)), None),
    ):
        leaves = [mg.tensor(mg.asarray(a), requires_grad=True) for a in (image, w)]
        twins = [mg.tensor(mg.asarray(a), requires_grad=True) for a in (image, w)]
        y, plain = op(*leaves, stride=stride, padding=5), op.plain(*twins, stride=stride, padding=5)
        same(y.data, plain.data if naive is None else naive)
        dy = mg.asarray(rng.standard_normal(y.shape))
        y.backward(dy)
        plain.backward(dy)
        for leaf, twin in zip(leaves, twins, strict=True):
            same(leaf.grad, twin.grad)


@given(paddings, sizes(1, 2), sizes(1, 2), sizes(1, 3), st.integers(0, 7), st.integers(0, 7), st.integers(0, 100))
def test_winograd_is_the_formula(padding, N, C, F, more_rows, more_columns, seed):
    """Forward, transposed and both gradients, on images of one tile and of several, whole and jutting out."""
    draw, (ph, pw) = np.random.default_rng(seed).standard_normal, both(padding)
    x = draw((N, max(1, 3 - 2 * ph) + more_rows, max(1, 3 - 2 * pw) + more_columns, C))
    w, b, c = draw((3, 3, C, F)), draw(F), draw(C)
    wanted = naive_conv(x, w, b, 1, padding)
    g = draw(wanted.shape)
    y, dw = winograd.correlate(*map(mg.asarray, (x, w, b)), (ph, pw), mg.asarray(g))
    same(y, wanted)
    same(dw, naive_weight(x, g, (3, 3), 1, padding))
    z, dw = winograd.spread(*map(mg.asarray, (g, w, c)), (ph, pw), mg.asarray(x))
    same(z, naive_transpose(g, w, c, 1, padding, 0))
    same(dw, naive_weight(x, g, (3, 3), 1, padding))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("op, channels", [(mg.conv2d, (32, 35)), (mg.conv_transpose2d, (35, 32))])
def test_many_channels(op, channels, count, monkeypatch):
    """By way of winograd, in blocks of one row of tiles: the same as plain, and the same numbers every time."""
    rng, before = np.random.default_rng(0), threads.threads()
    x, w, b = rng.standard_normal((7, 13, 12, 32)), rng.standard_normal((3, 3, *channels)), rng.standard_normal(35)
    calls, correlate = [], winograd.correlate
    monkeypatch.setattr(winograd, "correlate", lambda *args: calls.append(1) or correlate(*args))
    monkeypatch.setattr(im2col, "BLOCK", 64)
    try:
        threads.set_threads(count)
        results = []
        for formula in (op, op, op.plain):
            leaves = [mg.tensor(mg.asarray(a), requires_grad=True) for a in (x, w, b)]
            y = formula(*leaves, padding=1)
            (y * mg.xp.sin(y.data)).sum().backward()
            results.append([y.data, *(leaf.grad for leaf in leaves)])
    finally:
        threads.set_threads(before)
    assert len(calls) == 4  # forward and backward, twice
    for first, second, plain in zip(*results, strict=True):
        assert np.array_equal(mg.to_numpy(first), mg.to_numpy(second))
        same(first, plain)


def test_winograd_in_float32():
    """It rounds more than im2col, 2e-6 of the largest entry where that has 5e-7: no more than it says."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 16, 16, 64)), rng.standard_normal((3, 3, 64, 64))
    exact, single = (
        mg.to_numpy(mg.conv2d(mg.asarray(x.astype(dtype)), mg.asarray(w.astype(dtype)), padding=1))
        for dtype in ("float64", "float32")
    )
    assert single.dtype == "float32"
    assert np.abs(single - exact).max() < 4e-6 * np.abs(exact).max()


def test_even_kernel_with_stride_two_doubles_and_halves():
    """The DCGAN's 4x4 kernel, stride 2, padding 1."""
    x, w = np.ones((1, 8, 6, 3)), np.ones((4, 4, 3, 5))
    assert mg.conv2d(mg.asarray(x), mg.asarray(w), stride=2, padding=1).shape == (1, 4, 3, 5)
    assert mg.conv_transpose2d(mg.asarray(np.ones((1, 4, 3, 5))), mg.asarray(w), stride=2, padding=1).shape == x.shape


IMAGES = np.ones((2, 3, 8, 8))
MISTAKES = [
    (lambda w: mg.conv2d(mg.asarray(IMAGES), w), "x looks like N, C, H, W: use x.transpose"),
    (lambda w: mg.conv2d(mg.asarray(np.ones((2, 8, 8))), w), r"conv2d: x has shape \(2, 8, 8\)"),
    (lambda w: mg.conv2d(mg.asarray(np.ones((2, 2, 2, 3))), w), "a kernel of 3x3 does not fit into 2x2"),
    (
        lambda w: mg.conv2d(mg.asarray(np.ones((2, 8, 8, 3))), w, stride=0),
        "stride is 0, wants an int of at least 1",
    ),
    (
        lambda w: mg.conv2d(mg.asarray(np.ones((2, 8, 8, 3))), w, mg.asarray(np.ones(3))),
        r"b has shape \(3,\)",
    ),
    (
        lambda w: mg.conv_transpose2d(mg.asarray(np.ones((2, 8, 8, 4))), w, output_padding=1),
        "output_padding is 1, wants less than the stride",
    ),
]


@pytest.mark.parametrize("call, sentence", MISTAKES, ids=[m[1][:25] for m in MISTAKES])
def test_mistakes_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(mg.asarray(np.ones((3, 3, 3, 4))))


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("channels, outputs", [(1, 1), (1, 5), (1, 40), (3, 2)])
def test_images_made_with_new_axes(channels, outputs, padding):
    """An axis of length 1 that indexing with None made has a stride of 0: no kernel may step by it."""
    draw = np.random.default_rng(0).standard_normal
    image, w = draw((7, 7)), draw((3, 3, channels, outputs))
    for x in (image[None, :, :, None], np.broadcast_to(image[None, :, :, None], (2, 7, 7, channels))):
        x = x if x.shape[3] == channels else np.repeat(x, channels, axis=3)
        expected = mg.to_numpy(mg.conv2d.plain(mg.asarray(x.copy()), mg.asarray(w), padding=padding))
        assert np.allclose(mg.to_numpy(mg.conv2d(mg.asarray(x), mg.asarray(w), padding=padding)), expected)
        image4, whole = mg.tensor(x.copy(), requires_grad=True), mg.tensor(w, requires_grad=True)
        image4._data = mg.asarray(x)
        y = mg.conv2d(image4, whole, padding=padding)
        y.backward(mg.asarray(expected))
        copy = mg.tensor(x.copy(), requires_grad=True), mg.tensor(w, requires_grad=True)
        mg.conv2d.plain(*copy, padding=padding).backward(mg.asarray(expected))
        for ours, theirs in zip((image4, whole), copy, strict=True):
            assert np.allclose(mg.to_numpy(ours.grad), mg.to_numpy(theirs.grad))
