"""Optimisers and clipping against PyTorch's: the same numbers, gradients that are missing included."""

import numpy as np
import pytest

import minigen as mg
from minigen import optim

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

CASES = [
    (optim.SGD, torch.optim.SGD, {"lr": 0.05}),
    (optim.SGD, torch.optim.SGD, {"lr": 0.05, "weight_decay": 0.1}),
    (optim.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.1}),
    (optim.SGD, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (optim.RMSProp, torch.optim.RMSprop, {}),
    (optim.RMSProp, torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-4, "momentum": 0.8, "weight_decay": 0.1}),
    (optim.Adam, torch.optim.Adam, {}),
    (optim.Adam, torch.optim.Adam, {"lr": 0.02, "betas": (0.5, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
    (optim.AdamW, torch.optim.AdamW, {}),
    (optim.AdamW, torch.optim.AdamW, {"lr": 0.02, "betas": (0.5, 0.99), "eps": 1e-4, "weight_decay": 0.1}),
]
SHAPES = [(4, 3), (3,), (), (100, 90)]


def both(draw):
    """The same parameters here and in PyTorch."""
    arrays = [draw.standard_normal(shape) for shape in SHAPES]
    ours = [mg.tensor(a, requires_grad=True, dtype="float64") for a in arrays]
    return ours, [torch.tensor(a, requires_grad=True) for a in arrays]


def give_gradients(ours, theirs, draw, missing=0.2):
    for p, q in zip(ours, theirs, strict=True):
        g = draw.standard_normal(tuple(p.shape))
        p.grad, q.grad = (None, None) if draw.random() < missing else (mg.asarray(np.asarray(g)), torch.tensor(g))


@pytest.mark.parametrize("ours, theirs, options", CASES, ids=[f"{a.__name__}-{'-'.join(o)}" for a, _, o in CASES])
def test_twenty_steps_are_pytorchs(ours, theirs, options):
    draw = np.random.default_rng(0)
    params, torch_params = both(draw)
    optimiser, torch_optimiser = ours(params, **options), theirs(torch_params, **options)
    for step in range(20):
        give_gradients(params, torch_params, draw)
        if step == 10:
            optimiser.lr = torch_optimiser.param_groups[0]["lr"] = 0.003
        optimiser.step()
        torch_optimiser.step()
    for p, q in zip(params, torch_params, strict=True):
        np.testing.assert_allclose(mg.to_numpy(p), q.detach().numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("max_norm", [0.5, 200.0])
def test_clipping_is_pytorchs(max_norm):
    draw = np.random.default_rng(1)
    params, torch_params = both(draw)
    give_gradients(params, torch_params, draw, missing=0)
    params[1].grad = torch_params[1].grad = None
    norm = optim.clip_grad_norm(params, max_norm)
    torch_norm = torch.nn.utils.clip_grad_norm_(torch_params, max_norm)
    assert norm == pytest.approx(torch_norm.item(), rel=1e-12)
    same_gradients(params, torch_params)
    optim.clip_grad_value(params, 0.3)
    torch.nn.utils.clip_grad_value_(torch_params, 0.3)
    same_gradients(params, torch_params)


def same_gradients(params, torch_params):
    for p, q in zip(params, torch_params, strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            np.testing.assert_allclose(mg.to_numpy(p.grad), q.grad.numpy(), rtol=1e-10, atol=1e-12)


def test_schedules_are_pytorchs():
    for make, torch_make in [
        (
            lambda o: optim.StepLR(o, every=3, factor=0.3),
            lambda o: torch.optim.lr_scheduler.StepLR(o, 3, 0.3),
        ),
        (
            lambda o: optim.CosineLR(o, steps=10, final=0.1),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 10, 0.1),
        ),
    ]:
        params, torch_params = both(np.random.default_rng(2))
        optimiser, torch_optimiser = optim.SGD(params, lr=0.8), torch.optim.SGD(torch_params, lr=0.8)
        schedule, torch_schedule = make(optimiser), torch_make(torch_optimiser)
        for _ in range(10):
            assert optimiser.lr == pytest.approx(torch_optimiser.param_groups[0]["lr"], abs=1e-12)
            optimiser.step()
            torch_optimiser.step()
            schedule.step()
            torch_schedule.step()
