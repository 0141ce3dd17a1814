"""Known wrong answers of an exercise: one that gives exactly the learner's numbers answers with its own hint."""

from collections.abc import Iterable
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.comparison import numbers_of
from minigen.check.diagnosis import Diagnosis
from minigen.check.subject import ContractOp, FunctionPair, Subject
from minigen.graph import op as make_op


def known_answer(case: Case, known: Iterable[tuple[str, Any]]) -> Diagnosis | None:
    """The hint of the first known answer that shares a wrong gradient with the learner's, number by number.

    known: (hint, answer), an answer being a backward function for a pair of functions, else an op, or a class that
    holds only the lines that differ from the learner's.
    """
    known = list(known)
    mine = _gradients(case.subject, case) if known else None
    for hint, answer in known:
        theirs = _gradients(_as_subject(case.subject, answer), case) if mine else None
        for name, g in (mine or {}).items():
            if theirs and name in theirs and _alike(g, theirs[name]) and _is_wrong(case, name, g):
                fits = getattr(g, "shape", None) == case.x(name).shape
                numbers = numbers_of(case, name) if fits else []
                return Diagnosis(case.subject.name, False, hint, name, "known", numbers)
    return None


def _gradients(subject: Subject, case: Case) -> dict[str, Any] | None:
    """What a backward returns at the case's inputs; None where it does not run."""
    try:
        return Case(subject, case.inputs, case.settings).backward()
    except Exception:  # whatever learners' code raises; the protocol checks tell it
        return None


def _as_subject(subject: Subject, answer: Any) -> Subject:
    if not isinstance(subject, ContractOp):
        return FunctionPair(subject.function, answer)
    if isinstance(answer, type):
        learners = {k: v for k, v in vars(subject.op).items() if k.startswith("d_") or k in ("forward", "outputs")}
        learners |= {"backward": subject.op.joint}
        members = {**learners, **{k: v for k, v in vars(answer).items() if not k.startswith("__")}}
        members = {k: v for k, v in members.items() if v is not None or k.startswith("d_")}
        answer = make_op(type(answer.__name__, (), members), broadcast=subject.op.broadcast)
    return ContractOp(answer, joint=subject.joint)


def _alike(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    a, b = xp.asarray(a, dtype="float64"), xp.asarray(b, dtype="float64")
    return a.shape == b.shape and bool((xp.abs(a - b) <= 1e-10 * xp.abs(b).max()).all() if b.size else True)


def _is_wrong(case: Case, name: str, g: Any) -> bool:
    if g is None or getattr(g, "shape", ()) != case.x(name).shape:
        return True
    slopes = case.slopes(name)
    return bool(((xp.abs(g - slopes.gradient) > case.allowed(name)) & ~slopes.kinks & slopes.measured).any())
