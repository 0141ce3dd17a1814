"""`minigen learn`: the exercises, in a folder of the learner's."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from minigen.learn import collection, page, sandbox
from minigen.learn.exercise import Exercise, ExerciseError, read
from minigen.learn.keys import keys
from minigen.learn.report import check_all, report
from minigen.learn.selfcheck import problems
from minigen.learn.watch import Watcher
from minigen.learn.workspace import Workspace, WorkspaceError
from minigen.trace.text import Paint, wants_colour

USAGE = """\
  minigen learn init FOLDER        once: put the stubs into a folder of your own
  cd FOLDER
  minigen learn                    watch the current one, and check it on every save"""


def add_parser(commands: Any) -> None:
    """Add `learn` to the subcommands."""
    form = argparse.RawDescriptionHelpFormatter
    shared = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    add = shared.add_argument
    add("--folder", type=Path, metavar="FOLDER", help="yours, where it is not the one you are in")
    add("--exercises", type=Path, metavar="PATH", help="a file or folder of exercises in place of ours")
    add("--limit", type=_seconds, metavar="SECONDS", help=f"how long a file may run (default {sandbox.LIMIT:g})")
    text = "exercises with a diagnosis on every save: minigen learn init FOLDER"
    parser = commands.add_parser("learn", help=text, epilog=USAGE, formatter_class=form, parents=[shared])
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND")

    def verb(name: str, help: str, named: bool = True) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help, parents=[shared])
        if named:
            made.add_argument("name", nargs="?", metavar="NAME", help="or its number; the current one by default")
        return made

    init = verb("init", "make a folder with the stubs in it", named=False)
    init.add_argument("into", type=Path, metavar="FOLDER")
    init.add_argument("--student", metavar="NAME", help="numbers of this student's own")
    init.add_argument("--seed", type=int, metavar="N", help="the same, by a number")
    verb("watch", "check a file on every save (what minigen learn alone does)")
    verb("run", "check a file once")
    verb("hint", "the diagnosis; again: the concept; again: the formula; again: the line")
    verb("list", "all exercises, and how far you are", named=False)
    verb("reset", "put the stub back; your file is kept in backups")
    verb("solution", "the solution, after passing or after the last hint").add_argument(
        "--yes", action="store_true", help="do not ask"
    )
    verb("check-all", "check all that you have begun", named=False)
    told = verb("report", "for a teacher: how far each folder is", named=False)
    told.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    told.add_argument("--json", action="store_true", help="as JSON, a list with an entry for each folder")
    verb("selfcheck", "for an author: do the exercises themselves work?", named=False)


def _seconds(word: str) -> float:
    value = float(word)
    if not 0 < value < 3600:
        raise argparse.ArgumentTypeError(f"wants seconds between 0 and 3600, got {word}")
    return value


def run(args: argparse.Namespace) -> int:
    """Carry out one command. Returns the exit code: 0, 1 where an answer is not right, 2 where the command is not."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console that lacks a letter shows ?
    try:
        return _command(args)
    except BrokenPipeError:
        raise
    except (WorkspaceError, ExerciseError, collection.UnknownExerciseError, OSError) as error:
        print(f"minigen learn: {error}", file=sys.stderr)
        return 2


def _command(args: argparse.Namespace) -> int:
    where, limit = getattr(args, "exercises", None), getattr(args, "limit", sandbox.LIMIT)
    if args.verb == "init":
        return _init(args, where)
    if args.verb == "selfcheck":
        return _selfcheck(where)
    if args.verb == "report" and args.folders:
        return _report([Workspace.open(f, where, limit) for f in args.folders], args.json)
    workspace = Workspace.open(getattr(args, "folder", None), where, limit)
    if workspace.notice and args.verb not in (None, "watch"):
        print("\n".join(page.wrapped(workspace.notice, page.WIDTH)) + "\n", file=sys.stderr)
    paint = Paint(wants_colour())
    if args.verb == "list":
        print(page.listing(workspace, workspace.find(None), paint))
        return 0
    if args.verb == "check-all":
        return _check_all(workspace, paint)
    if args.verb == "report":
        return _report([workspace], args.json)
    exercise = workspace.find(getattr(args, "name", None))
    if args.verb in (None, "watch"):
        with keys() as source:
            Watcher(workspace, exercise, source, paint, lambda text: print(text, flush=True)).run()
        return 0
    do = {"run": _run, "hint": _hint, "reset": _reset, "solution": _solution}[args.verb]
    return do(workspace, exercise, paint, args)


def _init(args: argparse.Namespace, where: Path | None) -> int:
    workspace, written = Workspace.init(args.into, where, args.student, args.seed)
    if workspace.notice:
        print("\n".join(page.wrapped(workspace.notice, page.WIDTH)) + "\n", file=sys.stderr)
    total = len(workspace.exercises)
    print(
        f"{args.into}: {written} of {total} exercises put there"
        + (", the others were there." if written < total else ".")
    )
    first = workspace.file(workspace.find(None)).name
    print(f"Now: cd {args.into}, open {first} in your editor, and keep this running beside it: minigen learn")
    return 0


def _run(workspace: Workspace, exercise: Exercise, paint: Paint, _: argparse.Namespace) -> int:
    print(page.heading(workspace, exercise, paint) + "\n")
    verdict = workspace.judged(exercise)
    print(page.verdict(verdict, paint))
    if verdict.ok:
        following = workspace.next(exercise)
        print(f"\n{page.bar(workspace)}" + (f"   next: {following.name}" if following else ""))
    return 0 if verdict.ok else 1


def _hint(workspace: Workspace, exercise: Exercise, paint: Paint, _: argparse.Namespace) -> int:
    verdict = workspace.judged(exercise)
    print(page.heading(workspace, exercise, paint) + "\n")
    print(page.verdict(verdict, paint))
    if verdict.ok:
        return 0
    at = workspace.progress.entry(exercise.name).rungs
    to = max(at, 1) + 1 if verdict.kind == "unwritten" else at + 1  # of what is not written, there is no diagnosis
    rungs = workspace.descend(exercise, to)
    if rungs > 1:
        print("\n" + page.ladder(exercise, rungs, paint))
    left = 1 + len(exercise.hints) - rungs
    more = f"{left} more: minigen learn hint" if left else "That was the last one. minigen learn solution shows it all."
    print("\n" + paint("dim", more))
    return 0


def _reset(workspace: Workspace, exercise: Exercise, _: Paint, __: argparse.Namespace) -> int:
    kept = workspace.reset(exercise)
    name = workspace.file(exercise).name
    print(f"{name} is the stub again." + (f" Your file is kept as {kept.parent.name}/{kept.name}." if kept else ""))
    return 0


def _solution(workspace: Workspace, exercise: Exercise, _: Paint, args: argparse.Namespace) -> int:
    entry = workspace.progress.entry(exercise.name)
    if not workspace.may_see_solution(exercise):
        left = 1 + len(exercise.hints) - entry.rungs
        print(f"The solution is shown after passing, or after the last hint ({left} to go): minigen learn hint")
        return 1
    if not entry.passed and not args.yes:
        try:
            said = input(f"Show the solution of {exercise.title!r}? (y/n) ")
        except EOFError:
            said = ""
        if said.strip().lower() not in ("y", "yes"):
            return 1
    workspace.solution_seen(exercise)
    print(exercise.answer)
    return 0


def _check_all(workspace: Workspace, paint: Paint) -> int:
    found = check_all(workspace)
    for e, verdict in found:
        state, colour = ("right", "good") if verdict and verdict.ok else ("not yet", "bad")
        print(
            f"{e.number:>2}  {paint(colour, f'{state:<9}')}{e.title}" if verdict else f"{e.number:>2}  {'':<9}{e.title}"
        )
    print("\n" + page.bar(workspace))
    return 0 if all(v.ok for _, v in found if v) else 1


def _report(workspaces: list[Workspace], as_json: bool) -> int:
    reports = [{"folder": str(w.folder), **report(w)} for w in workspaces]
    if as_json:
        print(json.dumps(reports, indent=1, ensure_ascii=False))
        return 0
    for r in reports:
        rows = [row for row in r["exercises"] if row["state"]]
        tries, hints = sum(row["tries"] for row in rows), sum(row["hints"] for row in rows)
        stuck = ", ".join(f"{row['name']} ({row['wrong'] or 'not right'})" for row in rows if not row["right"])
        print(
            f"{r['student'] or r['folder']}: {r['passed']} of {r['of']} passed, {tries} tries, {hints} hints"
            + (f"; not right yet: {stuck}" if stuck else "")
        )
    return 0


def _selfcheck(where: Path | None) -> int:
    began, bad = time.perf_counter(), 0
    paths = collection.paths(where)
    for path in paths:
        try:
            exercise = read(path)
            found, count = list(problems(exercise)), f"  ({len(exercise.wrong)} wrong answers)"
        except ExerciseError as error:
            found, count = [str(error)], ""
        bad += bool(found)
        print(f"{'WRONG' if found else 'ok':<6}{path.name}{count}")
        for problem in found:
            print("\n".join(f"        {line}" for line in page.wrapped(problem, page.WIDTH)))
    seconds = time.perf_counter() - began
    print(f"{len(paths) - bad} of {len(paths)} exercises are as they should be ({seconds:.1f} s)")
    return 1 if bad else 0
