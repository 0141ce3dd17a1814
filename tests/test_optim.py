"""Training: each optimiser against its textbook formula, however its parameters are pulled about."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigen as mg
from minigen import backend, nn, optim
from minigen.optim import flat

# ------------------------------------------------------------------ the formulas, as the papers have them
# Each takes one parameter, its gradient, and what was kept of it from its last update (zeros at first).


def textbook_sgd(p, g, kept, *, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
    g = g + weight_decay * p
    kept["v"] = momentum * kept["v"] + g
    return p - lr * (g + momentum * kept["v"] if nesterov else kept["v"])


def textbook_rmsprop(p, g, kept, *, lr, alpha=0.99, eps=1e-8, momentum=0.0, weight_decay=0.0):
    g = g + weight_decay * p
    kept["s"] = alpha * kept["s"] + (1 - alpha) * g**2
    kept["v"] = momentum * kept["v"] + g / (np.sqrt(kept["s"]) + eps)
    return p - lr * kept["v"]


def textbook_adam(p, g, kept, *, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
    g = g + weight_decay * p
    kept["t"] += 1
    kept["m"] = betas[0] * kept["m"] + (1 - betas[0]) * g
    kept["s"] = betas[1] * kept["s"] + (1 - betas[1]) * g**2
    m_hat, s_hat = kept["m"] / (1 - betas[0] ** kept["t"]), kept["s"] / (1 - betas[1] ** kept["t"])
    return p - lr * m_hat / (np.sqrt(s_hat) + eps)


def textbook_adamw(p, g, kept, *, lr, weight_decay=0.01, **others):
    return textbook_adam(p - lr * weight_decay * p, g, kept, lr=lr, **others)


class Textbook:
    """The same interface, one parameter after the other, on NumPy arrays."""

    def __init__(self, formula, arrays, **options):
        self.formula, self.options = formula, options
        self.arrays = [np.array(a, dtype=np.float64) for a in arrays]
        self.kept = [{"v": 0.0, "m": 0.0, "s": 0.0, "t": 0} for _ in arrays]

    def step(self, gradients):
        for i, g in enumerate(gradients):
            if g is not None:
                self.arrays[i] = self.formula(self.arrays[i], g, self.kept[i], **self.options)


CASES = [
    (optim.SGD, textbook_sgd, {"lr": 0.1}),
    (optim.SGD, textbook_sgd, {"lr": 0.1, "weight_decay": 0.03}),
    (optim.SGD, textbook_sgd, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, textbook_sgd, {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.03}),
    (optim.SGD, textbook_sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (optim.SGD, textbook_sgd, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.03}),
    (optim.RMSProp, textbook_rmsprop, {"lr": 0.01}),
    (optim.RMSProp, textbook_rmsprop, {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.03}),
    (optim.RMSProp, textbook_rmsprop, {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.03}),
    (optim.Adam, textbook_adam, {"lr": 0.01}),
    (optim.Adam, textbook_adam, {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.03}),
    (optim.AdamW, textbook_adamw, {"lr": 0.01}),
    (optim.AdamW, textbook_adamw, {"lr": 0.02, "betas": (0.0, 0.99), "weight_decay": 0.3}),
]
every_case = pytest.mark.parametrize(
    "cls, formula, options", CASES, ids=[f"{c.__name__}-{'-'.join(o)}" for c, _, o in CASES]
)
every_optimiser = pytest.mark.parametrize("cls", [optim.SGD, optim.RMSProp, optim.Adam, optim.AdamW])
SHAPES = [(3, 4), (), (flat.LARGE // 8, 9), (5,), (0, 2), (flat.CHUNK // 16, 17), (2, 2, 2, 3)]


def parameters(shapes, dtype="float64", seed=0):
    draw = np.random.default_rng(seed)
    arrays = [draw.standard_normal(shape).astype(dtype) for shape in shapes]
    return [mg.tensor(a, requires_grad=True, dtype=dtype) for a in arrays]


def array(values, dtype="float64"):
    return mg.asarray(np.asarray(values, dtype=dtype))


def set_gradients(params, gradients):
    for p, g in zip(params, gradients, strict=True):
        p.grad = None if g is None else array(g, p.dtype)


def same(params, expected, rtol=1e-12):
    for p, want in zip(params, expected, strict=True):
        np.testing.assert_allclose(mg.to_numpy(p), want, rtol=rtol, atol=rtol)


@every_case
def test_twelve_steps_are_the_textbook_formula(cls, formula, options):
    params = parameters(SHAPES)
    optimiser = cls(params, **options)
    textbook = Textbook(formula, [mg.to_numpy(p) for p in params], **options)
    draw = np.random.default_rng(1)
    for _ in range(12):
        gradients = [draw.standard_normal(shape) for shape in SHAPES]
        set_gradients(params, gradients)
        optimiser.step()
        textbook.step(gradients)
    same(params, textbook.arrays)


@every_optimiser
def test_pulled_about_in_every_way_it_is_still_the_textbook_formula(cls, monkeypatch):
    """Small pieces, gradients that come and go, numbers set from outside, in any order."""
    monkeypatch.setattr(flat, "CHUNK", 5)
    monkeypatch.setattr(flat, "LARGE", 8)
    formula = next(f for c, f, _ in CASES if c is cls)
    options = max((o for c, _, o in CASES if c is cls), key=len)
    size = st.lists(st.integers(1, 4), max_size=3).map(tuple)
    what = st.sampled_from(["gradient", "gradient", "none", "set", "add", "other array"])

    @settings(derandomize=True, deadline=None, max_examples=60)
    @given(st.lists(size, min_size=1, max_size=5), st.lists(st.lists(what, min_size=5, max_size=5), max_size=6))
    def run(shapes, plan):
        params = parameters(shapes)
        optimiser = cls(params, **options)
        textbook = Textbook(formula, [mg.to_numpy(p) for p in params], **options)
        draw = np.random.default_rng(2)
        for actions in plan:
            gradients = []
            for i, (p, action) in enumerate(zip(params, actions, strict=False)):
                g = None if action == "none" else draw.standard_normal(p.shape)
                gradients.append(g)
                if action == "set":
                    p.data = array(textbook.arrays[i] * 0.5)
                    textbook.arrays[i] = textbook.arrays[i] * 0.5
                elif action == "add":
                    p.data += 0.25
                    textbook.arrays[i] = textbook.arrays[i] + 0.25
                p.grad = None if g is None else array(g)
                if action == "other array" and p.ndim > 1:  # not contiguous
                    p.grad = array(np.ascontiguousarray(g.T)).T
            optimiser.step()
            textbook.step(gradients)
            same(params, textbook.arrays)

    run()


def test_a_parameter_without_a_gradient_is_left_alone():
    for cls, _, options in CASES:
        params = parameters([(3,), (3,), (flat.LARGE,)])
        optimiser = cls(params, **options)
        set_gradients(params, [np.ones(p.shape) for p in params])
        optimiser.step()  # there is velocity now
        before = [mg.to_numpy(p).copy() for p in params]
        set_gradients(params, [None, np.ones(3), None])
        optimiser.step()
        assert (mg.to_numpy(params[0]) == before[0]).all() and (mg.to_numpy(params[2]) == before[2]).all()
        assert (mg.to_numpy(params[1]) != before[1]).all()


def test_no_gradients_at_all_is_no_update():
    params = parameters([(3,)])
    before = mg.to_numpy(params[0]).copy()
    optim.Adam(params, weight_decay=0.1).step()
    assert (mg.to_numpy(params[0]) == before).all()


@every_optimiser
def test_float32_stays_float32_whatever_the_settings_are(cls):
    params = parameters([(3, 2), (flat.LARGE,)], dtype="float32")
    optimiser = cls(params, lr=np.float64(0.1), weight_decay=np.float64(0.1))
    set_gradients(params, [np.ones(p.shape) for p in params])
    optimiser.step()
    assert type(optimiser.lr) is float
    assert all(p.dtype == "float32" for p in params)
    arrays = [v for k, v in optimiser.state_dict().items() if "." in k]
    assert arrays and all(a.dtype == "float32" for a in arrays)


def test_parameters_of_several_dtypes_in_one_optimiser():
    params = parameters([(3,), (2,), (4,)])
    params[1] = mg.tensor(array([1, 2], "float32"), requires_grad=True)
    expected = [mg.to_numpy(p) - 0.1 for p in params]
    optimiser = optim.SGD(params, lr=0.1)
    set_gradients(params, [np.ones(p.shape) for p in params])
    optimiser.step()
    same(params, expected, rtol=1e-6)
    assert [str(p.dtype) for p in params] == ["float64", "float32", "float64"]
    assert {k: v.dtype for k, v in optimiser.state_dict().items() if "." in k} == {
        "velocity.0": "float64", "velocity.1": "float32", "velocity.2": "float64",
    }  # fmt: skip


# ------------------------------------------------------------------------------ in the engine, as it is used


def test_a_training_run_through_the_engine():
    """Least squares: the solution is known."""
    draw = np.random.default_rng(3)
    x, w_true = draw.standard_normal((40, 3)), np.array([[1.0], [-2.0], [0.5]])
    x, t = array(x), array(x @ w_true + 0.7)
    for make in [
        lambda params: optim.SGD(params, lr=0.1, momentum=0.5),
        lambda params: optim.SGD(params, lr=0.1, momentum=0.5, nesterov=True),
        lambda params: optim.RMSProp(params, lr=0.01),
        lambda params: optim.Adam(params, lr=0.05),
        lambda params: optim.AdamW(params, lr=0.05, weight_decay=0.0),
    ]:
        w, b = (
            mg.tensor(array(np.zeros((3, 1))), requires_grad=True),
            mg.tensor(array([0]), requires_grad=True),
        )
        optimiser = make(p for p in (w, b))  # any iterable
        for _ in range(600):
            optimiser.zero_grad()
            mg.mse(mg.dense(x, w, b), t).backward()
            optimiser.step()
        np.testing.assert_allclose(mg.to_numpy(w), w_true, atol=0.01)
        np.testing.assert_allclose(mg.to_numpy(b), [0.7], atol=0.01)


def test_zero_grad_forgets_and_without_it_gradients_add_up():
    (w,) = parameters([(2,)])
    optimiser = optim.SGD([w], lr=1.0)
    start = mg.to_numpy(w).copy()
    for _ in range(2):
        (w * 3.0).sum().backward()
    assert mg.to_numpy(w.grad).tolist() == [6, 6]
    optimiser.step()
    same([w], [start - 6])
    optimiser.zero_grad()
    assert w.grad is None
    (w * 3.0).sum().backward()
    assert mg.to_numpy(w.grad).tolist() == [3, 3]


def test_a_gradient_that_was_kept_is_not_overwritten_by_the_next_step():
    (w,) = parameters([(2,)])
    optimiser = optim.SGD([w], lr=0.1, weight_decay=0.5)
    (w * 3.0).sum().backward()
    kept = w.grad
    optimiser.step()
    optimiser.zero_grad()
    (w * 4.0).sum().backward()
    optimiser.step()
    assert mg.to_numpy(kept).tolist() == [3, 3]


def test_backward_after_a_step_is_refused():
    (w,) = parameters([(2,)])
    optimiser = optim.SGD([w], lr=0.1)
    (w * w).sum().backward()
    loss = (w * w).sum()
    optimiser.step()
    with pytest.raises(RuntimeError, match="optimiser stepped"):
        loss.backward()


def test_a_parameter_without_a_gradient_does_not_count_as_changed():
    w, other = parameters([(2,), (2,)])
    optimiser = optim.SGD([w, other], lr=0.1)
    loss = (other * other).sum()
    (w * w).sum().backward()
    optimiser.step()
    loss.backward()
    same([mg.Tensor(other.grad)], [2 * mg.to_numpy(other)])


def test_frozen_after_the_optimiser_was_made():
    w, frozen = parameters([(2,), (2,)])
    optimiser = optim.Adam([w, frozen], lr=0.1, weight_decay=0.1)
    before = mg.to_numpy(frozen).copy()
    frozen.requires_grad = False
    (w * frozen).sum().backward()
    optimiser.step()
    assert (mg.to_numpy(frozen) == before).all()


def test_numbers_set_from_outside_are_trained_on_and_the_array_given_is_left_alone():
    (w,) = parameters([(3,)])
    optimiser = optim.SGD([w], lr=1.0)
    mine = array([1, 2, 3])
    w.data = mine
    for step in (1, 2):
        w.grad = array([1, 1, 1])
        optimiser.step()
        same([w], [np.array([1, 2, 3]) - step])
    assert mg.to_numpy(mine).tolist() == [1, 2, 3]


@every_optimiser
def test_one_parameter_in_two_optimisers(cls):
    """Each keeps its own state, both change the one parameter: as if it were two formulas taking turns."""
    formula = next(f for c, f, _ in CASES if c is cls)
    shapes = [(2, 3), (flat.LARGE,)]
    params = parameters(shapes)
    first = cls(params, lr=0.1)
    second = cls(params[::-1], lr=0.02)
    books = [Textbook(formula, [mg.to_numpy(p) for p in params], lr=lr) for lr in (0.1, 0.02)]
    draw = np.random.default_rng(4)
    for who in (0, 1, 1, 0, 0, 1, 0):
        gradients = [draw.standard_normal(shape) for shape in shapes]
        set_gradients(params, gradients)
        (first, second)[who].step()
        books[who].step(gradients)
        books[1 - who].arrays = list(books[who].arrays)
        same(params, books[who].arrays)


def test_a_new_optimiser_for_an_old_models_parameters():
    params = parameters([(2,), (3,)])
    for _ in range(2):
        optimiser = optim.SGD(params, lr=1.0)
        before = [mg.to_numpy(p).copy() for p in params]
        set_gradients(params, [np.ones(2), np.ones(3)])
        optimiser.step()
        same(params, [b - 1 for b in before])


@every_optimiser
def test_a_step_allocates_nothing(cls):
    if backend.current() == "cupy":
        pytest.skip("tracemalloc does not see the GPU's memory")
    params = parameters([(700, 300), (300,), (300, 100), (100,)], dtype="float32")  # a megabyte
    momentum = {} if issubclass(cls, optim.Adam) else {"momentum": 0.9}
    optimiser = cls(params, weight_decay=0.1, **momentum)
    gradients = [np.ones(p.shape) for p in params]
    set_gradients(params, gradients)
    optimiser.step()
    tracemalloc.start()
    try:
        optimiser.step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16_000


# ------------------------------------------------------------------------------ sentences


@every_optimiser
def test_parameters_that_cannot_be_trained(cls):
    (w,) = parameters([(2,)])
    name = cls.__name__
    with pytest.raises(ValueError, match=f"{name}: there are no parameters"):
        cls(p for p in [])
    with pytest.raises(TypeError, match=f"{name}: parameter 1 is of type ndarray, wants a Tensor"):
        cls([w, np.ones(2)])
    with pytest.raises(TypeError, match="got one Tensor; put it into a list"):
        cls(w)
    with pytest.raises(TypeError, match=r"wants the parameters of the Dense; pass its .parameters\(\)"):
        cls(nn.Dense(2, 2))
    with pytest.raises(TypeError, match=r"such as model.parameters\(\), got float"):
        cls(0.1)
    with pytest.raises(ValueError, match=r"parameter 1 \(scale\) requires no gradient"):
        cls([w, mg.tensor([1.0], name="scale")])
    with pytest.raises(ValueError, match="parameter 0 was computed by multiply; wants leaves"):
        cls([w * 2.0])
    with pytest.raises(ValueError, match="parameter 2 is parameter 0 again"):
        cls([w, *parameters([(3,)]), w])


@pytest.mark.parametrize(
    "cls, options, sentence",
    [
        (optim.SGD, {"lr": -0.1}, "SGD: lr is -0.1, wants a number of at least 0, and finite"),
        (optim.SGD, {"lr": math.nan}, "SGD: lr is nan"),
        (optim.SGD, {"lr": math.inf}, "SGD: lr is inf"),
        (optim.SGD, {"momentum": -1}, "SGD: momentum is -1.0"),
        (optim.SGD, {"weight_decay": -1}, "SGD: weight_decay is -1.0"),
        (optim.SGD, {"nesterov": True}, "SGD: nesterov=True wants a momentum above 0"),
        (optim.RMSProp, {"alpha": 1.0}, "RMSProp: alpha is 1.0, wants a number of at least 0, and below 1"),
        (optim.RMSProp, {"eps": -1}, "RMSProp: eps is -1.0"),
        (optim.Adam, {"betas": (0.9, 1.0)}, "Adam: the second of betas is 1.0"),
        (optim.Adam, {"betas": (-0.1, 0.9)}, "Adam: the first of betas is -0.1"),
        (optim.AdamW, {"weight_decay": -1}, "AdamW: weight_decay is -1.0"),
    ],
)
def test_settings_out_of_range(cls, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        cls(parameters([(2,)]), **options)


def test_settings_that_are_no_numbers():
    with pytest.raises(TypeError, match="Adam: lr is of type str, wants a number"):
        optim.Adam(parameters([(2,)]), lr="0.1")
    optimiser = optim.Adam(parameters([(2,)]))
    with pytest.raises(ValueError, match=r"Adam: lr is -1\.0"):
        optimiser.lr = -1
    assert optimiser.lr == 1e-3
    with pytest.raises(TypeError):
        optim.SGD(parameters([(2,)]), 0.1)  # keyword-only


def test_gradients_that_do_not_fit_are_refused_before_anything_changes():
    params = parameters([(2,), (3,)])
    optimiser = optim.SGD(params, lr=1.0, momentum=0.9)
    before = [mg.to_numpy(p).copy() for p in params]
    params[0].grad = array([1, 1])
    for wrong, sentence in [
        (array([1]), r"the .grad of parameter 1 is of shape \(1,\); wants an array of shape \(3,\)"),
        (mg.Tensor(array([1, 1, 1])), "is of type Tensor"),
        ([1, 1, 1], "is of type list"),
    ]:
        params[1].grad = wrong
        with pytest.raises(ValueError, match=f"SGD.step: .*{sentence}"):
            optimiser.step()
    same(params, before, rtol=0)
    assert optimiser.state_dict()["steps"].tolist() == [0, 0]


def test_a_dtype_changed_behind_the_optimisers_back():
    (w,) = parameters([(2,)], dtype="float32")
    optimiser = optim.SGD([w], lr=0.1)
    w.data = array([1, 2])
    w.grad = array([1, 1])
    with pytest.raises(TypeError, match="was float32 when this optimiser was made, and is float64 now"):
        optimiser.step()


# ------------------------------------------------------------------------------ saved and resumed


@every_case
def test_a_resumed_run_is_the_same_run_bit_for_bit(cls, formula, options):
    shapes = [(3, 4), (flat.LARGE, 2), (5,)]
    draw = np.random.default_rng(5)
    gradients = [[draw.standard_normal(s) for s in shapes] for _ in range(6)]
    gradients[1][0] = None  # one parameter is a step behind

    def train(params, optimiser, steps):
        for g in steps:
            set_gradients(params, g)
            optimiser.step()

    params = parameters(shapes)
    optimiser = cls(params, **options)
    train(params, optimiser, gradients[:3])
    saved = optimiser.state_dict()
    weights = [mg.to_numpy(p).copy() for p in params]
    train(params, optimiser, gradients[3:])

    again = parameters(shapes, seed=9)
    for p, w in zip(again, weights, strict=True):
        p.data = array(w)
    resumed = cls(again, lr=0.5)  # its settings come from the state
    host = {k: mg.to_numpy(v) if hasattr(v, "shape") else v for k, v in saved.items()}  # as from a file
    resumed.load_state_dict(host)
    train(again, resumed, gradients[3:])
    for p, q in zip(params, again, strict=True):
        assert (mg.to_numpy(p) == mg.to_numpy(q)).all()


@every_optimiser
def test_a_state_is_arrays_and_numbers_and_a_copy(cls):
    params = parameters([(2,), (3, 2)])
    optimiser = cls(params)
    set_gradients(params, [np.ones(2), None])
    optimiser.step()
    state = optimiser.state_dict()
    numbers = {k for k, v in state.items() if isinstance(v, (int, float))}
    arrays = {k for k, v in state.items() if hasattr(v, "shape")}
    assert numbers | arrays == set(state) and "lr" in numbers
    assert state["steps"].tolist() == [1, 0]
    assert {state[f"{name}.1"].shape for name in cls.buffers} == {(3, 2)}
    before = {k: mg.to_numpy(v).copy() for k, v in state.items() if k in arrays}
    optimiser.step()
    assert all((mg.to_numpy(state[k]) == v).all() for k, v in before.items())


def test_a_state_of_something_else_is_refused_with_nothing_changed():
    params = parameters([(2,), (3,)])
    optimiser = optim.Adam(params, lr=0.5)
    set_gradients(params, [np.ones(2), np.ones(3)])
    optimiser.step()
    before = optimiser.state_dict()
    missing = {k: v for k, v in before.items() if k != "mean.1"}
    for state, sentence in [
        (
            optim.SGD(parameters([(2,), (3,)]), lr=0.1).state_dict(),
            "Adam.load_state_dict: .* beta1 is missing",
        ),
        (
            optim.Adam(parameters([(2,), (4,)])).state_dict(),
            r"mean.1 has shape \(4,\) in this state, wants \(3,\)",
        ),
        (optim.Adam(parameters([(2,)])).state_dict(), "mean.1 is missing"),
        (missing, "mean.1 is missing"),
        ({**before, "lr": 0.7, "mean.2": before["mean.1"]}, "mean.2 is unknown here"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            optimiser.load_state_dict(state)
    after = optimiser.state_dict()
    assert optimiser.lr == 0.5
    assert all(mg.to_numpy(after[k]).tolist() == mg.to_numpy(v).tolist() for k, v in before.items() if "." in k)


# ------------------------------------------------------------------------------ schedules


def rates(schedule, steps):
    """The learning rate of each update."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimiser.lr)
        schedule.step()
    return found


def sgd(lr=0.4):
    return optim.SGD(parameters([(2,)]), lr=lr)


def test_step_schedule():
    schedule = optim.StepLR(sgd(), every=3, factor=0.5)
    assert rates(schedule, 8) == pytest.approx([0.4, 0.4, 0.4, 0.2, 0.2, 0.2, 0.1, 0.1])


def test_cosine_schedule():
    schedule = optim.CosineLR(sgd(), steps=4, final=0.1)
    want = [0.1 + 0.3 * (1 + math.cos(math.pi * t / 4)) / 2 for t in range(4)]
    assert rates(schedule, 7) == pytest.approx([*want, 0.1, 0.1, 0.1])
    assert want[2] == pytest.approx(0.25) and optim.CosineLR(sgd(), steps=4).at(4) == 0


def test_warm_up_schedule():
    assert rates(optim.WarmUp(sgd(), steps=4), 6) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    optimiser = sgd()
    schedule = optim.WarmUp(optimiser, steps=2, then=optim.StepLR(optimiser, every=2, factor=0.1))
    assert rates(schedule, 6) == pytest.approx([0.2, 0.4, 0.4, 0.4, 0.04, 0.04])


def test_a_schedule_changes_what_a_step_does():
    (w,) = parameters([(1,)])
    optimiser = optim.SGD([w], lr=1.0)
    schedule = optim.StepLR(optimiser, every=1, factor=0.5)
    start = mg.to_numpy(w).copy()
    for _ in range(3):
        w.grad = array([1])
        optimiser.step()
        schedule.step()
    same([w], [start - 1.75])


def test_a_resumed_schedule_is_the_same_schedule():
    def build(lr):
        optimiser = sgd(lr)
        return optim.WarmUp(optimiser, steps=3, then=optim.CosineLR(optimiser, steps=5, final=0.01))

    schedule = build(0.4)
    rates(schedule, 4)
    resumed = build(7.0)
    resumed.load_state_dict(schedule.state_dict())
    assert resumed.optimiser.lr == schedule.optimiser.lr
    assert rates(resumed, 6) == rates(schedule, 6)
    with pytest.raises(ValueError, match=r"WarmUp.load_state_dict: .* base is missing"):
        resumed.load_state_dict({"taken": 3})


def test_schedules_say_what_they_want():
    with pytest.raises(ValueError, match="StepLR: every is 0, wants at least 1"):
        optim.StepLR(sgd(), every=0)
    with pytest.raises(TypeError, match=r"CosineLR: steps is 1.5, wants a whole number"):
        optim.CosineLR(sgd(), steps=1.5)
    with pytest.raises(ValueError, match="WarmUp: then wants a schedule that was made for the same optimiser"):
        optim.WarmUp(sgd(), steps=2, then=optim.StepLR(sgd(), every=2))


# ------------------------------------------------------------------------------ clipping


def test_clip_grad_norm():
    params = parameters([(2,), (2, 1), (3,)], dtype="float32")
    set_gradients(params, [[3, 0], [[0], [4]], None])
    norm = optim.clip_grad_norm((p for p in params), 1.0)
    assert type(norm) is float and norm == pytest.approx(5)
    same([mg.Tensor(p.grad) for p in params[:2]], [[0.6, 0], [[0], [0.8]]], rtol=1e-6)
    assert params[2].grad is None and params[0].grad.dtype == "float32"
    assert optim.clip_grad_norm(params, 7.0) == pytest.approx(1)
    same([mg.Tensor(params[0].grad)], [[0.6, 0]], rtol=1e-6)  # small enough: as it was
    assert optim.clip_grad_norm(params[2:], 1.0) == 0
    set_gradients(params, [[np.nan, 0], [[0], [4]], None])
    assert math.isnan(optim.clip_grad_norm(params, 1.0))


def test_clip_grad_value_and_weights():
    params = parameters([(3,), (2,), ()])
    set_gradients(params, [[-3, 0.1, 2], None, 4])
    grad = params[0].grad
    optim.clip_grad_value(params, 0.5)
    assert params[0].grad is grad and mg.to_numpy(grad).tolist() == [-0.5, 0.1, 0.5]
    assert params[1].grad is None and float(params[2].grad) == 0.5

    optimiser = optim.SGD(params, lr=1.0)
    params[0].data = array([-3, 0.01, 2])
    loss = (params[0] * params[0]).sum()
    optim.clip_weights(params, 0.05)
    assert mg.to_numpy(params[0]).tolist() == [-0.05, 0.01, 0.05]
    assert abs(mg.to_numpy(params[1])).max() <= 0.05
    with pytest.raises(RuntimeError, match="changed"):
        loss.backward()
    optimiser.step()
    same(params[:1], [[0.45, -0.09, -0.45]])


def test_clipping_says_what_it_wants():
    (w,) = parameters([(2,)])
    for clip in (optim.clip_grad_norm, optim.clip_grad_value, optim.clip_weights):
        with pytest.raises(ValueError, match=f"{clip.__name__}: .* is -1.0"):
            clip([w], -1)
        with pytest.raises(TypeError, match=f"{clip.__name__}: parameter 1 is of type list"):
            clip([w, [1.0]], 1)


# ------------------------------------------------------------------------------ averaged weights


def test_moving_average_is_its_formula():
    draw = np.random.default_rng(6)
    for warm_up in (False, True):
        params = parameters([(3,), ()])
        ema = optim.ExponentialMovingAverage(params, decay=0.7, warm_up=warm_up)
        want = [mg.to_numpy(p).copy() for p in params]
        for n in range(20):
            for p in params:
                p.data = array(draw.standard_normal(p.shape))
            ema.update()
            decay = min(0.7, (1 + n) / (10 + n)) if warm_up else 0.7
            want = [decay * a + (1 - decay) * mg.to_numpy(p) for a, p in zip(want, params, strict=True)]
        same([mg.Tensor(a) for a in ema.averages], want)


def test_averages_are_applied_and_taken_back_also_after_an_error():
    model = nn.Dense(3, 2)
    optimiser = optim.SGD(model.parameters(), lr=1.0)
    ema = optim.ExponentialMovingAverage(model, decay=0.5)
    start = [mg.to_numpy(p).copy() for p in model.parameters()]
    set_gradients(model.parameters(), [np.ones(s.shape) for s in start])
    optimiser.step()
    ema.update()
    with ema.applied():
        same(model.parameters(), [s - 0.5 for s in start], rtol=1e-6)
        with pytest.raises(RuntimeError, match=r"the weights are the averages"):
            ema.update()
        with ema.applied():
            optim.clip_weights(model.parameters(), 0.0)  # in place: not on the averages themselves
        same(model.parameters(), [s - 0.5 for s in start], rtol=1e-6)
    same(model.parameters(), [s - 1 for s in start], rtol=1e-6)
    with pytest.raises(KeyError), ema.applied():
        optimiser.step()  # not what one does there, and harmless
        model.parameters()[0].data = array(np.zeros(start[0].shape), "float32")
        raise KeyError
    same(model.parameters(), [s - 1 for s in start], rtol=1e-6)
    same([mg.Tensor(a) for a in ema.averages], [s - 0.5 for s in start], rtol=1e-6)
    optimiser.step()
    ema.update()
    same(model.parameters(), [s - 2 for s in start], rtol=1e-6)
    same([mg.Tensor(a) for a in ema.averages], [s - 1.25 for s in start], rtol=1e-6)


def test_a_resumed_average_is_the_same_average():
    params = parameters([(3,)])
    ema = optim.ExponentialMovingAverage(params, decay=0.9, warm_up=True)
    params[0].data = array([1, 2, 3])
    ema.update()
    other = optim.ExponentialMovingAverage(parameters([(3,)], seed=8), decay=0.9, warm_up=True)
    other.load_state_dict(ema.state_dict())
    assert other.updates == 1 and mg.to_numpy(other.averages[0]).tolist() == mg.to_numpy(ema.averages[0]).tolist()
    with pytest.raises(ValueError, match=r"average.0 has shape \(3,\) in this state, wants \(2,\)"):
        optim.ExponentialMovingAverage(parameters([(2,)])).load_state_dict(ema.state_dict())


# ------------------------------------------------------------------------------ early stopping


def test_early_stopping_stops_and_restores_the_best():
    model = nn.Sequential(nn.Dense(2, 3), nn.BatchNorm(3))
    optimiser = optim.SGD(model.parameters(), lr=0.1)
    stopper = optim.EarlyStopping(model, patience=3)
    x = mg.asarray(np.random.default_rng(7).standard_normal((8, 2)).astype("float32"))
    said, best = [], {}
    for epoch, loss in enumerate([3.0, 2.0, 2.0, 1.5, math.nan, 1.6, 1.5, 1.0]):
        optimiser.zero_grad()
        (model(x) ** 2).sum().backward()
        optimiser.step()
        if epoch == 3:
            best = {k: mg.to_numpy(v).copy() for k, v in model.state_dict().items()}
        said.append(stopper.step(loss))
        if said[-1]:
            break
    assert said == [False] * 6 + [True]  # three in a row after epoch 3
    assert (stopper.best_loss, stopper.best_step) == (1.5, 3)
    for _ in range(2):  # what is remembered survives being put back and trained on
        stopper.restore()
        now = model.state_dict()
        assert len(best) > len(model.parameters())  # the running statistics too
        assert all((mg.to_numpy(now[k]) == v).all() for k, v in best.items())
        optimiser.step()


def test_early_stopping_wants_min_delta():
    stopper = optim.EarlyStopping(nn.Dense(1, 1), patience=2, min_delta=0.1)
    assert [stopper.step(loss) for loss in (1.0, 0.95, 0.85, 0.8, mg.tensor(0.76))] == [0, 0, 0, 0, 1]
    assert (stopper.best_loss, stopper.best_step) == (0.85, 2)


def test_early_stopping_says_what_it_wants():
    stopper = optim.EarlyStopping(nn.Dense(1, 1), patience=1)
    assert stopper.step(math.nan)
    assert stopper.best_loss == math.inf and stopper.best_step is None
    with pytest.raises(RuntimeError, match="restore: nothing is remembered"):
        stopper.restore()
    with pytest.raises(TypeError, match=r"wants a model with state_dict\(\), got list"):
        optim.EarlyStopping([], patience=1)
    with pytest.raises(ValueError, match="patience is 0"):
        optim.EarlyStopping(nn.Dense(1, 1), patience=0)
