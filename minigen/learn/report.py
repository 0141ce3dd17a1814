"""What a class has done: every answer of a folder judged afresh, as a table or JSON."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from os import cpu_count
from typing import Any

from minigen.learn.exercise import Exercise
from minigen.learn.verdict import Verdict
from minigen.learn.workspace import Workspace


def check_all(workspace: Workspace) -> list[tuple[Exercise, Verdict | None]]:
    """The verdict on each exercise that was begun (None for the others), in order, each in its own process."""
    begun = [e for e in workspace.exercises if workspace.state(e)]
    for e in begun:
        workspace.add(e)  # one that has passed, and whose file is gone, is checked as the stub
    with ThreadPoolExecutor(max(1, min(4, cpu_count() or 1))) as pool:
        found = dict(zip([e.name for e in begun], pool.map(workspace.look, begun), strict=True))
    for e in begun:
        workspace.write_down(e, found[e.name])
    return [(e, found.get(e.name)) for e in workspace.exercises]


def report(workspace: Workspace) -> dict[str, Any]:
    """For a teacher: who, and of each exercise whether it is right now, and how it came about.

    {"student", "seed", "passed", "of", "exercises": [{"number", "name", "title", "lesson", "state", "right", "message",
    "wrong", "tries", "hints", "solution_seen", "passed"}]}. state: "passed" (now or earlier), "begun", or "". right: of
    the file as it is now, None where it was not begun. wrong: the listed wrong answer that it is.
    """
    verdicts = check_all(workspace)
    kept = workspace.progress
    rows = []
    for e, verdict in verdicts:
        entry = asdict(kept.entry(e.name))
        entry = {"tries": entry.pop("tries"), "hints": max(0, entry.pop("rungs") - 1), **entry}
        row = {"number": e.number, "name": e.name, "title": e.title, "lesson": e.lesson, "state": workspace.state(e)}
        row |= {"right": verdict and verdict.ok, "message": "", "wrong": ""}
        if verdict and not verdict.ok:
            row |= {"message": verdict.message, "wrong": verdict.wrong}
        rows.append({**row, **entry})
    return {
        "student": kept.student,
        "seed": kept.seed,
        "passed": sum(row["state"] == "passed" for row in rows),
        "of": len(rows),
        "exercises": rows,
    }
