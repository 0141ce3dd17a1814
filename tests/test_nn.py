"""Layers: modules and their parameters; each layer's shapes, gradients and types; how weights start."""

import copy
import math

import numpy as np
import pytest

import minigen as mg
from minigen import nn, optim

DENSE_INITS = {
    "fan_in_uniform": lambda fan_in, fan_out: 1 / (3 * fan_in),
    "he_normal": lambda fan_in, fan_out: 2 / fan_in,
    "he_uniform": lambda fan_in, fan_out: 2 / fan_in,
    "glorot_normal": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "glorot_uniform": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
}

# How each layer is made, what it is given, and what has to come out. A size of 1 wherever one can be.
LAYERS = {
    "Dense": (lambda: nn.Dense(4, 3), (5, 4), (5, 3)),
    "Dense, one sample": (lambda: nn.Dense(4, 3), (1, 4), (1, 3)),
    "Dense, 1 -> 1": (lambda: nn.Dense(1, 1), (5, 1), (5, 1)),
    "Dense, no batch": (lambda: nn.Dense(4, 3), (4,), (3,)),
    "Dense, sequences": (lambda: nn.Dense(4, 3, bias=False), (2, 5, 4), (2, 5, 3)),
    "Dense, images": (lambda: nn.Dense(2, 3), (2, 3, 1, 2), (2, 3, 1, 3)),
    "Conv2d": (lambda: nn.Conv2d(2, 3, 3), (2, 5, 4, 2), (2, 3, 2, 3)),
    "Conv2d, 1 channel": (lambda: nn.Conv2d(1, 1, 1), (1, 3, 2, 1), (1, 3, 2, 1)),
    "Conv2d, same size": (lambda: nn.Conv2d(1, 2, 3, padding=1, bias=False), (1, 4, 4, 1), (1, 4, 4, 2)),
    "Conv2d, all of the image": (lambda: nn.Conv2d(2, 3, (4, 3)), (2, 4, 3, 2), (2, 1, 1, 3)),
    "Conv2d, rows left over": (lambda: nn.Conv2d(1, 2, 2, stride=3), (2, 6, 7, 1), (2, 2, 2, 2)),
    "Conv2d, oblong": (
        lambda: nn.Conv2d(2, 1, (2, 3), stride=(2, 1), padding=(0, 1)),
        (1, 5, 4, 2),
        (1, 2, 4, 1),
    ),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(2, 3, 3), (2, 2, 3, 2), (2, 4, 5, 3)),
    "ConvTranspose2d, doubling": (
        lambda: nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1),
        (1, 3, 2, 2),
        (1, 6, 4, 1),
    ),
    "ConvTranspose2d, a row more": (
        lambda: nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1, output_padding=1),
        (1, 3, 1, 1),
        (1, 6, 2, 2),
    ),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), (2, 4, 5, 2), (2, 2, 2, 2)),
    "MaxPool2d, overlapping": (lambda: nn.MaxPool2d(3, stride=2, padding=1), (1, 5, 4, 1), (1, 3, 2, 1)),
    "MinPool2d": (lambda: nn.MinPool2d((2, 1)), (1, 4, 3, 1), (1, 2, 3, 1)),
    "AvgPool2d": (lambda: nn.AvgPool2d(3, stride=1, padding=1), (2, 3, 3, 1), (2, 3, 3, 1)),
    "AvgPool2d, 1x1": (lambda: nn.AvgPool2d(1), (1, 1, 1, 1), (1, 1, 1, 1)),
    "Upsample": (lambda: nn.Upsample((2, 3)), (1, 2, 1, 2), (1, 4, 3, 2)),
    "BatchNorm": (lambda: nn.BatchNorm(3), (5, 3), (5, 3)),
    "BatchNorm, images": (lambda: nn.BatchNorm(2), (2, 3, 1, 2), (2, 3, 1, 2)),
    "BatchNorm, one image": (lambda: nn.BatchNorm(1), (1, 2, 3, 1), (1, 2, 3, 1)),
    "LayerNorm": (lambda: nn.LayerNorm(4), (2, 4), (2, 4)),
    "LayerNorm, sequences": (lambda: nn.LayerNorm(4), (1, 3, 4), (1, 3, 4)),
    "GroupNorm": (lambda: nn.GroupNorm(2, 4), (2, 2, 3, 4), (2, 2, 3, 4)),
    "GroupNorm, one group": (lambda: nn.GroupNorm(1, 4), (1, 4), (1, 4)),
    "InstanceNorm": (lambda: nn.InstanceNorm(2), (2, 2, 3, 2), (2, 2, 3, 2)),
    "Dropout": (lambda: nn.Dropout(0.4), (4, 5), (4, 5)),
    "Flatten": (nn.Flatten, (2, 3, 1, 4), (2, 12)),
    "Flatten, numbers": (nn.Flatten, (3,), (3, 1)),
    "Maxout": (lambda: nn.Maxout(3), (2, 6), (2, 2)),
    "Sigmoid": (nn.Sigmoid, (2, 3), (2, 3)),
    "Tanh": (nn.Tanh, (1,), (1,)),
    "ReLU": (nn.ReLU, (2, 3), (2, 3)),
    "LeakyReLU": (lambda: nn.LeakyReLU(0.2), (2, 3), (2, 3)),
    "ELU": (lambda: nn.ELU(0.7), (2, 3), (2, 3)),
    "Softplus": (nn.Softplus, (2, 3), (2, 3)),
    "SiLU": (nn.SiLU, (2, 3), (2, 3)),
    "GELU": (nn.GELU, (2, 3), (2, 3)),
    "Softmax": (nn.Softmax, (2, 3), (2, 3)),
    "LogSoftmax": (lambda: nn.LogSoftmax(axis=0), (3, 2), (3, 2)),
    "RNN": (lambda: nn.RNN(3, 4, layers=2), (2, 3, 3), (2, 3, 4)),
    "RNN, one step of one": (lambda: nn.RNN(1, 1), (1, 1, 1), (1, 1, 1)),
    "GRU": (lambda: nn.GRU(3, 2, layers=2), (2, 3, 3), (2, 3, 2)),
    "GRU, one step of one": (lambda: nn.GRU(1, 1), (1, 1, 1), (1, 1, 1)),
    "LSTM": (lambda: nn.LSTM(2, 3, layers=2), (2, 3, 2), (2, 3, 3)),
    "LSTM, one step of one": (lambda: nn.LSTM(1, 1), (1, 1, 1), (1, 1, 1)),
    "Sequential": (lambda: nn.Sequential(nn.Dense(3, 4), nn.Tanh(), nn.Dense(4, 2)), (2, 3), (2, 2)),
}

every_layer = pytest.mark.parametrize("make, shape, out", LAYERS.values(), ids=LAYERS)
RECURRENT = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


def normals(*shape, seed=0, dtype="float32"):
    return mg.asarray(np.asarray(np.random.default_rng(seed).standard_normal(shape), dtype))


def same(got, wanted, tolerance=0.0):
    """Equal shapes, and equal numbers up to a share of the largest."""
    got, wanted = mg.to_numpy(got), mg.to_numpy(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max(initial=0) <= tolerance * max(1, np.abs(wanted).max(initial=0))


def same_states(got, wanted, tolerance=0.0):
    assert got.keys() == wanted.keys()
    for name in wanted:
        same(got[name], wanted[name], tolerance)


def shaken(model, seed=5):
    """The model with every parameter away from the ones and zeros that some start with."""
    for i, parameter in enumerate(model.parameters()):
        noise = normals(*parameter.shape, seed=seed + i, dtype=str(parameter.dtype))
        parameter.data = parameter.data + noise * 0.3
    return model


def first(outputs):
    """The sequence of an RNN, or the output of any other layer."""
    return outputs[0] if isinstance(outputs, tuple) else outputs


class Block(nn.Module):
    def __init__(self, size):
        self.inner = nn.Dense(size, size)
        self.norm = nn.BatchNorm(size)
        self.scale = mg.tensor([1.0], requires_grad=True)

    def forward(self, x):
        return x + self.norm(self.inner(x)) * self.scale


class Net(nn.Module):
    """Lists, a dict, a shared module, a Tensor that is no parameter."""

    def __init__(self):
        self.blocks = [Block(3), Block(3)]
        self.heads = {"mean": nn.Dense(3, 2), "spread": nn.Dense(3, 2)}
        self.tied = self.blocks[0].inner
        self.constant = mg.tensor([2.0])
        self.history = ["not", 1, "module"]

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.heads["mean"](self.tied(x)) * self.constant, self.heads["spread"](x)


# ----------------------------------------------------------------------------------- modules


def test_parameters_come_once_each_by_path():
    names = [name for name, _ in Net().named_parameters()]
    assert names == [
        *(
            "blocks.0.scale",
            "blocks.0.inner.w",
            "blocks.0.inner.b",
            "blocks.0.norm.gamma",
            "blocks.0.norm.beta",
        ),
        *(
            "blocks.1.scale",
            "blocks.1.inner.w",
            "blocks.1.inner.b",
            "blocks.1.norm.gamma",
            "blocks.1.norm.beta",
        ),
        *("heads.mean.w", "heads.mean.b", "heads.spread.w", "heads.spread.b"),
    ]
    assert Net().parameter_count() == 2 * (1 + 9 + 3 + 6) + 2 * 8


def test_parameters_are_named_for_messages():
    net = Net()
    assert [p.name for p in net.parameters()] == [name for name, _ in net.named_parameters()]


def test_a_tensor_shared_by_two_layers_is_one_parameter():
    encoder, decoder = nn.Dense(4, 4), nn.Dense(4, 4)
    decoder.w = encoder.w
    model = nn.Sequential(encoder, decoder)
    assert [name for name, _ in model.named_parameters()] == ["0.w", "0.b", "1.b"]
    model(normals(3, 4)).sum().backward()
    optim.SGD(model.parameters(), lr=0.1).step()
    assert decoder.w is encoder.w


def test_frozen_parameters_stay_parameters():
    net = Net()
    assert net.requires_grad_(False) is net
    assert len(net.parameters()) == 14 and not any(p.requires_grad for p in net.parameters())
    assert "blocks.1.inner.w" in net.state_dict()
    net.requires_grad_()
    assert all(p.requires_grad for p in net.parameters())


def test_a_parameter_that_was_replaced_is_none():
    layer = nn.Dense(3, 2)
    layer.b = None
    assert list(layer.state_dict()) == ["w"] and layer.parameter_count() == 6
    layer.w = layer.w * 0.5  # computed: no leaf, so nothing to learn
    assert layer.parameters() == [] and layer.state_dict() == {}
    del layer.w
    assert repr(layer.state_dict()) == "{}"


def test_modules_are_found_once_in_the_order_they_were_set():
    paths = [path for path, _ in Net().modules()]
    assert paths == [
        *("", "blocks.0", "blocks.0.inner", "blocks.0.norm", "blocks.1", "blocks.1.inner", "blocks.1.norm"),
        *("heads.mean", "heads.spread"),
    ]


def test_a_model_that_holds_itself_ends():
    net = nn.Sequential(nn.Dense(2, 2))
    net.parent = net
    net.layers.append(net)
    assert net.parameter_count() == 6 and "the same as the whole" in repr(net)


def test_train_and_eval_reach_every_child():
    net = Net()
    assert all(m.training for _, m in net.modules())
    assert net.eval() is net and not any(m.training for _, m in net.modules())
    assert net.train() is net and all(m.training for _, m in net.modules())


def test_zero_grad_forgets():
    net = Net()
    sum(y.sum() for y in net(normals(4, 3))).backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_a_copy_is_independent():
    net = Net()
    twin = copy.deepcopy(net)
    shaken(twin)
    assert twin.tied is twin.blocks[0].inner
    assert float(abs(twin.tied.w.data - net.tied.w.data).max()) > 0.01


def test_astype_turns_parameters_and_buffers():
    net = Net()
    before = net.state_dict()
    assert net.astype("float64") is net
    assert {str(a.dtype) for a in net.state_dict().values()} == {"float64"}
    same_states(net.state_dict(), before)
    mean, _ = net(normals(4, 3, dtype="float64"))
    assert mean.dtype == "float64"


# ------------------------------------------------------------------------------- state dicts


def test_state_dict_round_trip_with_buffers():
    trained = shaken(Net())
    trained(normals(6, 3))  # moves the running statistics
    other = Net()
    other.load_state_dict(trained.state_dict())
    same_states(other.state_dict(), trained.state_dict())
    assert "blocks.0.norm.running_var" in trained.state_dict()
    x = normals(2, 3, seed=1)
    for got, wanted in zip(other.eval()(x), trained.eval()(x), strict=True):
        same(got, wanted)


def test_state_dict_is_a_copy_both_ways():
    layer = nn.Dense(2, 2)
    state = layer.state_dict()
    state["w"][...] = 7
    assert float(layer.w.data.max()) < 7
    layer.load_state_dict(state)
    state["w"][...] = 9
    assert float(layer.w.data.max()) == 7


def test_a_state_of_another_type_or_from_the_host_is_taken_over():
    layer = nn.Dense(2, 3)
    layer.load_state_dict({"w": np.arange(6.0).reshape(2, 3), "b": np.ones(3, "float64")})
    assert layer.w.dtype == layer.b.dtype == "float32"
    same(layer.w, np.arange(6, dtype="float32").reshape(2, 3))


def test_loading_under_an_optimiser_goes_on_training():
    """The optimiser holds the weights in an array of its own: loading has to write there."""

    def steps(model, optimiser):
        for _ in range(3):
            optimiser.zero_grad()
            mg.mse(model(x), y).backward()
            optimiser.step()

    x, y = normals(8, 3), normals(8, 2, seed=1)
    wanted, model = nn.Dense(3, 2), nn.Dense(3, 2)
    start = wanted.state_dict()
    optimisers = [optim.Adam(m.parameters(), lr=0.1) for m in (wanted, model)]
    model.load_state_dict(start)
    steps(wanted, optimisers[0])
    steps(model, optimisers[1])
    same_states(model.state_dict(), wanted.state_dict())
    assert float(abs(model.w.data - start["w"]).max()) > 0.1


@pytest.mark.parametrize("wrong", [np.array(["a", "b"]), np.array([1j, 0]), np.array([None, 1])])
def test_a_state_that_holds_no_numbers_changes_nothing(wrong):
    layer = nn.Dense(3, 2)
    before = layer.w.numpy().copy()
    state = {"w": layer.state_dict()["w"] + 1, "b": wrong}
    with pytest.raises(ValueError, match=r"b is of dtype .+, wants real numbers"):
        layer.load_state_dict(state)
    assert (layer.w.numpy() == before).all()


def test_a_state_may_hold_arrays_of_another_library():
    layer, other = nn.Dense(3, 2), nn.Dense(3, 2)
    layer.load_state_dict({path: memoryview(mg.to_numpy(array)) for path, array in other.state_dict().items()})
    assert (layer.w.numpy() == other.w.numpy()).all()


def test_loading_between_forward_and_backward_is_noticed():
    layer = nn.Dense(3, 2)
    loss = layer(mg.tensor(normals(4, 3), requires_grad=True)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(RuntimeError, match="was changed"):
        loss.backward()


# -------------------------------------------------------------------------------------- repr


class LeNet(nn.Module):
    def __init__(self):
        conv, pool = nn.Conv2d, nn.AvgPool2d
        self.features = nn.Sequential(conv(1, 6, 5, padding=2), mg.tanh, pool(2), conv(6, 16, 5), mg.tanh, pool(2))
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dense(400, 120), nn.Tanh(), nn.Dense(120, 10))


REPRS = {
    "a bare layer": (lambda: nn.Dense(784, 10), "Dense(784 -> 10)   w (784, 10), b (10,)   7,850"),
    "nothing to learn": (nn.ReLU, "ReLU()"),
    "an MLP": (
        lambda: nn.Sequential(nn.Dense(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Dense(128, 10)),
        """
Sequential
  0: Dense(784 -> 128)   w (784, 128), b (128,)   100,480
  1: ReLU()
  2: Dropout(p=0.2)
  3: Dense(128 -> 10)    w (128, 10), b (10,)       1,290
all parameters                                    101,770
""",
    ),
    "LeNet": (
        LeNet,
        """
LeNet
  features: Sequential
    0: Conv2d(1 -> 6, 5x5, padding=2)   w (5, 5, 1, 6), b (6,)        156
    1: tanh
    2: AvgPool2d(2x2)
    3: Conv2d(6 -> 16, 5x5)             w (5, 5, 6, 16), b (16,)    2,416
    4: tanh
    5: AvgPool2d(2x2)
  classifier: Sequential
    0: Flatten()
    1: Dense(400 -> 120)                w (400, 120), b (120,)     48,120
    2: Tanh()
    3: Dense(120 -> 10)                 w (120, 10), b (10,)        1,210
all parameters                                                     51,902
""",
    ),
    "two layers": (
        lambda: nn.LSTM(16, 32, layers=2),
        """
LSTM(16 -> 32, layers=2)
  cells.0: Cell(16 -> 32)   w_x (16, 128), w_h (32, 128), b (128,)    6,272
  cells.1: Cell(32 -> 32)   w_x (32, 128), w_h (32, 128), b (128,)    8,320
all parameters                                                       14,592
""",
    ),
    "nested, shared and frozen": (
        lambda: _with_frozen_block(Net()),
        """
Net
  blocks.0: Block                    scale (1,)                             1
    inner: Dense(3 -> 3)             w (3, 3), b (3,)                      12
    norm: BatchNorm(3)               gamma (3,), beta (3,)                  6
  blocks.1: Block                    scale (1,) frozen                      1
    inner: Dense(3 -> 3)             w (3, 3) frozen, b (3,) frozen        12
    norm: BatchNorm(3)               gamma (3,) frozen, beta (3,) frozen    6
  heads.mean: Dense(3 -> 2)          w (3, 2), b (2,)                       8
  heads.spread: Dense(3 -> 2)        w (3, 2), b (2,)                       8
  tied: the same as blocks.0.inner
all parameters                                                             54
of these frozen                                                            19
""",
    ),
    "settings that are not the usual ones": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 4, (3, 5), stride=(1, 2), bias=False),
            nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1, output_padding=1),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.GroupNorm(2, 8),
            nn.InstanceNorm(8),
            nn.Upsample(),
            nn.LeakyReLU(0.2),
        ),
        """
Sequential
  0: Conv2d(3 -> 4, 3x5, stride=(1, 2))                                    w (3, 5, 3, 4)           180
  1: ConvTranspose2d(4 -> 3, 4x4, stride=2, padding=1, output_padding=1)   w (4, 4, 3, 4), b (3,)   195
  2: MaxPool2d(3x3, stride=2, padding=1)
  3: GroupNorm(2 groups of 4)                                              gamma (8,), beta (8,)     16
  4: InstanceNorm(8)                                                       gamma (8,), beta (8,)     16
  5: Upsample(2x2)
  6: LeakyReLU(slope=0.2)
all parameters                                                                                      407
""",
    ),
}


def _with_frozen_block(net):
    net.blocks[1].requires_grad_(False)
    return net


@pytest.mark.parametrize("make, wanted", REPRS.values(), ids=REPRS)
def test_repr(make, wanted):
    assert repr(make()) == wanted.strip("\n")


# -------------------------------------------------------------------------------- sequential


def test_sequential_takes_functions_and_modules():
    model = nn.Sequential(nn.Dense(3, 4), mg.tanh, lambda x: x * 2.0, nn.Dense(4, 2))
    x = normals(5, 3)
    same(model(x), model[3](mg.tanh(model[0](x)) * 2.0))
    assert [name for name, _ in model.named_parameters()] == ["0.w", "0.b", "3.w", "3.b"]


def test_sequential_slices_share_their_layers():
    model = nn.Sequential(nn.Dense(3, 4), nn.ReLU(), nn.Dense(4, 2), nn.Tanh())
    front, back = model[:2], model[2:]
    assert isinstance(front, nn.Sequential) and len(front) == 2 and len(model) == 4
    assert front[0] is model[0] and model[-1] is list(model)[3]
    x = normals(5, 3)
    same(back(front(x)), model(x))


def test_an_empty_sequential_is_the_identity():
    x = normals(2, 3)
    assert nn.Sequential()(x) is x and repr(nn.Sequential()) == "Sequential()"


# ------------------------------------------------------------------------------- every layer


def test_no_layer_is_left_out():
    made = {type(make()).__name__ for make, *_ in LAYERS.values()}
    assert {name for name in nn.__all__ if name[0].isupper()} - made == {"Module", "Embedding"}  # ids: below


@every_layer
def test_output_shape(make, shape, out):
    layer = make()
    for training in (True, False):
        assert first(layer.train(training)(normals(*shape))).shape == out


def test_embedding_shapes():
    layer = nn.Embedding(5, 3)
    for shape in [(4,), (2, 3), (1, 1), (0,)]:
        assert layer(mg.asarray(np.ones(shape, "int64"))).shape == (*shape, 3)
    same(layer(mg.asarray(np.array([4, 4, 0]))), mg.to_numpy(layer.w)[[4, 4, 0]])


def test_dense_folds_leading_axes():
    layer, x = nn.Dense(4, 3), normals(2, 3, 5, 4)
    folded = layer(x.reshape(30, 4)).data.reshape(2, 3, 5, 3)
    same(layer(x), folded, 1e-6)
    same(layer(mg.tensor(x[0, 0, 0])), folded[0, 0, 0], 1e-6)


def test_dense_takes_a_list():
    assert nn.Dense(2, 3)([[1.0, 2.0]]).shape == (1, 3)


@every_layer
def test_an_empty_batch_passes_or_is_refused_with_a_sentence(make, shape, out):
    layer, x = make(), normals(0, *shape[1:])
    if any(isinstance(m, (nn.BatchNorm, nn.LayerNorm, nn.GroupNorm)) for _, m in layer.modules()):
        with pytest.raises(ValueError, match="empty batch"):
            layer(x)
    elif len(shape) > 1 and not isinstance(layer, nn.LogSoftmax):  # that one is along axis 0
        x = mg.tensor(x, requires_grad=True)
        y = first(layer(x))
        y.sum().backward()
        assert y.shape == (0, *out[1:]) and x.grad.shape == x.shape
        assert all(p.grad is None or not mg.to_numpy(p.grad).any() for p in layer.parameters())


@every_layer
def test_gradients_are_the_slopes_that_are_measured(make, shape, out):
    for training in (True, False):
        mg.gradcheck(shaken(make()).train(training), normals(*shape), most=12)


def test_embedding_gradient_adds_up_over_repeated_ids():
    ids = mg.asarray(np.array([[0, 2, 2], [2, 4, 0]]))
    mg.gradcheck(nn.Embedding(5, 3), ids)
    layer = nn.Embedding(5, 3)
    layer(ids).sum().backward()
    assert mg.to_numpy(layer.w.grad)[:, 0].tolist() == [2, 0, 3, 0, 1]


@pytest.mark.parametrize("name", ["Dense", "Conv2d", "BatchNorm", "LayerNorm", "GroupNorm", "RNN", "GRU", "LSTM"])
def test_gradients_of_gradients(name):
    make, shape, _ = LAYERS[name]
    mg.gradcheck(shaken(make()), normals(*shape), order=2, most=4)


@every_layer
def test_no_grad_records_nothing(make, shape, out):
    layer, x = make(), mg.tensor(normals(*shape), requires_grad=True)
    with mg.no_grad():
        y = first(layer(x))
    assert not y.requires_grad and y.origin is None
    assert first(make()(x)).requires_grad  # and afterwards again


@every_layer
def test_float32_stays_float32(make, shape, out):
    """Through forward, every gradient on its way back, the optimiser's step, and the running statistics."""
    layer, x = make(), mg.tensor(normals(*shape), requires_grad=True)
    optimiser = optim.Adam(layer.parameters(), lr=1e-2, weight_decay=0.1) if layer.parameters() else None
    for _ in range(2):
        y = first(layer(x))
        assert y.dtype == "float32"
        for step in mg.backprop(y, normals(*out, seed=1)):
            for arrival in step.arrivals:
                assert arrival.raw.dtype == "float32", f"{step.op.__name__}.d_{arrival.input}"
        assert all(p.grad.dtype == "float32" for p in layer.parameters())
        if optimiser:
            optimiser.step()
    assert x.grad.dtype == "float32"
    assert {str(a.dtype) for a in layer.state_dict().values()} <= {"float32"}


@pytest.mark.parametrize("loss", [mg.mse, mg.l1, mg.binary_cross_entropy, mg.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("target", ["int64", "float64", "bool", "a number"])
def test_targets_of_another_type_leave_float32_alone(loss, target):
    """Labels 0 and 1 are integers more often than not; their gradient is the float ones'."""
    values = np.array([0, 1, 1, 0])
    targets = 1 if target == "a number" else mg.asarray(values.astype(target))
    as_floats = mg.asarray((np.ones(4) if target == "a number" else values).astype("float32"))
    p = mg.tensor([0.2, 0.7, 0.4, 0.9], requires_grad=True)
    for step in mg.backprop(loss(p * 1.0, targets)):
        assert all(a.raw.dtype == "float32" for a in step.arrivals)
    same(p.grad, mg.grad(loss(p, as_floats), p), 1e-7)


# ---------------------------------------------------------------------------- initialisation


@pytest.mark.parametrize("name", DENSE_INITS)
def test_weights_start_with_the_mean_and_variance_of_the_formula(name):
    fan_in, fan_out = 300, 500
    w = mg.to_numpy(nn.Dense(fan_in, fan_out, init=getattr(nn.init, name)).w)
    variance = DENSE_INITS[name](fan_in, fan_out)
    assert w.dtype == np.float32 and w.shape == (fan_in, fan_out)
    assert abs(w.mean()) < 4 * math.sqrt(variance / w.size)  # four standard errors
    assert w.var() == pytest.approx(variance, rel=0.03)
    if "uniform" in name:
        bound = math.sqrt(3 * variance)
        assert 0.99 * bound < np.abs(w).max() <= bound


def test_a_convolution_counts_its_whole_window():
    w = mg.to_numpy(nn.Conv2d(16, 64, 5, init=nn.init.he_normal).w)
    assert w.var() == pytest.approx(2 / (25 * 16), rel=0.05)
    w = mg.to_numpy(nn.Conv2d(16, 64, 5).w)
    assert 0.99 / 20 < np.abs(w).max() <= 1 / 20


def test_the_signal_keeps_its_size_through_ten_layers():
    relu = nn.Sequential(*[layer for _ in range(10) for layer in (_square(nn.init.he_normal), nn.ReLU())])
    tanh = nn.Sequential(*[layer for _ in range(10) for layer in (_square(nn.init.glorot_uniform), nn.Tanh())])
    x = normals(64, 256)
    assert 0.4 < float((relu(x).data ** 2).mean()) < 2.5
    assert 0.2 < float(tanh(x * 0.5).data.std()) < 0.5


def _square(init):
    return nn.Dense(256, 256, init=init)


@pytest.mark.parametrize("rows, columns", [(6, 6), (7, 4), (4, 7), (1, 5), (5, 1)])
def test_orthogonal_rows_or_columns(rows, columns):
    w = mg.to_numpy(nn.Dense(rows, columns, init=nn.init.orthogonal).w)
    gram = w.T @ w if rows >= columns else w @ w.T
    assert w.dtype == np.float32 and np.abs(gram - np.eye(len(gram))).max() < 1e-5


def test_an_orthogonal_kernel_is_orthogonal_as_a_matrix():
    w = mg.to_numpy(nn.Conv2d(2, 5, 3, init=nn.init.orthogonal).w).reshape(18, 5)
    assert np.abs(w.T @ w - np.eye(5)).max() < 1e-5


@pytest.mark.parametrize("init", [nn.init.he_normal, nn.init.glorot_uniform, nn.init.orthogonal, nn.init.zeros])
def test_biases_start_at_zero_but_for_the_default(init):
    assert not mg.to_numpy(nn.Dense(4, 3, init=init).b).any()
    assert mg.to_numpy(nn.Dense(4, 3).b).all()
    assert not mg.to_numpy(nn.Dense(4, 3, init=nn.init.zeros).w).any()


@pytest.mark.parametrize("kind", [nn.Dense, nn.RNN, nn.GRU, nn.LSTM, nn.Embedding])
def test_the_seed_decides_the_weights(kind):
    mg.seed(3)
    one, other = kind(4, 5).state_dict(), kind(4, 5).state_dict()
    mg.seed(3)
    same_states(kind(4, 5).state_dict(), one)
    assert any(mg.to_numpy(one[k] != other[k]).any() for k in one)


def test_normalising_layers_start_as_the_identity():
    for layer in (nn.BatchNorm(3), nn.LayerNorm(3), nn.GroupNorm(1, 3)):
        assert mg.to_numpy(layer.gamma).tolist() == [1, 1, 1] and not mg.to_numpy(layer.beta).any()


# ----------------------------------------------------------------------------------- dropout


def test_dropout_drops_a_share_and_scales_the_rest():
    layer, x = nn.Dropout(0.3), mg.tensor(mg.asarray(np.ones((200, 100), "float32")), requires_grad=True)
    y = layer(x)
    values = mg.to_numpy(y)
    same(np.unique(values), np.array([0, 1 / 0.7]), 1e-6)
    assert (values == 0).mean() == pytest.approx(0.3, abs=0.01) and values.mean() == pytest.approx(1, abs=0.02)
    y.sum().backward()
    same(x.grad, values)  # the same mask on the way back


def test_dropout_draws_a_new_mask_each_time_from_the_seed():
    layer, x = nn.Dropout(0.5), normals(8, 8)
    mg.seed(1)
    one, other = layer(x), layer(x)
    mg.seed(1)
    same(layer(x), one)
    assert mg.to_numpy(one != other).any()


def test_dropout_in_use_is_the_identity_forward_and_backward():
    layer, x = nn.Dropout(0.9).eval(), mg.tensor(normals(3, 4), requires_grad=True)
    same(layer(x), x)
    (layer(x) * 2.0).sum().backward()
    same(x.grad, np.full((3, 4), 2.0))
    assert nn.Dropout(0.0)(x) is x


# -------------------------------------------------------------------------------- batch norm


def test_batch_norm_normalises_in_training():
    x = normals(50, 2, 3, seed=2) * 4.0 + 7.0
    y = mg.to_numpy(nn.BatchNorm(3)(x))
    assert np.abs(y.mean(axis=(0, 1))).max() < 1e-5 and np.abs(y.std(axis=(0, 1)) - 1).max() < 1e-4


def test_batch_norm_follows_the_mean_and_the_unbiased_variance():
    layer = nn.BatchNorm(3, momentum=0.2)
    mean, var = np.zeros(3), np.ones(3)
    for seed in range(4):
        x = normals(5, 2, 3, seed=seed) * 3.0 + 1.0
        layer(x)
        x = mg.to_numpy(x).reshape(-1, 3)
        mean, var = 0.8 * mean + 0.2 * x.mean(axis=0), 0.8 * var + 0.2 * x.var(axis=0, ddof=1)
    same(layer.running_mean, mean, 1e-6)
    same(layer.running_var, var, 1e-6)


def test_batch_norm_in_use_takes_its_running_statistics_and_leaves_them_alone():
    layer = shaken(nn.BatchNorm(3))
    layer(normals(6, 3) * 2.0 + 1.0)
    before = layer.eval().state_dict()
    x = normals(1, 3, seed=1)
    s = {name: mg.to_numpy(a) for name, a in before.items()}
    wanted = (mg.to_numpy(x) - s["running_mean"]) / np.sqrt(s["running_var"] + 1e-5) * s["gamma"] + s["beta"]
    same(layer(x), wanted, 1e-6)
    same_states(layer.state_dict(), before)


def test_batch_norm_with_frozen_statistics():
    """In eval mode the statistics are constants: the gradient is a scale, not the batch's formula."""
    layer = shaken(nn.BatchNorm(3))
    layer(normals(6, 3) * 2.0 + 1.0)
    layer.eval()
    x = mg.tensor(normals(4, 3, seed=1), requires_grad=True)
    dy = normals(4, 3, seed=2)
    layer(x).backward(dy)
    same(x.grad, dy * layer.gamma.data / (layer.running_var + 1e-5) ** 0.5, 1e-6)
    mg.gradcheck(layer, normals(4, 3), order=2, most=4)
    layer.train()
    layer(x)
    x.grad = None
    layer(x).backward(dy)
    assert float(abs(x.grad.sum(axis=0)).max()) < 1e-5  # the batch's formula takes the mean out


def test_second_order_through_batch_norm_in_training():
    """A gradient penalty sees the statistics' own dependence on x. Against finite differences of it."""
    critic = nn.Sequential(nn.Dense(2, 4), nn.BatchNorm(4), nn.Tanh(), nn.Dense(4, 1)).astype("float64")

    def penalty(values):
        x = mg.tensor(values, requires_grad=True)
        slopes = mg.grad(critic(x).sum(), x, create_graph=True)
        return ((slopes * slopes).sum(axis=1) ** 0.5 - 1.0) ** 2.0, x

    values = mg.asarray(np.random.default_rng(4).standard_normal((5, 2)))
    loss, x = penalty(values)
    loss.sum().backward()
    h = 1e-6
    for i, j in [(0, 0), (3, 1)]:
        step = np.zeros((5, 2))
        step[i, j] = h
        up, down = (float(penalty(values + mg.asarray(s))[0].sum().item()) for s in (step, -step))
        assert float(x.grad[i, j]) == pytest.approx((up - down) / (2 * h), rel=1e-6, abs=1e-8)


# ---------------------------------------------------------------------------------- freezing


def test_a_frozen_discriminator_costs_the_generator_nothing():
    generator = nn.Sequential(nn.Dense(2, 4), nn.Tanh(), nn.Dense(4, 3))
    discriminator = nn.Sequential(nn.Dense(3, 4), nn.LayerNorm(4), nn.LeakyReLU(), nn.Dense(4, 1))
    z = normals(5, 2)

    def gradients():
        generator.zero_grad()
        computed = []
        for step in mg.backprop(discriminator(generator(z)).mean()):
            computed += [a.to.name for a in step.arrivals if isinstance(a.to, mg.Tensor)]
        return {name: p.grad.copy() for name, p in generator.named_parameters()}, computed

    discriminator.named_parameters()
    everything, computed = gradients()
    assert len(computed) == 4 + 6
    discriminator.zero_grad()
    discriminator.requires_grad_(False)
    alone, computed = gradients()
    assert len(computed) == 4, "a frozen weight's gradient was computed"
    assert all(p.grad is None for p in discriminator.parameters())
    same_states(alone, everything)
    discriminator.requires_grad_()
    discriminator(generator(z).detach()).mean().backward()
    assert all(p.grad is not None for p in discriminator.parameters())


def test_the_first_layer_computes_no_gradient_for_its_data():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Dense(8, 1))
    last = list(mg.backprop(model(normals(2, 4, 4, 1)).mean()))[-1]
    assert last.op.__name__ == "conv2d" and set(last.gradients) == {"w", "b"}


# -------------------------------------------------------------------------- recurrent layers


def flat(state):
    """The states as a list: [h], or [h, c]."""
    return list(state) if isinstance(state, tuple) else [state]


@pytest.mark.parametrize("kind", RECURRENT.values(), ids=RECURRENT)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cuts", [(2, 5), (1, 2)])
def test_a_sequence_in_pieces_is_the_whole(kind, layers, cuts):
    """Values, and gradients through the carried state: of the input, of the first state, of every weight."""
    model = shaken(kind(3, 4, layers=layers).astype("float64"))
    x = normals(2, 6, 3, dtype="float64")
    dy = normals(2, 6, 4, seed=1, dtype="float64")
    start = [normals(layers, 2, 4, seed=2 + i, dtype="float64") for i in range(2 if kind is nn.LSTM else 1)]

    def run(ends):
        model.zero_grad()
        leaves = [mg.tensor(a, requires_grad=True) for a in (x, *start)]
        state, pieces, begin = (tuple(leaves[1:]) if kind is nn.LSTM else leaves[1]), [], 0
        for end in (*ends, 6):
            hs, state = model(leaves[0][:, begin:end], state)
            pieces.append(hs)
            begin = end
        hs = mg.concatenate(pieces, axis=1)
        ((hs * dy).sum() + sum((s * s).sum() for s in flat(state))).backward()
        return [hs, *flat(state), *(t.grad for t in [*leaves, *model.parameters()])]

    for got, wanted in zip(run(cuts), run(()), strict=True):
        same(got, wanted, 1e-12)


@pytest.mark.parametrize("kind", RECURRENT.values(), ids=RECURRENT)
def test_the_final_state_is_every_layer_s_last(kind):
    model, x = kind(3, 4, layers=2), normals(2, 5, 3)
    hs, state = model(x)
    h = flat(state)[0]
    assert hs.shape == (2, 5, 4) and all(s.shape == (2, 2, 4) for s in flat(state))
    same(h[1], hs[:, -1])
    lower = kind(3, 4)
    lower.cells = model.cells[:1]
    same(flat(lower(x)[1])[0][0], h[0])


@pytest.mark.parametrize("kind", RECURRENT.values(), ids=RECURRENT)
def test_no_state_is_a_state_of_zeros(kind):
    model, x = kind(3, 4, layers=2), normals(2, 5, 3)
    zeros = mg.asarray(np.zeros((2, 2, 4), "float32"))
    same(model(x)[0], model(x, (zeros, zeros) if kind is nn.LSTM else zeros)[0])


@pytest.mark.parametrize("kind", RECURRENT.values(), ids=RECURRENT)
def test_a_detached_state_cuts_the_gradient(kind):
    """Truncated backpropagation through time: the values go on, the gradient does not."""
    model, x = kind(3, 4), mg.tensor(normals(2, 6, 3), requires_grad=True)
    whole, _ = model(x)
    _, state = model(x[:, :3])
    state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
    hs, _ = model(x[:, 3:], state)
    same(hs, whole[:, 3:], 1e-6)
    hs.sum().backward()
    assert not mg.to_numpy(x.grad[:, :3]).any() and mg.to_numpy(x.grad[:, 3:]).all()
