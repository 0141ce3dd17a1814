"""examine: is this backward right, and if not, why not?"""

import warnings
from collections.abc import Iterable
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case, prepared
from minigen.check.comparison import compared
from minigen.check.diagnosis import Diagnosis
from minigen.check.explanations import wrong_shape
from minigen.check.known_answers import known_answer
from minigen.check.protocol import BEFORE_NUMBERS, BEHAVIOUR, Check
from minigen.check.subject import describe, is_float, subjects


def examine(op: Any, *inputs: Any, known: Iterable[tuple[str, Any]] = (), **settings: Any) -> Diagnosis:
    """Check one backward against numerical gradients, and say why it is wrong.

        print(examine(my_dense, x, w, b))                           # a class in contract form, or an op
        print(examine(conv_forward, conv_backward, x, w, params))   # two functions, as courses have them:
                                                                    # out, cache = conv_forward(x, w, params)
                                                                    # grads = conv_backward(dout, cache)

    inputs: arrays, lists of numbers, Tensors; floats are examined in float64 copies. Distinct prime sizes tell most.
    settings: handed to forward. known: wrong answers of an exercise, as (hint, op or backward function): the one that
    gives the learner's numbers answers with its hint. An op among them needs to hold only the lines that differ.

    The upstream gradient is random-normal, the slopes are measured by five points; entries at kinks are left out.
    Wrong is what differs by more than 1e-7 of the largest slope. What is said of the cause is "consistent with" the
    numbers, and no more than that.

    Returns a Diagnosis. Raises TypeError for what is no op and no pair of functions, ValueError where there is nothing
    to examine (no inputs, no floats among them, an output that is not finite), and whatever forward raises.
    """
    name, backward = getattr(op, "__name__", type(op).__name__), None
    if inputs and callable(inputs[0]) and not hasattr(inputs[0], "dtype"):
        backward, inputs = inputs[0], inputs[1:]
    if not inputs:
        raise ValueError(
            f"examine: {name} was given no inputs; pass the arrays to examine it at, as in examine({name}, x, w)"
        )
    values = [prepared(x) for x in inputs]
    if not any(map(is_float, values)):
        got = ", ".join(map(describe, inputs))
        raise ValueError(f"examine: {name} was given {got}: no floating-point numbers to examine")
    try:
        ways = subjects(op, backward)
    except TypeError as error:
        if not isinstance(op, type):
            raise
        return Diagnosis(name, False, f"{error}.", None, "contract")  # a gradient line missing, a name misspelt
    with warnings.catch_warnings():  # looking around leaves domains: 1 / 0, the log of a negative number
        warnings.simplefilter("ignore", RuntimeWarning)
        found = _examined(Case(ways[0], values, settings), known)
        for way in ways[1:]:  # a joint backward beside the lines
            found = _examined(Case(way, values, settings), known) if found.ok else found
    return found


def _examined(case: Case, known: Iterable[tuple[str, Any]]) -> Diagnosis:
    """Everything that can be wrong, in the order in which it is asked."""
    _check_outputs(case)
    return (
        known_answer(case, known)
        or _protocol(case, BEFORE_NUMBERS)
        or _shapes(case)
        or _protocol(case, BEHAVIOUR)
        or compared(case)
    )


def _check_outputs(case: Case) -> None:
    name = case.subject.name
    if not any(case.floats):
        raise ValueError(f"examine: {name} returns no floating-point numbers; it has no gradient")
    for y, f in zip(case.outputs, case.floats, strict=True):
        if f and not bool(xp.isfinite(y).all()):
            raise ValueError(f"examine: {name} gives NaN or Inf at these inputs; it has no slope there")


def _protocol(case: Case, checks: list[Check]) -> Diagnosis | None:
    for check in checks:
        finding = check(case)
        if finding:
            return Diagnosis(case.subject.name, False, finding.message, finding.input, finding.key)
    return None


def _shapes(case: Case) -> Diagnosis | None:
    for name, g in case.gradients.items():
        if g.shape != case.x(name).shape:
            explanation = wrong_shape(case, name, g)
            return Diagnosis(case.subject.name, False, explanation.message, name, explanation.key)
    return None
