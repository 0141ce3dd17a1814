"""A learner's folder: a file for each exercise, and the progress. Nothing is overwritten without a backup."""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from minigen.learn import collection, sandbox
from minigen.learn.exercise import Exercise
from minigen.learn.progress import FILE, Progress, changed, load, now, unused, write_whole
from minigen.learn.verdict import Verdict


class WorkspaceError(ValueError):
    """Something about the folder, or its state, that the learner can change; the message is a sentence."""


class Workspace:
    """A folder that `minigen learn init` has made, and the exercises it is for."""

    def __init__(self, folder: Path, exercises: list[Exercise], limit: float = sandbox.LIMIT) -> None:
        self.folder, self.exercises, self.limit = folder, exercises, limit
        self.notice = ""  # what there is to tell about a damaged progress file

    # ---------------------------------------------------------------------------------------- making and finding it
    @classmethod
    def init(cls, folder: Path, where: Path | None, student: str | None, seed: int | None) -> tuple["Workspace", int]:
        """Make a folder, or add to one of ours the stubs it lacks. Returns it, and how many stubs were written.

        Raises WorkspaceError for a folder that holds something else, or is part of our own lessons.
        """
        ours = (folder / FILE).is_file()
        if folder.exists() and not folder.is_dir():
            raise WorkspaceError(f"{folder} is a file; init wants the name of a folder")
        if folder.is_dir() and not ours and any(folder.iterdir()):
            raise WorkspaceError(f"{folder} holds other files already; choose a new or an empty folder")
        remembered = load(folder).exercises if ours and where is None else None
        source = Path(remembered) if remembered else where
        exercises = collection.collect(source)
        if folder.resolve() == exercises[0].path.resolve().parent:
            raise WorkspaceError(f"{folder} is where the exercises themselves are; choose a folder for your answers")
        folder.mkdir(parents=True, exist_ok=True)
        with changed(folder) as kept:
            notice = kept.notice
            kept.exercises = str(source.resolve()) if source else None
            kept.current = kept.current or exercises[0].name
            if student is not None:
                kept.student, kept.seed = student, zlib.crc32(student.strip().lower().encode())
            if seed is not None:
                kept.seed = seed
        made = cls(folder, exercises)
        made.notice = notice
        return made, sum(made.add(e) for e in exercises)

    @classmethod
    def open(cls, folder: Path | None, where: Path | None, limit: float = sandbox.LIMIT) -> "Workspace":
        """The learner's folder that is named, or that we are in. Raises WorkspaceError where there is none."""
        start = Path.cwd() if folder is None else folder
        candidates = [start] if folder else [start, *start.parents]
        found = next((c for c in candidates if (c / FILE).is_file()), None)
        if found is None:
            here = f"{folder} is no" if folder else "This is no"
            raise WorkspaceError(
                f"{here} folder of exercises. To make one: minigen learn init FOLDER; then cd FOLDER, and minigen learn"
            )
        kept = load(found)
        remembered = kept.exercises
        if where is None and remembered:
            where = Path(remembered)
            if not where.exists():
                raise WorkspaceError(
                    f"the exercises of this folder were in {where}, which is not there now; say where: --exercises PATH"
                )
        opened = cls(found, collection.collect(where), limit)
        opened.notice = kept.notice
        return opened

    # ---------------------------------------------------------------------------------------- files
    def file(self, exercise: Exercise) -> Path:
        """The learner's file for an exercise, also if the exercise has got another number since."""
        path = self.folder / exercise.path.name
        moved = [] if path.exists() else sorted(self.folder.glob(f"*_{exercise.name}.py"))
        same = [p for p in moved if p.stem.partition("_")[0].isdigit() and p.stem.partition("_")[2] == exercise.name]
        return same[0] if same else path

    def add(self, exercise: Exercise) -> bool:
        """Put the stub there, if there is no file yet; whether that was so."""
        path = self.file(exercise)
        if path.exists():
            return False
        write_whole(path, exercise.stub)
        return True

    def reset(self, exercise: Exercise) -> Path | None:
        """Put the stub back. Returns where the learner's file is kept; None where there was nothing to keep."""
        path, kept = self.file(exercise), None
        if path.exists() and not self._is_stub(exercise):
            kept = unused(self.folder / "backups" / path.name)
            kept.parent.mkdir(exist_ok=True)
            os.replace(path, kept)
        write_whole(path, exercise.stub)
        return kept

    def _is_stub(self, exercise: Exercise) -> bool:
        path = self.file(exercise)
        return not path.exists() or path.read_bytes().replace(b"\r\n", b"\n").strip() == exercise.stub.encode().strip()

    # ---------------------------------------------------------------------------------------- what has been done
    @property
    def progress(self) -> Progress:
        kept = load(self.folder)
        self.notice = kept.notice or self.notice
        return kept

    @contextlib.contextmanager
    def _changed(self) -> Iterator[Progress]:
        with changed(self.folder) as kept:
            self.notice = kept.notice or self.notice
            yield kept

    def state(self, exercise: Exercise) -> str:
        """passed, begun, or the empty string."""
        entry = self.progress.entries.get(exercise.name)
        if entry and entry.passed:
            return "passed"
        return "" if self._is_stub(exercise) else "begun"

    def judged(self, exercise: Exercise) -> Verdict:
        """The verdict on the learner's file, written down in the progress."""
        self.add(exercise)
        verdict = self.look(exercise)
        self.write_down(exercise, verdict, tries=verdict.kind not in ("unwritten", "exercise"))
        return verdict

    def look(self, exercise: Exercise) -> Verdict:
        """The verdict on the learner's file, and nothing else."""
        return sandbox.judged(exercise, self.file(exercise), self.progress.seed, self.limit)

    def write_down(self, exercise: Exercise, verdict: Verdict, tries: int = 0) -> None:
        with self._changed() as kept:
            entry = kept.entry(exercise.name)
            entry.tries += tries
            if verdict.ok:
                entry.passed = entry.passed or now()

    def find(self, name: str | None) -> Exercise:
        """The exercise that is named, which then is the current one; or the current one."""
        kept = self.progress
        if name is not None:
            found = collection.find(name, self.exercises)
        else:
            found = next((e for e in self.exercises if e.name == kept.current), self.exercises[0])
        if kept.current != found.name:
            with self._changed() as kept:
                kept.current = found.name
        return found

    def next(self, exercise: Exercise) -> Exercise | None:
        """The next one that has not passed, from the beginning again after the last; None when all have."""
        at = self.exercises.index(exercise)
        later = self.exercises[at + 1 :] + self.exercises[:at]
        return next((e for e in later if self.state(e) != "passed"), None)

    def descend(self, exercise: Exercise, to: int | None = None) -> int:
        """Go down the ladder by one rung, or to that rung. Returns how many are shown now, the diagnosis being one."""
        with self._changed() as kept:
            entry = kept.entry(exercise.name)
            wanted = entry.rungs + 1 if to is None else max(entry.rungs, to)
            entry.rungs = min(wanted, 1 + len(exercise.hints))
            return entry.rungs

    def may_see_solution(self, exercise: Exercise) -> bool:
        """After passing, or after the last rung."""
        entry = self.progress.entry(exercise.name)
        return bool(entry.passed) or entry.rungs > len(exercise.hints)

    def solution_seen(self, exercise: Exercise) -> None:
        with self._changed() as kept:
            kept.entry(exercise.name).solution_seen = True
