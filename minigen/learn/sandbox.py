"""A learner's file, judged in a process of its own with a time limit: it may loop, crash or end itself."""

import ast
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import IO

import minigen
from minigen.learn.exercise import Exercise
from minigen.learn.verdict import Verdict

LIMIT = 10.0  # seconds
STARTING = 30.0  # seconds that a slow machine may take to import NumPy, on top
PRINTED = 4000  # bytes of the learner's output that are kept
SHOWN = 10  # lines of it


def judged(exercise: Exercise, answer: Path, seed: int, limit: float = LIMIT) -> Verdict:
    """The verdict on the file `answer`, whatever it does. Raises FileNotFoundError where there is none."""
    if not answer.is_file():
        raise FileNotFoundError(f"there is no file {answer}; minigen learn reset {exercise.name} puts the stub there")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        result, stopped = Path(scratch, "verdict.json"), Path(scratch, "stopped.txt")
        words = [exercise.path.resolve(), answer.resolve(), seed, limit, result, stopped]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "minigen.learn.worker", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=answer.resolve().parent,
            env=_environment(),
        )
        output = _Output(process.stdout)  # type: ignore[arg-type]
        hung = False
        try:
            process.wait(limit + STARTING)
        except subprocess.TimeoutExpired:  # faulthandler has not come to it
            hung = True
        finally:
            process.kill()
            process.wait()
        if result.is_file() and process.returncode == 0:
            verdict = Verdict(**{k: v for k, v in json.loads(result.read_text("utf-8")).items() if k != "ok"})
        else:
            trace = stopped.read_text("utf-8", errors="replace") if stopped.is_file() else ""
            verdict = _ended(answer, process.returncode, "Timeout" if hung else trace, limit, output)
        return replace(verdict, printed=output.text())


def _environment() -> dict[str, str]:
    package = str(Path(minigen.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return {
        **os.environ,
        **threads,
        "PYTHONPATH": path,
        "PYTHONIOENCODING": "utf-8:replace",
        "MINIGEN_BACKEND": "numpy",
    }


class _Output:
    """Reads all that a process prints, and keeps the beginning."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe, self.kept, self.size = pipe, b"", 0
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        while chunk := self.pipe.read1(65536):  # type: ignore[attr-defined]
            self.kept += chunk[: PRINTED - len(self.kept)]
            self.size += len(chunk)
        self.pipe.close()

    def text(self) -> str:
        """The first lines, those that repeat in one."""
        self.thread.join(1.0)  # the pipe stays open where the learner's file has started other processes
        printed = self.kept.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
        repeated = [(line[:200], len(list(same))) for line, same in itertools.groupby(printed)]
        lines = [line + (f"   ({n} times)" if n > 1 else "") for line, n in repeated]
        text = "\n".join(lines[:SHOWN])
        return text + ("\n..." if self.size > PRINTED or len(lines) > SHOWN else "")


def _ended(answer: Path, code: int, trace: str, limit: float, output: _Output) -> Verdict:
    """The process has given no verdict: it was stopped, has ended itself, or has crashed."""
    source = answer.read_text("utf-8", errors="replace")
    lines = source.splitlines()
    name = answer.name.encode("ascii", "backslashreplace").decode()
    found = re.search(rf'File "{re.escape(name)}", line (\d+)', trace)
    line = int(found[1]) if found else None
    where = f"line {line}, `{lines[line - 1].strip()}`" if line and line <= len(lines) else ""
    if trace.startswith("Timeout"):
        flood = f" It had printed {output.size:,} bytes by then." if output.size > PRINTED else ""
        at = f" It was at {where}." if where else ""
        hint = " Is there a loop that does not end?"
        return Verdict(
            "time", f"Stopped: your file had not finished after {limit:g} seconds.{at}{hint}{flood}", line=line
        )
    if trace:
        at = f" at {where}" if where else ""
        return Verdict("error", f"Python itself crashed{at} ({trace.splitlines()[0]}).", line=line)
    line = _exit_line(source)
    at = f" Line {line}, `{lines[line - 1].strip()}`, does that." if line else ""
    return Verdict(
        "error",
        f"Your file ended the whole program (exit code {code}) before it was checked.{at} Take that out.",
        line=line,
    )


def _exit_line(source: str) -> int | None:
    """The first line that calls os._exit, os.abort or os.kill, as far as can be read."""
    try:
        calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)]
    except (SyntaxError, ValueError):
        return None
    return next((c.lineno for c in calls if re.search(r"\b(_exit|abort|kill)$", ast.unparse(c.func))), None)
