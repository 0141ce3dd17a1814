"""What the op tests draw: shapes, axes, strides, paddings, indices; and a Case, one call of one op.

Settings and shapes are drawn, and shrink; the numbers come from a drawn seed, so that no two are equal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import minigen as mg

SEEDS = st.integers(0, 2**16)


@dataclass
class Case:
    """An op, what it is called with (NumPy arrays and Python values), and what it is to compute."""

    op: Callable[..., Any]
    inputs: tuple[Any, ...]
    settings: dict[str, Any]
    expected: tuple[np.ndarray, ...]  # from plain NumPy

    def __repr__(self):
        inputs = ", ".join(f"{x.shape} {x.dtype}" if isinstance(x, np.ndarray) else repr(x) for x in self.inputs)
        return f"{self.op.__name__}({inputs}, {self.settings})"


def case(op, inputs, expected, **settings):
    """A Case; expected is one array, or a tuple of several."""
    expected = expected if isinstance(expected, tuple) else (expected,)
    return Case(op, tuple(inputs), settings, tuple(map(np.asarray, expected)))


def on_device(value):
    """NumPy arrays, also inside tuples and lists, as arrays of the backend in use; all else as it is."""
    if isinstance(value, np.ndarray):
        return mg.asarray(value)
    return type(value)(map(on_device, value)) if isinstance(value, (tuple, list)) else value


@st.composite
def normals(draw, shape, scale=1.0, turn=0):
    """An array of normal numbers. shape: a tuple or a strategy. turn: tells apart several of one shape."""
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    return np.asarray(np.random.default_rng([draw(SEEDS), turn]).standard_normal(shape) * scale)


@st.composite
def uniforms(draw, shape, low, high, turn=0):
    """An array of numbers between low and high."""
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    return np.asarray(np.random.default_rng([draw(SEEDS), turn]).uniform(low, high, shape))


@st.composite
def masks(draw, shape):
    """An array of booleans, not all of them False."""
    mask = np.asarray(np.random.default_rng(draw(SEEDS)).random(shape) < 0.6)
    mask[(0,) * mask.ndim] = True
    return mask


@st.composite
def integers(draw, shape, high):
    """An array of integers from 0 to high - 1: class numbers, indices with repeats."""
    return np.asarray(np.random.default_rng(draw(SEEDS)).integers(0, high, shape))


def sizes(least=1, most=4):
    return st.integers(least, most)


def shapes(least=0, most=3):
    """Shapes of so many axes, each 1 to 4 long; 0-d ones too."""
    return st.lists(sizes(), min_size=least, max_size=most).map(tuple)


@st.composite
def broadcastable(draw, count=2):
    """`count` shapes that broadcast against each other: first axes left out, lengths of 1."""
    full = draw(shapes(0, 3))
    return [_narrowed(draw, full) for _ in range(count)]


def _narrowed(draw, full):
    kept = full[draw(st.integers(0, len(full))) :]
    return tuple(1 if draw(st.booleans()) and draw(st.booleans()) else n for n in kept)


def axes(ndim):
    """None, one axis, or several; counted from the front or the back."""
    if ndim == 0:
        return st.none()
    one = st.integers(-ndim, ndim - 1)
    several = st.lists(st.integers(0, ndim - 1), min_size=1, max_size=ndim, unique=True).flatmap(
        lambda some: st.tuples(*(st.sampled_from([a, a - ndim]) for a in some))
    )
    return st.none() | one | several


def one_or_two(least, most):
    """An int, or a pair of ints (for rows, for columns)."""
    number = st.integers(least, most)
    return number | st.tuples(number, number)


kernels = one_or_two(1, 3)
strides = one_or_two(1, 3)
paddings = one_or_two(0, 2)
reductions = st.sampled_from(["mean", "sum", "none"])
dtypes = st.sampled_from(["float32", "float64"])


def both(value):
    """An int or a pair, as a pair."""
    return (value, value) if isinstance(value, int) else value


@st.composite
def indices(draw, shape):
    """An index for an array of this shape: all kinds that NumPy has, repeats among them."""
    n, rest = shape[0], shape[1:]
    ints = st.integers(-n, n - 1)
    kind = draw(st.sampled_from(["int", "slice", "ints", "mask", "new axis", "ellipsis", "pairs", "mixed"]))
    if kind == "int":
        return draw(ints)
    if kind == "slice":
        return slice(draw(st.none() | ints), None, draw(st.sampled_from([None, 2, -1])))
    if kind == "ints":
        return np.array(draw(st.lists(ints, min_size=1, max_size=5)))
    if kind == "mask":
        return draw(masks(shape[: draw(st.integers(1, len(shape)))]))
    if kind == "new axis":
        return (None, draw(ints))
    if kind == "ellipsis":
        return (Ellipsis, 0)
    last = rest[-1] if rest else n
    several = np.array(draw(st.lists(st.integers(0, last - 1), min_size=2, max_size=4)))
    if kind == "pairs" and len(shape) > 1:
        first = np.array(draw(st.lists(ints, min_size=several.size, max_size=several.size)))
        return (first, *([slice(None)] * (len(shape) - 2)), several)
    return (Ellipsis, several)


def places(size, kernel, stride, padding):
    """How many places a window takes along an axis."""
    return (size + 2 * padding - kernel) // stride + 1
