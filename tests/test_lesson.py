"""What every lesson shares (minigen.lesson), and the lessons themselves: each runs and keeps its promises."""

import json
import os
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigen as mg
from minigen import lesson
from minigen.cli import catalogue

ROOT = Path(__file__).parents[1]
HAND = ROOT / "lessons" / "1_foundations" / "04_backprop_by_hand.py"


@pytest.fixture
def words(monkeypatch):
    """Sets the words of the command line; the backend is put back afterwards."""
    before = mg.backend.current()
    yield lambda *given: monkeypatch.setattr(sys, "argv", ["01_lesson.py", *given])
    mg.use(before)


def test_arguments_have_defaults_and_start_the_random_numbers(words):
    words("--seed", "5", "--quick")
    args = lesson.arguments("A title\n\nGoal: x.\n", data=("digits", "mnist"), epochs=20, learning_rate=0.1)
    assert (args.quick, args.seed, args.data, args.json) == (True, 5, "digits", None)
    assert (args.epochs, args.learning_rate, args.lesson) == (20, 0.1, "A title")
    assert args.backend == mg.backend.current()
    first = mg.to_numpy(mg.random.normal((3,)))
    lesson.arguments("A title")
    assert np.array_equal(first, mg.to_numpy(mg.random.normal((3,))))


def test_options_of_the_lesson_have_the_type_of_their_default(words):
    words("--epochs", "3", "--learning-rate", "0.5", "--data", "mnist")
    args = lesson.arguments("", data=("digits", "mnist"), epochs=20, learning_rate=0.1)
    assert (args.epochs, args.learning_rate, args.data) == (3, 0.5, "mnist")


@pytest.mark.parametrize(
    "given",
    [
        ("--data", "cifar"),
        ("--seed", "x"),
        ("--backend", "jax"),
        ("--json", "no/such/folder/x.json"),
        ("--epochs", "3"),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(words, given, capsys):
    words(*given)
    with pytest.raises(SystemExit) as stop:
        lesson.arguments("", data=("digits",))
    assert stop.value.code == 2 and given[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("default", "given", "right"), [(20, "0", False), (20, "1", True), (0, "0", True), (0, "-1", False)]
)
def test_a_whole_number_of_a_lesson_is_at_least_1_or_0_if_that_is_its_default(words, default, given, right, capsys):
    words("--steps", given)
    if right:
        assert lesson.arguments("", steps=default).steps == int(given)
        return
    with pytest.raises(SystemExit):
        lesson.arguments("", steps=default)
    assert f"--steps: got {given}, wants at least {min(default, 1)}" in capsys.readouterr().err


def test_a_missing_gpu_is_a_sentence(words, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cupy", None)
    words("--backend", "cupy")
    with pytest.raises(SystemExit):
        lesson.arguments("")
    assert "CuPy" in capsys.readouterr().err


def test_a_notebook_takes_the_defaults(words, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    words("-f", "kernel.json")
    assert lesson.arguments("", data=("digits",)).data == "digits"


def shown(images, columns):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = figure.add_subplot()
    lesson.show(ax, images, "drawn", columns=columns)
    assert ax.get_title() == "drawn"
    return np.asarray(ax.images[0].get_array())


def test_images_are_shown_in_rows_with_paper_between_them():
    one, two, three = np.full((3, 2, 2, 1), 0.25) * np.array([1, 2, 8]).reshape(3, 1, 1, 1)
    assert_array_equal(
        shown(mg.tensor(np.stack([one, two, three])), columns=2),
        np.array([
            [0.25, 0.25, 0, 0.5, 0.5],
            [0.25, 0.25, 0, 0.5, 0.5],
            [0, 0, 0, 0, 0],
            [1, 1, 0, 0, 0],
            [1, 1, 0, 0, 0],
        ]),
    )  # fmt: skip
    assert shown(np.zeros((4, 3, 5)), columns=4).shape == (3, 23)
    coloured = shown(np.zeros((2, 3, 5, 3)), columns=1)
    assert coloured.shape == (7, 5, 3)
    assert (coloured[3] == 1).all()
    assert (coloured[[0, 4]] == 0).all()


def test_what_cannot_be_shown_is_said():
    with pytest.raises(ValueError, match=r"show: images are of shape \(2, 3, 3, 2\), want \(n, H, W\)"):
        lesson.show(None, np.zeros((2, 3, 3, 2)))


def test_promises_are_collected_and_reported(words, tmp_path, capsys):
    path = tmp_path / "found.json"
    words("--json", str(path), "--seed", "3")
    args = lesson.arguments("A title\n", data=("digits",))
    assert lesson.promise("loss", mg.tensor([0.25]), low=0.2, high=0.3) == 0.25
    assert lesson.promise("right", np.int64(4), low=4) == 4
    assert lesson.promise("all", np.bool_(True)) is True
    assert "loss: 0.25   (promised: at least 0.2 and at most 0.3)" in capsys.readouterr().out
    lesson.report(args)
    found = json.loads(path.read_text())
    assert found["lesson"] == "A title"
    assert found["measured"] == {"loss": 0.25, "right": 4, "all": True}
    assert found["options"]["seed"] == 3 and found["options"]["data"] == "digits"
    words("--json", "-")
    lesson.report(lesson.arguments(""))  # a new lesson starts with nothing measured
    assert json.loads(capsys.readouterr().out)["measured"] == {}


@pytest.mark.parametrize(
    ("value", "bounds", "said"),
    [
        (0.5, {"high": 0.4}, "x: promised at most 0.4, measured 0.5"),
        (0.5, {"low": 0.6}, "x: promised at least 0.6, measured 0.5"),
        (3, {"low": 1, "high": 2}, "x: promised at least 1 and at most 2, measured 3"),
        (float("nan"), {}, "x: promised a finite number, measured nan"),
        (float("nan"), {"high": 1}, "measured nan"),
        (float("inf"), {"low": 0}, "measured inf"),
    ],
)
def test_a_broken_promise_says_what_was_promised_and_measured(value, bounds, said):
    with pytest.raises(AssertionError) as broken:
        lesson.promise("x", value, **bounds)
    assert said in str(broken.value)


class Figure:
    def __init__(self, fails=False):
        self.fails = fails

    def savefig(self, path, format):
        Path(path).write_text(f"a {format}")
        if self.fails:
            raise OSError("the disk is full")


def test_a_figure_is_saved_whole_or_not_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINIGEN_OUTPUT", str(tmp_path / "new"))
    path = lesson.save(Figure(), "a.png")
    assert path == tmp_path / "new" / "a.png" and path.read_text() == "a png"
    assert str(path) in capsys.readouterr().out
    with pytest.raises(OSError, match="disk"):
        lesson.save(Figure(fails=True), "a.png")
    assert path.read_text() == "a png"
    assert os.listdir(path.parent) == ["a.png"]


@pytest.mark.parametrize("name", ["matplotlib", "tqdm"])
def test_what_is_missing_is_a_sentence(name, monkeypatch, capsys):
    for module in [m for m in sys.modules if m.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, name, None)  # importing it fails from here on
    if name == "matplotlib":
        with pytest.raises(SystemExit) as stop:
            lesson.pyplot()
        assert lesson.INSTALL in str(stop.value)
    else:
        assert list(lesson.progress(range(3), "counting")) == [0, 1, 2]
        assert lesson.INSTALL in capsys.readouterr().err


def loop(steps, stop_at=(), **options):
    """Go through lesson.progress, pressing Ctrl-C in the steps named: the steps begun."""
    begun = []
    for step in lesson.progress(range(steps), "counting", **options):
        begun.append(step)
        for _ in range(stop_at.count(step)):
            signal.raise_signal(signal.SIGINT)
        begun.append("finished")
    return begun


def test_ctrl_c_ends_a_loop_after_the_step_and_keeps_what_was_trained(words, tmp_path, capsys):
    path = tmp_path / "found.json"
    words("--json", str(path))
    args = lesson.arguments("")
    assert loop(5, [2]) == [0, "finished", 1, "finished", 2, "finished"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    out, err = capsys.readouterr()
    assert "Once more ends the lesson" in err and "counting: stopped early" in out
    lesson.promise("loss", 3.0, high=1)  # shown, not held
    assert "loss: 3   (promised after a whole run: at most 1)" in capsys.readouterr().out
    lesson.report(args)
    assert json.loads(path.read_text())["stopped"] == ["counting"]
    words()
    lesson.arguments("")  # a new lesson holds its promises
    with pytest.raises(AssertionError, match="promised at most 1"):
        lesson.promise("loss", 3.0, high=1)


def test_a_second_ctrl_c_ends_the_lesson():
    with pytest.raises(KeyboardInterrupt):
        loop(5, [2, 2])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_a_loop_that_has_to_be_whole_ends_the_lesson():
    with pytest.raises(KeyboardInterrupt):
        loop(5, [2], stoppable=False)


def test_a_loop_in_a_loop_leaves_ctrl_c_to_the_outer_one(words):
    words()
    lesson.arguments("")
    inner = [loop(3, [1]) for _ in lesson.progress(range(4), "outer")]
    assert inner == [[0, "finished", 1, "finished", 2, "finished"]]


def test_progress_is_silent_without_a_terminal(capsys):
    assert list(lesson.progress([1, 2], "counting")) == [1, 2]
    assert capsys.readouterr().err == ""


def test_without_a_display_figures_go_to_files():
    keep = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND")}
    code = "from minigen import lesson; plt = lesson.pyplot(); plt.figure(); print(plt.get_backend())"
    environment = {**keep, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    if sys.platform == "linux":
        assert done.stdout.strip().lower() == "agg"


# ------------------------------------------------------------------------------------------- backprop by hand


def test_backprop_by_hand_runs_and_measures(tmp_path, monkeypatch, words, capsys):
    monkeypatch.setenv("MINIGEN_OUTPUT", str(tmp_path))
    words("--quick", "--json", str(tmp_path / "found.json"))
    runpy.run_path(str(HAND), run_name="__main__")
    measured = json.loads((tmp_path / "found.json").read_text())["measured"]
    assert measured["right, of 4"] == 4 and measured["loss"] < 0.001
    assert (tmp_path / "04_backprop_by_hand.png").stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "step 4 of 4" in out
    assert [line.split()[-1] for line in out.splitlines() if "differs" in line] == [
        "WRONG",
        "WRONG",
        "ok",
        "ok",
    ]


# ------------------------------------------------------------------------------------------- every other lesson


@pytest.mark.parametrize("path", [pytest.param(one.path, id=one.stem) for one in catalogue.lessons()])
def test_every_lesson_keeps_its_promises(path, tmp_path):
    """On the backend in use: a lesson that only runs on NumPy shows on the strict one."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MINIGEN_OUTPUT": str(tmp_path), "MPLBACKEND": "Agg"}
    command = [sys.executable, str(path), "--quick", "--json", str(tmp_path / "found.json")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["measured"] and found["options"]["backend"] == os.environ.get("MINIGEN_BACKEND", "numpy")
    if "lesson.save(" in path.read_text(encoding="utf-8"):
        assert list(tmp_path.glob("*.png")), "it draws its figures"
