"""What tensor is it? The known tensors of a configuration, and simple functions of them, as far as they fit a shape."""

from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.case import Case
from minigen.check.subject import is_float
from minigen.check.watching import watched

NICE = (1, -1, 2, -2, 0.5, -0.5)  # factors that a known tensor may come with

FUNCTIONS = {
    "1 / {u}": lambda u: 1 / u,
    "{u}": lambda u: u,
    "{u}^2": lambda u: u * u,
    "1 / {u}^2": lambda u: 1 / (u * u),
    "1 - {u}": lambda u: 1 - u,
    "1 / (1 - {u})": lambda u: 1 / (1 - u),
    "1 + {u}": lambda u: 1 + u,
    "1 / (1 + {u})": lambda u: 1 / (1 + u),
    "{u} (1 - {u})": lambda u: u * (1 - u),
    "1 / ({u} (1 - {u}))": lambda u: 1 / (u * (1 - u)),
    "1 - {u}^2": lambda u: 1 - u * u,
    "1 / (1 - {u}^2)": lambda u: 1 / (1 - u * u),
    "exp({u})": lambda u: xp.exp(u),
    "exp(-{u})": lambda u: xp.exp(-u),
    "exp({u} / 2)": lambda u: xp.exp(u / 2),
    "exp(-{u} / 2)": lambda u: xp.exp(-u / 2),
    "exp(2 {u})": lambda u: xp.exp(2 * u),
    "sqrt({u})": lambda u: xp.sqrt(u),
    "1 / sqrt({u})": lambda u: 1 / xp.sqrt(u),
    "sqrt(1 - {u})": lambda u: xp.sqrt(1 - u),
    "1 / sqrt(1 - {u})": lambda u: 1 / xp.sqrt(1 - u),
    "{u}^3": lambda u: u**3,
    "ln {u}": lambda u: xp.log(u),
    "1 / ln {u}": lambda u: 1 / xp.log(u),
    "sign({u})": lambda u: xp.sign(u),
    "|{u}|": lambda u: xp.abs(u),
    "tanh({u})": lambda u: xp.tanh(u),
    "1 - tanh({u})^2": lambda u: 1 - xp.tanh(u) ** 2,
    "sigmoid({u})": lambda u: 1 / (1 + xp.exp(-u)),
    "1 - sigmoid({u})": lambda u: 1 / (1 + xp.exp(u)),
    "sigmoid({u}) (1 - sigmoid({u}))": lambda u: 1 / (2 + xp.exp(u) + xp.exp(-u)),
    "cos({u})": lambda u: xp.cos(u),
    "sin({u})": lambda u: xp.sin(u),
    "1 / (1 + {u}^2)": lambda u: 1 / (1 + u * u),
    "1 + exp({u})": lambda u: 1 + xp.exp(u),
    "1 - exp({u})": lambda u: 1 - xp.exp(u),
}


def known(case: Case, shape: tuple[int, ...]) -> list[tuple[str, Any]]:
    """(name, tensor broadcast to `shape`) for the inputs, outputs and upstream gradients, labels as one-hot rows, and
    what forward computed on the way (by its source text)."""
    found: list[tuple[str, Any]] = []
    outputs = ["y"] if len(case.outputs) == 1 else [f"output {k}" for k in range(len(case.outputs))]
    sources = [*zip(case.names, case.inputs, strict=True), *zip(outputs, case.outputs, strict=True)]
    sources += list(zip(["dy"] if len(outputs) == 1 else [f"dy of {o}" for o in outputs], case.dys, strict=True))
    for name, t in sources:
        if is_float(t) or (hasattr(t, "dtype") and t.dtype.kind == "b"):
            found += _fitted(name, t * 1.0, shape)
        elif hasattr(t, "dtype") and t.dtype.kind in "iu" and t.ndim and t.shape == shape[:-1]:
            found.append((f"one-hot {name}", (xp.arange(shape[-1]) == t[..., None]) * 1.0))
    on_the_way = watched(case)
    seen: set[tuple[str, Any]] = set()
    for call in on_the_way.calls if on_the_way else []:
        if call.name != "index" and (call.text, call.result.shape) not in seen and len(seen) < 60:
            seen.add((call.text, call.result.shape))
            found += _fitted(f"`{call.text}`", call.result, shape)
    return found


def told_factor(c: float, formula: str) -> tuple[str, str]:
    """(the ratio c x formula as text, what it is consistent with)."""
    size, base = abs(c), formula.removeprefix("1 / ")
    sign = "-" if c < 0 else ""
    number = "" if abs(size - 1) < 1e-5 else f"{size:.4g} "
    text = f"{sign}{number}({formula})" if sign or number else formula
    why = (
        f"a factor {base} left out"
        if formula.startswith("1 / ")
        else f"a factor {base} too many, or a division by it left out"
    )
    more = [f"a factor {number}too many"] if number else []
    return text, " and ".join([why, *more, *(["a wrong sign"] if sign else [])])


def _fitted(name: str, t: Any, shape: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """t as `shape`: as it is, broadcast as NumPy does it, or along a missing last axis."""
    if t.shape == shape:
        yield name, t
    elif t.ndim == 0 or t.size == 1:
        return
    else:
        ways = [t, *([t.reshape(*t.shape, *(1,) * (len(shape) - t.ndim))] if t.ndim < len(shape) else [])]
        for way in ways:
            if way.ndim <= len(shape) and all(a in (1, b) for a, b in zip(way.shape[::-1], shape[::-1], strict=False)):
                yield name, xp.broadcast_to(way, shape)
                return


def functions_of(sources: list[tuple[str, Any]]) -> Iterator[tuple[str, str, Any]]:
    """(source, formula, tensor) for every simple function of every source; of intermediate results, only themselves."""
    for formula, function in FUNCTIONS.items():
        for name, t in sources:
            if name.startswith("`") and formula not in ("{u}", "1 / {u}", "{u}^2", "1 / {u}^2"):
                continue
            yield name, formula.format(u=name), function(t)
