"""The same layers in PyTorch, on the same weights, and how far two results lie apart.

A twin is PyTorch's own layer. Its weights are minigen's, in PyTorch's names and layouts:

    images            (N, H, W, C)            (N, C, H, W)
    Conv2d            w (KH, KW, C, F)        weight (F, C, KH, KW)
    ConvTranspose2d   w (KH, KW, out, in)     weight (in, out, KH, KW): the same permutation
    Dense             w (D, M)                weight (M, D)
    RNN, GRU, LSTM    w_x (D, G H)            weight_ih (G H, D); w_h likewise; the gates in the same order
                      b (G H,)                bias_ih; bias_hh, which PyTorch adds, is 0 (GRU: 0, 0, b_n)
    BatchNorm, ...    gamma, beta             weight, bias

The conversions are PyTorch operations themselves. Run on leaves in minigen's layout they let the gradients
come back in minigen's layout, with no second conversion that could share a mistake with the first.
"""

import pytest

import minigen as mg
from minigen import nn

torch = pytest.importorskip("torch")
torch.set_num_threads(1)
tnn = torch.nn

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
LEAST = {"float32": 0.1, "float64": 1e-3}  # see distance
CHANNELS_FIRST = (
    nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.MinPool2d, nn.AvgPool2d, nn.Upsample,
    nn.BatchNorm, nn.GroupNorm, nn.InstanceNorm,
)  # fmt: skip
RECURRENT = (nn.RNN, nn.GRU, nn.LSTM)


class Maxout(tnn.Module):
    """PyTorch has none: the largest of each group of features."""

    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces

    def forward(self, x):
        return x.unflatten(-1, (-1, self.pieces)).max(dim=-1).values


class MinPool2d(tnn.MaxPool2d):
    """PyTorch has none: the smallest is minus the largest of -x."""

    def forward(self, x):
        return -super().forward(-x)


def _conv(layer):
    KH, KW, C, F = layer.w.shape
    return tnn.Conv2d(C, F, (KH, KW), layer.stride, layer.padding, bias=layer.b is not None)


def _conv_transpose(layer):
    KH, KW, outputs, inputs = layer.w.shape
    return tnn.ConvTranspose2d(
        inputs, outputs, (KH, KW), layer.stride, layer.padding, layer.output_padding, bias=layer.b is not None
    )


def _batch_norm(layer, ndim):
    kind = tnn.BatchNorm2d if ndim == 4 else tnn.BatchNorm1d
    return kind(layer.gamma.size, eps=layer.eps, momentum=layer.momentum)


def _instance_norm(layer, ndim):
    kind = tnn.InstanceNorm2d if ndim == 4 else tnn.InstanceNorm1d
    return kind(layer.gamma.size, eps=layer.eps, affine=True)


def _recurrent(layer):
    kind = getattr(tnn, type(layer).__name__)
    return kind(layer.inputs, layer.hidden, num_layers=len(layer.cells), batch_first=True)


TWINS = {
    nn.Sigmoid: lambda layer, ndim: tnn.Sigmoid(),
    nn.Tanh: lambda layer, ndim: tnn.Tanh(),
    nn.ReLU: lambda layer, ndim: tnn.ReLU(),
    nn.LeakyReLU: lambda layer, ndim: tnn.LeakyReLU(layer.slope),
    nn.ELU: lambda layer, ndim: tnn.ELU(layer.alpha),
    nn.Maxout: lambda layer, ndim: Maxout(layer.pieces),
    nn.Softplus: lambda layer, ndim: tnn.Softplus(),
    nn.SiLU: lambda layer, ndim: tnn.SiLU(),
    nn.GELU: lambda layer, ndim: tnn.GELU(approximate="tanh"),
    nn.Softmax: lambda layer, ndim: tnn.Softmax(dim=layer.axis),
    nn.LogSoftmax: lambda layer, ndim: tnn.LogSoftmax(dim=layer.axis),
    nn.Flatten: lambda layer, ndim: tnn.Flatten(),
    nn.Dropout: lambda layer, ndim: tnn.Dropout(layer.p),
    nn.Conv2d: lambda layer, ndim: _conv(layer),
    nn.ConvTranspose2d: lambda layer, ndim: _conv_transpose(layer),
    nn.MaxPool2d: lambda layer, ndim: tnn.MaxPool2d(layer.kernel, layer.stride, layer.padding),
    nn.MinPool2d: lambda layer, ndim: MinPool2d(layer.kernel, layer.stride, layer.padding),
    nn.AvgPool2d: lambda layer, ndim: tnn.AvgPool2d(layer.kernel, layer.stride, layer.padding),
    nn.Upsample: lambda layer, ndim: tnn.Upsample(scale_factor=tuple(map(float, layer.scale))),
    nn.Dense: lambda layer, ndim: tnn.Linear(*layer.w.shape, bias=layer.b is not None),
    nn.Embedding: lambda layer, ndim: tnn.Embedding(*layer.w.shape),
    nn.BatchNorm: _batch_norm,
    nn.LayerNorm: lambda layer, ndim: tnn.LayerNorm(layer.gamma.size, eps=layer.eps),
    nn.GroupNorm: lambda layer, ndim: tnn.GroupNorm(layer.groups, layer.gamma.size, eps=layer.eps),
    nn.InstanceNorm: _instance_norm,
    nn.RNN: lambda layer, ndim: _recurrent(layer),
    nn.GRU: lambda layer, ndim: _recurrent(layer),
    nn.LSTM: lambda layer, ndim: _recurrent(layer),
}  # a class of layers -> its twin, still with PyTorch's own weights, for inputs of so many axes


def torch_weights(layer, w):
    """{PyTorch's name: tensor in PyTorch's layout}, from w, {minigen's name: tensor}. Differentiable."""
    match layer:
        case nn.Conv2d() | nn.ConvTranspose2d():
            converted = {"weight": w["w"].permute(3, 2, 0, 1), "bias": w.get("b")}
        case nn.Dense():
            converted = {"weight": w["w"].T, "bias": w.get("b")}
        case nn.Embedding():
            converted = {"weight": w["w"]}
        case nn.BatchNorm():
            statistics = {name: w[name] for name in ("running_mean", "running_var")}
            converted = {"weight": w["gamma"], "bias": w["beta"], **statistics}
        case nn.LayerNorm() | nn.GroupNorm():
            converted = {"weight": w["gamma"], "bias": w["beta"]}
        case nn.RNN() | nn.GRU() | nn.LSTM():
            converted = {}
            for k in range(len(layer.cells)):
                b = w[f"cells.{k}.b"]
                inside = torch.zeros_like(b)
                if isinstance(layer, nn.GRU):
                    inside = torch.cat([inside[: 2 * layer.hidden], w[f"cells.{k}.b_n"]])
                converted |= {
                    f"weight_ih_l{k}": w[f"cells.{k}.w_x"].T,
                    f"weight_hh_l{k}": w[f"cells.{k}.w_h"].T,
                }
                converted |= {f"bias_ih_l{k}": b, f"bias_hh_l{k}": inside}
        case _:
            converted = {}
    return {name: tensor.contiguous() for name, tensor in converted.items() if tensor is not None}


def after_flatten(w, image):
    """The rows of a Dense w (H W C, M) behind a Flatten, in the order in which PyTorch flattens: C, H, W."""
    H, W, C = image
    return w.reshape(H, W, C, -1).permute(2, 0, 1, 3).reshape(H * W * C, -1)


def leaves(layer):
    """{name: tensor} of a layer's parameters, which require a gradient, and buffers, in minigen's layout."""
    learned = dict(layer.named_parameters())
    return {name: theirs(array, name in learned) for name, array in layer.state_dict().items()}


def theirs(array, requires_grad=False):
    """A copy of an array, as PyTorch's tensor."""
    return torch.tensor(mg.to_numpy(array), requires_grad=requires_grad)


def mine(array, requires_grad=False):
    """A copy of an array, as minigen's Tensor."""
    return mg.tensor(mg.asarray(array), requires_grad)


def run(layer, x, *states):
    """All outputs of a minigen layer in one list: [y], and of recurrent layers [hs, h] or [hs, h, c]."""
    return _listed(layer, layer, x, states)


def run_twin(layer, module, w, x, *states):
    """The same of its twin, computed from w, the leaves in minigen's layout; so are x and the outputs."""
    weights = torch_weights(layer, w)

    def call(*inputs):
        return torch.func.functional_call(module, weights, inputs)

    if isinstance(layer, CHANNELS_FIRST):
        y = call(x.movedim(-1, 1).contiguous())
        # Given an upstream gradient in another memory order, PyTorch's instance_norm is wrong (2.13.0).
        y.register_hook(lambda dy: dy if dy is None else dy.contiguous())
        return [y.movedim(1, -1)]
    return _listed(layer, call, x, states)


def _listed(layer, call, x, states):
    if not isinstance(layer, RECURRENT):
        return [call(x)]
    if not isinstance(layer, nn.LSTM):
        return list(call(x, *states))
    hs, (h, c) = call(x, states) if states else call(x)
    return [hs, h, c]


def load(module, model):
    """Give a whole PyTorch model the weights of a minigen one, layer by layer in the order they stand."""
    for layer, twin in pairs(module, model):
        twin.load_state_dict({**twin.state_dict(), **torch_weights(layer, leaves(layer))})
        if isinstance(layer, (nn.RNN, nn.LSTM)):
            for name, parameter in twin.named_parameters():
                if name.startswith("bias_hh"):
                    parameter.requires_grad_(False)  # two biases for our one would learn twice as fast


def pairs(module, model):
    """[(minigen layer, PyTorch layer)] of all layers with weights in two models."""
    layers = [layer for _, layer in model.modules() if type(layer) in TWINS and layer.state_dict()]
    twins = [twin for twin in module.modules() if next(twin.parameters(recurse=False), None) is not None]
    return list(zip(layers, twins, strict=True))


def distance(ours, reference):
    """The largest difference of two arrays of one shape and type, relative to the reference's largest entry.

    Relative to LEAST where all entries are smaller: what numbers around 1 leave of each other has their
    rounding errors, in any library.
    """
    a, b = mg.to_numpy(ours), reference.numpy(force=True)
    assert (a.shape, a.dtype) == (b.shape, b.dtype), f"got {a.dtype} {a.shape}, PyTorch {b.dtype} {b.shape}"
    return float(abs(a - b).max() / max(abs(b).max(), LEAST[str(b.dtype)]))


def agree(what, ours, reference, tolerance=None):
    """Assert that two arrays are of one shape and type, and at most a tolerance (their type's) apart."""
    tolerance = tolerance or TOLERANCE[str(ours.dtype)]
    apart = distance(ours, reference)
    assert apart <= tolerance, f"{what}: {apart:.2e} apart, wants at most {tolerance:.0e}"
