"""The command line."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import threads
from minigen.cli import catalogue, doctor, main, notebook
from minigen.data.fetch import Source

ROOT = Path(__file__).parents[1]

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
