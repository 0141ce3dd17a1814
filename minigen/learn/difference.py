"""How what a learner's function returns differs from what is wanted: in a sentence, with the evidence, and a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigen.learn.compare import Comparison, Outcome, alike, is_numeric, plain
from minigen.learn.verdict import TABLE, aligned


def described(calls: Sequence[Comparison]) -> tuple[str, list[str]]:
    """How the first call that differs does: a message, and a table of numbers where there are some."""
    wrong = next(c for c in calls if not c.ok)
    mine, wanted = plain(wrong.mine.value), plain(wrong.wanted.value)
    call = f"{wrong.name}({_arguments(wrong)})"
    if (mine is None or mine is ...) and wanted is not None:
        return f"{wrong.name} returns {mine}, where {_kind(wanted)} is wanted. Is a `return` missing?", []
    if alike(mine, wanted, wrong.tolerance):
        return _in_place(wrong), []
    if isinstance(wanted, list | tuple | dict):
        return _in_parts(wrong, mine, wanted)
    if is_numeric(wanted) and not is_numeric(mine):
        return f"{wrong.name} returns {_kind(mine)}, where {_kind(wanted)} is wanted.", []
    if not is_numeric(wanted):
        return f"{call} returns {_said(mine)}, where {_said(wanted)} is wanted.", []
    if np.shape(mine) != np.shape(wanted):
        differs = f"{wrong.name} returns {_kind(mine)}, where {_kind(wanted)} is wanted{_reshaped(mine, wanted)}"
        return f"{differs}. It was called as {call}.", []
    related = [c for c in calls if c.name == wrong.name and is_numeric(plain(c.mine.value))]
    pairs = [(plain(c.mine.value), plain(c.wanted.value)) for c in related]
    evidence = _relation([p for p in pairs if np.shape(p[0]) == np.shape(p[1])])
    right = sum(c.ok for c in related)
    how_often = f"{wrong.name} is right in {right} of {len(related)} calls. " if right else ""
    return f"{how_often}{call} returns other numbers than wanted.{evidence}", _table(mine, wanted)


def _arguments(c: Comparison) -> str:
    named = [*zip(c.parameters, c.inputs, strict=False), *c.settings.items()]
    return ", ".join(f"{name}={_said(value)}" for name, value in named)


def _in_place(c: Comparison) -> str:
    """The value is right, but an argument is changed that should not be, or the reverse."""
    names = [*c.parameters[: len(c.inputs)], *c.settings]
    after = zip(names, c.mine.arguments, c.wanted.arguments, strict=False)
    name = next((n for n, mine, wanted in after if not alike(mine, wanted, c.tolerance)), "an argument")
    if alike(c.wanted.arguments, [*c.inputs, *c.settings.values()]):
        return (
            f"What {c.name} returns is right, but it changes its argument {name}, which belongs to the caller. "
            f"Work on a new array: {name} = {name} - ..., not {name} -= ..."
        )
    return f"{c.name} has to change its argument {name} in place ({name} -= ..., {name}[:] = ...), and does otherwise."


def _in_parts(c: Comparison, mine: Any, wanted: Any) -> tuple[str, list[str]]:
    """Of several results, the first that is wrong."""
    keys = list(wanted) if isinstance(wanted, dict) else list(range(len(wanted)))
    fits = isinstance(mine, dict) and mine.keys() == wanted.keys() if isinstance(wanted, dict) else _as_many(mine, keys)
    if not fits:
        return f"{c.name} returns {_kind(mine)}, where the check wants {_kind(wanted)}.", []
    bad = [k for k in keys if not alike(mine[k], wanted[k], c.tolerance)]
    which = f"entry {bad[0]!r}" if isinstance(wanted, dict) else f"result {bad[0] + 1} of {len(keys)}"
    part = Comparison(f"{c.name}, {which}: it", c.parameters, c.inputs, c.settings, c.tolerance, *_parts(c, bad[0]))
    message, table = described([part])
    others = "The other is right." if len(keys) == 2 else "The others are right."
    return f"{message} {others if len(bad) == 1 and len(keys) > 1 else ''}".strip(), table


def _as_many(mine: Any, keys: list[Any]) -> bool:
    return isinstance(mine, list | tuple) and len(mine) == len(keys)


def _parts(c: Comparison, key: Any) -> tuple[Outcome, Outcome]:
    return Outcome(plain(c.mine.value)[key], []), Outcome(plain(c.wanted.value)[key], [])


def _relation(pairs: list[tuple[Any, Any]]) -> str:
    """Is there one number by which all results differ?"""
    a = np.concatenate([np.ravel(np.asarray(x, dtype="float64")) for x, _ in pairs])
    b = np.concatenate([np.ravel(np.asarray(y, dtype="float64")) for _, y in pairs])
    if not np.isfinite(a).all():
        return " There are NaN or Inf among them."
    if len(a) < 2 or not b.any():
        return ""
    if not a.any():
        return " All of them are 0."
    if np.allclose(a, -b, rtol=1e-7, atol=0):
        return " The sign is turned, everywhere."
    factor = float(a @ b) / float(b @ b)
    if np.allclose(a, factor * b, rtol=1e-7, atol=1e-12):
        return f" All of them are {factor:.6g} times what is wanted."
    if len(a) > 2 and np.allclose(a - b, (a - b)[0], rtol=1e-6):
        return f" All of them are off by the same number, {(a - b)[0]:+.6g}."
    wrong = ~np.isclose(a, b, rtol=1e-7, atol=0)
    return f" {int(wrong.sum())} of {len(a)} entries are wrong." if len(pairs) == 1 and not wrong.all() else ""


def _reshaped(mine: Any, wanted: Any) -> str:
    mine, wanted = np.asarray(mine), np.asarray(wanted)
    if mine.T.shape == wanted.shape:
        return ": its transpose would fit"
    return ": as many numbers, in another shape (keepdims?)" if mine.size == wanted.size else ""


def _table(mine: Any, wanted: Any) -> list[str]:
    """The entries that are furthest off."""
    a, b = np.asarray(mine, dtype="float64"), np.asarray(wanted, dtype="float64")
    off = np.where(np.isnan(a - b), np.inf, np.abs(a - b))
    rows: list[tuple[str, ...]] = [("index", "yours", "wanted", "ratio")]
    for flat in np.argsort(-off, axis=None, kind="stable")[: TABLE - 1]:
        index = tuple(int(i) for i in np.unravel_index(flat, a.shape))
        if off[index]:
            ratio = f"{a[index] / b[index]:.4g}" if b[index] else "-"
            rows.append((f"[{', '.join(map(str, index))}]", f"{a[index]:.6g}", f"{b[index]:.6g}", ratio))
    return aligned(rows if a.shape else [row[1:] for row in rows])


def _kind(value: Any) -> str:
    value = plain(value)
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}"
    if is_numeric(value):
        return "True or False" if isinstance(value, bool | np.bool) else "a number"
    if isinstance(value, dict):
        return f"the entries {', '.join(map(repr, value))}" if value else "an empty dict"
    if isinstance(value, tuple):
        return f"{len(value)} results" if len(value) != 1 else "a tuple of 1 result"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return str(value) if value is None or value is ... else f"a {type(value).__name__}"


def _said(value: Any) -> str:
    value = plain(value)
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array {value.shape}"
    if isinstance(value, np.ndarray | np.generic):
        value = value.item()
    return f"{value:.6g}" if isinstance(value, float) else repr(value) if len(repr(value)) < 60 else _kind(value)
