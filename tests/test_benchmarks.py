"""The benchmarks run and say what they measured. Nothing is timed here."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import backend, optim
from minigen.graph.tape import mode

pytestmark = pytest.mark.skipif(backend.current() != "numpy", reason="the workloads' data are NumPy's arrays")
FOLDER = Path(__file__).parent.parent / "benchmarks"
OURS = ["choices", "floors", "report", "speed", "workloads_minigen"]


@pytest.fixture
def benchmarks(monkeypatch):
    """A function that imports a file of benchmarks/ by its name; forgotten afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in OURS:
        sys.modules.pop(name, None)


@pytest.fixture
def optimisers(monkeypatch):
    """The optimisers that were made in this test, in order."""
    made = []
    start = optim.Optimiser.__init__

    def noted(self, *args, **settings):
        made.append(self)
        start(self, *args, **settings)

    monkeypatch.setattr(optim.Optimiser, "__init__", noted)
    return made


@pytest.mark.parametrize("name", ["W1", "W2", "W3a", "W3b", "W4", "W5", "W6", "W7"])
def test_two_steps_of_a_workload_change_every_weight_and_stay_finite(benchmarks, optimisers, name):
    step = benchmarks("workloads_minigen").WORKLOADS[name]()
    params = [p for optimiser in optimisers for p in optimiser.params]
    for optimiser in optimisers:  # SGD's small steps are lost on large weights
        optimiser.lr = max(optimiser.lr, 1e-3)
    before = [mg.to_numpy(p).copy() for p in params]
    step()
    step()
    assert len(params) >= 4
    for p, was in zip(params, before, strict=True):
        assert np.isfinite(mg.to_numpy(p)).all()
        assert not np.array_equal(mg.to_numpy(p), was), f"{name}: a parameter of shape {p.shape} was not trained"


@pytest.mark.parametrize("name", ["band", "small", "pieces", "sharing"])
def test_a_step_without_a_choice_of_kernels_gives_the_same_gradients(benchmarks, optimisers, name):
    choices = benchmarks("choices")
    modules = {m: dict(vars(sys.modules[m])) for m in list(sys.modules) if m.split(".")[0] == "minigen"}
    workload = choices.CHOICES[name][2][0]

    def trained():
        mg.seed(0)
        sys.modules.pop("workloads_minigen", None)  # its data are drawn anew, from the same seed
        optimisers.clear()
        benchmarks("workloads_minigen").WORKLOADS[workload]()()
        states = [optimiser.state_dict() for optimiser in optimisers]  # after one step, Adam's mean is the gradient
        return [mg.to_numpy(array) for state in states for key, array in state.items() if key.startswith("mean.")]

    expected = trained()
    try:
        choices.CHOICES[name][0]()
        changed = [key for m, was in modules.items() for key in was if vars(sys.modules[m]).get(key) is not was[key]]
        assert changed, f"the choice {name} switches nothing off"
        got = trained()
    finally:
        for m, was in modules.items():
            vars(sys.modules[m]).update(was)
    assert expected
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=2e-3, atol=2e-4 * max(np.abs(e).max(), 1e-6))


def test_the_products_of_a_network_are_counted(benchmarks):
    floors = benchmarks("floors")
    seen = []

    def observe(op, node, inputs, settings, result):
        seen.append(floors.flops(op, node, inputs, result))

    mode.observers = (observe,)
    w = mg.tensor(np.ones((3, 5), np.float32), requires_grad=True)
    x = np.ones((2, 3), np.float32)
    mg.dense(mg.dense(x, w), mg.tensor(np.ones((5, 7), np.float32), requires_grad=True))
    once = 2 * 2 * 3 * 5
    again = 2 * 2 * 5 * 7
    assert seen == [2 * once, 3 * again]  # the first product's x wants no gradient


def found(wall, cpu, peak, contended=False):
    clean = 2 if contended else 9
    return {"wall": wall, "cpu": cpu, "peak": peak, "clean": clean, "samples": 9, "contended": contended}


def made_up():
    def row(workload, threads, **contestants):
        contestants = {name.replace("_", "-"): value for name, value in contestants.items()}
        common = {"kind": "peers", "coretype": "", "date": "2026-01-02 03:04"}
        return {**common, "workload": workload, "threads": threads, "found": contestants}

    shares = [["conv2d", "forward", 0.9], ["between", "", 0.1]]
    choice = row("W5", 2, minigen=found(10.0, 20.0, 5.0), minigen_band=found(8.0, 16.0, 5.0))
    return {
        "about": {"machine": "a slide rule"},
        "commands": ["python benchmarks/speed.py --write"],
        "missing": {"tinygrad": "it is not installed"},
        "rows": [
            row("W2", 2, minigen=found(1.0, 2.0, 3.0), torch=found(2.0, 4.0, 6.0), dezero=found(4.0, 4.0, 4.0)),
            row("W1", 2, minigen=found(1.0, 2.0, 3.0), torch=found(1.0, 2.0, 2.0)),
            row("W7", 2, minigen=found(1.0, 2.0, 3.0, contended=True), torch=found(9.0, 9.0, 6.0)),
            row("W1", 1, minigen=found(1.0, 3.0, 3.0), torch=found(1.0, 2.0, 2.0)),
            {**choice, "kind": "choices"},
        ],
        "floors": {
            "rates": {"gemm": {"1": 100.0, "2": 200.0}, "copy": {"cache": 50.0, "memory": 20.0}},
            "workloads": {
                "W2": {"ms": 4.0, "gflop": 0.1, "mb": 50.0, "shares": shares},
            },
        },
    }


def line(text, start):
    return next(line for line in text.splitlines() if line.startswith(start))


def test_the_page_holds_ratios_targets_and_verdicts(benchmarks):
    text = benchmarks("report").page(made_up(), described={"band": "a band"})
    assert "| 0.50 | <= 0.90 | yes |" in line(text, "| W2 | LeNet-5")
    assert "4.00: 4x" in line(text, "| W2 | LeNet-5")
    assert "| 1.00 | <= 0.90 | **no** |" in line(text, "| W1 | MLP")
    assert "takes 4.0 times minigen's time (target: at least 5): **not met**" in text
    assert "- tinygrad did not run: it is not installed" in text
    assert "| 1.50 |" in text.split("## One thread")[1]
    memory = text.split("## Peak memory")[1]
    assert "| 3.0 | 6.0 | 0.50 | <= 1.00 | yes |" in line(memory, "| W2")
    assert "| 3.0 | 2.0 | 1.50 | <= 1.00 | **no** |" in line(memory, "| W1")
    assert "| 0.80 | **no** |" in line(text, "| band: a band")
    assert "| 50% |" in line(text.split("## Floors")[1], "| W2")  # (1 ms of products + 1 ms of bytes) of 4 ms
    assert "conv2d forward 90%, between 10%" in text


def test_no_ratio_is_quoted_from_a_contended_row(benchmarks):
    row = line(benchmarks("report").page(made_up()), "| W7 |")
    assert "contended" in row and "(1.00)" in row and "0.11" not in row
    assert "yes" not in row and "no" not in row


def test_notes_written_by_hand_are_kept(benchmarks):
    report = benchmarks("report")
    first = report.page(made_up())
    by_hand = first.replace("None yet.", "The pool brought a third.\n\n- And this.")
    again = report.page({**made_up(), "rows": []}, by_hand)
    assert "The pool brought a third.\n\n- And this." in again
    assert again.count(report.BEGIN) == again.count(report.END) == 1
    assert report.notes_of(report.page(made_up(), again)) == report.notes_of(again)


def test_a_row_measured_again_takes_the_place_of_the_old_one(benchmarks, tmp_path):
    speed = benchmarks("speed")
    page = speed.Page(tmp_path)
    for row in made_up()["rows"]:
        page.put(row)
    page.write({})
    page = speed.Page(tmp_path)
    assert len(page.store["rows"]) == 5
    page.put({**made_up()["rows"][0], "found": {"minigen": found(7.0, 7.0, 7.0)}})
    page.write({"torch": "gone"})
    text = (tmp_path / "RESULTS.md").read_text()
    assert len(speed.Page(tmp_path).store["rows"]) == 5 and "7.00" in line(text, "| W2 |")
    assert "- torch did not run: gone" in text


def test_a_disturbed_sample_is_set_aside_and_too_few_are_called_contended(benchmarks):
    speed = benchmarks("speed")
    quiet, busy = [1.0, 1.0, 0.05, 8.0], [5.0, 5.0, 1.1, 9.0]
    good = speed.summary([quiet] * 5 + [busy] * 6, threads=2, need=5)
    assert good["wall"] == 1.0 and good["clean"] == 5 and not good["contended"] and good["peak"] == 9.0
    bad = speed.summary([quiet] * 4 + [busy] * 7, threads=2, need=5)
    assert bad["contended"] and bad["wall"] == 5.0
