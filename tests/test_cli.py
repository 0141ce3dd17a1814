"""The command line, and what every lesson shares (minigen.lesson)."""

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
from minigen import lesson, threads
from minigen.cli import catalogue, doctor, main, notebook
from minigen.data.fetch import Source

ROOT = Path(__file__).parents[1]
HAND = ROOT / "lessons" / "1_foundations" / "04_backprop_by_hand.py"

SCRIPT = '''"""{title}

Goal: learn about {title},
    in two lines.
Needs: nothing.
Time: about 5 s (--quick: 2 s).
You should see: a number.
"""

# %% [markdown]
# A *paragraph*,
#
# | a | table |

# %% First
import sys
x = 1  # (1,)

# %%
print("ran", sys.argv[1:])
{last}
'''


def write_lesson(folder, name, last="", title="Nothing"):
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPT.format(title=title, last=last), encoding="utf-8")
    return path


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    folder = tmp_path / "lessons"
    for name in (
        "1_foundations/02_perceptron",
        "4_generative/02_vae",
        "4_generative/03_conv_vae_and_latents",
    ):
        write_lesson(folder, name)
    write_lesson(folder, "4_generative/05_gan_2d", title="Two networks")
    write_lesson(folder, "4_generative/06_gan_losses", last="raise SystemExit(3)")
    write_lesson(folder, "4_generative/_helper")  # not numbered: no lesson
    write_lesson(folder, "output/01_not_a_lesson")
    monkeypatch.setattr(catalogue, "folder", lambda: folder)
    return folder


# ------------------------------------------------------------------------------------------- which lesson


@pytest.mark.parametrize(
    ("query", "stem"),
    [
        ("vae", "02_vae"),  # the whole name, although conv_vae has it inside
        ("02_vae", "02_vae"),
        ("4.2", "02_vae"),
        ("4/02", "02_vae"),
        ("04/2", "02_vae"),
        ("4_generative/02_vae", "02_vae"),
        ("4/vae", "02_vae"),
        ("generative/vae", "02_vae"),
        ("lessons/4_generative/02_vae.py", "02_vae"),
        ("lessons\\4_generative\\02_vae.py", "02_vae"),
        ("VAE", "02_vae"),
        ("conv-vae", "03_conv_vae_and_latents"),
        ("conv", "03_conv_vae_and_latents"),
        ("gan_l", "06_gan_losses"),
        ("03", "03_conv_vae_and_latents"),
        ("1/02", "02_perceptron"),
    ],
)
def test_a_lesson_is_found_by_any_of_its_names(lessons, query, stem):
    assert catalogue.find(query).stem == stem


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("gan", ["may be", "gan_2d (4.5)", "gan_losses (4.6)"]),
        ("02", ["may be", "perceptron (1.2)", "vae (4.2)"]),
        ("perceptorn", ["there is no lesson 'perceptorn'", "nearest", "perceptron (1.2)"]),
        ("latents", ["no lesson", "conv_vae_and_latents (4.3)"]),
        ("4.9", ["no lesson '4.9'"]),
        ("4", ["is a module", "vae (4.2)"]),
        ("zzzz", ["no lesson", "minigen lessons"]),
        ("", ["no lesson"]),
    ],
)
def test_a_wrong_or_ambiguous_name_is_a_sentence(lessons, query, words, capsys):
    assert main(["run", query]) == 2
    out, err = capsys.readouterr()
    assert not out and err.startswith("minigen: ") and "Traceback" not in err
    for word in words:
        assert word in err


def test_without_a_checkout_a_sentence_says_where_lessons_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(mg, "__file__", str(tmp_path / "site-packages" / "minigen" / "__init__.py"))
    assert main(["lessons"]) == 2
    assert "checkout" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- minigen lessons


def test_lessons_lists_what_is_there_from_the_headers(lessons, capsys):
    assert main(["lessons"]) == 0
    out = capsys.readouterr().out
    assert out.index("1 foundations") < out.index("4 generative")
    assert out.index("4.2") < out.index("4.3") < out.index("4.5")
    assert "Two networks. Learn about Two networks, in two lines." in out  # the goal went on in the next line
    assert "about 5 s (--quick: 2 s)" in out
    assert "ran" not in out.split()  # nothing was run
    assert "helper" not in out and "not_a_lesson" not in out


def test_the_list_keeps_to_the_width(lessons):
    write_lesson(lessons, "5_scale/01_gpu", title="word " * 60)
    page = catalogue.page(catalogue.lessons(), width=60)
    wrapped = [line for line in page.splitlines() if line.startswith(" " * 7)]
    assert len(wrapped) > 8 and max(map(len, wrapped)) <= 60


def test_a_lesson_that_does_not_parse_is_listed_all_the_same(lessons, capsys):
    (lessons / "4_generative" / "09_broken.py").write_text("def (:\n")
    (lessons / "4_generative" / "10_bare.py").write_text("x = 1\n")
    assert main(["lessons"]) == 0
    out = capsys.readouterr().out
    assert "4.9" in out and "cannot be read" in out and "4.10" in out


def test_every_lesson_of_the_repository_has_a_whole_header():
    found = catalogue.lessons()
    assert found
    for one in found:
        assert one.title and not one.title.startswith("("), one.path
        for field in catalogue.FIELDS:
            assert one.header[field], f"{one.path}: the header has no {field}"


# ------------------------------------------------------------------------------------------- minigen run


def test_run_passes_options_and_the_exit_code_on(lessons, capsys):
    before = list(sys.argv), list(sys.path)
    assert main(["run", "vae", "--quick", "--json", "-", "-h"]) == 0
    assert "ran ['--quick', '--json', '-', '-h']" in capsys.readouterr().out
    assert main(["run", "gan_losses"]) == 3
    assert (sys.argv, sys.path) == before


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit('a sentence')", 1, "a sentence\n"),
        ("raise KeyError('x')", 1, "KeyError: 'x'"),
        ("raise LookupError('mine')", 1, "LookupError: mine"),
    ],
)
def test_how_a_lesson_ends_is_how_run_ends(lessons, last, code, said, capsys):
    path = write_lesson(lessons, "4_generative/02_vae", last=last)
    assert main(["run", "vae"]) == code
    err = capsys.readouterr().err
    assert said in err
    if "Error" in said:  # the traceback begins in the lesson, not in our machinery
        assert err.splitlines()[1].strip().startswith(f'File "{path}"') and "runpy" not in err


def test_run_is_what_python_would_do(lessons, capsys):
    (lessons / "4_generative" / "neighbour.py").write_text("word = 'next door'\n")
    write_lesson(lessons, "4_generative/02_vae", last="import neighbour; print(neighbour.word, __name__, __file__)")
    assert main(["run", "vae"]) == 0
    out = capsys.readouterr().out
    assert "next door __main__ " in out and out.rstrip().endswith("02_vae.py")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C another way")
def test_ctrl_c_ends_a_run_with_130_and_no_traceback(tmp_path):
    folder = tmp_path / "lessons"
    write_lesson(folder, "1_foundations/01_slow", last="import time; print('ready', flush=True); time.sleep(60)")
    code = (
        "import sys; from pathlib import Path; from minigen.cli import catalogue, main; "
        f"catalogue.folder = lambda: Path({str(folder)!r}); sys.exit(main(['run', 'slow']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-u", "-c", code], env=environment, stdout=-1, stderr=-1, text=True)
    try:
        assert process.stdout and any("ready" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err and "KeyboardInterrupt" not in err and "Stopped" in err


# ------------------------------------------------------------------------------------------- minigen notebook


def test_notebook_holds_the_cells_of_the_script(lessons, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["notebook", "gan_2d"]) == 0
    book = json.loads((tmp_path / "05_gan_2d.ipynb").read_text(encoding="utf-8"))
    assert book["nbformat"] == 4
    assert [cell["cell_type"] for cell in book["cells"]] == ["markdown", "markdown", "code", "code"]
    header, text, first, second = ("".join(cell["source"]) for cell in book["cells"])
    assert header.startswith("# Two networks\n\n**Goal.** learn about Two networks,\nin two lines.\n\n**Needs.**")
    assert text == "A *paragraph*,\n\n| a | table |"
    assert first == "# First\nimport sys\nx = 1  # (1,)"
    assert second == 'print("ran", sys.argv[1:])'
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in book["cells"][2:])
    assert len({cell["id"] for cell in book["cells"]}) == 4
    assert list(tmp_path.glob(".*part")) == []


def test_notebook_does_not_overwrite_unless_told_to(lessons, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "02_vae.ipynb"
    mine.write_text("my work")
    assert main(["notebook", "vae"]) == 2
    assert mine.read_text() == "my work" and "--force" in capsys.readouterr().err
    assert main(["notebook", "vae", "--force"]) == 0
    assert json.loads(mine.read_text(encoding="utf-8"))["cells"]


def test_code_before_the_first_marker_is_a_cell_too():
    cells = notebook.convert("import os\n\n\n# %%\nprint(os)\n# %% [markdown]\n# text\n# %%\n\n")["cells"]
    assert ["".join(cell["source"]) for cell in cells] == ["import os", "print(os)", "text"]


@pytest.mark.parametrize("path", [pytest.param(one.path, id=one.stem) for one in catalogue.lessons()])
def test_the_code_of_every_lesson_goes_into_its_notebook(path):
    cells = notebook.convert(path.read_text(encoding="utf-8"))["cells"]
    assert cells[0]["cell_type"] == "markdown" and len(cells) > 4
    for cell in cells:
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]), str(path), "exec")


# ------------------------------------------------------------------------------------------- minigen doctor


def test_doctor_tells_what_is_here(capsys):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    for word in (
        "Python",
        np.__version__,
        "BLAS",
        "cores",
        "CuPy",
        "matplotlib",
        "tqdm",
        "mnist",
        "fashion-mnist",
    ):
        assert word in out
    assert "thread" in out


def test_doctor_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "_importable", lambda name: None)
    page = doctor.page()
    assert "not installed; with an NVIDIA GPU" in page
    assert page.count('pip install -e ".[lessons]"') == 2


def test_doctor_names_a_blas_that_threadpoolctl_does_not_know(monkeypatch):
    assert "unknown" not in doctor._blas()
    monkeypatch.setattr(doctor.threadpoolctl, "threadpool_info", lambda: [])
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    assert doctor._blas().startswith(built)


def test_doctor_says_how_many_threads_there_are(monkeypatch):
    monkeypatch.setattr(threads, "threads", lambda: 3)
    assert "minigen works with 3 threads (MINIGEN_THREADS" in doctor._cores()


def test_doctor_names_the_gpu_or_why_there_is_none(monkeypatch):
    class Runtime:
        devices = 1

        def getDeviceCount(self):
            return self.devices

        def getDeviceProperties(self, i):
            return {"name": b"A GPU", "totalGlobalMem": 16 * 2**30}

    class Cupy:
        __version__ = "14.0"

        class cuda:
            runtime = Runtime()

    monkeypatch.setattr(doctor, "_importable", lambda name: Cupy)
    assert "A GPU with 16 GiB" in doctor._cupy()
    monkeypatch.setattr(Runtime, "devices", 0)
    assert "sees no GPU" in doctor._cupy()
    monkeypatch.setattr(Cupy.cuda, "runtime", None)
    assert "no GPU answers" in doctor._cupy()


def test_doctor_finds_data_where_fetch_would(tmp_path, monkeypatch):
    own, cache = tmp_path / "own", tmp_path / "cache"
    monkeypatch.setenv("MINIGEN_DATA", str(own))
    monkeypatch.setenv("MINIGEN_CACHE", str(cache))
    sources = [Source("set/a", 3, "", "http://x/a"), Source("set/b", 2_000_000, "", "http://x/b")]
    assert "is not there" in doctor.page()
    assert doctor._whereabouts(sources) == "not here yet; the first use downloads 2.0 MB"
    for folder in (own, cache):
        (folder / "set").mkdir(parents=True)
    (cache / "set" / "a").write_bytes(b"abc")
    assert doctor._whereabouts(sources[:1]) == f"found in {cache / 'set'}"
    assert doctor._whereabouts(sources).startswith("1 of 2 files missing")
    (own / "set" / "a").write_bytes(b"abc")
    assert doctor._whereabouts(sources[:1]) == f"found in {own / 'set'}"  # one's own comes first
    (own / "set" / "a").write_bytes(b"ab")
    assert "damaged" in doctor._whereabouts(sources) and "2 bytes, wants 3" in doctor._whereabouts(sources)
    assert "never downloaded" in doctor._whereabouts([Source("text/q.txt", 3, "", "")])


# ---------------------------------------------------------------------------- the rest of the words


def test_alone_it_prints_help_and_knows_its_version(capsys):
    assert main([]) == 0
    assert "notebook" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0 and capsys.readouterr().out == f"minigen {mg.__version__}\n"
    with pytest.raises(SystemExit) as stop:
        main(["dance"])
    assert stop.value.code == 2


def test_the_package_runs_as_the_command():
    run = subprocess.run([sys.executable, "-m", "minigen", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout.strip() == f"minigen {mg.__version__}"


def test_it_runs_as_a_program_and_a_closed_pipe_is_no_error():
    command = [sys.executable, "-m", "minigen.cli", "lessons"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "backprop_by_hand" in done.stdout and not done.stderr
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, env=environment, stdout=write, stderr=-1, text=True, timeout=30)
    os.close(write)
    assert "BrokenPipe" not in done.stderr and done.returncode == 0


# ------------------------------------------------------------------------------------------- minigen.lesson


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
