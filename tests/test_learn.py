"""The exercises and `minigen learn`: the format, the verdicts, the process of its own, the progress, the watcher."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen.cli import main
from minigen.learn import collection, compare, keys, progress, sandbox, substitution
from minigen.learn.exercise import ExerciseError, read
from minigen.learn.judge import judge
from minigen.learn.selfcheck import problems
from minigen.learn.workspace import Workspace

ROOT = Path(__file__).parents[1]
SHIPPED = collection.paths()

SCALE = '''"""Scaling

Lesson: 1_foundations/03_layers_as_matrices

Write scale, which multiplies x by a, and shift, which adds b to it.
"""

# %% stub
import numpy as np


def scale(x, a):
    return ...


def shift(x, b):
    return ...


# %% solution
def scale(x, a):
    return a * x


def shift(x, b):
    return x + b


# %% check
def check(answer, rng, compare):
    x = rng.normal(size=(7, 5))
    for a in rng.normal(size=3):
        compare(answer.scale, x, a)
    y = compare(answer.shift, x, 2.0)
    assert len(y) == len(scale(x, 1)), "shift loses rows."


# %% hint: concept
# Multiply.

# %% hint: formula
# y = a x

# %% hint: the line
# return a * x


# %% wrong: divided
# That divides, and has to multiply.
def scale(x, a):
    return x / a


# %% wrong: raises
# There is nothing to be sorted here.
def scale(x, a):
    return x.sort(axis=9)


# %% wrong: in place
# The x of the caller is changed by *=.
def scale(x, a):
    x *= a
    return x
'''
RIGHT = "import numpy as np\ndef scale(x, a):\n    return a * x\ndef shift(x, b):\n    return x + b\n"


@pytest.fixture
def scale(tmp_path):
    path = tmp_path / "exercises" / "03_scale.py"
    path.parent.mkdir()
    path.write_text(SCALE, encoding="utf-8")
    return read(path)


def answer(line, rest=""):
    """A learner's file whose scale does this."""
    return RIGHT.replace("    return a * x\n", "".join(f"    {part}\n" for part in line.split("\n"))) + rest


@pytest.fixture
def folder(tmp_path, scale):
    made, _ = Workspace.init(tmp_path / "mine", scale.path, None, None)
    return made.folder


# --------------------------------------------------------------------------------------------- our own exercises


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped(path):
    """The stub fails and says what is to be written, the solution passes, every wrong answer gets its hint."""
    assert list(problems(read(path))) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_form(path):
    exercise = read(path)
    assert re.fullmatch(r"\d\d_[a-z0-9_]+", path.stem)
    assert [h.name for h in exercise.hints] == ["concept", "formula", "the line"]
    assert len(exercise.wrong) >= 3
    assert "\n\n" not in exercise.task, "one paragraph"
    assert re.fullmatch(r"\d_[a-z]+/\d\d_[a-z0-9_]+", exercise.lesson)


def test_shipped_order():
    numbers = [e.number for e in collection.collect()]
    assert numbers == sorted(set(numbers)), "a number for each"


def test_readme_example_is_an_exercise(tmp_path):
    text = (ROOT / "lessons" / "exercises" / "README.md").read_text(encoding="utf-8")
    path = tmp_path / "11_tanh.py"
    path.write_text(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], encoding="utf-8")
    assert list(problems(read(path))) == []


# --------------------------------------------------------------------------------------------- the format


def test_parts(scale):
    assert (scale.number, scale.name, scale.title) == (3, "scale", "Scaling")
    assert scale.lesson == "1_foundations/03_layers_as_matrices"
    assert scale.wanted == ["scale", "shift"]
    assert scale.stub.startswith('"""Scaling') and scale.stub.count("...") == 2
    assert "a * x" not in scale.stub and "hint" not in scale.stub.lower() and "%%" not in scale.stub
    assert [w.name for w in scale.wrong] == ["divided", "raises", "in place"]
    assert "return x / a" in scale.wrong[0].source and "def shift" in scale.wrong[0].source


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("# %% check\n", "# %% chekc\n", "no kind of cell 'chekc'"),
        ("# %% solution", "# %% stub", "two cells `# %% stub`"),
        ("Lesson: 1_foundations/03_layers_as_matrices\n\n", "", "the docstring at the top"),
        ("# %% hint: concept\n# Multiply.", "# %% hint: concept", "a hint is a comment"),
        ("# That divides, and has to multiply.\n", "", "a comment with the hint"),
        ("def scale(x, a):\n    return x / a", "def skale(x, a):\n    return x / a", "skale has no place"),
        ("def shift(x, b):\n    return ...", "def shift(x, b):\n    return x", "no `...` to fill in"),
        ("    return a * x", "    return ...", "still holds a `...`"),
        ("    return a * x", "    return (a * x", "is not Python"),
        ("# %% wrong: raises", "# %% wrong: divided", "the same name"),
        ("def check(answer, rng, compare)", "def check(answer, numbers)", "asks for numbers"),
        ("def check(", "def chekc(", "has to define check"),
        ("compare(answer.scale, x, a)", "compare(len, x)", "none of the answer's names"),
        ("    return a * x", "    return a * y", "the solution raises NameError"),
        ("return x + b", "return x + b if b != 2 else x[:3]", "shift loses rows"),
        ("    return x / a", "    return a * x", "'divided' passes"),
        ("    return x / a", "    return x.sort(axis=9)", "'raises' is answered as 'divided'"),
    ],
)
def test_authors_mistakes_are_told(scale, old, new, said):
    assert old in SCALE
    scale.path.write_text(SCALE.replace(old, new, 1), encoding="utf-8")
    try:
        found = " ".join(problems(read(scale.path)))
    except ExerciseError as error:
        found = str(error)
        assert found.startswith("03_scale.py")
    assert said in found


def test_substitution():
    method = "    @staticmethod\n    def f(x):\n        return ...\n"
    stub = f"import math\n\nclass a:\n    # kept\n{method}\n    d_t = ...\n\nN = ...\n"
    change = "import os\nN = 3\n@classmethod\ndef f(x):\n    return [\n        x\n    ]\nd_t = None\n"
    found = substitution.substituted(stub, change)
    assert found == (
        "import os\nimport math\n\nclass a:\n    # kept\n    @classmethod\n    def f(x):\n"
        "        return [\n            x\n        ]\n\n    d_t = None\n\nN = 3\n"
    )
    assert [u.name for u in substitution.unwritten(stub, ["N", "f", "d_t"])] == ["N", "f", "d_t"]
    assert substitution.unwritten("def f(x: tuple[int, ...]):\n    return x[..., 0]", ["f"]) == []
    with pytest.raises(substitution.SubstitutionError, match="two of that name"):
        substitution.substituted("class a:\n    def f(): ...\nclass b:\n    def f(): ...", "def f(): pass")


# --------------------------------------------------------------------------------------------- the verdicts


@pytest.mark.parametrize(
    ("line", "kind", "said"),
    [
        ("return a * x", "right", ""),
        ("return [list(a * row) for row in x]", "comparison", "returns a list of 7, where an array of shape (7, 5)"),
        ("return np.multiply(x, a)", "right", ""),
        ("return x * (1 / a)", "known", "That divides"),  # by what it computes, not by how it is written
        ("x[:] = x * a\nreturn x", "known", "changed by *="),
        ("return x.reshape(3)", "error", "raises ValueError"),
        ("return x.sort(axis=9)", "known", "nothing to be sorted"),
        ("return ...", "unwritten", "scale (line 3)"),
        ("...", "unwritten", "scale (line 3)"),
        ("pass", "comparison", "returns None, where an array of shape (7, 5) is wanted"),
        ("return 2 * a * x", "comparison", "All of them are 2 times"),
        ("return -a * x", "comparison", "The sign is turned"),
        ("return a * x + 3", "comparison", "off by the same number, +3"),
        ("return (a * x).T", "comparison", "its transpose would fit"),
        ("return (a * x)[:, None]", "comparison", "another shape"),
        ("return np.where(x < 0, 0, a * x)", "comparison", "scale(x=an array (7, 5), a="),
        ("return a * x / 0 * 0", "comparison", "NaN"),
        ("return 'a'", "comparison", "returns a str"),
        ("return undefined", "error", "name 'undefined' is not defined"),
        ("return x @ x", "error", "There x has the shape (7, 5)"),
        ("return scale(x, a)", "error", "calls itself"),
        ("import sys; sys.exit()", "error", "Line 3, `import sys; sys.exit()`, ends the program"),
        ("raise AssertionError('mine')", "error", "Line 3"),
    ],
)
def test_verdicts(scale, line, kind, said):
    with np.errstate(all="ignore"):
        found = judge(scale, answer(line), 0)
    assert (found.kind, found.ok) == (kind, kind == "right"), found.message
    assert said in found.message


def test_verdict_on_a_name_that_is_gone_or_no_function(scale):
    assert "no shift in your file" in judge(scale, "def scale(x, a): return a * x", 0).message
    assert "as a function" in judge(scale, answer("return a * x", "shift = 3\n"), 0).message
    assert "could not go on" in judge(scale, answer("return a * x", "def shift(x): pass\n"), 0).message


def test_an_assertion_of_the_check(scale):
    text = SCALE.replace("    y = compare(answer.shift, x, 2.0)", "    y = answer.shift(x, 2.0)")
    text += "\n# %% wrong: rows\n# You drop rows.\ndef shift(x, b):\n    return x[1:]\n"
    scale.path.write_text(text, encoding="utf-8")
    exercise = read(scale.path)
    assert judge(exercise, answer("return a * x", "def shift(x, b): return x[:3]"), 0).message == "You drop rows."
    exercise = read(_written(scale.path, text.partition("\n# %% wrong: rows")[0]))
    found = judge(exercise, answer("return a * x", "def shift(x, b): return x[:3]"), 0)
    assert (found.kind, found.message) == ("assertion", "shift loses rows.")


def _written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_are_the_students_own(scale):
    tables = [judge(scale, answer("return np.where(x < 0, 0, a * x)"), seed).table for seed in (0, 0, 1)]
    assert tables[0] == tables[1] != tables[2]


def test_judging_leaves_the_backend_alone(scale):
    with mg.using("strict"):
        assert judge(scale, RIGHT, 0).ok
        assert mg.backend.current() == "strict"


@pytest.mark.parametrize(
    ("a", "b", "alike"),
    [
        (1, 1.0, True),
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.0 + 1e-5, False),
        (np.zeros(3), [0, 0, 0], False),
        ([1, 2], (1, 2), True),
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"b": 1}, False),
        (np.array([np.nan, np.inf]), np.array([np.nan, np.inf]), True),
        (np.array([np.nan, 1]), np.array([0, 1]), False),
        (np.zeros((2, 1)), np.zeros(2), False),
        (np.zeros(0), np.zeros(0), True),
        ("a", "a", True),
        ("a", "b", False),
        (None, None, True),
        (None, 0, False),
        (True, 1, True),
        (np.random.default_rng(0), np.random.default_rng(0), True),
    ],
)
def test_alike(a, b, alike):
    assert compare.alike(a, b) == alike


def test_alike_takes_tensors():
    with mg.using("numpy"):
        assert compare.alike(mg.tensor([1.0, 2.0]), np.array([1.0, 2.0]))


# --------------------------------------------------------------------------------------------- a process of its own


def in_process(scale, tmp_path, source, limit=10.0):
    path = tmp_path / "03_scale.py"
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    found = sandbox.judged(scale, path, 0, limit)
    assert "Traceback" not in found.message + found.printed
    return found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("while True: pass", "not finished after 1 seconds. It was at line 3, `while True: pass`"),
        ("while True:\n    print('again')", "It was at line 4, `print('again')`"),
        ("return 10 ** 10 ** 9", "It was at line 3"),  # in C, holding the interpreter's lock
        ("try:\n    while True: pass\nexcept BaseException:\n    pass", "It was at line 4"),
    ],
)
def test_what_does_not_end_is_stopped(scale, tmp_path, line, said):
    found = in_process(scale, tmp_path, answer(line), limit=1.0)
    assert found.kind == "time" and said in found.message
    assert len(found.printed) < 3000


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (answer("return (a * x"), "Line 3 is not Python: '(' was never closed"),
        ("import numpi\n", "Line 1, `import numpi`, imports numpi, and there is no such module"),
        ("from numpy import nothing\n", "Line 1, `from numpy import nothing`, raises ImportError"),
        ("raise SystemExit(3)\n", "Line 1, `raise SystemExit(3)`, ends the program"),
        (answer("import os\nos._exit(0)"), "(exit code 0) before it was checked. Line 4, `os._exit(0)`"),
        (answer("import ctypes\nctypes.string_at(0)"), "Python itself crashed at line 4"),
        (answer("return scale(x, a)"), "calls itself"),
        (answer("return scale(x, input())"), "waits for the keyboard"),
        (answer("raise KeyboardInterrupt"), "raises KeyboardInterrupt"),
        (answer("return np.zeros(10 ** 14)"), "more memory than there is"),
        (b"x = 1\x00", "null bytes"),
        (b"x = '\xff'", "no text in UTF-8"),
        (b"", "no scale in your file"),
    ],
)
def test_what_fails_is_a_sentence_with_the_line(scale, tmp_path, source, said):
    found = in_process(scale, tmp_path, source)
    assert found.kind == "error" and said in found.message


def test_what_is_printed_is_shown(scale, tmp_path):
    found = in_process(scale, tmp_path, "\ufeff" + answer("print('x is', x.shape)\nreturn a * x").replace("\n", "\r\n"))
    assert found.ok and found.printed == "x is (7, 5)   (3 times)"
    found = in_process(scale, tmp_path, answer("return a * x", "for i in range(10 ** 5): print(i)"))
    assert found.ok and found.printed.splitlines()[-2:] == ["9", "..."]


def test_threads_and_processes_left_running_do_not_hold_it_up(scale, tmp_path):
    rest = "import subprocess, sys, threading, time\nthreading.Thread(target=lambda: time.sleep(60)).start()\n"
    rest += "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4)'])\n"
    began = time.monotonic()
    assert in_process(scale, tmp_path, answer("return a * x", rest)).ok
    assert time.monotonic() - began < 30


def test_files_beside_the_answer_do_not_shadow_python(scale, tmp_path):
    for name in ("random", "json", "helper"):
        (tmp_path / f"{name}.py").write_text("value = 3" if name == "helper" else "raise ImportError('mine')")
    assert in_process(scale, tmp_path, answer("return a * x", "import helper")).ok


def test_a_fault_of_the_exercise_is_not_the_learners(scale, tmp_path):
    scale.path.write_text(SCALE.replace("    return a * x", "    return a * y"), encoding="utf-8")
    found = in_process(scale, tmp_path, RIGHT)
    assert found.kind == "exercise" and "not your answer" in found.message


# --------------------------------------------------------------------------------------------- folder and progress


def learn(folder, *words, given="", **environment):
    """Run `minigen learn` in a process, as a learner does without a terminal."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment}
    command = [sys.executable, "-m", "minigen.cli", "learn", *map(str, words)]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, encoding="utf-8", env=env, timeout=120)


def test_init_and_run(tmp_path):
    done = learn(tmp_path, "init", "mine", "--student", "Anna")
    assert done.returncode == 0 and f"{len(SHIPPED)} of {len(SHIPPED)} exercises" in done.stdout
    names = {p.name for p in (tmp_path / "mine").glob("*.py")}
    assert names == {p.name for p in SHIPPED}
    done = learn(tmp_path / "mine", "run")
    assert done.returncode == 1 and "NOT WRITTEN YET" in done.stdout and "slope (line 12)" in done.stdout
    file = tmp_path / "mine" / "01_slope_of_a_parabola.py"
    file.write_text(file.read_text("utf-8").replace("...", "2 * a * x + b"), encoding="utf-8")
    (tmp_path / "mine" / "03_perceptron_update.py").write_text("syntax error", encoding="utf-8")  # not seen by run 1
    (tmp_path / "mine" / "deep").mkdir()
    done = learn(tmp_path / "mine" / "deep", "run", "slope")
    assert done.returncode == 0 and "RIGHT" in done.stdout and "syntax" not in done.stdout
    assert learn(tmp_path / "mine", "run", "3").returncode == 1
    done = learn(tmp_path / "mine", "list")
    assert re.search(r"  1  The slope of a parabola +passed", done.stdout)
    assert re.search(r"> +3  The perceptron's update +begun", done.stdout)


def test_init_refuses_what_is_not_its_own(tmp_path, scale, folder):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    assert learn(tmp_path, "init", "other").returncode == 2
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["thesis.txt"]
    assert learn(tmp_path, "init", "other/thesis.txt").returncode == 2
    assert learn(tmp_path, "init", scale.path.parent, "--exercises", scale.path).returncode == 2
    (folder / "03_scale.py").write_text("my work")
    done = learn(tmp_path, "init", "mine")  # again: what is there stays
    assert done.returncode == 0 and "0 of 1" in done.stdout
    assert (folder / "03_scale.py").read_text() == "my work"
    done = learn(tmp_path, "run")
    assert done.returncode == 2 and "minigen learn init FOLDER" in done.stderr and "Traceback" not in done.stderr


def test_hints_then_the_solution(folder):
    (folder / "03_scale.py").write_text(answer("return a + x"))
    assert learn(folder, "solution").returncode == 1
    told = [learn(folder, "hint").stdout for _ in range(5)]
    assert "Hint" not in told[0] and "NOT YET" in told[0]  # the diagnosis first
    for k, text in enumerate(told[1:4], start=1):
        assert text.count("Hint ") == k
    assert "return a * x" in told[3] and told[3] == told[4]
    assert learn(folder, "solution", given="n\n").returncode == 1
    done = learn(folder, "solution", given="y\n")
    assert done.returncode == 0 and "return a * x" in done.stdout
    entry = json.loads((folder / progress.FILE).read_text())["entries"]["scale"]
    assert entry == {"tries": 5, "rungs": 4, "passed": None, "solution_seen": True}


def test_reset_keeps_a_backup_each_time(folder):
    file = folder / "03_scale.py"
    stub = file.read_text()
    for number in (1, 2):
        file.write_text(f"work {number}")
        assert f"backups/03_scale.{number}.py" in learn(folder, "reset").stdout
        assert file.read_text() == stub
        assert (folder / "backups" / f"03_scale.{number}.py").read_text() == f"work {number}"
    assert "kept" not in learn(folder, "reset").stdout


def test_check_all_and_report(folder):
    assert learn(folder, "check-all").returncode == 0  # nothing was begun
    (folder / "03_scale.py").write_text(answer("return x / a"))
    assert learn(folder, "check-all").returncode == 1
    (row,) = json.loads(learn(folder, "report", "--json").stdout)
    assert (row["passed"], row["of"], row["student"]) == (0, 1, "")
    (exercise,) = row["exercises"]
    assert (exercise["state"], exercise["right"], exercise["wrong"]) == ("begun", False, "divided")
    (folder / "03_scale.py").write_text(RIGHT)
    both = json.loads(learn(folder, "report", "--json", folder, folder).stdout)
    assert [r["passed"] for r in both] == [1, 1] and both[0]["exercises"][0]["passed"]
    assert "1 of 1 passed" in learn(folder, "report").stdout


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "null", '{"entries": 3}', '{"seed": 0, "entries": {"scale": {"tries": "x"}}}']
)
def test_damaged_progress_is_kept_and_begun_anew(folder, damage):
    (folder / progress.FILE).write_text(damage)
    kept = progress.load(folder)
    assert "damaged" in kept.notice and kept.entries == {}
    assert (folder / ".minigen-progress.damaged.1.json").read_text() == damage
    assert progress.load(folder).notice == ""
    (folder / progress.FILE).write_text(damage)
    done = learn(folder, "list")
    assert done.returncode == 0 and ".minigen-progress.damaged.2.json" in done.stderr


def test_progress_is_written_whole_or_not_at_all(folder, monkeypatch):
    before = (folder / progress.FILE).read_text()

    def crash(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="full"), progress.changed(folder) as kept:
        kept.entry("scale").tries = 9
    assert (folder / progress.FILE).read_text() == before
    assert sorted(p.name for p in folder.iterdir()) == [progress.FILE, "03_scale.py"]


def test_students_numbers(tmp_path, scale):
    seeds = []
    for k, options in enumerate([("Anna", None), (" anna", None), ("Ben", None), (None, 5)]):
        made, _ = Workspace.init(tmp_path / str(k), scale.path, *options)
        seeds.append(made.progress.seed)
    assert seeds[0] == seeds[1] != seeds[2] and seeds[3] == 5


def test_an_exercise_that_was_renumbered_keeps_its_answer(tmp_path, scale, folder):
    (folder / "03_scale.py").write_text(RIGHT)
    scale.path.rename(scale.path.with_name("07_scale.py"))
    opened = Workspace.open(folder, scale.path.with_name("07_scale.py"))
    assert opened.file(opened.exercises[0]).name == "03_scale.py"
    assert opened.judged(opened.exercises[0]).ok
    assert not (folder / "07_scale.py").exists()


def test_names(scale):
    exercises = collection.collect()
    for query in ("slope", "1", "01", "01_slope_of_a_parabola", "mine/01_slope_of_a_parabola.py", "parabola"):
        assert collection.find(query, exercises).number == 1
    with pytest.raises(collection.UnknownExerciseError, match="the nearest: tanh"):
        collection.find("tanhh", exercises)


def test_selfcheck_command(scale, capsys):
    assert main(["learn", "selfcheck", "--exercises", str(scale.path)]) == 0
    scale.path.write_text(SCALE.replace("return x / a", "return a * x"), encoding="utf-8")
    assert main(["learn", "selfcheck", "--exercises", str(scale.path.parent)]) == 1
    assert "the wrong answer 'divided' passes" in capsys.readouterr().out


# --------------------------------------------------------------------------------------------- the watcher


class Screen:
    """`minigen learn` on a pseudo-terminal: what it has shown, and keys to press."""

    def __init__(self, folder, *words):
        pty = pytest.importorskip("pty")
        self.master, slave = pty.openpty()
        self.slave = slave
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "90", "PYTHONIOENCODING": "utf-8"}
        env.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "minigen.cli", "learn", *words]
        self.process = subprocess.Popen(command, cwd=folder, stdin=slave, stdout=slave, stderr=slave, env=env)
        self.shown = ""

    def until(self, text, seconds=40):
        """Read until `text` is on the screen, and return the screen: what was written since it was last cleared."""
        import select

        end = time.monotonic() + seconds
        while text not in self.screen:
            assert time.monotonic() < end, f"{text!r} did not come; the screen:\n{self.screen}"
            if select.select([self.master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):
                    self.shown += os.read(self.master, 65536).decode(errors="replace")
        return self.screen

    @property
    def screen(self):
        return re.sub(r"\x1b\[\d*m|\r", "", self.shown.rpartition("\x1b[2J\x1b[3J\x1b[H")[2])

    def press(self, text):
        self.shown += "\x1b[2J\x1b[3J\x1b[H"  # what was there before is not waited for
        os.write(self.master, text.encode())

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def screen(folder):
    made = Screen(folder)
    yield made
    made.close()


def save(path, text):
    """As editors do: beside, then in its place."""
    beside = path.with_suffix(".swp")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def test_watcher(screen, folder):
    termios = pytest.importorskip("termios")
    before = termios.tcgetattr(screen.slave)
    file = folder / "03_scale.py"
    shown = screen.until("[q]uit")
    assert "3  Scaling" in shown and "NOT WRITTEN YET" in shown and "Write scale" in shown and "0 of 1 passed" in shown
    screen.press("h")
    assert "Multiply." in screen.until("[q]uit")
    save(file, answer("return x / a"))
    shown = screen.until("That divides")
    assert "wanted" in shown
    screen.press("s")
    screen.until("after the last hint")
    screen.press("hh")
    screen.until("return a * x")
    screen.press("x")
    screen.until("[q]uit")
    screen.press("\x1b[A")  # an arrow: nothing
    save(file, answer("return (x"))
    screen.until("Line 3 is not Python")
    screen.press("r")
    screen.until("(y/n)")
    screen.press("y\n")
    screen.until("backups/03_scale.1.py")
    assert "return (x" in (folder / "backups" / "03_scale.1.py").read_text()
    save(file, RIGHT)
    assert "1 of 1 passed" in screen.until("RIGHT\n") or "1 of 1 passed" in screen.until("[q]uit")
    screen.press("n")
    screen.until("no other one")
    screen.press("l")
    screen.until("(Enter: back)")
    screen.press("nothing\n")
    screen.until("there is no exercise 'nothing'")
    screen.press("q")
    assert screen.process.wait(20) == 0
    assert termios.tcgetattr(screen.slave) == before  # the terminal is as it was


def test_watcher_stops_at_ctrl_c_and_gives_the_terminal_back(screen):
    termios = pytest.importorskip("termios")
    before = termios.tcgetattr(screen.slave)
    screen.until("[q]uit")
    screen.process.send_signal(2)
    assert screen.process.wait(20) == 0
    assert "Traceback" not in screen.screen
    assert termios.tcgetattr(screen.slave) == before


def test_watcher_without_a_terminal(folder):
    (folder / "03_scale.py").write_text(answer("return x / a"))
    done = learn(folder, given="h\nx\nr\ny\nq\n")
    assert done.returncode == 0 and "That divides" in done.stdout and "Multiply." in done.stdout
    assert "then Enter" in done.stdout and "\x1b" not in done.stdout
    assert "backups/03_scale.1.py" in done.stdout
    assert learn(folder, given="").returncode == 0  # the end of input ends it
    assert learn(folder, given="", PYTHONIOENCODING="cp1252").returncode == 0  # a console that lacks letters


def test_windows_keys(monkeypatch):
    class Console:
        typed = list("H\xe0Pq\x03")

        def kbhit(self):
            return bool(self.typed)

        def getwch(self):
            return self.typed.pop(0)

    monkeypatch.setitem(sys.modules, "msvcrt", Console())
    pressed = keys.WindowsKeys()
    assert [pressed.get(0.01) for _ in range(3)] == ["h", None, "q"]
    with pytest.raises(KeyboardInterrupt):
        pressed.get(0.01)
    assert pressed.get(0.01) is None
