"""The process that a learner's file runs in: judge it, write the verdict as JSON, end. minigen.learn.sandbox starts it.

The verdict goes into a file, because what the learner's file prints goes to the standard output. After `limit` seconds
faulthandler's own thread, which no loop can hold up, writes down the line that was running, and ends the process.
"""

import contextlib
import faulthandler
import json
import os
import sys
import warnings
from pathlib import Path

from minigen.learn.exercise import ExerciseError, read
from minigen.learn.faults import fault
from minigen.learn.judge import judge
from minigen.learn.verdict import Verdict

MEMORY = 6 * 2**30  # bytes; a list that grows without end must not take the whole machine


def main(exercise: str, answer: str, seed: str, limit: str, result: str, stopped: str) -> None:
    """Judge the file `answer`. result: where the verdict goes; stopped: where the line goes that was running."""
    _bound_memory()
    warnings.simplefilter("ignore")
    sys.path.append(str(Path(answer).parent))  # a learner's own helpers; last, so that random.py there harms nobody
    with open(stopped, "w", encoding="utf-8") as trace:
        faulthandler.enable(trace)
        faulthandler.dump_traceback_later(float(limit), exit=True, file=trace)
        verdict = _verdict(Path(exercise), Path(answer), int(seed))
        faulthandler.cancel_dump_traceback_later()
        Path(result).write_text(json.dumps(verdict.as_json()), encoding="utf-8")
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        os._exit(0)  # whatever threads the learner's file has left running


def _verdict(exercise: Path, answer: Path, seed: int) -> Verdict:
    try:
        try:
            source = answer.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            said = f"{answer.name} is no text in UTF-8 ({error.reason}, byte {error.start}). Save it as UTF-8."
            return Verdict("error", said)
        return judge(read(exercise), source, seed, file=answer.name)
    except ExerciseError as error:
        return Verdict("exercise", f"This exercise has a fault, not your answer: {error}")
    except (
        BaseException
    ) as error:  # KeyboardInterrupt raised by the file; or our own mistake, without a traceback of ours
        if found := fault(error, answer.name, source):
            return found
        said = f"{type(error).__name__}: {error}"
        return Verdict("exercise", f"The check itself failed, which says nothing of your answer ({said}).")


def _bound_memory() -> None:
    with contextlib.suppress(Exception):  # not on Windows, and not where the system refuses
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
