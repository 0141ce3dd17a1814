"""What a learner has done so far: one JSON file beside the answers, written whole or not at all."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = ".minigen-progress.json"


@dataclass
class Entry:
    """One exercise: how often it was checked, down to which rung of the ladder hints were shown, when it passed."""

    tries: int = 0
    rungs: int = 0  # 1: the diagnosis; 2: and the first hint; ...
    passed: str | None = None  # ISO 8601, in UTC
    solution_seen: bool = False


@dataclass
class Progress:
    """A learner's folder. seed: numbers are drawn from it; exercises: where they are, None for ours."""

    student: str = ""
    seed: int = 0
    exercises: str | None = None
    current: str = ""
    entries: dict[str, Entry] = field(default_factory=dict)
    notice: str = ""  # to be told once: what became of a damaged file

    def entry(self, name: str) -> Entry:
        return self.entries.setdefault(name, Entry())


def load(folder: Path) -> Progress:
    """The progress kept in a folder. A damaged file is put aside, and progress begins anew, with a notice."""
    path = folder / FILE
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Progress()
    except (ValueError, TypeError, AttributeError, KeyError):
        aside = unused(path.with_name(f"{path.stem}.damaged.json"))
        os.replace(path, aside)
        fresh = Progress(notice=(
            f"The progress file was damaged. It is kept as {aside.name}, and progress begins anew; your answers are "
            "untouched. minigen learn check-all finds what you have solved. (If numbers were yours by --student or "
            "--seed: minigen learn init FOLDER --student NAME sets that again.)"
        ))  # fmt: skip
        save(folder, fresh)
        return fresh


def _parsed(found: Any) -> Progress:
    known = {f.name for f in fields(Entry)}
    entries = {
        str(name): Entry(**{k: v for k, v in values.items() if k in known}) for name, values in found["entries"].items()
    }
    for e in entries.values():
        if not (isinstance(e.tries, int) and isinstance(e.rungs, int) and isinstance(e.passed, str | None)):
            raise ValueError("an entry is not what it should be")
    exercises = found["exercises"]
    return Progress(
        str(found["student"]), int(found["seed"]), exercises and str(exercises), str(found["current"]), entries
    )


def save(folder: Path, progress: Progress) -> None:
    """Write the progress: beside, then in place of the old."""
    kept = {k: v for k, v in asdict(progress).items() if k != "notice"}
    write_whole(folder / FILE, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


@contextlib.contextmanager
def changed(folder: Path) -> Iterator[Progress]:
    """Load, let the with-block change it, save."""
    progress = load(folder)
    yield progress
    save(folder, progress)


def write_whole(path: Path, text: str) -> None:
    """Write a file beside, then give it its name: all of it or nothing, also where the machine stops half-way."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def unused(path: Path) -> Path:
    """`path` with the first number before its suffix that no file has yet: name.1.py, name.2.py, ..."""
    number = 1
    while (numbered := path.with_suffix(f".{number}{path.suffix}")).exists():
        number += 1
    return numbered


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
