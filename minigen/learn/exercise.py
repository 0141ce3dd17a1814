"""An exercise: one Python file, in cells. lessons/exercises/README.md tells how to write one."""

import ast
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from minigen.learn import substitution

MARKER = re.compile(r"^# %%[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class ExerciseError(ValueError):
    """A mistake of the exercise's author; its message names the file, the cell, and what it wants."""


@dataclass(frozen=True)
class Hint:
    """A rung of the ladder ("concept", "formula", "the line"), or a wrong answer's name with what is said to it."""

    name: str
    text: str


@dataclass(frozen=True)
class Wrong:
    """A wrong answer that learners give: the solved file with it in place, and the hint for it."""

    name: str
    source: str
    hint: str


@dataclass(frozen=True)
class Exercise:
    """What one exercise file says.

    stub, solution    the learner's whole file, unsolved and solved
    answer            what the solution changes, as it is shown
    wanted            the names that the solution puts in place of the stub's
    check             source of the check, with as many empty lines before it as bring it to its line in the file
    """

    path: Path
    title: str
    lesson: str
    task: str
    stub: str
    solution: str
    answer: str
    wanted: list[str]
    check: str
    hints: list[Hint]
    wrong: list[Wrong]

    @property
    def number(self) -> int:
        """Its place in the order, from the file's name."""
        return int(re.match(r"\d*", self.path.stem)[0] or 0)  # type: ignore[index]

    @property
    def name(self) -> str:
        """The file's name without its number: "slope_of_a_parabola"."""
        return re.sub(r"^\d+_", "", self.path.stem)

    @cached_property
    def salt(self) -> int:
        """A number of this exercise's own, so that a student's numbers differ from one exercise to the next."""
        return zlib.crc32(self.name.encode())


def read(path: Path) -> Exercise:
    """Read an exercise file; nothing in it is run. Raises ExerciseError where it does not have the form."""
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        tree = ast.parse(text)
    except SyntaxError as error:
        raise ExerciseError(f"{path.name}: line {error.lineno} is not Python: {error.msg}") from None
    except UnicodeDecodeError as error:
        raise ExerciseError(f"{path.name}: is no text in UTF-8 ({error})") from None
    cells = _cells(path, text)
    title, lesson, task = _head(path, ast.get_docstring(tree) or "")
    parts: dict[str, str] = {}
    hints, changes = [], []
    for marker, line, body in cells:
        kind, _, name = (part.strip() for part in marker.partition(":"))
        comment, code = _comment(body)
        if kind in ("stub", "solution", "check") and kind not in parts:
            parts[kind] = "\n" * line + body if kind == "check" else body
        elif kind == "hint" and name and comment and not code:
            hints.append(Hint(name, comment))
        elif kind == "wrong" and name and comment and code:
            changes.append((name, comment, code))
        else:
            raise ExerciseError(f"{path.name}, line {line}: {_complaint(marker, kind, name, comment, code)}")
    for kind in ("stub", "solution", "check"):
        if kind not in parts:
            raise ExerciseError(f"{path.name}: there is no cell `# %% {kind}`")
    if not hints:
        raise ExerciseError(f"{path.name}: there is no hint; `# %% hint: concept`, formula, the line are the ladder")
    head = "\n".join(text.split("\n")[: tree.body[0].end_lineno])
    stub = (
        f"{head}\n\n{parts['stub']}\n" if re.match("import |from ", parts["stub"]) else f"{head}\n\n\n{parts['stub']}\n"
    )
    solution = _substituted(path, stub, "solution", parts["solution"])
    wrong = [Wrong(name, _substituted(path, solution, f"wrong: {name}", code), hint) for name, hint, code in changes]
    wanted = substitution.names(parts["solution"])
    left = {u.name for u in substitution.unwritten(stub, wanted)}
    for name in wanted:
        if name not in left:
            raise ExerciseError(
                f"{path.name}: the solution changes {name}, but the stub's {name} has no `...` to fill in"
            )
    if substitution.unwritten(solution, wanted):
        raise ExerciseError(f"{path.name}: the solution still holds a `...`")
    if len({w.name for w in wrong}) < len(wrong):
        raise ExerciseError(f"{path.name}: two wrong answers have the same name")
    answer = parts["solution"].strip("\n")
    return Exercise(path, title, lesson, task, stub, solution, answer, wanted, parts["check"], hints, wrong)


def _cells(path: Path, text: str) -> list[tuple[str, int, str]]:
    """(marker, its line, text) of each cell."""
    marks = list(MARKER.finditer(text))
    if not marks:
        raise ExerciseError(f"{path.name}: there is no cell; the stub begins below a line `# %% stub`")
    ends = [m.start() for m in marks[1:]] + [len(text)]
    found = []
    for mark, end in zip(marks, ends, strict=True):
        body = text[mark.end() + 1 : end]
        found.append((mark[1], text.count("\n", 0, mark.end() + 1), body.rstrip()))
    return found


def _head(path: Path, doc: str) -> tuple[str, str, str]:
    """Title, lesson and task of the docstring."""
    match = re.fullmatch(r"(\S[^\n]*)\n\nLesson: *(\S[^\n]*)\n\n(.+)", doc.strip(), re.DOTALL)
    if not match:
        form = "a line with the title, an empty one, `Lesson: ...`, an empty one, and the task"
        raise ExerciseError(f"{path.name}: the docstring at the top has to be {form}")
    return match[1].strip(), match[2].strip(), match[3].strip()


def _comment(body: str) -> tuple[str, str]:
    """The comment that a cell begins with, without its signs, and the code below it."""
    lines = body.strip("\n").split("\n")
    count = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    comment = "\n".join(re.sub("^# ?", "", line) for line in lines[:count])
    return comment.strip(), "\n".join(lines[count:]).strip("\n")


def _complaint(marker: str, kind: str, name: str, comment: str, code: str) -> str:
    if kind in ("stub", "solution", "check"):
        return f"there are two cells `# %% {kind}`"
    if kind == "hint":
        return "a hint is a comment below `# %% hint: NAME`, and no code"
    if kind == "wrong":
        return "a wrong answer is `# %% wrong: NAME`, then a comment with the hint, then the code that it changes"
    return f"there is no kind of cell {marker!r}; write stub, solution, check, hint: NAME or wrong: NAME"


def _substituted(path: Path, stub: str, cell: str, change: str) -> str:
    try:
        return substitution.substituted(stub, change)
    except substitution.SubstitutionError as error:
        raise ExerciseError(f"{path.name}, `# %% {cell}`: {error}") from None
