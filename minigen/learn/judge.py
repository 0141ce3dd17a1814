"""Is an answer right, and if not, which mistake is it? Runs an exercise's check on a learner's file, in this process.

The check calls compare() and examine(), which only take notes here; the verdict is drawn from the notes at the end.
A wrong answer is recognised by what it computes: the check is run on each listed one, too, and the one whose every
result is the learner's is the one the learner has made.
"""

import linecache
import random
import re
import sys
import types
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minigen
from minigen import backend
from minigen.check import Diagnosis
from minigen.learn import compare as comparing
from minigen.learn import substitution
from minigen.learn.difference import described
from minigen.learn.exercise import Exercise, ExerciseError, Wrong
from minigen.learn.faults import fault, innermost
from minigen.learn.verdict import TABLE, Verdict


def judge(exercise: Exercise, source: str, seed: int, *, file: str | None = None, stub_too: bool = False) -> Verdict:
    """The verdict on a learner's file.

    source: its text; file: what it is called in messages. seed: the student's. stub_too: run the check even where the
    stub's `...` is left. Everything is computed with NumPy, whatever backend is in use.
    Raises ExerciseError where the exercise is at fault, not the learner.
    """
    file = file or exercise.path.name
    try:
        left = substitution.unwritten(source, exercise.wanted)
    except (SyntaxError, ValueError):
        left = []  # loading it will tell
    if left and not stub_too:
        return Verdict("unwritten", _to_write(left, file), line=left[0].line)
    with backend.using("numpy"):
        return Judge(exercise, seed).verdict(source, file)


def _to_write(left: list[substitution.Unwritten], file: str) -> str:
    what = " and ".join(f"{u.name} (line {u.line})" for u in left)
    return f"Still to be written: {what}. Open {file}, put your lines in place of the `...`, and save."


class Missing(Exception):  # noqa: N818, an outcome rather than an error
    """The learner's file lacks a name that the check asks for."""


class _Stop(Exception):  # noqa: N818
    """There is no going on after this call."""


class Answer:
    """A file's names as attributes: answer.slope. One that is missing is a sentence."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.__dict__.update(names)

    def __getattr__(self, name: str) -> Any:  # reached only when the name is missing
        raise Missing(f"There is no {name} in your file any more. The check calls it by that name, as the stub had it.")


@dataclass
class Notes:
    """What happened while the check ran on one answer."""

    comparisons: list[comparing.Comparison] = field(default_factory=list)
    diagnosis: Diagnosis | None = None  # the first that is not ok
    known: Wrong | None = None  # as which examine has recognised it
    error: BaseException | None = None  # what ended the check

    @property
    def differing(self) -> bool:
        return any(not c.ok for c in self.comparisons)

    @property
    def ok(self) -> bool:
        return not (self.differing or self.diagnosis or self.error)

    @property
    def ending(self) -> tuple[str, str]:
        return (type(self.error).__name__, str(self.error)) if self.error else ("", "")


class Judge:
    """One exercise with one student's numbers. The solution and the wrong answers are loaded when first asked for."""

    def __init__(self, exercise: Exercise, seed: int) -> None:
        self.exercise, self.seed = exercise, seed
        self.solution = load(exercise.solution, f"<the solution of {exercise.path.name}>")
        self.check_file = str(exercise.path)
        self.check = _check_of(exercise, self.solution)
        self._wrong: list[tuple[Wrong, Answer]] | None = None

    @property
    def wrong(self) -> list[tuple[Wrong, Answer]]:
        if self._wrong is None:
            named = [(w, f"<wrong: {w.name}, of {self.exercise.path.name}>") for w in self.exercise.wrong]
            self._wrong = [(w, Answer(load(w.source, name))) for w, name in named]
        return self._wrong

    def verdict(self, source: str, file: str) -> Verdict:
        try:
            answer = Answer(load(source, file))
        except (Exception, SystemExit) as error:
            return self.fault(error, file, source)
        notes = self.run(answer, examining=True)
        if notes.ok:
            return Verdict("right", "Right.")
        if isinstance(notes.error, SystemExit):
            return self.fault(notes.error, file, source)
        known = notes.known if notes.diagnosis else self.recognised(notes)
        if known:
            return Verdict("known", known.hint, self.table(notes), wrong=known.name)
        if notes.differing:
            raised = next((c.mine.error for c in notes.comparisons if c.mine.error), None)
            if raised and not any(not c.ok for c in notes.comparisons if not c.mine.error):
                return self.fault(raised, file, source)
            message, table = described(notes.comparisons)
            return Verdict("comparison", message, table)
        if notes.diagnosis:
            return Verdict("diagnosis", notes.diagnosis.message, self.table(notes))
        assert notes.error is not None
        if isinstance(notes.error, AssertionError) and innermost(notes.error.__traceback__, file)[0] is None:
            return Verdict("assertion", str(notes.error) or "The check says no, without a sentence.")
        return self.fault(notes.error, file, source)

    def run(self, answer: Answer, examining: bool) -> Notes:
        """The check on one answer, with this student's numbers."""
        notes = Notes()

        def compare(function: Any, *inputs: Any, tolerance: float = 1e-7, **settings: Any) -> Any:
            path = name_of(answer, function)
            if not callable(function):
                raise Missing(f"{path} is {function!r:.60} in your file; the check wants to call it, as a function.")
            wanted = comparing.outcome(find(self.solution, path), list(inputs), settings)
            if wanted.error and notes.differing:  # the check goes on with what a wrong answer has returned
                raise _Stop
            if wanted.error:
                raise ExerciseError(f"{self.exercise.path.name}: the solution raises {wanted.error!r}")
            mine = comparing.outcome(function, list(inputs), settings)
            parameters = comparing.parameters_of(function)
            done = comparing.Comparison(path, parameters, list(inputs), settings, tolerance, mine, wanted)
            notes.comparisons.append(done)
            if mine.error:
                raise _Stop
            return mine.value

        def examine(what: Any, *inputs: Any, **settings: Any) -> None:
            if examining and not notes.differing:
                notes.diagnosis, notes.known = self.examined(answer, what, inputs, settings)
                if notes.diagnosis:
                    raise _Stop

        given = {"answer": answer, "compare": compare, "examine": examine}
        given["rng"] = np.random.default_rng([self.seed, self.exercise.salt])
        asked = comparing.parameters_of(self.check)
        random.seed(0)
        np.random.seed(0)
        minigen.seed(0)
        try:
            self.check(**{name: given[name] for name in asked})
        except _Stop:
            pass
        except ExerciseError:
            raise
        except (Exception, SystemExit) as error:  # an assert of the check, or whatever a learner's code raises
            notes.error = error
        return notes

    def examined(self, answer: Answer, what: Any, inputs: Any, settings: Any) -> tuple[Diagnosis | None, Wrong | None]:
        """What minigen.check.examine says, if it is not ok, and which wrong answer that is."""
        functions = [what, *(x for x in inputs[:1] if callable(x) and not hasattr(x, "dtype"))]
        paths = [name_of(answer, f) for f in functions]
        arrays = inputs[len(functions) - 1 :]
        counterparts = [(w, [find(vars(a), p) for p in paths]) for w, a in self.wrong]
        known = [(w.hint, fs[-1]) for w, fs in counterparts if fs[-1] is not None]
        found = minigen.check.examine(*functions, *arrays, known=known, **settings)
        if found.ok:
            return None, None
        if found.explanation == "known":
            return found, next(w for w in self.exercise.wrong if w.hint == found.message)
        if not found.numbers:  # told before any number was compared: so are the listed ones of that kind
            for w, fs in counterparts:
                try:
                    other = minigen.check.examine(*fs, *arrays, **settings)
                except Exception:  # it does not get as far as the learner's
                    continue
                if not other.ok and _impersonal(other.message) == _impersonal(found.message):
                    return found, w
        return found, None

    def recognised(self, notes: Notes) -> Wrong | None:
        """The listed wrong answer that does what the learner's does, in every call of the function that is wrong."""
        name = next((c.name for c in notes.comparisons if not c.ok), None)
        mine = [c.mine for c in notes.comparisons if c.name == name]
        for wrong, answer in self.wrong:
            notes_of_wrong = self.run(answer, examining=False)
            theirs = [c.mine for c in notes_of_wrong.comparisons if c.name == name]
            alike = len(mine) == len(theirs) and all(map(comparing.same, mine, theirs))
            ends = name is not None or (notes_of_wrong.ending == notes.ending and not notes_of_wrong.differing)
            if alike and ends and not notes_of_wrong.ok:
                return wrong
        return None

    def table(self, notes: Notes) -> list[str]:
        if notes.diagnosis:
            return notes.diagnosis.table()[:TABLE] if notes.diagnosis.numbers else []
        if notes.differing and not any(c.mine.error for c in notes.comparisons):
            return described(notes.comparisons)[1]
        return []

    def fault(self, error: BaseException | None, file: str, source: str) -> Verdict:
        """An exception as a verdict: the learner's line, or a sentence about what the check could not go on with."""
        assert error is not None
        if isinstance(error, Missing):
            return Verdict("error", str(error))
        if "\0" in source:
            return Verdict("error", f"{file} is no text: there are null bytes in it. Save it as UTF-8.")
        found = fault(error, file, source)
        if found:
            return found
        line = innermost(error.__traceback__, self.check_file)[1]
        said = f"{type(error).__name__}: {error} (line {line} of the exercise's own file)"
        ask = "Does a function want other arguments than in the stub, or return something else than it says?"
        return Verdict("error", f"The check could not go on. {said}. {ask}")


def load(source: str, file: str) -> dict[str, Any]:
    """Run a file's source under that name, and return its names."""
    module = types.ModuleType("answer")
    module.__file__ = file
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)  # so that it can be quoted
    sys.modules["answer"] = module
    exec(compile(source, file, "exec", dont_inherit=True), vars(module))
    return vars(module)


def _check_of(exercise: Exercise, solution: dict[str, Any]) -> Any:
    """The exercise's check(answer, ...), which sees the solution's names as its own."""
    names = dict(solution)
    exec(compile(exercise.check, str(exercise.path), "exec", dont_inherit=True), names)
    check = names.get("check")
    if not callable(check):
        raise ExerciseError(f"{exercise.path.name}: the cell `# %% check` has to define check(answer, ...)")
    asked = set(comparing.parameters_of(check)) - {"answer", "rng", "compare", "examine"}
    if asked:
        given = "answer, rng, compare, examine"
        raise ExerciseError(f"{exercise.path.name}: check asks for {', '.join(sorted(asked))}; there are {given}")
    return check


def name_of(answer: Answer, what: Any) -> str:
    """What something of an answer is called there: "slope", or "dense.forward" inside a class."""
    for name, value in vars(answer).items():
        if value is what:
            return name
    for name, value in vars(answer).items():
        if isinstance(value, type) or hasattr(value, "upstreams"):
            for inner, part in vars(value).items():
                if part is what:
                    return f"{name}.{inner}"
    raise ExerciseError(f"the check hands over {what!r:.80}, which is none of the answer's names")


def find(names: dict[str, Any], path: str) -> Any:
    """What `path` is called in another file; None where it is not there."""
    first, _, rest = path.partition(".")
    value = names.get(first)
    return getattr(value, rest, None) if rest else value


def _impersonal(message: str) -> str:
    """A message without line numbers, which differ from one file to the next."""
    return re.sub(r"line \d+", "line", message)
