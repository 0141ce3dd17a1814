"""A team gives the gradients of the whole batch, and says what went wrong in any of its processes."""

import os
import signal
import sys

import numpy as np
import pytest

import minigen as mg
from minigen import nn, optim, parallel

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
rng = np.random.default_rng(0)
x, y = rng.random((13, 6, 6, 2), dtype="float32"), rng.integers(0, 3, 13)


def network():
    mg.seed(0)
    layers = nn.Conv2d(2, 4, 3), nn.BatchNorm(4), nn.ReLU(), nn.Flatten(), nn.Dense(64, 3)
    return nn.Sequential(*layers).astype("float64")


def wide(a):
    return mg.asarray(a, "float64") if a.dtype.kind == "f" else mg.asarray(a)


@pytest.mark.parametrize("processes", [1, 2, 3, 20])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_and_batch_statistics_are_those_of_the_whole_batch(processes, reduction):
    alone, shared = network(), network()
    for_alone, for_shared = (optim.SGD(m.parameters(), lr=0.1, momentum=0.9) for m in (alone, shared))
    images, labels = wide(x), wide(y)

    def loss_of(x, y):
        return mg.cross_entropy(shared(x), y, reduction=reduction)

    with parallel.Team(loss_of, for_shared, processes=processes) as team:
        team.reduction = reduction
        for n in (13, 13, 7):  # the last batch is a smaller one
            for_alone.zero_grad()
            expected = mg.cross_entropy(alone(images[:n]), labels[:n], reduction=reduction)
            expected.backward()
            for_shared.zero_grad()
            loss = team.backward(images[:n], labels[:n])
            assert loss == pytest.approx(expected.item(), rel=1e-10)
            for p, q in zip(alone.parameters(), shared.parameters(), strict=True):
                np.testing.assert_allclose(mg.to_numpy(q.grad), mg.to_numpy(p.grad), rtol=1e-8, atol=1e-10)
            for_alone.step()
            for_shared.step()  # the members see it: the next losses agree
        for name in ("running_mean", "running_var"):
            a, b = (mg.to_numpy(getattr(m[1], name)) for m in (alone, shared))
            np.testing.assert_allclose(b, a, rtol=1e-5)


def linear(processes=2, **settings):
    w = mg.tensor([[1.0], [2.0]], requires_grad=True, name="w")
    other = mg.tensor([3.0], requires_grad=True, name="other")
    sgd = optim.SGD([w, other], lr=0.1)
    return w, other, parallel.Team(lambda x, power=1: ((x @ w) ** power).mean(), sgd, processes=processes, **settings)


def test_gradients_are_added_to_what_is_there_and_what_takes_no_part_has_none():
    w, other, team = linear()
    batch = mg.asarray([[1.0, 2.0], [3.0, 5.0], [5.0, 2.0]])
    with team:
        team.backward(batch)
        team.backward(batch)
    np.testing.assert_allclose(mg.to_numpy(w.grad), [[6.0], [6.0]], rtol=1e-6)
    assert other.grad is None


def test_numbers_go_to_every_member_as_they_are():
    w, _, team = linear()
    with team:
        assert team.backward(mg.asarray([[1.0, 0.0], [0.0, 1.0]]), 2) == pytest.approx(2.5)
        assert team.backward(mg.asarray([[1.0, 0.0], [0.0, 1.0]]), 3) == pytest.approx(4.5)


def test_a_frozen_network_of_another_optimiser_gets_no_gradient():
    generator, critic = nn.Dense(2, 2), nn.Dense(2, 1)
    for_generator, _ = (optim.SGD(m.parameters(), lr=0.1) for m in (generator, critic))
    with parallel.Team(lambda z: critic(generator(z)).mean(), for_generator, processes=2) as team:
        team.backward(mg.random.normal((4, 2)))
    assert all(p.grad is None for p in critic.parameters())
    assert all(p.grad is not None for p in generator.parameters())


def test_random_numbers_differ_from_part_to_part_and_repeat_with_the_seed():
    def run():
        mg.seed(3)
        w = mg.tensor([1.0], requires_grad=True)
        team = parallel.Team(lambda x: (w * mg.random.normal(x.shape)).sum(), optim.SGD([w], lr=1.0), processes=2)
        with team:
            team.reduction = "sum"
            return [team.backward(mg.xp.zeros(2, dtype="float32")) for _ in range(3)]

    first = run()
    assert first == run() and len(set(first)) == 3


def needs_processes():
    if mg.backend.current() != "numpy":
        pytest.skip("on this backend all work is done in one process")


def test_an_error_in_another_process_is_told_here_and_gradients_stay_as_they_were():
    needs_processes()
    w = mg.tensor([1.0], requires_grad=True)
    w.grad = mg.asarray([7.0])

    def loss_of(x):
        if float(x.max()) > 5:
            raise ValueError("too large for me")
        return (w * x).mean()

    with parallel.Team(loss_of, optim.SGD([w], lr=1.0), processes=2) as team:
        with pytest.raises(RuntimeError, match=r"one of the other processes(.|\n)*too large for me"):
            team.backward(mg.asarray([1.0, 9.0]))
        assert float(w.grad[0]) == 7.0
        assert team.backward(mg.asarray([1.0, 2.0])) == pytest.approx(1.5)  # it goes on with new members
        os.kill(team.members[0].process.pid, signal.SIGKILL)
        team.members[0].process.join()
        with pytest.raises(RuntimeError, match=r"one of the other processes has ended \(exit code -9\)"):
            team.backward(mg.asarray([1.0, 2.0]))


def test_parts_that_take_different_ways_are_noticed():
    needs_processes()
    norm = nn.BatchNorm(1)

    def loss_of(x):
        return norm(x).sum() if float(x.max()) > 5 else x.sum() * norm.gamma.sum()

    team = parallel.Team(loss_of, optim.SGD(norm.parameters(), lr=1.0), processes=2)
    with team, pytest.raises(RuntimeError, match="took another way"):
        team.backward(mg.asarray([[9.0], [8.0], [1.0], [2.0]]))


def test_wrong_arguments_are_sentences():
    w = mg.tensor([1.0], requires_grad=True)
    sgd = optim.SGD([w], lr=1.0)
    with pytest.raises(TypeError, match="loss_of is a int, wants a function"):
        parallel.Team(3, sgd)
    with pytest.raises(TypeError, match=r"optimiser is a list, wants one of minigen\.optim"):
        parallel.Team(lambda x: x, [w])
    with pytest.raises(ValueError, match="processes is 0, wants a whole number"):
        parallel.Team(lambda x: x, sgd, processes=0)
    with pytest.raises(ValueError, match="reduction is 'none'"):
        parallel.Team(lambda x: x, sgd, reduction="none")
    team = parallel.Team(lambda x, y: (w * x).mean(), sgd, processes=2)
    with pytest.raises(ValueError, match=r"arrays of one length.*got 2, 3"):
        team.backward(mg.asarray([1.0, 2.0]), mg.asarray([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="got no array"):
        team.backward(1.0)


def test_anomalies_are_looked_for_in_all_of_the_batch():
    w, _, team = linear()
    with team, mg.detect_anomaly(), pytest.raises(FloatingPointError):
        team.backward(mg.asarray([[1.0, 1.0], [float("nan"), 1.0]]))
