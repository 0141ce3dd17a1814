"""The gradient is right for another configuration: another setting, another input transposed, flipped or left out."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.explanations.wrong import SAME, Explanation, Wrong
from minigen.check.randomness import normals
from minigen.check.shrink import settings
from minigen.check.subject import is_float

MOST_TRIED = 3  # wrong gradients: a mistake that makes more of them wrong shows in the first


def right_for_another(w: Wrong) -> Explanation | None:
    """What the learner returns is right, to many digits, for another setting, or another input flipped, transposed."""
    return _first_right(w, itertools.chain(_other_settings(w), _other_inputs(w, _moved)))


def right_without(w: Wrong) -> Explanation | None:
    """The same, for another input taken as ones or zeros: left out."""
    return _first_right(w, _other_inputs(w, _gone))


Other = tuple[str, str, list[Any] | None, dict[str, Any] | None]  # in words, what it means, inputs, settings


def _first_right(w: Wrong, others: Iterator[Other]) -> Explanation | None:
    if w.rank >= MOST_TRIED or not w.case.complete(w.name):
        return None
    for told, why, inputs, changed in others:
        if _matches(w, inputs, changed):
            evidence = f"{w.line} is wrong here, and is exactly what is right {told}"
            return Explanation("another configuration", evidence, why)
    return None


def _other_settings(w: Wrong) -> Iterator[Other]:
    for s in settings(w.case):
        for value in _values(s.value):
            gone = value in (0, 1, math.inf, -math.inf) and not isinstance(value, (bool, str))
            why = (
                f"{s.name} {'left out of' if gone else 'wrong in'} backward: it computes as if {s.name} were {value!r}"
            )
            yield f"for {s.name}={value!r} (it is {s.value!r})", why, *s.changed(w.case, value)


def _other_inputs(w: Wrong, ways: Callable[[Any], Iterator[tuple[str, Any]]]) -> Iterator[Other]:
    for k, z in enumerate(w.case.inputs):
        name = w.case.names[k]
        if is_float(z) and z.size and name != w.name:
            for told, moved in ways(z):
                if moved.shape == z.shape:
                    inputs = [*w.case.inputs[:k], moved, *w.case.inputs[k + 1 :]]
                    yield f"for {name} {told}", _cause(name, told), inputs, None


def _cause(name: str, told: str) -> str:
    if told == "of ones":
        return f"the factor {name} left out"
    if told == "of zeros":
        return f"{name} forgotten (taken as 0)"
    if told.startswith("flipped"):
        return f"{name} flipped (reversed) in backward, or not flipped where it has to be: a kernel the wrong way round"
    return f"{name} used {told} in backward: a transpose missing or one too many"


def _values(value: Any) -> list[Any]:
    """What a setting may have been taken for."""
    others: list[Any] = []
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, str):
        others = ["mean", "sum", "none"] if value in ("mean", "sum", "none") else []
    elif isinstance(value, int):
        others = [0, 1, 2, -value, value - 1, value + 1, -1, -2]
    elif isinstance(value, float):
        others = [0, 1, math.inf, -math.inf, 1 - value, 2 * value, value / 2, -value, value**2]
        others += [value**0.5, 1 / value] if value > 0 else []
    elif isinstance(value, tuple) and len(value) == 2:
        others = [value[::-1]]
    return [v for v in others if v != value]


def _gone(z: Any) -> Iterator[tuple[str, Any]]:
    yield "of ones", xp.ones_like(z)
    yield "of zeros", xp.zeros_like(z)


def _moved(z: Any) -> Iterator[tuple[str, Any]]:
    for order in itertools.permutations(range(z.ndim)):
        if order != tuple(range(z.ndim)):
            told = "transposed" if z.ndim == 2 else f"with its axes in the order {order}"
            yield told, xp.ascontiguousarray(z.transpose(order))
    for count in range(1, min(z.ndim, 2) + 1):
        for axes in itertools.combinations(range(z.ndim), count):
            if all(z.shape[a] > 1 for a in axes):
                told = f"flipped along {'axis' if count == 1 else 'axes'} {', '.join(map(str, axes))}"
                yield told, xp.ascontiguousarray(xp.flip(z, axes))


def _matches(w: Wrong, inputs: list[Any] | None, changed: dict[str, Any] | None) -> bool:
    """Along three random directions, the slopes there are those of the learner's gradient here."""
    case = w.case
    try:
        outputs = case.run(inputs, changed).outputs
        if [y.shape for y in outputs] != [y.shape for y in case.outputs]:
            return False
        if not all(bool(xp.isfinite(y).all()) for y in outputs):
            return False
        for seed in (51, 52, 53):
            v = normals(w.x.shape, seed)
            learned, right = float((w.a * v).sum()), float((w.n * v).sum())
            there = case.quick_slope(w.name, v, inputs, changed)
            allowed = min(SAME * max(abs(learned), abs(right)), 0.01 * abs(learned - right))  # nearer there than here
            if abs(learned - there) > allowed:
                return False
    except Exception:  # forward does not run, or has no slope, in that configuration
        return False
    return True
