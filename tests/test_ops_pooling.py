"""Pooling: the laws against naive loops, all-negative windows at the border, ties, overlapping windows."""

import numpy as np
import pytest
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import both, case, integers, normals, one_or_two, places, sizes, strides

import minigen as mg


@st.composite
def geometries(draw):
    """(x's shape, y's shape, settings)"""
    kernel = draw(one_or_two(1, 3))
    padding = tuple(draw(st.integers(0, k // 2)) for k in both(kernel))
    padding = draw(st.sampled_from([padding, min(padding)]))
    stride = draw(st.none() | strides)
    H, W = (max(1, k - 2 * p) + draw(st.integers(0, 3)) for k, p in zip(both(kernel), both(padding), strict=True))
    N, C = draw(sizes(1, 2)), draw(sizes(1, 2))
    steps = both(kernel if stride is None else stride)
    out = [places(*g) for g in zip((H, W), both(kernel), steps, both(padding), strict=True)]
    return (N, H, W, C), (N, *out, C), {"kernel": kernel, "stride": stride, "padding": padding}


def windows(shape, out, kernel, stride, padding):
    """For every output: (its index, the places (n, h, w, c) of its window in order, None outside)."""
    (KH, KW), (sh, sw), (ph, pw) = both(kernel), both(kernel if stride is None else stride), both(padding)
    for n, i, j, c in np.ndindex(*out):
        rows, columns = range(i * sh - ph, i * sh - ph + KH), range(j * sw - pw, j * sw - pw + KW)
        places_ = [(n, h, w, c) if 0 <= h < shape[1] and 0 <= w < shape[2] else None for h in rows for w in columns]
        yield (n, i, j, c), places_


@st.composite
def pools(draw, op, reference):
    """reference: from the numbers of a window that lie inside, and the size of the kernel."""
    shape, out, how = draw(geometries())
    x, y = draw(normals(shape)), np.zeros(out)
    for at, window in windows(shape, out, **how):
        y[at] = reference([x[p] for p in window if p], len(window))
    return case(op, [x], y, **how)


@st.composite
def unpools(draw):
    shape, out, how = draw(geometries())
    x, winner = draw(normals(out)), draw(integers(out, np.prod(both(how["kernel"]))))
    y = np.zeros(shape)
    for at, window in windows(shape, out, **how):
        if window[winner[at]]:
            y[window[winner[at]]] += x[at]
    return case(mg.unpool2d, [x, winner], y, shape=shape, **how)


@st.composite
def pools_at(draw):
    shape, out, how = draw(geometries())
    x, winner, y = draw(normals(shape)), draw(integers(out, np.prod(both(how["kernel"])))), np.zeros(out)
    for at, window in windows(shape, out, **how):
        y[at] = x[window[winner[at]]] if window[winner[at]] else 0
    return case(mg.pool_at, [x, winner], y, **how)


@st.composite
def spreads(draw):
    shape, out, how = draw(geometries())
    x, y = draw(normals(out)), np.zeros(shape)
    for at, window in windows(shape, out, **how):
        for p in filter(None, window):
            y[p] += x[at] / len(window)
    return case(mg.spread2d, [x], y, shape=shape, **how)


@st.composite
def upsampled(draw):
    x, scale = (
        draw(normals((draw(sizes(1, 2)), draw(sizes(1, 3)), draw(sizes(1, 3)), 2))),
        draw(one_or_two(1, 3)),
    )
    rows, columns = both(scale)
    return case(mg.upsample2d, [x], x.repeat(rows, axis=1).repeat(columns, axis=2), scale=scale)


CASES = {
    "max_pool2d": pools(mg.max_pool2d, lambda numbers, _: max(numbers)),
    "min_pool2d": pools(mg.min_pool2d, lambda numbers, _: min(numbers)),
    "avg_pool2d": pools(mg.avg_pool2d, lambda numbers, size: sum(numbers) / size),
    "unpool2d": unpools(),
    "pool_at": pools_at(),
    "spread2d": spreads(),
    "upsample2d": upsampled(),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


@pytest.mark.parametrize("op, sign", [(mg.max_pool2d, -1.0), (mg.min_pool2d, 1.0)], ids=["max", "min"])
def test_padding_never_wins(op, sign):
    """All-negative windows at the border: the padding is nothing, not 0, and no gradient falls into it."""
    numbers = sign * np.arange(1.0, 17.0).reshape(1, 4, 4, 1)
    x = mg.tensor(numbers, requires_grad=True)
    y = op(x, kernel=3, stride=2, padding=1)
    same(y.reshape(2, 2), sign * np.array([[1.0, 2], [5, 6]]))
    y.sum().backward()
    wanted = np.zeros(16)
    wanted[[0, 1, 4, 5]] = 1
    same(x.grad.ravel(), wanted)


@pytest.mark.parametrize("op", [mg.max_pool2d, mg.min_pool2d], ids=["max", "min"])
def test_of_tied_entries_one_has_the_gradient(op):
    x = mg.tensor(np.ones((1, 4, 4, 1)), requires_grad=True)
    op(x, kernel=2).backward(mg.asarray(np.arange(1.0, 5.0).reshape(1, 2, 2, 1)))
    assert float(x.grad.sum()) == 10 and int((x.grad != 0).sum()) == 4
    same(x.grad[0, ::2, ::2, 0], np.array([[1.0, 2], [3, 4]]))


def test_a_pixel_that_wins_in_several_windows_collects_them_all():
    x = np.zeros((1, 3, 3, 1))
    x[0, 1, 1, 0] = 1
    t = mg.tensor(x, requires_grad=True)
    mg.max_pool2d(t, kernel=2, stride=1).sum().backward()
    assert float(t.grad[0, 1, 1, 0]) == 4


def test_average_counts_the_padding():
    y = mg.avg_pool2d(mg.asarray(np.ones((1, 2, 2, 1))), kernel=2, stride=2, padding=1)
    same(y.ravel(), np.full(4, 0.25))


@pytest.mark.parametrize(
    "how, sentence",
    [
        ({"kernel": 2, "padding": 2}, "padding is 2, wants at most half the kernel"),
        ({"kernel": 5}, "a window of 5x5 does not fit into 4x4"),
        ({"kernel": 0}, "kernel is 0, wants an int of at least 1"),
    ],
)
def test_mistakes_are_sentences(how, sentence):
    for op in (mg.max_pool2d, mg.min_pool2d, mg.avg_pool2d):
        with pytest.raises(ValueError, match=f"{op.__name__}: .*{sentence}"):
            op(mg.asarray(np.ones((1, 4, 4, 1))), **how)
