"""A team gives the gradients of the whole batch, and says what went wrong in any of its processes."""

import os
import signal
import sys
import time

import numpy as np
import pytest

import minigen as mg
from minigen import members, nn, optim, parallel

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


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("make", [optim.SGD, optim.RMSProp, optim.Adam, optim.AdamW])
def test_a_step_updates_as_one_process_would(processes, make):
    alone, shared = network(), network()
    for m in (alone, shared):
        m.layers.append(nn.Dense(3, 3, bias=False))  # float32: a second array in the optimiser
        m.layers[-1].w.data = mg.xp.eye(3, dtype="float32")
    unused = [mg.tensor([1.0, 2.0], requires_grad=True) for _ in range(2)]

    def loss_of(model, x, y):
        h = x
        for layer in model.layers[:-1]:
            h = layer(h)
        return mg.cross_entropy(h, y) + (model.layers[-1](mg.xp.ones((len(y), 3), dtype="float32")) ** 2).mean()

    optimisers = [make([*m.parameters(), u], lr=0.05) for m, u in zip((alone, shared), unused, strict=True)]
    images, labels = wide(x), wide(y)
    with parallel.Team(lambda x, y: loss_of(shared, x, y), optimisers[1], processes=processes) as team:
        for step, n in enumerate((13, 13, 7, 13)):
            optimisers[0].zero_grad()
            expected = loss_of(alone, images[:n], labels[:n])
            expected.backward()
            optimisers[0].step()
            assert team.step(images[:n], labels[:n]) == pytest.approx(expected.item(), rel=1e-6)
            for p, q in zip(alone.parameters(), shared.parameters(), strict=True):
                np.testing.assert_allclose(mg.to_numpy(q.data), mg.to_numpy(p.data), rtol=1e-5, atol=1e-6)
                assert q.grad is None
            for o in optimisers:
                o.lr = 0.05 / (step + 2)  # the members hear of it
    assert mg.to_numpy(unused[1].data).tolist() == [1.0, 2.0]
    mine, theirs = (o.state_dict() for o in optimisers)
    assert mine["steps"].tolist() == theirs["steps"].tolist() and 0 in mine["steps"].tolist()
    for name, array in mine.items():
        np.testing.assert_allclose(mg.to_numpy(theirs[name]), mg.to_numpy(array), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_step_of_two_losses_is_two_updates_and_the_second_sees_the_first(processes):
    def networks():
        mg.seed(1)
        return nn.Dense(2, 3), nn.Dense(3, 1)

    z, real = (mg.asarray(rng.random(shape, dtype="float32")) for shape in ((8, 2), (8, 3)))
    a, b = networks(), networks()
    of_a, of_b = ([optim.SGD(m.parameters(), lr=0.5) for m in pair] for pair in (a, b))

    def losses_of(real, z):
        fake = b[0](z)
        yield ((b[1](real) - 1) ** 2).mean() + (b[1](fake.detach()) ** 2).mean()
        yield ((b[1](fake) - 1) ** 2).mean()

    with parallel.Team(losses_of, of_b[1], of_b[0], processes=processes) as team:
        for _ in range(3):
            fake = a[0](z)
            first = ((a[1](real) - 1) ** 2).mean() + (a[1](fake.detach()) ** 2).mean()
            of_a[1].zero_grad()
            first.backward()
            of_a[1].step()
            second = ((a[1](fake) - 1) ** 2).mean()
            of_a[0].zero_grad()
            second.backward()
            of_a[0].step()
            assert team.step(real, z) == pytest.approx((first.item(), second.item()), rel=1e-5)
            for m, n in zip(a, b, strict=True):
                for p, q in zip(m.parameters(), n.parameters(), strict=True):
                    np.testing.assert_allclose(mg.to_numpy(q.data), mg.to_numpy(p.data), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("processes", [1, 2])
def test_as_many_losses_as_optimisers(processes):
    w, v = (mg.tensor([1.0], requires_grad=True) for _ in range(2))
    sgds = [optim.SGD([p], lr=1.0) for p in (w, v)]
    batch = mg.asarray([1.0, 2.0])

    def three(x):
        for _ in range(3):
            yield (w * v * x).mean()

    with parallel.Team(three, *sgds, processes=processes) as team:
        with pytest.raises(ValueError, match="are more than 2; wants 2, one for each optimiser"):
            team.step(batch)
        with pytest.raises(ValueError, match=r"Team\.backward: there are 2 optimisers; wants one, or use step"):
            team.backward(batch)
    team = parallel.Team(lambda x: (w * x).mean(), *sgds, processes=processes)
    with team, pytest.raises(ValueError, match="are 1; wants 2"):
        team.step(batch)
    with pytest.raises(TypeError, match="there is no optimiser"):
        parallel.Team(three)


def test_parameters_that_were_given_other_arrays_are_trained_where_they_are():
    w, _, team = linear()
    batch = mg.asarray([[1.0, 0.0], [0.0, 1.0]])
    with team:
        team.step(batch)
        w.data = mg.asarray([[5.0], [7.0]])
        assert team.step(batch) == pytest.approx(6.0)
        assert team.step(batch) == pytest.approx(5.95)


def test_an_error_in_a_step_leaves_parameters_and_steps_as_they_were():
    needs_processes()
    w = mg.tensor([1.0], requires_grad=True)
    adam = optim.Adam([w], lr=1.0)

    def loss_of(x):
        if float(x.max()) > 5:
            raise ValueError("too large for me")
        return (w * x).mean()

    with parallel.Team(loss_of, adam, processes=2) as team:
        with pytest.raises(RuntimeError, match=r"one of the other processes(.|\n)*too large for me"):
            team.step(mg.asarray([1.0, 9.0]))
        assert w.data.tolist() == [1.0] and adam.state_dict()["steps"].tolist() == [0]
        with pytest.raises(ValueError, match="too large for me"):
            team.step(mg.asarray([9.0, 1.0]))
        assert w.data.tolist() == [1.0]
        team.step(mg.asarray([1.0, 2.0]))
        assert w.data.tolist() == pytest.approx([0.0])


@pytest.mark.parametrize("order", ["ab", "aab", "aba", "aa"])
def test_nobody_goes_on_before_all_have_updated(monkeypatch, order):
    """An optimiser may come twice; here this process is slow to update, and does more after the last loss."""
    update = members.Worker.update

    def slow(self, *arguments):
        if self.number == 0:
            time.sleep(0.02)
        update(self, *arguments)

    monkeypatch.setattr(members.Worker, "update", slow)
    batch = mg.asarray(rng.random((6, 2), dtype="float32"))

    def run(processes):
        w, v = (mg.tensor([[1.0], [2.0]], requires_grad=True) for _ in range(2))
        norm = nn.BatchNorm(1)
        sgds = {"a": optim.SGD([w], lr=0.1), "b": optim.SGD([v], lr=0.1)}

        def losses_of(x):
            for name in order:
                yield ((x @ w) * (x @ v) * (1 + (name == "a"))).mean()
            norm(x @ w)  # its running mean is of the updated w

        with parallel.Team(losses_of, *[sgds[name] for name in order], processes=processes) as team:
            losses = [team.step(batch) for _ in range(2)]
        found = (mg.to_numpy(a).ravel() for a in (w.data, v.data, norm.running_mean))
        return np.concatenate([np.ravel(losses), *found])

    np.testing.assert_allclose(run(2), run(1), rtol=1e-5)


def test_what_a_loss_may_not_do_is_refused():
    w = mg.tensor([1.0], requires_grad=True, name="w")
    sgd, batch = optim.SGD([w], lr=1.0), mg.asarray([1.0, 2.0])

    def replaces(x):
        yield (w * x).mean()
        w.data = mg.asarray([7.0])

    for loss_of, error, sentence in (
        (replaces, RuntimeError, r"loss_of set the \.data of parameter 0 \(w\)"),
        (lambda x: None, TypeError, "loss_of gave a NoneType, wants the loss"),
        (lambda x: w * x, TypeError, r"loss_of gave a Tensor of shape \(1,\)|of shape \(2,\)"),
        (lambda x: parallel.Team(lambda x: (w * x).mean(), sgd).step(x), RuntimeError, "cannot use another Team"),
    ):
        with parallel.Team(loss_of, sgd, processes=2) as team, pytest.raises(error, match=sentence):
            team.step(mg.asarray([1.0, 2.0, 3.0, 4.0]))
        if mg.backend.current() != "numpy":
            break  # there is one process, and a Team in a Team is no harm
    w.data = mg.asarray([1.0])
    with pytest.raises(ValueError, match="two of the optimisers have a parameter in common"):
        parallel.Team(replaces, sgd, optim.SGD([w], lr=1.0))

    class Clipped(optim.SGD):
        def step(self):
            self.params[0].grad.clip(-1, 1)
            super().step()

    with pytest.raises(TypeError, match=r"Clipped has a step\(\) of its own; use backward\(\)"):
        parallel.Team(lambda x: (w * x).mean(), Clipped([w], lr=1.0)).step(batch)


def test_an_error_after_the_last_loss_is_told_in_its_own_step():
    needs_processes()
    w = mg.tensor([1.0], requires_grad=True)

    def losses_of(x):
        yield (w * x).mean()
        if float(x.max()) > 5:
            raise ValueError("too large for me")

    with parallel.Team(losses_of, optim.SGD([w], lr=1.0), processes=2) as team:
        for work in (team.step, team.backward):
            with pytest.raises(RuntimeError, match="too large for me"):
                work(mg.asarray([1.0, 9.0]))
            assert w.grad is None
            work(mg.asarray([1.0, 2.0]))


def test_members_that_could_not_all_be_made_are_made_anew(monkeypatch):
    needs_processes()
    start, made = members.Member.start, []

    def interrupted(self, *arguments):
        made.append(self)
        if len(made) == 2:
            raise KeyboardInterrupt
        start(self, *arguments)

    monkeypatch.setattr(members.Member, "start", interrupted)
    w = mg.tensor([[1.0], [2.0]], requires_grad=True)
    with parallel.Team(lambda x: (x @ w).mean(), optim.SGD([w], lr=1.0), processes=3) as team:
        with pytest.raises(KeyboardInterrupt):
            team.step(mg.xp.ones((6, 2), dtype="float32"))
        assert not team.members and not made[0].process.is_alive()
        team.step(mg.xp.ones((2, 2), dtype="float32"))
        assert mg.to_numpy(w.data).ravel().tolist() == [0.0, 1.0]


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
