"""One examination at one configuration: the inputs, the learner's gradients, the measured ones, both Jacobians.

Explanations ask a Case for what they need; each thing is computed once, when it is first asked for.
"""

import copy
import random as python_random
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from minigen.backend import xp
from minigen.check.numeric import Slopes, numerical_gradient
from minigen.check.randomness import kept_random, normals, random_state
from minigen.check.subject import Run, Subject, is_float
from minigen.check.verdict import TOLERANCE

ENTRIES = 400  # an input with more of them is measured at so many, and along random directions
WORK = 3_000_000  # numbers that forward may touch for one input; fewer entries are measured where it is exceeded
SMALL = 260  # up to so many entries of an input and of the outputs, the whole Jacobian is looked at
H = 1e-4  # the step for Jacobians, which are compared to 1e-6 only


class Case:
    """A subject at given inputs and settings, under a random upstream gradient.

    names         what the inputs are called
    outputs       of forward, floats only where `floats` says so
    dys           the upstream gradient of each output, random-normal
    memo          what was computed once, by what it is
    """

    def __init__(self, subject: Subject, inputs: list[Any], settings: dict[str, Any]) -> None:
        self.subject, self.inputs, self.settings = subject, inputs, settings
        self.names = subject.names(len(inputs))
        self.outputs = self.run().outputs
        self.floats = [y.dtype.kind == "f" for y in self.outputs]
        self.dys = [
            normals(y.shape, k + 1) if f else xp.zeros(y.shape)
            for k, (y, f) in enumerate(zip(self.outputs, self.floats, strict=True))
        ]
        self.memo: dict[Any, Any] = {}

    # ------------------------------------------------------------------------------------------ running it
    def run(self, inputs: list[Any] | None = None, settings: dict[str, Any] | None = None) -> Run:
        """forward on copies, with the random numbers of every other call."""
        inputs = [x.copy() if hasattr(x, "copy") else x for x in (self.inputs if inputs is None else inputs)]
        with self.randomness():
            return self.subject.forward(inputs, dict(self.settings if settings is None else settings))

    def randomness(self) -> Any:
        """The same random numbers at every call; nothing to keep for a forward that draws none."""
        if self.subject.draws is None:
            with kept_random():
                before = random_state()
                self.subject.forward([copy.deepcopy(x) for x in self.inputs], dict(self.settings))
                self.subject.draws = random_state() != before
        return kept_random() if self.subject.draws else nullcontext()

    def backward(self, dys: list[Any] | None = None) -> dict[str, Any]:
        """The learner's gradients as returned, from a fresh forward."""
        dys = [dy.copy() for dy in (self.dys if dys is None else dys)]
        inputs = [x.copy() if hasattr(x, "copy") else x for x in self.inputs]
        with self.randomness():
            return self.subject.backward(self.subject.forward(inputs, dict(self.settings)), dys)

    def terms(self, inputs: list[Any] | None = None, settings: dict[str, Any] | None = None) -> Any:
        """The outputs times their upstream gradients: what the objective is the sum of."""
        ys = self.run(inputs, settings).outputs
        parts = [(y * dy).ravel() for y, dy, f in zip(ys, self.dys, self.floats, strict=True) if f]
        return xp.concatenate(parts)

    # ------------------------------------------------------------------------------------------ the gradients
    @property
    def gradients(self) -> dict[str, Any]:
        """The learner's gradients as float64 arrays, for the inputs that have any."""
        if "gradients" not in self.memo:
            found = self.backward()
            self.memo["gradients"] = {n: xp.asarray(g, dtype="float64") for n, g in found.items() if g is not None}
        return self.memo["gradients"]

    def x(self, name: str) -> Any:
        return self.inputs[self.names.index(name)]

    def slopes(self, name: str) -> Slopes:
        """The numerical gradient of one input, in full where it is small, else at entries chosen at random."""
        if ("slopes", name) not in self.memo:
            self.memo["slopes", name] = self.slopes_at(name, self._chosen(name))
        return self.memo["slopes", name]

    def slopes_at(self, name: str, entries: Iterable[int] | None) -> Slopes:
        """The numerical gradient at these entries (flat), bit for bit the same inputs before and after."""
        k = self.names.index(name)
        inputs = list(self.inputs)
        inputs[k] = x = self.inputs[k].copy()
        return numerical_gradient(lambda: self.terms(inputs), x, entries)

    def along(
        self, name: str, v: Any, inputs: list[Any] | None = None, settings: dict[str, Any] | None = None
    ) -> float:
        """The slope of the objective when input `name` moves along v; of other inputs or settings where given."""
        k = self.names.index(name)
        inputs = list(self.inputs if inputs is None else inputs)
        x, t = inputs[k], xp.zeros(1)

        def terms() -> Any:
            inputs[k] = x + t[0] * v
            return self.terms(inputs, settings)

        return float(numerical_gradient(terms, t).gradient[0])

    def quick_slope(
        self, name: str, v: Any, inputs: list[Any] | None = None, settings: dict[str, Any] | None = None
    ) -> float:
        """The same by four points at one step: good to 1e-8 where the function is smooth."""
        k = self.names.index(name)
        inputs = list(self.inputs if inputs is None else inputs)
        x, at = inputs[k], []
        for step in (-2, -1, 1, 2):
            inputs[k] = x + (step * H) * v
            at.append(float(self.terms(inputs, settings).sum()))
        return (8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * H)

    def _chosen(self, name: str) -> list[int] | None:
        size = self.x(name).size
        touched = sum(a.size for a in [*self.outputs, *self.inputs] if hasattr(a, "size"))
        most = min(ENTRIES, max(12, WORK // (6 * touched + 1)))
        if size <= most:
            return None
        return sorted(python_random.Random(size).sample(range(size), most))

    def complete(self, name: str) -> bool:
        """Whether every entry of the input is measured."""
        return self._chosen(name) is None

    # ------------------------------------------------------------------------------------------ the verdict
    def allowed(self, name: str) -> Any:
        """By how much each entry of the learner's gradient may differ."""
        slopes = self.slopes(name)
        largest = xp.abs(slopes.gradient).max() if slopes.gradient.size else 0.0
        return xp.maximum(TOLERANCE * largest, slopes.uncertainty)

    def wrong_entries(self, name: str) -> Any:
        """Booleans of x's shape: True where the learner's gradient is wrong."""
        slopes = self.slopes(name)
        off = xp.abs(self.gradients[name] - slopes.gradient)
        return ~(off <= self.allowed(name)) & slopes.measured & ~slopes.kinks

    def is_wrong(self, name: str) -> bool:
        """Whether the gradient of this input is wrong at any entry, along a random direction, or at ties."""
        if bool(self.wrong_entries(name).any()):
            return True
        if not self.complete(name) and any(self.off_along(name, normals(self.x(name).shape, s)) for s in (31, 32, 33)):
            return True
        return self.wrong_at_ties(name)

    def off_along(self, name: str, v: Any) -> bool:
        """Whether the learner's gradient and the measured slope differ along one direction."""
        g = self.gradients[name]
        n, a = self.along(name, v), float((g * v).sum())
        scale = max(abs(n), abs(a), float(xp.abs(g * v).max()))
        return abs(n - a) > 1e-6 * scale

    def wrong_at_ties(self, name: str) -> bool:
        """At a tie no single entry has a slope, but equal entries that move together have one: it must be right."""
        if not bool(self.slopes(name).kinks.any()):
            return False
        x = self.x(name)
        together = xp.where(x == 0, 0.0, xp.sin(7 * x + 1) + 1.5)  # the same for equal entries; 0 stays
        return self.off_along(name, together)

    # ------------------------------------------------------------------------------------------ Jacobians
    def small(self, name: str) -> bool:
        """Whether the whole Jacobian of this input is looked at."""
        size = self.x(name).size
        outputs = sum(y.size for y in self.outputs)
        return 0 < size <= SMALL and 0 < outputs <= 2 * SMALL and size * outputs <= 30_000

    def jacobian(self, name: str) -> Any:
        """The measured Jacobian, (outputs, entries of x)."""
        if ("J", name) not in self.memo:
            k = self.names.index(name)
            inputs = list(self.inputs)
            inputs[k] = x = self.inputs[k].copy()
            flat, columns = x.reshape(-1), []
            for i in range(x.size):
                value = float(flat[i])
                h = H * max(1.0, abs(value))
                at = []
                for step in (-2, -1, 1, 2):
                    flat[i] = value + step * h
                    at.append(self._flat(self.run(inputs).outputs))
                flat[i] = value
                columns.append((8 * (at[2] - at[1]) - (at[3] - at[0])) / (12 * h))
            self.memo["J", name] = xp.stack(columns, axis=1)
        return self.memo["J", name]

    def learned_jacobian(self, name: str) -> Any:
        """The Jacobian that the learner's backward amounts to: one upstream gradient for each output."""
        if "learned" not in self.memo:
            rows: dict[str, list[Any]] = {n: [] for n in self.gradients}
            for k, (y, f) in enumerate(zip(self.outputs, self.floats, strict=True)):
                for i in range(y.size if f else 0):
                    dys = [xp.zeros(o.shape) for o in self.outputs]
                    dys[k].reshape(-1)[i] = 1.0
                    found = self.backward(dys)
                    for n in rows:
                        rows[n].append(xp.asarray(found[n], dtype="float64").ravel())
            self.memo["learned"] = {n: xp.stack(r) for n, r in rows.items()}
        return self.memo["learned"][name]

    def _flat(self, outputs: list[Any]) -> Any:
        return xp.concatenate([y.ravel() for y, f in zip(outputs, self.floats, strict=True) if f])

    @property
    def dy(self) -> Any:
        """All upstream gradients in one row, in the order of the Jacobian's rows."""
        return self._flat(self.dys)

    # ------------------------------------------------------------------------------------------ other configurations
    def variant(self, inputs: list[Any] | None = None, settings: dict[str, Any] | None = None) -> "Case | None":
        """The same subject at another configuration; None where forward does not run there, or is not finite."""
        inputs = self.inputs if inputs is None else inputs
        try:
            case = Case(self.subject, inputs, self.settings if settings is None else settings)
            fine = all(bool(xp.isfinite(y).all()) and y.size for y in case.outputs)
            case.gradients  # noqa: B018
        except Exception:  # whatever a learner's code raises where it was not meant to run
            return None
        fits = all(n in case.gradients and case.gradients[n].shape == case.x(n).shape for n in self.gradients)
        return case if fine and fits else None


def prepared(value: Any) -> Any:
    """An input as it is examined: floats as contiguous float64 copies, Tensors as their arrays, the rest as it is."""
    if hasattr(value, "requires_grad"):
        value = value.data
    if isinstance(value, list) and _numbers(value):
        value = xp.asarray(value)
    if isinstance(value, xp.ndarray):
        return value.astype("float64", order="C") if is_float(value) else value.copy()
    return value


def _numbers(value: Any) -> bool:
    return all(map(_numbers, value)) if isinstance(value, list) else isinstance(value, (int, float))
