"""Gradients of gradients: every layer and the other ops twice, WGAN-GP and R1 through conv critics."""

import drawn_layers
import numpy as np
import pytest
import torch_twins as twins
from hypothesis import assume, given
from hypothesis import strategies as st

import minigen as mg
from minigen import nn, optim

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch
tnn, F = torch.nn, torch.nn.functional


def twice(ys, leaves, upstreams, directions, grad):
    """A number made of all first gradients of ys, of the directions' weights; in either library."""
    total = sum((y * dy).sum() for y, dy in zip(ys, upstreams, strict=True))
    return sum((g * r).sum() for g, r in zip(grad(total, leaves), directions, strict=True))


def our_grad(y, xs):
    return mg.grad(y, xs, create_graph=True)


def their_grad(y, xs):
    return torch.autograd.grad(y, xs, create_graph=True)


def compare_twice(what, ours, theirs, leaves, references, rng):
    """Second gradients in all leaves and upstream gradients, along random directions. Returns the largest."""
    values = [rng.standard_normal(y.shape) for y in ours]
    directions = [rng.standard_normal(x.shape) for x in leaves]
    our_dys, their_dys = [twins.mine(v, True) for v in values], [twins.theirs(v, True) for v in values]
    twice(ours, leaves, our_dys, map(mg.asarray, directions), our_grad).backward()
    twice(theirs, references, their_dys, map(torch.tensor, directions), their_grad).backward()
    largest = 0.0
    for i, (x, reference) in enumerate(zip([*leaves, *our_dys], [*references, *their_dys], strict=True)):
        # A linear op has no second gradient in its input: none was written, or zeros.
        ours_i = np.zeros(x.shape) if x.grad is None else x.grad
        reference_i = torch.zeros_like(reference) if reference.grad is None else reference.grad
        twins.agree(f"{what}: second gradient {i}", ours_i, reference_i)
        largest = max(largest, float(reference_i.abs().max()))
    return largest


@pytest.mark.parametrize("kind", drawn_layers.LAYERS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_layer_twice(kind, data):
    case = data.draw(drawn_layers.LAYERS[kind])
    # At ELU's kink any second slope from 0 to alpha is right.
    assume(kind is not nn.ELU or (case.inputs[0] != 0).all())
    for training in (True, False):
        layer, inputs = drawn_layers.prepared(case, "float64", training)
        layer.zero_grad()
        w, module = twins.leaves(layer), twins.TWINS[kind](layer, inputs[0].ndim).train(training)
        ours = [twins.mine(x, x.dtype.kind == "f") for x in inputs]
        theirs = [twins.theirs(x, x.dtype.kind == "f") for x in inputs]
        our_ys, their_ys = twins.run(layer, *ours), twins.run_twin(layer, module, w, *theirs)
        leaves = [x for x in (*ours, *layer.parameters()) if x.requires_grad]
        references = [x for x in (*theirs, *w.values()) if x.requires_grad]
        rng = np.random.default_rng([case.seed, 1])
        compare_twice(kind.__name__, our_ys, their_ys, leaves, references, rng)


# ------------------------------------------------------------------------------------- ops without a layer

OPS = {
    "add": (lambda a, b: a + b, lambda a, b: a + b, [(3, 1), (4,)]),
    "subtract": (lambda a, b: a - b, lambda a, b: a - b, [(2, 3), (1, 3)]),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b, [(2, 3, 1), (3, 4)]),
    "divide": (lambda a, b: a / (b + 3), lambda a, b: a / (b + 3), [(2, 3), (3,)]),
    "negative": (lambda a: -a * a, lambda a: -a * a, [(2, 3)]),
    "power": (lambda a, b: (a + 3) ** b, lambda a, b: (a + 3) ** b, [(2, 3), (3,)]),
    "square": (lambda a: a**2, lambda a: a**2, [(2, 3)]),
    "exp": (mg.exp, torch.exp, [(2, 3)]),
    "log": (lambda a: mg.log(a + 3), lambda a: torch.log(a + 3), [(2, 3)]),
    "sqrt": (lambda a: mg.sqrt(a + 3), lambda a: torch.sqrt(a + 3), [(2, 3)]),
    "abs": (lambda a: mg.abs(a) * a, lambda a: a.abs() * a, [(2, 3)]),
    "clip": (lambda a: mg.clip(a, min=-1, max=1) ** 2, lambda a: a.clamp(-1, 1) ** 2, [(4, 5)]),
    "maximum": (lambda a, b: mg.maximum(a, b) ** 2, lambda a, b: torch.maximum(a, b) ** 2, [(4, 5), (5,)]),
    "minimum": (lambda a, b: mg.minimum(a, b) ** 2, lambda a, b: torch.minimum(a, b) ** 2, [(4, 5), (5,)]),
    "where": (
        lambda a, b: mg.where(a.data > 0, a * a, b * a),
        lambda a, b: torch.where(a > 0, a * a, b * a),
        [(4, 5), (4, 5)],
    ),
    "matmul": (lambda a, b: a @ b, lambda a, b: a @ b, [(2, 1, 3, 4), (5, 4, 2)]),
    "matmul, a vector": (lambda a, b: a @ b, lambda a, b: a @ b, [(2, 3, 4), (4,)]),
    "sum": (lambda a: a.sum(axis=(0, 2)) ** 2, lambda a: a.sum((0, 2)) ** 2, [(2, 3, 4)]),
    "mean": (lambda a: a.mean(axis=1) ** 2, lambda a: a.mean(1) ** 2, [(2, 3, 4)]),
    "var": (lambda a: a.var(axis=1), lambda a: a.var(1, unbiased=False), [(2, 4)]),
    "std": (lambda a: a.std(axis=1, ddof=1), lambda a: a.std(1), [(2, 4)]),
    "max": (lambda a: a.max(axis=1) ** 2, lambda a: a.amax(1) ** 2, [(2, 4)]),
    "min": (lambda a: a.min(axis=1) ** 2, lambda a: a.amin(1) ** 2, [(2, 4)]),
    "logsumexp": (lambda a: mg.logsumexp(a, axis=1), lambda a: torch.logsumexp(a, 1), [(2, 4)]),
    "norm": (lambda a: (a**2).sum(axis=1) ** 0.5, lambda a: a.norm(dim=1), [(2, 4)]),
    "reshape": (lambda a: a.reshape(4, -1) ** 2, lambda a: a.reshape(4, -1) ** 2, [(2, 6)]),
    "transpose": (lambda a: a.transpose(2, 0, 1) ** 2, lambda a: a.permute(2, 0, 1) ** 2, [(2, 3, 4)]),
    "getitem": (lambda a: a[[0, 0, 1]] ** 2, lambda a: a[[0, 0, 1]] ** 2, [(2, 3)]),
    "slices": (lambda a: a[:, 1::2] ** 2, lambda a: a[:, 1::2] ** 2, [(2, 5)]),
    "concatenate": (
        lambda a, b: mg.concatenate(a, b, axis=1) ** 2,
        lambda a, b: torch.cat([a, b], 1) ** 2,
        [(2, 3), (2, 1)],
    ),
    "stack": (
        lambda a, b: mg.stack(a, b, axis=1) ** 2,
        lambda a, b: torch.stack([a, b], 1) ** 2,
        [(2, 3), (2, 3)],
    ),
    "pad": (
        lambda a: mg.pad(a, width=((0, 1), (2, 0))) ** 2,
        lambda a: F.pad(a, (2, 0, 0, 1)) ** 2,
        [(2, 3)],
    ),
    "flip": (lambda a: mg.flip(a, axis=1) * a, lambda a: a.flip(1) * a, [(2, 3)]),
    "mse": (mg.mse, F.mse_loss, [(3, 4), (3, 4)]),
    "l1": (mg.l1, F.l1_loss, [(3, 4), (3, 4)]),
    "binary_cross_entropy": (
        lambda a: mg.binary_cross_entropy(mg.sigmoid(a), 0.3, reduction="sum"),
        lambda a: F.binary_cross_entropy(a.sigmoid(), torch.full_like(a, 0.3), reduction="sum"),
        [(3, 4)],
    ),
    "binary_cross_entropy_with_logits": (
        lambda a: mg.binary_cross_entropy_with_logits(a, 0.3, reduction="none"),
        lambda a: F.binary_cross_entropy_with_logits(a, torch.full_like(a, 0.3), reduction="none"),
        [(3, 4)],
    ),
    "cross_entropy": (
        lambda a: mg.cross_entropy(a, mg.tensor(np.array([0, 3, 1]))),
        lambda a: F.cross_entropy(a, torch.tensor([0, 3, 1])),
        [(3, 4)],
    ),
    "kl_normal": (
        lambda a, b: mg.kl_normal(a, b, reduction="sum"),
        lambda a, b: 0.5 * (a**2 + b.exp() - 1 - b).sum(),
        [(3, 4), (3, 4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_op_twice(name):
    ours, theirs, shapes = OPS[name]
    rng = np.random.default_rng(0)
    values = [rng.uniform(-2, 2, shape) for shape in shapes]
    leaves, references = [twins.mine(v, True) for v in values], [twins.theirs(v, True) for v in values]
    largest = compare_twice(name, [ours(*leaves)], [theirs(*references)], leaves, references, rng)
    assert largest > 0, f"{name}: all second gradients are 0, which tests nothing"


# -------------------------------------------------------------------------------------- gradient penalties

NORMS = {
    "no norm": (lambda C: [], lambda C: []),
    "layer norm": (lambda C: [nn.LayerNorm(C)], lambda C: [ChannelNorm(C)]),
    "group norm": (lambda C: [nn.GroupNorm(2, C)], lambda C: [tnn.GroupNorm(2, C)]),
    "instance norm": (lambda C: [nn.InstanceNorm(C)], lambda C: [tnn.InstanceNorm2d(C, affine=True)]),
    "batch norm": (lambda C: [nn.BatchNorm(C)], lambda C: [tnn.BatchNorm2d(C)]),
}


class ChannelNorm(tnn.LayerNorm):
    """minigen's layer norm of an image is over the channels of each pixel; PyTorch's wants them last."""

    def forward(self, x):
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def critics(norm):
    """A conv critic (N, 12, 12, 2) -> (N, 1, 1, 1) in both libraries, with the same weights, none 0 or 1."""
    mg.seed(5)
    ours, theirs = NORMS[norm]
    critic = nn.Sequential(
        nn.Conv2d(2, 6, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(6, 8, 3, stride=2, padding=1), *ours(8), nn.LeakyReLU(0.2),
        nn.Conv2d(8, 1, 3),
    ).astype("float64")  # fmt: skip
    twin = tnn.Sequential(
        tnn.Conv2d(2, 6, 4, stride=2, padding=1), tnn.LeakyReLU(0.2),
        tnn.Conv2d(6, 8, 3, stride=2, padding=1), *theirs(8), tnn.LeakyReLU(0.2),
        tnn.Conv2d(8, 1, 3),
    ).double()  # fmt: skip
    rng = np.random.default_rng(6)
    for parameter in critic.parameters():
        parameter.data = parameter.data + mg.asarray(rng.normal(0, 0.1, parameter.shape))
    twins.load(twin, critic)
    return critic, twin


def wgan_gp(critic, real, fake, mix, grad):
    """The critic's loss, and 10 times how far gradients are from length 1. Gulrajani et al. 2017, eq. 3."""
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_()
    (slope,) = grad(critic(between).sum(), [between])
    length = (slope.reshape(len(real), -1) ** 2).sum(1) ** 0.5
    return critic(fake).mean() - critic(real).mean() + 10 * ((length - 1) ** 2).mean()


def r1(critic, real, fake, mix, grad):
    """The critic's loss, and 5 times the squared gradients at real images. Mescheder et al. 2018, eq. 9."""
    (slope,) = grad(critic(real).sum(), [real])
    return critic(fake).mean() - critic(real).mean() + 5 * (slope**2).sum() / len(real)


def images(rng, requires_grad=False):
    """(real, fake, mix) for minigen, and the same for PyTorch."""
    arrays = [
        rng.standard_normal((5, 12, 12, 2)),
        rng.standard_normal((5, 12, 12, 2)),
        rng.uniform(size=(5, 1, 1, 1)),
    ]
    theirs = [np.ascontiguousarray(np.moveaxis(a, -1, 1)) for a in arrays]
    return [twins.mine(a, requires_grad) for a in arrays], [twins.theirs(a, requires_grad) for a in theirs]


@pytest.mark.parametrize("penalised", [wgan_gp, r1])
@pytest.mark.parametrize("norm", NORMS)
def test_penalty_through_a_conv_critic(penalised, norm):
    """The loss, and its gradients in the images and in all of the critic's weights."""
    critic, twin = critics(norm)
    ours, theirs = images(np.random.default_rng(7), requires_grad=True)
    loss, reference = penalised(critic, *ours, our_grad), penalised(twin, *theirs, their_grad)
    loss.backward()
    reference.backward()
    twins.agree("loss", loss, reference)
    for what, x, t in zip(("real", "fake"), ours, theirs, strict=False):
        twins.agree(f"gradient of {what}", x.grad, t.grad.movedim(1, -1))
    # Relative to the largest of all: a bias that a norm takes away again has rounding errors for a gradient.
    largest = max(float(p.grad.abs().max()) for p in twin.parameters())
    for layer, module in twins.pairs(twin, critic):
        grads = {name: twins.theirs(parameter.grad) for name, parameter in layer.named_parameters()}
        statistics = {name: twins.theirs(array) for name, array in layer.state_dict().items() if name not in grads}
        converted = twins.torch_weights(layer, grads | statistics)
        for name, parameter in module.named_parameters():
            what = f"{type(layer).__name__}: gradient of {name}"
            assert float((converted[name] - parameter.grad).abs().max()) <= 1e-10 * largest, what


@pytest.mark.parametrize("norm", ["no norm", "layer norm", "group norm"])
def test_ten_steps_of_wgan_gp(norm):
    critic, twin = critics(norm)
    ours, theirs = optim.Adam(critic.parameters(), lr=0.002), torch.optim.Adam(twin.parameters(), lr=0.002)
    rng, losses = np.random.default_rng(8), []
    for _ in range(10):
        our_images, their_images = images(rng)
        loss, reference = wgan_gp(critic, *our_images, our_grad), wgan_gp(twin, *their_images, their_grad)
        for optimiser, value in ((ours, loss), (theirs, reference)):
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        twins.agree("loss", loss, reference, 1e-6)
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_penalty_in_float32():
    """The same formula in float32 lies within 1e-5 of PyTorch's."""
    critic, twin = critics("group norm")
    critic.astype("float32")
    twin.float()
    ours, theirs = images(np.random.default_rng(9))
    ours, theirs = [x.astype("float32") for x in ours], [x.float() for x in theirs]
    loss, reference = wgan_gp(critic, *ours, our_grad), wgan_gp(twin, *theirs, their_grad)
    loss.backward()
    reference.backward()
    twins.agree("loss", loss, reference)
    first = critic[0].w.grad
    twins.agree("gradient of the first weights", first, twin[0].weight.grad.permute(2, 3, 1, 0))
