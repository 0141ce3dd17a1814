"""Moving entries: the laws for every kind of index, repeats that add up, slices that stay connected."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import laws_for, same, second_order_laws_for
from strategies import axes, case, indices, normals, on_device, shapes, sizes

import minigen as mg


@st.composite
def reshapes(draw):
    x = draw(normals(shapes()))
    shape = draw(st.sampled_from([(-1,), (1, x.size), (*x.shape, 1), x.shape[::-1]]))
    return case(mg.reshape, [x], x.reshape(shape), shape=shape)


@st.composite
def transposes(draw):
    x = draw(normals(shapes()))
    order = draw(st.permutations(range(x.ndim)))
    axes_ = draw(st.none() | st.just(tuple(a - draw(st.sampled_from([0, x.ndim])) for a in order)))
    return case(mg.transpose, [x], x.transpose(axes_), axes=axes_)


@st.composite
def expanded(draw):
    x = draw(normals(shapes()))
    axis = draw(st.integers(-x.ndim - 1, x.ndim))
    return case(mg.expand_dims, [x], np.expand_dims(x, axis), axis=axis)


@st.composite
def squeezed(draw):
    shape = list(draw(shapes(1, 3)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    shape[axis] = 1
    x = draw(normals(tuple(shape)))
    axis = draw(st.sampled_from([None, axis]))
    return case(mg.squeeze, [x], x.squeeze(axis), axis=axis)


@st.composite
def broadcasts(draw):
    x = draw(normals(shapes(0, 2)))
    shape = (*draw(shapes(0, 2)), *(draw(sizes()) if n == 1 else n for n in x.shape))
    return case(mg.broadcast_to, [x], np.broadcast_to(x, shape), shape=shape)


@st.composite
def items(draw):
    x = draw(normals(shapes(1, 3)))
    index = draw(indices(x.shape))
    return case(mg.getitem, [x], x[index], index=index)


@st.composite
def scattered(draw):
    shape = draw(shapes(1, 3))
    index = draw(indices(shape))
    x = draw(normals(np.zeros(shape)[index].shape))
    wanted = np.zeros(shape)
    np.add.at(wanted, index, x)
    return case(mg.scatter, [x], wanted, shape=shape, index=index)


@st.composite
def concatenated(draw):
    shape = list(draw(shapes(1, 3)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    lengths = draw(st.lists(sizes(), min_size=1, max_size=3))
    xs = [draw(normals(tuple(n if i == axis % len(shape) else m for i, m in enumerate(shape)))) for n in lengths]
    return case(mg.concatenate, xs, np.concatenate(xs, axis=axis), axis=axis)


@st.composite
def stacked(draw):
    shape = draw(shapes())
    axis = draw(st.integers(-len(shape) - 1, len(shape)))
    xs = [draw(normals(shape)) for _ in range(draw(sizes(1, 3)))]
    return case(mg.stack, xs, np.stack(xs, axis=axis), axis=axis)


@st.composite
def splits(draw):
    shape = list(draw(shapes(1, 3)))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    count = draw(sizes(1, 3))
    shape[axis] *= count
    x = draw(normals(tuple(shape)))
    ends = sorted(draw(st.lists(st.integers(1, shape[axis]), max_size=2, unique=True)))
    sections = draw(st.sampled_from([count, ends]))
    return case(mg.split, [x], tuple(np.split(x, sections, axis=axis)), sections=sections, axis=axis)


@st.composite
def padded(draw):
    x = draw(normals(shapes(1, 3)))
    each = st.tuples(st.integers(0, 2), st.integers(0, 2))
    width = draw(st.integers(0, 2) | each | st.tuples(*[each] * x.ndim))
    value = draw(st.sampled_from([0, -1.5]))
    return case(mg.pad, [x], np.pad(x, width, constant_values=value), width=width, value=value)


@st.composite
def flipped(draw):
    x = draw(normals(shapes()))
    axis = draw(axes(x.ndim))
    return case(mg.flip, [x], np.flip(x, axis), axis=axis)


CASES = {
    "reshape": reshapes(),
    "transpose": transposes(),
    "expand_dims": expanded(),
    "squeeze": squeezed(),
    "broadcast_to": broadcasts(),
    "getitem": items(),
    "scatter": scattered(),
    "concatenate": concatenated(),
    "stack": stacked(),
    "split": splits(),
    "pad": padded(),
    "flip": flipped(),
}

test_laws = laws_for(CASES)
test_second_order = second_order_laws_for(CASES)


@given(st.data())
def test_square_brackets_are_getitem(data):
    x = data.draw(normals(shapes(1, 3)))
    index = data.draw(indices(x.shape))
    t = mg.tensor(x, requires_grad=True)
    y = t[on_device(index)]
    same(y, x[index])
    dy = np.random.default_rng(0).standard_normal(y.shape)
    y.backward(mg.asarray(np.asarray(dy)))
    wanted = np.zeros_like(x)
    np.add.at(wanted, index, dy)
    same(t.grad, wanted)


@pytest.mark.parametrize("index", [[0, 0, 1], ([0, 0, 1],), np.array([0, 0, 1]), np.array([0, -3, 1])])
def test_repeated_indices_add_up(index):
    """Twice the same row: `=` and NumPy's fancy `+=` lose one of the two gradients."""
    for write in (lambda t: t[on_device(index)], lambda t: mg.getitem(t, index=on_device(index))):
        x = mg.tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)
        write(x).sum().backward()
        same(x.grad, np.array([[2.0, 2], [1, 1], [0, 0]]))


def test_slices_stay_connected():
    x = mg.tensor(np.arange(6.0), requires_grad=True)
    (x[1:5][::2] * x[0] + x[-1]).sum().backward()
    same(x.grad, np.array([4.0, 0, 0, 0, 0, 2]))


def test_iterating_stays_connected():
    x = mg.tensor(np.arange(3.0), requires_grad=True)
    sum(row * row for row in x).backward()
    same(x.grad, np.array([0.0, 2, 4]))


def test_concatenate_takes_a_list_too():
    a, b = mg.tensor([[1.0]], requires_grad=True), mg.tensor([[2.0]], requires_grad=True)
    same(mg.concatenate([a, b], axis=1), np.array([[1.0, 2.0]]))
    mg.stack((a, b)).sum().backward()
    assert mg.to_numpy(a.grad) == mg.to_numpy(b.grad) == 1


def test_the_same_tensor_concatenated_with_itself():
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (mg.concatenate(x, x) * mg.asarray([1.0, 2.0, 3.0, 4.0])).sum().backward()
    same(x.grad, np.array([4.0, 6.0]))


def test_an_unused_part_of_a_split_has_gradient_zero():
    x = mg.tensor(np.arange(6.0), requires_grad=True)
    _, middle, _ = mg.split(x, sections=3)
    (middle * middle).sum().backward()
    same(x.grad, np.array([0.0, 0, 4, 6, 0, 0]))


def test_no_two_gradients_share_memory():
    a, b = mg.tensor([1.0, 2.0], requires_grad=True), mg.tensor([3.0, 4.0], requires_grad=True)
    (a + b).backward(mg.asarray([1.0, 1.0]))
    a.grad += 5
    same(b.grad, np.ones(2))
