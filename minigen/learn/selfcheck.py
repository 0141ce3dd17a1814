"""Are the exercises right? Every stub fails helpfully, every solution passes, every wrong answer gets its hint.

All in this one process: it is our code that is run here, and a process for each would take minutes.
"""

from collections.abc import Iterator

from minigen.learn.exercise import Exercise, ExerciseError
from minigen.learn.judge import judge

SEEDS = (0, 1)  # of two students


def problems(exercise: Exercise) -> Iterator[str]:
    """What is wrong with an exercise, a sentence each; none for one that is as it should be."""
    if not exercise.wrong:
        yield "it lists no wrong answer"
    try:
        stub = judge(exercise, exercise.stub, SEEDS[0])
        if stub.kind != "unwritten" or not all(name in stub.message for name in exercise.wanted):
            yield f"the stub does not say what is to be written, but: {stub.message}"
        if judge(exercise, exercise.stub, SEEDS[0], stub_too=True).ok:
            yield "the check passes the stub"
        for seed in SEEDS:
            solution = judge(exercise, exercise.solution, seed)
            if not solution.ok:
                yield f"the solution does not pass (seed {seed}): {solution.message}"
            for wrong in exercise.wrong:
                found = judge(exercise, wrong.source, seed)
                if found.wrong != wrong.name:
                    became = "passes" if found.ok else f"is answered as {found.wrong or found.kind!r}: {found.message}"
                    yield f"the wrong answer {wrong.name!r} {became} (seed {seed})"
    except ExerciseError as error:
        yield str(error)
