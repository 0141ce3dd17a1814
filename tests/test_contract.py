"""The op contract: what a class must keep, what calling it records, and what each refusal says."""

import copy
import gc
import inspect
import pickle
import pydoc
import weakref

import numpy as np
import pytest

import minigen as mg
from minigen.graph import tape
from minigen.nn import Dense

xp = mg.xp


def array(values, dtype="float32"):
    return mg.asarray(np.array(values, dtype=dtype))


def wants(values, dtype="float32", name=None):
    """A leaf Tensor that wants a gradient."""
    return mg.tensor(array(values, dtype), requires_grad=True, name=name)


def equal(got, wanted):
    got = got.data if isinstance(got, mg.Tensor) else got
    assert type(got) is xp.ndarray
    np.testing.assert_allclose(mg.to_numpy(got), wanted, rtol=1e-6)


@pytest.fixture
def without_gc():
    """Only reference counts free what is dropped, so that a reference cycle shows."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


# fmt: off
@mg.op
class affine:
    """y = x @ w + b.   x (N, D), w (D, M), b (M,) or None -> y (N, M)"""
    def forward(x, w, b=None, *, scale=1.0):
        y = x @ w if b is None else x @ w + b
        return y * scale
    def d_x(dy, w, scale): return dy @ w.T * scale
    def d_w(dy, x, scale): return x.T @ dy * scale
    def d_b(dy, scale):    return dy.sum(axis=0) * scale


@mg.op
class cube:
    """y = x ** 3"""
    def forward(x):  return x * x * x
    def d_x(dy, x):  return dy * 3 * x * x


@mg.op
class min_max:
    """The smallest and the largest entry of x."""
    outputs = "low", "high"
    def forward(x):                         return x.min(), x.max()
    def d_x(d_low, d_high, x, low, high):   return d_low * (x == low) + d_high * (x == high)


class Counting:
    """An op a * b + c whose lines count their calls."""
    def __init__(self):
        self.calls = []

        def counts(name, gradient):
            self.calls.append(name)
            return gradient

        @mg.op
        class counted:
            def forward(a, b, c): return a * b + c
            def d_a(dy, b): return counts("a", dy * b)
            def d_b(dy, a): return counts("b", dy * a)
            def d_c(dy):    return counts("c", dy)
        self.op = counted
# fmt: on


# ------------------------------------------------------------------------------- what a class has to keep


# fmt: off
def no_forward():
    class f:
        def d_x(dy): return dy
    return f


def unknown_input():
    class f:
        def forward(x): return x
        def d_x(dy): return dy
        def d_z(dy): return dy
    return f


def missing_line():
    class f:
        def forward(x, w): return x * w
        def d_x(dy, w): return dy * w
    return f


def no_upstream():
    class f:
        def forward(x, w): return x * w
        def d_x(w, dy): return dy * w
        def d_w(dy, x): return dy * x
    return f


def line_without_parameters():
    class f:
        def forward(x): return x
        def d_x(): return 1
    return f


def one_upstream_of_two():
    class f:
        outputs = "a", "b"
        def forward(x): return x, x
        def d_x(d_a): return d_a
    return f


def asks_for_what_is_not_there():
    class f:
        def forward(x): return x * 2
        def d_x(dy, mask): return dy * mask
    return f


def joint_asks_for_what_is_not_there():
    class f:
        def forward(x): return x * 2
        def backward(dy, mask): return dy * mask
    return f


def output_of_another_name():
    class f:
        outputs = "a", "b"
        def forward(x): return x, x
        def d_x(d_a, d_b, y): return d_a + d_b
    return f


def plain_takes_something_else():
    class f:
        def forward(x, *, eps): return x + eps
        def d_x(dy): return dy
        def plain(x): return x
    return f


def variadic_without_joint():
    class f:
        def forward(*xs): return sum(xs)
    return f


def with_self():
    class f:
        def forward(self, x): return x
        def d_x(self, dy): return dy
    return f


def line_is_a_number():
    class f:
        def forward(x): return x
        d_x = 0
    return f
# fmt: on


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (no_forward, r"f: an op needs a forward"),
        (unknown_input, r"f: d_z is the gradient of an unknown input; the inputs are x"),
        (missing_line, r"f: input w has no d_w; write d_w = None if it has no gradient by nature"),
        (no_upstream, r"f.d_x: the first parameters are the upstream gradients, dy; got w, dy"),
        (line_without_parameters, r"f.d_x: the first parameters .* dy; got none"),
        (one_upstream_of_two, r"f.d_x: the first parameters are the upstream gradients, d_a, d_b; got d_a"),
        (asks_for_what_is_not_there, r"f.d_x asks for 'mask', which is no input, .*\(return keep\(y, mask=...\)\)"),
        (joint_asks_for_what_is_not_there, r"f.backward asks for 'mask'"),
        (output_of_another_name, r"f.d_x asks for 'y'"),
        (plain_takes_something_else, r"f: plain has to take what forward takes, \(x, \*, eps\)"),
        (variadic_without_joint, r"f: an op of any number of inputs \(\*xs\) needs a joint backward"),
        (with_self, r"f: forward takes self, but an op has no state"),
        (line_is_a_number, r"f: d_x is 0; wants a function of dy, or None"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_class_that_breaks_the_contract_is_refused_when_defined(build, sentence):
    with pytest.raises(TypeError, match=sentence):
        mg.op(build())


def keeps():
    class f:
        def forward(x):
            return mg.keep(x, mask=x > 0)

        def d_x(dy, mask):
            return dy * mask

    return f


def has_a_kernel():
    class f:
        def forward(x):
            return x

        def backward(dy):
            return (dy,)

    return f


def has_two_outputs():
    class f:
        outputs = "a", "b"

        def forward(x):
            return x, x

        def d_x(d_a, d_b):
            return d_a + d_b

    return f


@pytest.mark.parametrize("build", [keeps, has_a_kernel, has_two_outputs])
def test_an_elementwise_op_that_cannot_be_worked_on_in_pieces_is_refused_when_defined(build):
    mg.op(build())  # all right otherwise
    with pytest.raises(TypeError, match="f: elementwise=True is for an op of one output"):
        mg.op(build(), elementwise=True)


def test_staticmethods_are_functions_too():
    @mg.op
    class double:
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def d_x(dy):
            return dy * 2

    x = wants([1.0, 2.0])
    double(x).sum().backward()
    equal(x.grad, [2, 2])
    equal(double.d_x(array([3.0])), [6])


# ------------------------------------------------------------------------------- a plain function, by hand


def test_forward_and_lines_can_be_called_by_hand_on_arrays():
    x, w, b, dy = array([[1, 2]]), array([[3], [4]]), array([5]), array([[1]])
    equal(affine.forward(x, w, b), [[16]])
    equal(affine.d_x(dy, w, 1.0), [[3, 4]])
    equal(affine.d_w(dy, x, 1.0), [[1], [2]])
    equal(affine.d_b(dy, 1.0), [1])
    equal(mg.tanh.d_x(array([1.0]), array([0.5])), [0.75])


def test_an_op_is_a_plain_function_with_help_and_signature():
    assert inspect.isfunction(affine)
    assert str(inspect.signature(affine)) == "(x, w, b=None, *, scale=1.0)"
    assert affine.__doc__ == "y = x @ w + b.   x (N, D), w (D, M), b (M,) or None -> y (N, M)"
    text = pydoc.plain(pydoc.render_doc(affine))
    assert "affine(x, w, b=None, *, scale=1.0)" in text and "y = x @ w + b" in text


@pytest.mark.parametrize("op", [affine, mg.tanh, mg.dense, mg.lstm], ids=lambda op: op.__name__)
def test_an_op_pickles_by_name(op):
    assert pickle.loads(pickle.dumps(op)) is op
    assert copy.deepcopy(op) is op


def test_arrays_alone_compute_and_record_nothing():
    before = tape.next_number()
    y = affine(array([[1.0]]), array([[2.0]]))
    assert type(y) is xp.ndarray
    assert tape.next_number() == before + 1  # no node took a number
    parts = mg.split(array([1, 2, 3, 4]), sections=2)
    assert type(parts) is tuple and all(type(p) is xp.ndarray for p in parts)


def test_tensors_that_want_no_gradient_compute_a_tensor_and_record_nothing():
    y = cube(mg.tensor([2.0]))
    assert isinstance(y, mg.Tensor) and not y.requires_grad and y.origin is None


# ------------------------------------------------------------------------------- inputs and settings


def test_an_optional_input_is_given_by_position_by_name_or_not_at_all():
    x, w = wants([[1, 2]]), wants([[3], [4]])
    for y in [affine(x, w), affine(x, w, None), affine(x, w, b=None), affine(x=x, w=w), affine(w=w, x=x)]:
        equal(y, [[11]])
        y.backward()
    equal(w.grad, [[5], [10]])
    for give in [lambda b: affine(x, w, b), lambda b: affine(x, w, b=b), lambda b: affine(b=b, w=w, x=x)]:
        b = wants([5])
        y = give(b)
        equal(y, [[16]])
        y.backward()
        equal(b.grad, [1])


def test_a_default_setting_and_a_given_one_reach_forward_and_lines():
    for settings, scale in [({}, 1), ({"scale": 3.0}, 3)]:
        x, w, b = wants([[1, 2]]), wants([[3], [4]]), wants([5])
        y = affine(x, w, b=b, **settings)
        equal(y, [[16 * scale]])
        y.backward()
        equal(x.grad, [[3 * scale, 4 * scale]])
        equal(b.grad, [scale])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: affine(x, x, c=1), r"affine\(x, w, b=None, \*, scale=1.0\): got an unexpected keyword .*'c'"),
        (lambda x: affine(x, w=x, x=x), r"affine.*: multiple values for argument 'x'"),
        (lambda x: affine(x), r"affine: got x \(1, 1\) float32; .*missing .*'w'"),
        (lambda x: affine(x, x, x, x), r"affine: got x .*, w .*, b .*but 4 were given"),
        (lambda x: mg.sum(x, axs=1), r"sum\(x, \*, axis=None, keepdims=False\): .*'axs'"),
        (lambda x: mg.leaky_relu(x, slope=mg.tensor(0.1)), r"leaky_relu: forward returned a Tensor.*settings"),
    ],
)
def test_a_call_that_does_not_fit_is_a_sentence(call, sentence):
    for x in (array([[1.0]]), wants([[1.0]])):
        with pytest.raises(TypeError, match=sentence):
            call(x)


def test_lists_are_float32_and_labels_stay_integers():
    for y in [mg.add([1, 2], [3, 4]), mg.add(wants([1, 2]), [3, 4]), mg.concatenate([[1, 2], [3]])]:
        assert y.dtype == "float32"
    assert float(mg.cross_entropy(wants([[9.0, 0.0]]), [0])) < 1e-3
    assert mg.embedding([[0, 1]], wants([[1.0], [2.0]])).shape == (1, 2, 1)
    equal(mg.where([True, False], wants([1, 2]), 0.0), [1, 0])


def test_numbers_alone_are_float32_and_keep_what_they_meet():
    for y in [mg.sqrt(2.0), mg.add(1, 2), mg.exp(0)]:
        assert type(y) is xp.ndarray and y.dtype == "float32"
    assert (wants([1.0]) * mg.sqrt(2.0)).dtype == "float32"
    assert mg.add(wants([1.0], "float64"), 0.1).data.item() == 1.1


@pytest.mark.parametrize("scalar", [2, 2.0, True, np.float64(2), np.float32(2), np.int64(2)])
def test_scalars_never_promote(scalar):
    x = wants([1.0, 2.0])
    y = (x * scalar + scalar) / 2 - scalar
    assert y.dtype == "float32"
    y.sum().backward()
    assert x.grad.dtype == "float32"


# ------------------------------------------------------------------------------- what is saved


def saved_names(y):
    return y.origin[0].plan.names


def test_only_what_the_wanted_lines_name_is_saved():
    x, w, b = wants([[1.0]]), wants([[1.0]]), wants([1.0])
    assert saved_names(affine(x, w, b)) == ["w", "scale", "x"]
    assert saved_names(affine(x.data, w, b)) == ["x", "scale"]
    assert saved_names(affine(x, w.data, b)) == ["w", "scale"]
    assert saved_names(affine(x.data, w.data, b)) == ["scale"]
    assert saved_names(x + b) == []


def test_saved_holds_arrays_and_never_tensors():
    x, w = wants([[1.0, 2.0]]), wants([[1.0], [2.0]])
    y = mg.tanh(affine(x, w)) * mg.tensor([2.0])
    z = mg.concatenate([y, y]).sum()
    todo = [z.origin[0]]
    while todo:
        node = todo.pop()
        flat = [v for value in node.saved for v in (value if isinstance(value, (list, tuple)) else [value])]
        assert not any(isinstance(v, mg.Tensor) for v in flat)
        todo += [p[0] for p in node.parents if type(p) is tuple]


def test_shape_can_be_named_without_keeping_the_array(without_gc):
    @mg.op
    class total:
        def forward(x):
            return x.sum()

        def d_x(dy, x_shape):
            return xp.zeros(x_shape, dtype=dy.dtype) + dy

    leaf = wants([[1, 2], [3, 4]])
    x = leaf * 1.0
    gone = weakref.ref(x.data)
    y = total(x)
    del x
    assert gone() is None
    y.backward()
    equal(leaf.grad, np.ones((2, 2)))


def test_what_no_gradient_names_is_freed_at_once(without_gc):
    leaf = wants(np.ones((4, 4)))
    h = leaf + 1.0  # add needs neither input
    constant = mg.tensor(np.ones((4, 4)))
    y = h + constant
    gone = [weakref.ref(h.data), weakref.ref(constant.data), weakref.ref(h), weakref.ref(constant)]
    del h, constant
    assert all(r() is None for r in gone)
    z = mg.exp(y)  # names its output, not its input
    gone, stays = weakref.ref(y.data), weakref.ref(z.data)
    del y
    loss = z.sum()
    del z
    assert gone() is None and stays() is not None
    loss.backward()
    assert stays() is None  # released on the way
    equal(leaf.grad, np.full((4, 4), np.exp(3), "float32"))


def test_a_constant_is_kept_where_a_line_names_it():
    leaf, constant = wants([2.0]), mg.tensor([3.0])
    y = leaf * constant
    del constant
    y.backward()
    equal(leaf.grad, [3])


def test_each_step_of_backward_frees_what_it_used(without_gc):
    alive = []

    @mg.op
    class watched:
        def forward(x):
            return mg.keep(x * 2, big=xp.zeros(5) + 1)

        def d_x(dy, big):
            alive.append(sum(r() is not None for r in refs))
            return dy * 2

    x = wants([1.0])
    refs = []
    for _ in range(4):
        x = watched(x)
        refs.append(weakref.ref(x.origin[0].saved[0]))
    x.backward()
    assert alive == [4, 3, 2, 1]


def test_there_are_no_reference_cycles(without_gc):
    def everything_once():
        x, w = mg.tensor(np.ones((2, 3)), name="x"), wants(np.ones((3, 3)), "float64")
        with mg.watch():
            h = mg.tanh(x @ w + 1.0)
            a, b = mg.split(h.T, sections=[1], axis=0)
            loss = (mg.concatenate([a, b])[[0, 0, 1]] * h.T).sum()
        refs = [weakref.ref(t) for t in (x, w, h, a, b, loss, h.data)]
        list(mg.backprop(loss))
        grads = mg.grad(loss, [w, h], create_graph=True)
        mg.grad((grads[0] ** 2).sum(), w)
        loss.backward()
        return refs

    assert all(r() is None for r in everything_once())


def test_a_failed_backward_leaves_no_cycle_either(without_gc):
    @mg.op
    class broken:
        def forward(x):
            return x * 1

        def d_x(dy):
            raise ZeroDivisionError("on purpose")

    x = wants([1.0])
    gone = weakref.ref(x)
    y = mg.exp(broken(x * 2.0))
    with pytest.raises(ZeroDivisionError):
        y.backward()
    del x, y
    assert gone() is None


def test_keep_saves_what_forward_computed_and_only_for_lines_that_ask():
    @mg.op
    class relu_by_mask:
        def forward(x, w):
            mask = x > 0
            return mg.keep(x * mask * w, mask=mask, unused=x * 7)

        def d_x(dy, mask, w):
            return dy * mask * w

        def d_w(dy, x, mask):
            return dy * x * mask

    x, w = wants([-1.0, 2.0]), wants([3.0, 3.0])
    y = relu_by_mask(x, w)
    assert saved_names(y) == ["mask", "w", "x"]
    y.backward(array([1, 1]))
    equal(x.grad, [0, 3])
    equal(w.grad, [0, 2])
    assert type(relu_by_mask(x.data, w.data)) is xp.ndarray  # not a Kept


def test_a_line_that_asks_for_what_forward_did_not_keep_is_named():
    @mg.op
    class forgetful:
        def forward(x):
            return mg.keep(x * 2, mask=x > 0)

        def d_x(dy, musk):
            return dy * musk

    with pytest.raises(TypeError, match="forgetful: a gradient line asks for 'musk', and forward kept mask"):
        forgetful(wants([1.0]))


# ------------------------------------------------------------------------------- only what is wanted


@pytest.mark.parametrize("who", ["a", "b", "c", "ab", "bc", "abc"])
def test_only_the_wanted_gradients_are_computed(who):
    counted = Counting()
    inputs = {name: wants([2.0]) if name in who else mg.tensor([2.0]) for name in "abc"}
    counted.op(**inputs).backward()
    assert sorted(counted.calls) == sorted(who)
    for name, t in inputs.items():
        assert (t.grad is not None) == (name in who)


def test_frozen_layers_cost_nothing_in_backward():
    frozen, trained = Counting(), Counting()
    one = mg.tensor([1.0])
    h = frozen.op(one, mg.tensor([2.0]), one)  # nothing in it wants a gradient
    trained.op(h, wants([3.0]), one).backward()
    assert (frozen.calls, trained.calls) == ([], ["b"])
    dense = Dense(3, 2)
    y = dense(array(np.ones((4, 3))))
    assert [dense.w in node_parents(y), y.origin[0].plan.wanted] == [True, (1, 2)]  # no d_x for data


def node_parents(y):
    return [p for p in y.origin[0].parents if isinstance(p, mg.Tensor)]


def test_grad_computes_only_what_leads_to_its_inputs():
    counted = Counting()
    a, b, c = wants([2.0]), wants([3.0]), wants([4.0])
    y = counted.op(a * 1.0, b, c)
    equal(mg.grad(y, b), [2])
    assert counted.calls == ["b"]
    equal(mg.grad(y, a), [3])
    assert counted.calls == ["b", "a"]


# ------------------------------------------------------------------------------- no gradient by nature


def test_a_tensor_that_wants_a_gradient_where_there_is_none_by_nature_is_refused():
    w, ids = wants([[1.0], [2.0]]), array([0, 1], "int64")
    with pytest.raises(
        TypeError, match=r"binary_cross_entropy: target has no gradient by nature \(d_target = None\).*detach"
    ):
        mg.binary_cross_entropy(mg.tensor([0.5]), wants([1.0]))
    with pytest.raises(TypeError, match="where: condition has no gradient by nature"):
        mg.where(wants([1.0]), wants([1.0]), wants([2.0]))
    loss = mg.binary_cross_entropy(wants([0.5]), wants([1.0]).detach())
    loss.backward()
    with mg.no_grad():
        mg.where(wants([1.0]), 1.0, 2.0)  # wants nothing here
    mg.embedding(mg.tensor(ids), w).sum().backward()  # a Tensor of ids wants none
    equal(w.grad, [[1], [1]])


# ------------------------------------------------------------------------------- the joint backward

# fmt: off
asked = []


@mg.op
class product:
    """y = a b c, with a kernel beside its lines"""
    def forward(a, b, c):   return a * b * c
    def d_a(dy, b, c):      return dy * b * c
    def d_b(dy, a, c):      return dy * a * c
    def d_c(dy, a, b):      return dy * a * b
    def backward(dy, a, b, c, wanted):
        asked.append(wanted)
        d = {"a": dy * b * c, "b": dy * a * c, "c": dy * a * b}
        return [d[name] if name in wanted else None for name in "abc"]
# fmt: on


@pytest.mark.parametrize("who", ["a", "c", "ab", "bc", "abc"])
def test_a_joint_backward_is_asked_for_what_is_wanted_and_equals_the_lines(who):
    values = {"a": array([2.0, 3.0]), "b": array([5.0, 7.0]), "c": array([11.0, 13.0])}
    inputs = {name: mg.tensor(v, requires_grad=name in who) for name, v in values.items()}
    asked.clear()
    dy = array([1.0, -2.0])
    product(**inputs).backward(dy)
    assert asked == [frozenset(who)]
    others = {"a": "bc", "b": "ac", "c": "ab"}
    for name in "abc":
        if name in who:
            line = getattr(product, "d_" + name)(dy, *[values[o] for o in others[name]])
            equal(inputs[name].grad, mg.to_numpy(line))
        else:
            assert inputs[name].grad is None


def test_the_lines_beside_a_joint_backward_are_what_is_differentiated_again():
    asked.clear()
    a = wants([2.0], "float64")
    first = mg.grad(product(a, a, a), a, create_graph=True)
    assert asked == []  # the kernel is for arrays
    equal(first, [12])
    equal(mg.grad(first, a), [12])


def test_what_a_joint_backward_returns_twice_is_not_shared():
    @mg.op
    class add_twice:
        def forward(a, b):
            return (a + b) * 2

        def backward(dy):
            d = dy * 2
            return d, d

    a, b = wants([1.0]), wants([1.0])
    y = add_twice(a, b)
    y.backward()
    assert not xp.shares_memory(a.grad, b.grad)
    a, h = wants([1.0]), wants([1.0]) * 1.0
    z = add_twice(h, a) + a * 3.0  # a's sum grows in place; h's gradient is the same array
    z.backward(array([1.0]))
    equal(a.grad, [5])


def test_a_joint_backward_of_too_few_is_named():
    @mg.op
    class stingy:
        def forward(a, b):
            return a * b

        def backward(dy, a, b):
            return dy * b

    with pytest.raises(ValueError, match=r"stingy.backward: the gradient of b .*the line returned None"):
        stingy(wants([1.0]), wants([1.0])).backward()


# ------------------------------------------------------------------------------- any number of inputs


def test_a_variadic_op_takes_many_or_one_list_and_asks_by_position():
    wanted_by = []

    @mg.op
    class weighted_sum:
        def forward(*xs, weights):
            return sum(x * w for x, w in zip(xs, weights, strict=True))

        def backward(dy, xs_shape, weights, wanted):
            assert xs_shape == [(2,)] * 3
            wanted_by.append(wanted)
            return [dy * w if k in wanted else None for k, w in enumerate(weights)]

    a, b, c = wants([1, 2]), array([3, 4]), wants([5, 6])
    for y in [
        weighted_sum(a, b, c, weights=(1, 2, 3)),
        weighted_sum([a, b, c], weights=(1, 2, 3)),
        weighted_sum((a, b, c), weights=(1, 2, 3)),
    ]:
        equal(y, [22, 28])
        y.backward(array([1, 1]))
    assert wanted_by == [frozenset({0, 2})] * 3
    equal(a.grad, [3, 3])
    equal(c.grad, [9, 9])


def test_a_variadic_op_of_one_and_the_same_input_twice():
    a = wants([1.0, 2.0])
    mg.concatenate(a).sum().backward()
    mg.stack([a, a]).sum().backward()
    equal(a.grad, [3, 3])


def test_a_variadic_op_through_plain():
    @mg.op
    class product_of_all:
        def forward(*xs):
            return mg.keep(xs[0] * xs[1], first=xs[0] * 1)

        def backward(dy, xs, first):
            return dy * xs[1], dy * first

        def plain(*xs):
            return xs[0] * xs[1]

    x = wants(2.0, "float64")
    first = mg.grad(product_of_all(x, x * x), x, create_graph=True)
    equal(first, 12)
    equal(mg.grad(first, x), 12)


# ------------------------------------------------------------------------------- several outputs


def test_several_outputs_and_zeros_where_one_is_unused():
    x = wants([3.0, 1.0, 2.0])
    low, high = min_max(x)
    equal(low, 1)  # a 0-d array, not a NumPy scalar
    equal(high, 3)
    (low * 5.0).backward(retain_graph=True)
    equal(x.grad, [0, 5, 0])
    high.backward()
    equal(x.grad, [1, 5, 0])
    low, high = min_max(x)
    equal(mg.grad(high - low, x), [1, -1, 0])
    low, high = min_max(array([2.0, 1.0]))
    equal(high, 2)


def test_any_number_of_outputs():
    x = wants([1.0, 2.0, 3.0, 4.0, 5.0])
    a, _, c = mg.split(x, sections=[1, 3])
    (a.sum() * 2.0 + (c * c).sum()).backward()
    equal(x.grad, [2, 0, 0, 8, 10])
    for parts in (mg.split(x, sections=5), mg.split(x.data, sections=5)):
        assert type(parts) is tuple and len(parts) == 5


def test_an_output_of_integers_has_no_gradient():
    @mg.op
    class top:
        outputs = "y", "place"

        def forward(x):
            return x.max(), x.argmax()

        def d_x(d_y, d_place, x, place):
            return d_y * (xp.arange(x.size) == place)

    x = wants([1.0, 3.0])
    y, place = top(x)
    assert not place.requires_grad and place.data.dtype.kind == "i"
    y.backward()
    equal(x.grad, [0, 1])


# fmt: off
def returns_none():
    @mg.op
    class f:
        def forward(x): x * 2
        def d_x(dy): return dy
    return f


def returns_tuple():
    @mg.op
    class f:
        def forward(x): return x, x
        def d_x(dy): return dy
    return f


def returns_three():
    @mg.op
    class f:
        outputs = "a", "b"
        def forward(x): return x, x, x
        def d_x(d_a, d_b): return d_a + d_b
    return f


def returns_one_of_two():
    @mg.op
    class f:
        outputs = "a", "b"
        def forward(x): return x
        def d_x(d_a, d_b): return d_a + d_b
    return f
# fmt: on


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (returns_none, r"f: forward returned a NoneType, wants an array"),
        (returns_tuple, r'f: forward returned a tuple.*outputs = "y", "z"'),
        (returns_three, r"f: forward has to return a tuple of a, b; it returned 3 of them"),
        (returns_one_of_two, r"f: forward has to return a tuple of a, b; it returned a "),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_forward_may_not_return(build, sentence):
    for x in (array([1.0, 2.0]), wants([1.0, 2.0])):
        with pytest.raises(TypeError, match=sentence):
            build()(x)


# ------------------------------------------------------------------------------- what a line may not return


def line_returning(value):
    @mg.op
    class f:
        def forward(x):
            return x * 1

        def d_x(dy):
            return value

    return f


@pytest.mark.parametrize(
    ("value", "got"),
    [
        (None, "None"),
        (1.0, "float"),
        ([1.0, 1.0], "list"),
        (np.ones(3, "float32"), r"shape \(3,\)"),
        (np.ones((2, 1), "float32"), r"shape \(2, 1\)"),
        (np.ones((), "float32"), r"shape \(\)"),
    ],
)
def test_a_gradient_of_the_wrong_kind_or_shape_is_refused_by_name(value, got):
    value = mg.asarray(value) if isinstance(value, np.ndarray) else value
    x = wants([1.0, 2.0])
    for walk in (
        lambda y: y.backward(),
        lambda y: list(mg.backprop(y)),
        lambda y: mg.grad(y, x),
    ):
        with pytest.raises(ValueError, match=rf"f.d_x: the gradient of x has the shape of x, \(2,\); .*returned {got}"):
            walk(line_returning(value)(x).sum())
        assert x.grad is None


def test_an_unsummed_bias_gradient_is_refused_where_the_op_does_not_broadcast():
    @mg.op
    class forgot_to_sum:
        def forward(x, b):
            return x + b

        def d_x(dy):
            return dy

        def d_b(dy):
            return dy

    x, b = array(np.ones((4, 3))), wants(np.ones(3))
    with pytest.raises(ValueError, match=r"forgot_to_sum.d_b: .* has the shape of b, \(3,\); .*shape \(4, 3\)"):
        forgot_to_sum(x, b).sum().backward()
    assert b.grad is None


@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 1), (1, 1), (), (1,), (1, 1, 3), (2, 1, 1), (2, 4, 3)])
def test_broadcasting_is_undone_by_the_walk_for_elementwise_ops(shape):
    b = wants(np.ones(shape))
    y = array(np.ones((2, 4, 3))) * b
    y.backward(array(np.ones((2, 4, 3))))
    equal(b.grad, np.full(shape, 24 / max(1, np.prod(shape))))


def test_a_gradient_that_cannot_have_been_broadcast_is_refused_even_there():
    @mg.op(broadcast=True)
    class f:
        def forward(x):
            return x * 1

        def d_x(dy):
            return dy[:1]

    with pytest.raises(ValueError, match=r"f.d_x: .*\(3,\); the line returned shape \(1,\)"):
        f(wants([1, 2, 3])).sum().backward()


# ------------------------------------------------------------------------------- differentiable twice


def once(keeping):
    """y = x ** 3 by way of what forward kept: right once, wrong if what was kept were taken for a constant."""

    @mg.op
    class by_memory:
        def forward(x):
            return mg.keep(x * x * x, slope=keeping(3 * x * x))

        def d_x(dy, slope):
            slope = slope[0] if isinstance(slope, (list, tuple)) else slope
            slope = slope["here"] if isinstance(slope, dict) else slope
            return dy * slope

    return by_memory


@pytest.mark.parametrize(
    "keeping",
    [lambda s: s, lambda s: [s], lambda s: (s, 1), lambda s: {"here": s}, lambda s: float(s.sum())],
    ids=["array", "list", "tuple", "dict", "number"],
)
def test_an_op_that_keeps_floats_is_differentiable_once_and_says_so(keeping):
    f, x = once(keeping), wants([2.0])
    equal(mg.grad(f(x), x), [12])
    with pytest.raises(RuntimeError, match="by_memory is differentiable once: it keeps slope"):
        mg.grad(f(x) * x, x, create_graph=True)


def test_an_op_that_keeps_a_mask_is_differentiable_again():
    x = wants([-1.0, 2.0])
    y = mg.maxout(x * x, pieces=2)
    first = mg.grad(y, x, create_graph=True, upstream=array([1.0]))
    equal(first, [0, 4])
    equal(mg.grad(first.sum(), x), [0, 2])


def test_a_kernel_alone_is_differentiable_once_and_says_so():
    @mg.op
    class kernel:
        def forward(a, b):
            return a * b

        def backward(dy, a, b):
            return dy * b, dy * a

    a = wants([2.0])
    with pytest.raises(RuntimeError, match="kernel is differentiable once: its backward is a kernel on arrays"):
        mg.grad(kernel(a, a), a, create_graph=True)


@pytest.mark.parametrize("who", [(0,), (0, 1), (0, 2), (0, 1, 2)])
def test_plain_gives_the_second_derivatives_at_the_recorded_inputs(who):
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(s) for s in [(5, 3), (3,), (3,)]]
    dy = array(rng.standard_normal((5, 3)), "float64")

    def second(norm):
        inputs = [mg.tensor(v, requires_grad=k in who) for k, v in enumerate(values)]
        wanted = [inputs[k] for k in who]
        y = norm(*[t * 1.0 for t in inputs])
        first = mg.grad(y, wanted, dy, create_graph=True)
        total = sum((g * g).sum() for g in first)
        return [mg.to_numpy(g.data) for g in [*first, *mg.grad(total, wanted[:2] if 1 in who else wanted[:1])]]

    for fast, plain in zip(second(mg.layer_norm), second(mg.layer_norm.plain), strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-10, atol=1e-12)


def test_plain_with_an_input_left_out_and_a_setting():
    @mg.op
    class scaled:
        def forward(x, b=None, *, power=3):
            return mg.keep(x**power, slope=power * x ** (power - 1))

        def d_x(dy, slope):
            return dy * slope

        def d_b(dy):
            return dy

        def plain(x, b=None, *, power=3):
            return x**power if b is None else x**power + b

    x = wants([2.0], "float64")
    for settings, second in [({}, 12), ({"power": 4}, 48)]:
        first = mg.grad(scaled(x, **settings), x, create_graph=True)
        equal(mg.grad(first, x), [second])


def test_plain_of_several_outputs_with_one_unused():
    x = wants(np.arange(6.0).reshape(3, 2), "float64")
    gamma, beta = mg.tensor(np.ones(2)), mg.tensor(np.zeros(2))
    for slot in range(3):
        weight = array([[1.0, -2.0]] * 3, "float64") if slot == 0 else array([1.0, -2.0], "float64")
        by_kernel = mg.grad(mg.batch_norm(x, gamma, beta)[slot], x, weight)
        by_plain = mg.grad(mg.batch_norm(x, gamma, beta)[slot], x, weight, create_graph=True)
        np.testing.assert_allclose(mg.to_numpy(by_kernel.data), mg.to_numpy(by_plain.data), atol=1e-9)


# ------------------------------------------------------------------------------- errors from inside forward


def test_numpys_error_becomes_a_sentence_that_names_op_and_inputs():
    a, b = wants(np.ones((2, 3))), wants(np.ones((4,)))
    with pytest.raises(ValueError, match=r"^add: got a \(2, 3\) float32, b \(4,\) float32; .*broadcast"):
        a + b
    with pytest.raises(ValueError, match=r"^matmul: .*\(2, 3\).*\(2, 3\)"):
        a @ a
    with pytest.raises(ValueError, match=r"^reshape: got x \(2, 3\) float32, shape=\(4,\)"):
        a.reshape(4)
    with pytest.raises(ValueError, match=r"^concatenate: got xs\[0\] \(2, 3\) float32, xs\[1\] \(4,\)"):
        mg.concatenate([a, b])
    with pytest.raises(IndexError, match=r"^getitem: got x \(2, 3\) float32, index=7; .*out of bounds"):
        a[7]


def test_the_ops_own_sentence_and_explanation_come_through_and_keep_the_cause():
    with pytest.raises(ValueError, match=r"^dense: x has 3 features \(axis 1\), w wants 2") as caught:
        mg.dense(array(np.ones((1, 3))), wants(np.ones((2, 2))))
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(TypeError, match=r"^dense: x is float64, w is float32"):
        mg.dense(array(np.ones((1, 3)), "float64"), wants(np.ones((3, 2))))


def test_an_explanation_that_trips_does_not_hide_the_error():
    @mg.op
    class f:
        def forward(x):
            raise ValueError("the real reason")

        def d_x(dy):
            return dy

        def explain(x):
            return x.nonsense

    with pytest.raises(ValueError, match=r"^f: got x \(1,\) float32; the real reason"):
        f(wants([1.0]))


def test_a_bug_of_another_kind_in_forward_is_left_as_it_is():
    @mg.op
    class f:
        def forward(x):
            return {}["key"]

        def d_x(dy):
            return dy

    with pytest.raises(KeyError, match="key"):
        f(wants([1.0]))
