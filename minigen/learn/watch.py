"""minigen learn: watch the current file; on every save, the verdict, the diagnosis, a small table, and the keys."""

import os
import shutil
import sys
from collections.abc import Callable

from minigen.learn import page
from minigen.learn.collection import UnknownExerciseError
from minigen.learn.exercise import Exercise
from minigen.learn.keys import Keys
from minigen.learn.workspace import Workspace
from minigen.trace.text import Paint

POLL = 0.2  # seconds
CLEAR = "\x1b[2J\x1b[3J\x1b[H"
KEYS = "[h]int  [n]ext  [l]ist  [r]eset  [s]olution  [q]uit"


class Watcher:
    """The dialogue about one exercise after the other."""

    def __init__(
        self,
        workspace: Workspace,
        exercise: Exercise,
        keys: Keys,
        paint: Paint,
        write: Callable[[str], None] = print,
    ) -> None:
        self.workspace, self.exercise, self.keys, self.paint, self.write = workspace, exercise, keys, paint, write
        self.does = {
            "h": self.hint, "n": self.next, "l": self.list, "r": self.reset, "s": self.solution, "?": self.show,
            "\n": self.show, "\r": self.show, "q": self.quit,
        }  # fmt: skip
        self.going = True

    def run(self) -> None:
        """Until q, Ctrl-C, or the end of input."""
        try:
            self.begin(self.exercise)
            while self.going:
                key = self.keys.get(POLL)
                if key is not None:
                    self.does.get(key, self.unknown)()
                elif self.signature() not in (self.seen, None):
                    self.check()
        except (EOFError, KeyboardInterrupt):
            self.write("")

    def signature(self) -> tuple[int, int] | None:
        """What tells a saved file from the one before; None while there is none, as when an editor replaces it."""
        try:
            stat = self.workspace.file(self.exercise).stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size

    # ------------------------------------------------------------------------------------------ what is shown
    def begin(self, exercise: Exercise) -> None:
        self.exercise = self.workspace.find(exercise.name)
        self.workspace.add(exercise)
        self.rungs = 0  # how many are on the screen
        self.check()

    def check(self) -> None:
        """Judge the file as it is now, and show everything."""
        self.seen = self.signature()
        self.clear()
        self.write(page.heading(self.workspace, self.exercise, self.paint))
        self.write(self.paint("dim", "checking ..."))
        self.verdict = self.workspace.judged(self.exercise)
        self.show()

    def show(self) -> None:
        """The whole screen."""
        paint, width = self.paint, min(shutil.get_terminal_size().columns - 1, page.WIDTH)
        self.clear()
        self.write(page.heading(self.workspace, self.exercise, paint))
        if self.verdict.kind == "unwritten":
            self.write("\n" + page.task(self.exercise, width))
        self.write("\n" + page.verdict(self.verdict, paint, width))
        if self.verdict.ok:
            left = self.workspace.next(self.exercise)
            self.write("\n" + ("n: on to the next." if left else "That was the last one: all have passed."))
        elif self.rungs:
            self.write("\n" + page.ladder(self.exercise, self.rungs, paint, width))
        if self.workspace.notice:
            self.write("\n" + "\n".join(page.wrapped(self.workspace.notice, width)))
            self.workspace.notice = ""
        keys = KEYS if self.keys.single else f"{KEYS}, then Enter"
        self.write(
            f"\n{page.bar(self.workspace)}\n{paint('dim', keys)}\n{paint('dim', 'Save the file: it is checked again.')}"
        )

    def clear(self) -> None:
        if self.keys.single and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            sys.stdout.write(CLEAR)
            sys.stdout.flush()
        else:
            self.write("\n" + "-" * 60)

    # ------------------------------------------------------------------------------------------ what keys do
    def hint(self) -> None:
        """The next rung; the diagnosis, which is the first, is on the screen."""
        if self.verdict.ok:
            return self.show()
        at = self.workspace.progress.entry(self.exercise.name).rungs
        self.rungs = self.workspace.descend(self.exercise, to=max(at, 1) + 1)
        self.show()
        if at > len(self.exercise.hints):
            self.write("That was the last hint. s shows the solution.")

    def next(self) -> None:
        following = self.workspace.next(self.exercise)
        if following:
            self.begin(following)
        else:
            self.show()
            self.write("There is no other one that has not passed.")

    def list(self) -> None:
        self.clear()
        self.write(page.listing(self.workspace, self.exercise, self.paint))
        name = self.keys.ask("\nNumber or name of one to go to (Enter: back): ").strip()
        try:
            self.begin(self.workspace.find(name)) if name else self.show()
        except UnknownExerciseError as error:
            self.show()
            self.write(str(error))

    def reset(self) -> None:
        if self.keys.ask("Put the stub back? Your file is kept in backups. (y/n) ").strip().lower() not in ("y", "yes"):
            return self.show()
        kept = self.workspace.reset(self.exercise)
        self.rungs = 0
        self.check()
        self.write(f"Your file is kept as {kept.parent.name}/{kept.name}." if kept else "It was the stub already.")

    def solution(self) -> None:
        if not self.workspace.may_see_solution(self.exercise):
            self.show()
            return self.write("The solution is shown after passing, or after the last hint: press h.")
        passed = self.workspace.progress.entry(self.exercise.name).passed
        if not passed and self.keys.ask("Show the solution? (y/n) ").strip().lower() not in ("y", "yes"):
            return self.show()
        self.workspace.solution_seen(self.exercise)
        self.show()
        self.write("\n" + self.exercise.answer)

    def unknown(self) -> None:
        self.write(KEYS)

    def quit(self) -> None:
        self.going = False
