"""What is shown of exercises, as text. Plain ASCII of ours, in colour only where asked."""

import textwrap

from minigen.learn.exercise import Exercise
from minigen.learn.verdict import Verdict
from minigen.learn.workspace import Workspace
from minigen.trace.text import Paint

WIDTH = 92
BAR = 30


def heading(workspace: Workspace, exercise: Exercise, paint: Paint) -> str:
    """Number and title; below them the file, and the lesson it goes with."""
    below = f"{workspace.file(exercise).name}, with lesson {exercise.lesson}"
    return f"{paint('bold', f'{exercise.number}  {exercise.title}')}\n{paint('dim', below)}"


def bar(workspace: Workspace) -> str:
    """How many have passed, as a bar and in numbers."""
    done = sum(workspace.state(e) == "passed" for e in workspace.exercises)
    filled = BAR * done // len(workspace.exercises)
    return f"[{'#' * filled}{'.' * (BAR - filled)}] {done} of {len(workspace.exercises)} passed"


def verdict(found: Verdict, paint: Paint, width: int = WIDTH) -> str:
    """The verdict, the diagnosis, one small table, and what the file printed."""
    marks = {
        "right": ("good", "RIGHT"),
        "unwritten": ("dim", "NOT WRITTEN YET"),
        "exercise": ("bad", "CANNOT BE CHECKED"),
    }
    colour, mark = marks.get(found.kind, ("bad", "NOT YET"))
    lines = [paint(colour, mark)]
    if not found.ok:
        lines += ["", *wrapped(found.message, width)]
    if found.table:
        lines += ["", *found.table]
    if found.printed:
        lines += ["", paint("dim", "Your file printed:"), *(f"  {line}" for line in found.printed.splitlines())]
    return "\n".join(lines)


def ladder(exercise: Exercise, rungs: int, paint: Paint, width: int = WIDTH) -> str:
    """The hints down to that rung (the first is the diagnosis, which the verdict shows)."""
    lines = []
    for i, hint in enumerate(exercise.hints[: rungs - 1] if rungs else [], start=1):
        lines += [
            paint("bold", f"Hint {i} of {len(exercise.hints)}: {hint.name}"),
            *_hint(hint.text, hint.name, width),
            "",
        ]
    return "\n".join(lines).rstrip("\n")


def task(exercise: Exercise, width: int = WIDTH) -> str:
    return "\n".join(wrapped(exercise.task, width))


def listing(workspace: Workspace, current: Exercise | None, paint: Paint) -> str:
    """All exercises, with their state and how many hints they took."""
    kept = workspace.progress
    longest = max(len(e.title) for e in workspace.exercises)
    lines = []
    for e in workspace.exercises:
        state, entry = workspace.state(e), kept.entry(e.name)
        took = {2: "1 hint"}.get(entry.rungs, f"{entry.rungs - 1} hints") if entry.rungs > 1 else ""
        arrow = ">" if current and e.name == current.name else " "
        mark = paint("good" if state == "passed" else "out", f"{state:<7}") if state else " " * 7
        lines.append(f"{arrow} {e.number:>2}  {e.title:<{longest}}  {mark}  {took:<8}  {e.name}".rstrip())
    return "\n".join([*lines, "", bar(workspace)])


def _hint(text: str, name: str, width: int) -> list[str]:
    """The line itself is code and stays as it is."""
    lines = text.split("\n") if name.endswith("line") else wrapped(text, width - 4)
    return [f"    {line}" for line in lines]


def wrapped(text: str, width: int) -> list[str]:
    """Paragraphs folded to a width; indented lines stay as they are."""
    lines: list[str] = []
    for paragraph in text.split("\n\n"):
        lines += [""] if lines else []
        if paragraph.startswith("  "):
            lines += paragraph.split("\n")
        else:
            lines += textwrap.wrap(" ".join(paragraph.split()), width, break_long_words=False, break_on_hyphens=False)
    return lines
