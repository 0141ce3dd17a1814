"""Every layer of minigen.nn against PyTorch's: outputs, all gradients, buffers; both types and modes."""

import inspect

import drawn_layers
import numpy as np
import pytest
import torch_twins as twins
from hypothesis import given
from hypothesis import strategies as st

import minigen as mg
from minigen import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

MODES = {"train": True, "eval": False}


def test_no_layer_is_left_out():
    layers = {c for _, c in inspect.getmembers(nn, inspect.isclass) if issubclass(c, nn.Module)}
    layers -= {nn.Module, nn.Sequential}  # these hold layers, and have no formula of their own
    assert layers == {*drawn_layers.LAYERS, nn.Dropout}
    assert layers == set(twins.TWINS)


@pytest.mark.parametrize("kind", drawn_layers.LAYERS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_layer(kind, data):
    case = data.draw(drawn_layers.LAYERS[kind])
    for dtype in twins.TOLERANCE:
        for mode, training in MODES.items():
            compare(case, dtype, training, f"{kind.__name__} in {dtype}, {mode}")


def compare(case, dtype, training, what):
    """Outputs, gradients with a random upstream, and buffers of a layer and its twin."""
    layer, inputs = drawn_layers.prepared(case, dtype, training)
    layer.zero_grad()
    w = twins.leaves(layer)
    module = twins.TWINS[type(layer)](layer, inputs[0].ndim).train(training)
    ours = [twins.mine(x, x.dtype.kind == "f") for x in inputs]
    theirs = [twins.theirs(x, x.dtype.kind == "f") for x in inputs]
    our_ys = twins.run(layer, *ours)
    their_ys = twins.run_twin(layer, module, w, *theirs)
    rng = np.random.default_rng([case.seed, 1])
    upstreams = [rng.standard_normal(y.shape).astype(dtype) for y in our_ys]
    sum((y * mg.asarray(dy)).sum() for y, dy in zip(our_ys, upstreams, strict=True)).backward()
    sum((y * torch.tensor(dy)).sum() for y, dy in zip(their_ys, upstreams, strict=True)).backward()
    for i, (y, reference) in enumerate(zip(our_ys, their_ys, strict=True)):
        twins.agree(f"{what}: output {i}", y, reference)
    for i, (x, reference) in enumerate(zip(ours, theirs, strict=True)):
        if reference.requires_grad:
            twins.agree(f"{what}: gradient of input {i}", x.grad, reference.grad)
    for name, parameter in layer.named_parameters():
        twins.agree(f"{what}: gradient of {name}", parameter.grad, w[name].grad)
    for name, array in layer.state_dict().items():
        twins.agree(f"{what}: {name} afterwards", array, w[name])


@pytest.mark.parametrize("kind", [
    nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.ELU,
    nn.Softplus, nn.SiLU, nn.GELU, nn.Softmax, nn.LogSoftmax,
])  # fmt: skip
@pytest.mark.parametrize("dtype", twins.TOLERANCE)
def test_activations_far_from_zero(kind, dtype):
    """Where the exponential overflows or vanishes, and at the kinks."""
    x = np.array([[-1e4, -100, -40, -3, 0, 3, 40, 100, 1e4], np.linspace(-20, 20, 9)], dtype=dtype)
    dy = np.random.default_rng(4).standard_normal(x.shape).astype(dtype)
    layer, ours, theirs = kind(), twins.mine(x, True), twins.theirs(x, True)
    y, reference = layer(ours), twins.TWINS[kind](layer, 2)(theirs)
    (y * mg.asarray(dy)).sum().backward()
    (reference * torch.tensor(dy)).sum().backward()
    twins.agree(kind.__name__, y, reference)
    twins.agree(f"{kind.__name__}: gradient of x", ours.grad, theirs.grad)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("dtype", twins.TOLERANCE)
def test_dropout_with_pytorchs_mask(p, dtype, monkeypatch):
    rng, layer, module = np.random.default_rng(1), nn.Dropout(p), torch.nn.Dropout(p)
    x, dy = (rng.uniform(1, 2, (50, 40)).astype(dtype) for _ in range(2))
    torch.manual_seed(2)
    for training in MODES.values():
        theirs, ours = twins.theirs(x, True), twins.mine(x, True)
        reference = module.train(training)(theirs)
        kept = mg.asarray(reference.detach().numpy() != 0)
        monkeypatch.setattr(mg.random, "keep_mask", lambda shape, p, kept=kept: kept)
        y = layer.train(training)(ours)
        (y * mg.asarray(dy)).sum().backward()
        (reference * torch.tensor(dy)).sum().backward()
        twins.agree("Dropout", y, reference)
        twins.agree("Dropout: gradient of x", ours.grad, theirs.grad)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_as_much_as_pytorchs(p):
    mg.seed(0)
    dropped = (nn.Dropout(p)(mg.tensor(np.ones(100_000))).numpy() == 0).mean()
    reference = (torch.nn.Dropout(p)(torch.ones(100_000)) == 0).double().mean().item()
    assert abs(dropped - p) < 0.01 and abs(dropped - reference) < 0.01


def test_running_statistics_over_many_batches():
    rng, layer, module = np.random.default_rng(3), nn.BatchNorm(3).astype("float64"), torch.nn.BatchNorm2d(3)
    module = module.double()
    for _ in range(20):
        x = rng.standard_normal((4, 3, 2, 3)) * rng.uniform(0.5, 3, 3) + rng.uniform(-2, 2, 3)
        layer(twins.mine(x))
        module(torch.tensor(x).movedim(-1, 1))
    twins.agree("running mean", layer.running_mean, module.running_mean)
    twins.agree("running variance", layer.running_var, module.running_var)
    y = layer.eval()(twins.mine(x))
    twins.agree("eval after training", y, module.eval()(torch.tensor(x).movedim(-1, 1)).movedim(1, -1))


@pytest.mark.parametrize("kind", [nn.Dense, nn.Conv2d, nn.ConvTranspose2d, *twins.RECURRENT])
def test_weights_start_within_pytorchs_bounds(kind):
    """The default initialisation is PyTorch's: the largest of many entries is as large."""
    mg.seed(0)
    layer = kind(300, 20) if kind in (nn.Dense, *twins.RECURRENT) else kind(40, 30, 5)
    reference = twins.torch_weights(layer, twins.leaves(layer))
    for name, theirs in twins.TWINS[kind](layer, 4).named_parameters():
        if theirs.ndim > 1:  # weights; a recurrent layer's biases start at 0 here
            bound, ours = theirs.abs().max().item(), reference[name].abs().max().item()
            assert abs(ours - bound) < 0.02 * bound, f"{kind.__name__}: {name} starts within {ours}, PyTorch's {bound}"
