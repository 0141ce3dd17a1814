"""Predict first: a question about the next gradient before it is shown, and what a wrong answer tells."""

import re
from dataclasses import dataclass

from minigen.trace.facts import Outgoing, StepFacts

CLOSE = 0.02  # of the true value: worked out by hand, with two digits, is right


@dataclass
class Score:
    """How many predictions were right, of how many that were made."""

    right: int = 0
    asked: int = 0

    def __str__(self) -> str:
        return f"{self.right} of {self.asked} right"


@dataclass(frozen=True)
class Question:
    """What is asked of one step."""

    facts: StepFacts
    going: Outgoing
    value: float | None  # the number that is asked for; None: the shape is
    text: str


def question(f: StepFacts) -> Question | None:
    """Ask for the number where the gradient is a single one, else, by turns, for one of its entries or its shape."""
    if not f.outgoing:
        return None
    going = f.outgoing[(f.number - 1) % len(f.outgoing)]
    name, shape, values = f"d_{going.parameter}", going.gradient.shape or (), going.gradient.values
    meaning = f"the slope of the loss in {going.to_name}"
    if not shape and isinstance(values, float):
        return Question(f, going, values, f"what number is {name}, {meaning}?")
    value = _entry(values, going.entry) if f.number % 2 == 0 and not going.reduction else None
    if value is not None:
        return Question(f, going, value, f"what number is {name}{going.entry}?  ({meaning}, one entry)")
    return Question(f, going, None, f"what shape has {name}, {meaning}?")


def answer(asked: Question, said: str) -> tuple[bool, str]:
    """Whether what was said is right, and a sentence on it. Raises ValueError for what is neither shape nor number."""
    return _judge_number(asked, said) if asked.value is not None else _judge_shape(asked, said)


def _judge_shape(asked: Question, said: str) -> tuple[bool, str]:
    going = asked.going
    if not re.fullmatch(r"[\s\d(),x*\[\]]+", said):
        raise ValueError("a shape is written as (4, 3), or 4 3; () for a single number")
    guess, shape = tuple(map(int, re.findall(r"\d+", said))), going.gradient.shape or ()
    name = f"d_{going.parameter}"
    rule = f"{name} has the shape of {going.to_name}, {shape}: one slope for each of its entries"
    if guess == shape:
        return True, f"right: {rule}."
    for up, o in zip(asked.facts.upstreams, asked.facts.outputs, strict=True):
        if guess == up.value.shape:
            summed = f" {going.reduction.capitalize()}." if going.reduction else ""
            return False, f"{guess} is the shape of {up.parameter} and of {o.name}. But {rule}.{summed}"
    for other in asked.facts.inputs:
        if guess == other.value.shape:
            return False, f"{guess} is the shape of {other.name}. But {rule}."
    if guess == shape[::-1]:
        return False, f"{guess} is transposed. {rule}."
    return False, f"no: {rule}."


def _judge_number(asked: Question, said: str) -> tuple[bool, str]:
    from minigen.trace.expression import number  # the same rules as for minigen step

    going, true = asked.going, asked.value or 0.0
    guess, name = number(said), f"d_{going.parameter}{going.entry}"
    worked = next((n for n in reversed(going.numbers) if "=" in n), "")
    how = worked or f"{name} = {true:.4g}"
    if _close(guess, true):
        return True, f"right: {how}."
    dy = _entry(asked.facts.upstreams[0].value.values, going.entry) if len(asked.facts.upstreams) == 1 else None
    if _close(guess, -true):
        return False, f"the right size, the wrong sign: {how}."
    if dy and _close(guess, dy):
        return False, f"{guess:.4g} is dy, what came in. It has still to go through the rule: {going.rule}.  {how}."
    if dy and true and _close(guess, true / dy):
        return False, f"{guess:.4g} is the local slope. The chain rule multiplies it by dy = {dy:.4g}: {how}."
    for o in (*asked.facts.outputs, *asked.facts.inputs):
        there = _entry(o.value.values, going.entry)
        if there is not None and _close(guess, there):
            return False, f"{guess:.4g} is the value of {o.name}, not a slope: {how}."
    after = _entry(going.after.values, going.entry)
    if after is not None and _close(guess, after):
        return False, f"{guess:.4g} is the sum with what had arrived before. This step's own part: {how}."
    return False, f"no: {how}.  The rule is {going.rule}"


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE * abs(b) + 1e-9


def _entry(values: object, entry: str) -> float | None:
    """The number at "[1, 0]" in nested lists; None where there is none."""
    for i in map(int, re.findall(r"\d+", entry)):
        if not isinstance(values, list) or i >= len(values):
            return None
        values = values[i]
    return float(values) if isinstance(values, (int, float)) else None
