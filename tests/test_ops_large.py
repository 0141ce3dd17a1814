"""Large inputs: where work is cut in pieces or shared among threads, nothing is lost or done twice."""

import numpy as np
import pytest
from laws import gradients, same

import minigen as mg
from minigen import threads


@pytest.fixture(params=[1, 3], ids=["1 thread", "3 threads"])
def thread_count(request):
    before = threads.threads()
    threads.set_threads(request.param)
    yield
    threads.set_threads(before)


def normal(shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


PLANE, IMAGES, T, D, H = (400, 997), (13, 32, 33, 24), 12, 6, 64

#: op, shapes of inputs that hold one sample in each row, shapes of inputs that all samples share, settings
SAMPLES = {
    **{f.__name__: (f, [PLANE], [], {}) for f in (mg.sigmoid, mg.tanh, mg.relu, mg.elu, mg.softplus, mg.silu, mg.gelu)},
    "leaky_relu": (mg.leaky_relu, [PLANE], [], {}),
    "maxout": (mg.maxout, [(300, 1000)], [], {"pieces": 2}),
    "softmax": (mg.softmax, [PLANE], [], {}),
    "log_softmax": (mg.log_softmax, [PLANE], [], {}),
    "layer_norm": (mg.layer_norm, [(3000, 100)], [(100,), (100,)], {}),
    "group_norm": (mg.group_norm, [IMAGES], [(24,), (24,)], {"groups": 6}),
    "instance_norm": (mg.instance_norm, [IMAGES], [(24,), (24,)], {}),
    "max_pool2d": (mg.max_pool2d, [IMAGES], [], {"kernel": 3, "stride": 2, "padding": 1}),
    "min_pool2d": (mg.min_pool2d, [IMAGES], [], {"kernel": 2}),
    "avg_pool2d": (mg.avg_pool2d, [IMAGES], [], {"kernel": 2}),
    "upsample2d": (mg.upsample2d, [IMAGES], [], {"scale": 2}),
    "conv2d, few channels": (mg.conv2d, [(37, 28, 28, 1)], [(5, 5, 1, 6), (6,)], {}),
    "conv2d": (mg.conv2d, [(13, 20, 22, 16)], [(3, 3, 16, 20), (20,)], {"padding": 1}),
    "conv2d, stride 2": (mg.conv2d, [(13, 20, 22, 16)], [(4, 4, 16, 20)], {"stride": 2, "padding": 1}),
    "transposed": (
        mg.conv_transpose2d,
        [(13, 10, 11, 20)],
        [(4, 4, 16, 20), (16,)],
        {"stride": 2, "padding": 1},
    ),
    "transposed, stride 1": (mg.conv_transpose2d, [(13, 10, 11, 20)], [(3, 3, 16, 20)], {}),
    "rnn": (mg.rnn, [(50, T, D), (50, H)], [(D, H), (H, H), (H,)], {}),
    "gru": (mg.gru, [(50, T, D), (50, H)], [(D, 3 * H), (H, 3 * H), (3 * H,), (H,)], {}),
    "lstm": (mg.lstm, [(50, T, D), (50, H), (50, H)], [(D, 4 * H), (H, 4 * H), (4 * H,)], {}),
}


def tensors(arrays):
    return [mg.tensor(a, requires_grad=True) for a in arrays]


def walked(op, inputs, settings):
    """(outputs, gradients). The upstream gradient is made of the output: a sample has the same anywhere."""
    outputs = op(*inputs, **settings)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    product = sum((y * mg.xp.sin(y.data * 3)).sum() for y in outputs)
    product.backward()
    return [y.data for y in outputs], [t.grad for t in inputs]


@pytest.mark.parametrize("name", SAMPLES)
def test_all_samples_at_once_are_each_sample_by_itself(name, thread_count):
    op, *shapes, settings = SAMPLES[name]
    samples, shared = ([normal(shape, seed) for seed, shape in enumerate(group)] for group in shapes)
    outputs, found = walked(op, tensors(samples + shared), settings)
    N = len(samples[0])
    parts = [walked(op, tensors([s[i : i + 7] for s in samples] + shared), settings) for i in range(0, N, 7)]
    for k, y in enumerate(outputs):
        same(y, np.concatenate([mg.to_numpy(part[0][k]) for part in parts]), what=f"output {k}")
    for k, d in enumerate(found):
        if d is not None:
            pieces = [mg.to_numpy(part[1][k]) for part in parts]
            same(d, np.concatenate(pieces) if k < len(samples) else sum(pieces), what=f"gradient of input {k}")


@pytest.mark.parametrize("shape", [(5000, 60), (13, 32, 33, 24), (1, 200, 200, 8)], ids=str)
def test_batch_norm_is_its_plain_formula(shape, thread_count):
    inputs = [normal(shape) + 1, normal(shape[-1:]) + 2, normal(shape[-1:], seed=1)]
    for y, wanted in zip(mg.batch_norm(*tensors(inputs)), mg.batch_norm.plain(*tensors(inputs)), strict=True):
        same(y, wanted)
    fast, plain = (gradients(op, tensors(inputs), {}) for op in (mg.batch_norm, mg.batch_norm.plain))
    for d, wanted in zip(fast, plain, strict=True):
        same(d, wanted)


def test_results_do_not_depend_on_who_was_first(thread_count):
    """The same number of threads, the same numbers, to the last bit."""
    x, w = normal((29, 20, 22, 16)), normal((3, 3, 16, 20))
    first, second = (walked(mg.conv2d, tensors([x, w]), {"padding": 1}) for _ in range(2))
    for a, b in zip(first[1], second[1], strict=True):
        assert np.array_equal(mg.to_numpy(a), mg.to_numpy(b))
