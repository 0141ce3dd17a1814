"""Layers with random settings, weights and inputs: a hypothesis strategy for each layer of minigen.nn.

They are drawn so that float32 can be held to 1e-5. Normalising layers have at least four numbers to average
over: with two, x_hat is +-1 and all of its gradient is rounding error. Inputs are small: where tanh is 0.9999
the rounding of 1 - y^2 is a part in a thousand of it, in any library.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import minigen as mg
from minigen import nn


@dataclass
class Case:
    """A layer, arrays for all its parameters and buffers, and its inputs; float64, but for ids."""

    layer: Any
    inputs: list[Any]
    state: dict[str, Any]
    seed: int


few = st.integers(1, 3)


@st.composite
def cases(draw, layers_and_shapes, *, values=None):
    """Cases from a strategy of (layer, shapes of its inputs); values(layer, rng, shape) draws x, if given."""
    layer, shapes = draw(layers_and_shapes)
    seed, with_ties = draw(st.integers(0, 2**20)), draw(st.booleans())
    rng = np.random.default_rng(seed)
    inputs = [rng.uniform(-2, 2, shape) for shape in shapes]
    if values:
        inputs[0] = values(layer, rng, shapes[0])
    elif with_ties and not isinstance(layer, (*NORMS, *CHOOSERS)):
        inputs[0] = np.round(inputs[0])  # kinks are met
    state = {name: _weight(rng, name, array.shape) for name, array in layer.state_dict().items()}
    return Case(layer, inputs, state, seed)


NORMS = (nn.BatchNorm, nn.LayerNorm, nn.GroupNorm)
CHOOSERS = (nn.Maxout, nn.MaxPool2d, nn.MinPool2d)  # which of equal numbers has the gradient is theirs to say


def _weight(rng, name, shape):
    return rng.uniform(0.5, 2, shape) if name == "running_var" else rng.uniform(-0.5, 0.5, shape)


def shapes(least=1):
    """Shapes of 1 to 4 axes, the last of at least so many entries."""
    return st.builds(lambda first, last: (*first, last), st.lists(few, min_size=1, max_size=3), st.integers(least, 6))


def elementwise(make):
    return cases(st.tuples(make, shapes(4).map(lambda shape: [shape])))


@st.composite
def along_an_axis(draw, kind):
    shape = draw(st.lists(st.integers(2, 4), min_size=1, max_size=4))
    return kind(draw(st.integers(-len(shape), len(shape) - 1))), [tuple(shape)]


@st.composite
def maxout(draw):
    pieces = draw(st.integers(1, 4))
    shape = draw(shapes())
    return nn.Maxout(pieces), [(*shape[:-1], shape[-1] * pieces)]


@st.composite
def dense(draw):
    shape = draw(shapes())
    return nn.Dense(shape[-1], draw(few), bias=draw(st.booleans())), [shape]


@st.composite
def embedding(draw):
    entries = draw(st.integers(1, 5))
    return nn.Embedding(entries, draw(few)), [draw(shapes())]


def ids(layer, rng, shape):
    return rng.integers(0, layer.w.shape[0], shape)


@st.composite
def windows(draw, strides=True):
    """(kernel, stride, padding) for rows, and the same for columns."""
    both = []
    for _ in range(2):
        kernel = draw(st.integers(1, 4))
        both.append((kernel, draw(st.integers(1, 4)), draw(st.integers(0, kernel // 2))))
    return both


@st.composite
def conv(draw):
    C, F, axes = draw(few), draw(few), draw(windows())
    more = draw(st.integers(0, 2))  # a convolution may be padded by more than its kernel
    kernel, stride, padding = zip(*((k, s, p + more) for k, s, p in axes), strict=True)
    size = [draw(st.integers(max(1, k - 2 * p), 8)) for k, p in zip(kernel, padding, strict=True)]
    layer = nn.Conv2d(C, F, kernel, stride=stride, padding=padding, bias=draw(st.booleans()))
    return layer, [(draw(few), *size, C)]


@st.composite
def conv_transpose(draw):
    C, F, axes = draw(few), draw(few), draw(windows())
    kernel, stride, padding = zip(*axes, strict=True)
    extra = tuple(draw(st.integers(0, s - 1)) for s in stride)
    least = [1 + max(0, math.ceil((1 + 2 * p - k - e) / s)) for (k, s, p), e in zip(axes, extra, strict=True)]
    size = [draw(st.integers(n, n + 4)) for n in least]
    bias = draw(st.booleans())
    layer = nn.ConvTranspose2d(C, F, kernel, stride=stride, padding=padding, output_padding=extra, bias=bias)
    return layer, [(draw(few), *size, C)]


@st.composite
def pool(draw, kind):
    kernel, stride, padding = zip(*draw(windows()), strict=True)
    size = [draw(st.integers(max(1, k - 2 * p), 9)) for k, p in zip(kernel, padding, strict=True)]
    stride = draw(st.sampled_from([None, stride]))
    return kind(kernel, stride=stride, padding=padding), [(draw(few), *size, draw(few))]


@st.composite
def upsample(draw):
    scale = draw(st.one_of(few, st.tuples(few, few)))
    return nn.Upsample(scale), [draw(st.tuples(few, few, few, few))]


epsilons = st.sampled_from([1e-5, 1e-3, 0.1])


@st.composite
def batch_norm(draw):
    C, pixels = draw(few), draw(st.lists(few, max_size=2))
    layer = nn.BatchNorm(C, momentum=draw(st.sampled_from([0.1, 0.5, 1.0])), eps=draw(epsilons))
    return layer, [(draw(st.integers(4, 6)), *pixels, C)]


@st.composite
def layer_norm(draw):
    shape = draw(shapes(4))
    return nn.LayerNorm(shape[-1], eps=draw(epsilons)), [shape]


@st.composite
def group_norm(draw):
    groups, pixels = draw(few), draw(st.lists(few, max_size=2))
    C = groups * draw(st.integers(4, 5))
    return nn.GroupNorm(groups, C, eps=draw(epsilons)), [(draw(few), *pixels, C)]


@st.composite
def instance_norm(draw):
    C, pixels = draw(few), draw(st.sampled_from([(5,), (7,), (2, 2), (2, 3), (4, 3)]))
    return nn.InstanceNorm(C, eps=draw(epsilons)), [(draw(few), *pixels, C)]


@st.composite
def recurrent(draw, kind):
    inputs, hidden, layers = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(few)
    N, T = draw(few), draw(st.integers(1, 6))
    states = draw(st.sampled_from([0, 2 if kind is nn.LSTM else 1]))
    return kind(inputs, hidden, layers=layers), [(N, T, inputs)] + [(layers, N, hidden)] * states


factors = st.floats(0.01, 2)

LAYERS = {
    nn.Sigmoid: elementwise(st.builds(nn.Sigmoid)),
    nn.Tanh: elementwise(st.builds(nn.Tanh)),
    nn.ReLU: elementwise(st.builds(nn.ReLU)),
    nn.LeakyReLU: elementwise(st.builds(nn.LeakyReLU, factors)),
    nn.ELU: elementwise(st.builds(nn.ELU, factors)),
    nn.Maxout: cases(maxout()),
    nn.Softplus: elementwise(st.builds(nn.Softplus)),
    nn.SiLU: elementwise(st.builds(nn.SiLU)),
    nn.GELU: elementwise(st.builds(nn.GELU)),
    nn.Softmax: cases(along_an_axis(nn.Softmax)),
    nn.LogSoftmax: cases(along_an_axis(nn.LogSoftmax)),
    nn.Flatten: elementwise(st.builds(nn.Flatten)),
    nn.Dense: cases(dense()),
    nn.Embedding: cases(embedding(), values=ids),
    nn.Conv2d: cases(conv()),
    nn.ConvTranspose2d: cases(conv_transpose()),
    nn.MaxPool2d: cases(pool(nn.MaxPool2d)),
    nn.MinPool2d: cases(pool(nn.MinPool2d)),
    nn.AvgPool2d: cases(pool(nn.AvgPool2d)),
    nn.Upsample: cases(upsample()),
    nn.BatchNorm: cases(batch_norm()),
    nn.LayerNorm: cases(layer_norm()),
    nn.GroupNorm: cases(group_norm()),
    nn.InstanceNorm: cases(instance_norm()),
    nn.RNN: cases(recurrent(nn.RNN)),
    nn.GRU: cases(recurrent(nn.GRU)),
    nn.LSTM: cases(recurrent(nn.LSTM)),
}  # a class of layers -> Cases; dropout, which draws a mask, has a test of its own


def prepared(case, dtype, training):
    """(the layer in this type and mode, holding the case's weights; its inputs in this type)"""
    layer = case.layer.astype(dtype).train(training)
    layer.load_state_dict({name: mg.asarray(array) for name, array in case.state.items()})
    inputs = [x.astype(dtype) if x.dtype.kind == "f" else x for x in case.inputs]
    return layer, inputs
