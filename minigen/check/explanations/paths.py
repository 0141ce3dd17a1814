"""What if this path through forward were not there? The learner's gradient, as that of a forward with one step changed.

Forward is watched (minigen.check.watching) and run again with the change that passes through one call left out, given
another sign, passed on without the call's derivative, multiplied by the wrong operand, ... If the slopes of such a
forward are the learner's gradient, along every direction tried, the step is named, by the source line of forward.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from minigen.backend import xp
from minigen.check.calls import Call
from minigen.check.explanations.changes import (
    COMPOSITE,
    EXTREMES,
    SOFTMAX,
    Change,
    Site,
    axis_of,
    from_point,
    left_out,
    like_a_sum,
    one_of_a_sum,
    slope_left_out,
    summed_from_point,
    weighted,
    with_operand,
    with_slope,
    wrong_slopes,
)
from minigen.check.explanations.wrong import Explanation, Wrong
from minigen.check.numbers import cause, named
from minigen.check.randomness import normals
from minigen.check.subject import is_float
from minigen.check.watching import Watched, watched

BUDGET = 700  # runs of forward that one examination is worth
MOST_SEARCHED = 3  # wrong gradients: a mistake that makes more of them wrong shows in the first
FITS = 2e-6  # of the largest slope: how closely a changed forward has to agree


def path(w: Wrong) -> Explanation | None:
    """One step of forward changed: the first change whose slopes are the learner's gradient."""
    search = _search(w)
    return search and search.first_of(
        search.weights,
        search.slopes_left_out,
        search.between,
        search.slopes_replaced,
        search.operands_replaced,
        search.some_passes,
        search.statistics,
    )


def stops_early(w: Wrong) -> Explanation | None:
    """Backward stops half-way: what is returned is the gradient of something in between."""
    search = _search(w)
    return search and search.half_way()


def two_paths(w: Wrong) -> Explanation | None:
    """Two paths left out at once."""
    search = _search(w)
    return search and search.first_of(search.pairs)


def _search(w: Wrong) -> "Any":
    """The search for one wrong gradient, made once; None where forward cannot be watched."""
    found = w.case.memo
    if ("search", w.name) not in found:
        seen = watched(w.case)
        usable = seen is not None and w.rank < MOST_SEARCHED and w.x.size > 0 and bool(w.usable.any())
        try:
            found["search", w.name] = _Search(w, seen) if usable and seen else None
        except Exception:  # a forward that takes another course when an input moves
            found["search", w.name] = None
    return found["search", w.name]


class _Search:
    def __init__(self, w: Wrong, seen: Watched) -> None:
        self.w, self.seen = w, seen
        self.directions = [normals(w.x.shape, s) for s in (61, 62, 63)]
        self.right = [seen.slope(w.name, v, {}) for v in self.directions]
        self.learned = [float((w.a * v).sum()) for v in self.directions]
        self.scale = max(map(abs, [*self.right, *self.learned]))
        self.neutral: dict[int, Any] = {}
        self.sites = self._sites()

    def _sites(self) -> list[Site]:
        """The places where what comes from the input passes. Extremes that cancel (a softmax's) are held constant."""
        moved = self.seen.moved_by(self.w.name)
        groups: dict[Any, list[Call]] = {}
        for call in self.seen.calls:
            if moved.get(call.number) and call.name != "index":
                groups.setdefault((call.place, call.name), []).append(call)
        sites = []
        for calls in groups.values():
            operands = sorted(set().union(*(moved[c.number] for c in calls)))
            for p in operands:
                site = Site(tuple(calls), p, len(operands) == 1)
                if site.first.name in EXTREMES and self._changes_nothing(site):
                    self.neutral |= weighted(site, 0.0)
                else:
                    sites.append(site)
        return sites

    def _changes_nothing(self, site: Site) -> bool:
        return abs(self.slope(Change("", "", weighted(site, 0.0)), 0) - self.right[0]) <= 1e-6 * self.scale

    def first_of(self, *families: Callable[[], Iterator[Change]]) -> Explanation | None:
        """The first change that fits, within the budget of runs that all wrong gradients share."""
        counts = self.w.case.memo
        try:
            for family in families:
                for change in family():
                    if self.fits(change):
                        evidence = f"{self.w.line} is the gradient that is left when {change.what}"
                        return Explanation("path", evidence, change.why)
                    if counts["runs"] > BUDGET:
                        return None
        except Exception:  # a forward that takes another course when it is changed
            return None
        return None

    def slope(self, change: Change, k: int) -> float:
        counts = self.w.case.memo
        counts["runs"] = counts.get("runs", 0) + 2
        return self.seen.slope(self.w.name, self.directions[k], self.neutral | change.replace, change.keep)

    def fits(self, change: Change) -> bool:
        """Whether the changed forward has the learner's slopes along all directions."""
        allowed = FITS * self.scale
        return all(abs(self.slope(change, k) - a) <= allowed for k, a in enumerate(self.learned))

    # ------------------------------------------------------------------------------------ the families of changes
    def weights(self) -> Iterator[Change]:
        """A path left out, of the wrong sign, counted twice, or off by a factor that can be named."""
        found = []
        for site in self.sites:
            m = self._weight(weighted(site, 0.0))
            if m is not None:
                found.append((abs(m) > FITS, not (site.is_reduction and site.alone), not site.alone, site, m))
        for *_, site, m in sorted(found, key=lambda f: f[:3]):
            if abs(m) <= 10 * FITS:
                yield Change(f"the path through {site.path()} is left out", left_out(site), weighted(site, 0.0))
                continue
            number = named(m, self.w.case)
            if number is not None and len(number.atoms) <= 2:
                counts = "has the other sign" if number.text == "-1" else f"counts {number.text} times"
                why = f"{cause(number)}, in the term {site.path()}"
                yield Change(f"the path through {site.path()} {counts}", why, weighted(site, m))

    def _weight(self, cut: Any) -> float | None:
        """How often a path must count for the learner's slope along the first direction; None if it carries nothing."""
        without = self.slope(Change("", "", cut), 0)
        through = self.right[0] - without
        if abs(through) <= 1e-6 * self.scale:
            return None
        m = (self.learned[0] - without) / through
        return None if abs(m - 1) < 10 * FITS else m

    def slopes_left_out(self) -> Iterator[Change]:
        """A derivative or a factor left out: the change passes as it came."""
        for site in self.sites:
            if site.first.elementwise and not site.passes_unchanged:
                yield slope_left_out(site)
            elif site.first.name in EXTREMES:
                what = f"{site.text()} passes everywhere through {site.first.where()}"
                why = "the mask of the maximum (minimum) left out: every entry is given the gradient"
                yield Change(what, why, like_a_sum(site))
            elif site.first.name in ("sum", "mean") and axis_of(site.first) is not None:
                for which, one in ((-1, "last"), (0, "first")):
                    what = f"only the {one} entry along axis {axis_of(site.first)} counts in {site.first.where()}"
                    why = f"= where += belongs (each overwrites the one before), or a loop that reaches only the {one}"
                    yield Change(what, why, one_of_a_sum(site, which))

    def between(self) -> Iterator[Change]:
        """A derivative left out that forward computes in several steps: from a result q to a later r, an elementwise
        function of it, the longest first. And p (1 - p) for the Jacobian of a softmax, a sum without its weights."""
        tangents = [self.seen.tangents(self.w.name, v) for v in self.directions[:2]]
        groups: dict[Any, list[Call]] = {}
        for call in self.seen.calls:
            if bool((tangents[0][call.number] != 0).any()):
                groups.setdefault((call.place, call.name), []).append(call)
        pairs = [(r, q) for r, q in itertools.product(groups.values(), groups.values()) if _may_pair(r, q)]
        for r, q in sorted(pairs, key=lambda pair: pair[1][0].number - pair[0][0].number):
            told, calls = f"the step from `{q[0].text}` to {r[0].where()}", list(zip(r, q, strict=True))
            keep = frozenset(c.number for c in q)
            for what, why, slope in _slopes_between(r[0], q[0], tangents):
                yield Change(f"{told} {what}", why, from_point(calls, slope), keep)
            axis = _reduced_axis(q[0].result.shape, r[0].result.shape)
            if axis is not None and q[0].name != "index":
                why = f"the weights of this step (its derivative) left out: a plain sum over axis {axis}"
                what = f"{told} counts every entry alike"
                yield Change(what, why, summed_from_point(calls, axis), keep)

    def slopes_replaced(self) -> Iterator[Change]:
        """An elementwise step with a wrong formula for its derivative."""
        for site in self.sites:
            if site.first.elementwise and not site.passes_unchanged:
                for what, why, slope in wrong_slopes(site):
                    yield Change(f"the derivative of {site.path()} is {what}", why, with_slope(site, slope))

    def operands_replaced(self) -> Iterator[Change]:
        """A product that backward multiplies with the wrong thing: another tensor, or a matrix not transposed."""
        for site in self.sites:
            call = site.first
            if call.name not in ("multiply", "matmul", "dot") or len(call.operands) != 2:
                continue
            other = 1 - site.operand
            v, where, right = call.operands[other], call.where(), site.text(other)
            if not isinstance(v, xp.ndarray) or not v.ndim:
                continue
            if call.name != "multiply" and v.ndim >= 2 and v.shape[-1] == v.shape[-2]:
                why = f"a matrix not transposed (w for w.T) in the gradient of {where}"
                yield Change(f"{where} is computed with {right} transposed", why, with_operand(site, _turned(other)))
            for name, pick in self._tensors(site, v):
                why = f"{name} used where {right} belongs, in the gradient of {where}"
                what = f"{where} is computed with {name} in the place of {right}"
                yield Change(what, why, with_operand(site, pick))

    def _tensors(self, site: Site, v: Any) -> Iterator[tuple[str, Callable[[Call, int], Any]]]:
        """Tensors of v's shape that backward may have taken for it."""
        case, other = self.w.case, 1 - site.operand
        for name, z in zip(case.names, case.inputs, strict=True):
            if is_float(z) and z.shape == v.shape and bool((z != v).any()):
                yield f"`{name}`", _always(z)
        if site.first.name != "multiply":
            yield "a matrix of ones", _always(xp.ones_like(v))
        groups: dict[Any, list[Call]] = {}
        for call in self.seen.calls:
            if call.result.shape == v.shape:
                groups.setdefault((call.place, call.name), []).append(call)
        for calls in list(groups.values())[:24]:
            if len(calls) == len(site.calls):
                pairs = zip(calls, site.calls, strict=True)
                if not all(bool((c.result == s.operands[other]).all()) for c, s in pairs):
                    yield f"`{calls[0].text}`", _result_of(calls)

    def some_passes(self) -> Iterator[Change]:
        """In a loop: the path is right in some passes only."""
        for site in self.sites:
            n = len(site.calls)
            if n < 2:
                continue
            for one, lost in (("last", site.calls[:-1]), ("first", site.calls[1:])):
                what = f"the path through {site.path()} counts in the {one} pass of {n} only"
                counts = f"only the {one} of {n} passes (time steps) counts"
                why = f"= where += belongs in the loop of backward, or a loop that runs once: {counts}"
                yield Change(what, why, weighted(site.only(lost), 0.0))
            for some, lost in (("the first pass", site.calls[:1]), ("the last pass", site.calls[-1:])):
                what = f"the path through {site.path()} is left out in {some} of {n}"
                why = (
                    f"{left_out(site)}, in {some} (an initial state forgotten, a loop that starts late or stops early)"
                )
                yield Change(what, why, weighted(site.only(lost), 0.0))
                if site.first.elementwise and not site.passes_unchanged:
                    change = slope_left_out(site.only(lost))
                    yield Change(f"{change.what} in {some} of {n}", f"{change.why}, in {some}", change.replace)

    def statistics(self) -> Iterator[Change]:
        """The statistics of a normalisation taken as constants, or all of them off by a factor."""
        reductions = [s for s in self.sites if s.is_reduction]
        if len(reductions) < 2:
            return
        names = " and ".join(dict.fromkeys(s.first.where() for s in reductions))

        def all_weighted(m: float) -> dict[int, Any]:
            return {k: r for s in reductions for k, r in weighted(s, m).items()}

        m = self._weight(all_weighted(0.0))
        if m is None:
            return
        if abs(m) <= 10 * FITS:
            why = "the statistics (mean, variance, sums) taken as constants: their own gradients left out"
            yield Change(f"{names} are held constant", why, all_weighted(0.0))
        number = named(m, self.w.case)
        if number is not None:
            why = f"{cause(number)}, in the terms of the statistics (a sum for a mean, or the reverse)"
            yield Change(f"the paths through {names} count {number.text} times", why, all_weighted(m))

    def pairs(self) -> Iterator[Change]:
        """Two paths left out at once."""
        carrying = [s for s in self.sites if not self._changes_nothing(s)][:14]
        for s, t in itertools.combinations(carrying, 2):
            if s.calls != t.calls:
                replace = weighted(s, 0.0) | weighted(t, 0.0)
                what = f"the paths through {s.path()} and {t.path()} are both left out"
                yield Change(what, f"{left_out(s)}; and {left_out(t)}", replace)

    def half_way(self) -> Explanation | None:
        """Whether the learner's gradient is the gradient of some result of forward."""
        x = self.w.x
        groups: dict[Any, list[Call]] = {}
        for call in self.seen.calls:
            if x.ndim and call.result.shape[max(0, call.result.ndim - x.ndim) :] == x.shape:
                groups.setdefault((call.place, call.name), []).append(call)
        for calls in groups.values():
            at = (self.seen.slope_from([c.number for c in calls], v) for v in self.directions)
            if all(abs(s - a) <= FITS * self.scale for s, a in zip(at, self.learned, strict=True)):
                where = calls[0].where()
                evidence = f"{self.w.line} is the gradient of {where}, not yet that of {self.w.name}"
                steps = f"the steps from {self.w.name} to {where}"
                why = f"backward stopping there: the derivative of {steps} left out (a factor of the chain rule)"
                return Explanation("path", evidence, why)
        return None


def _may_pair(r: list[Call], q: list[Call]) -> bool:
    """Whether r may be a function of q, some steps later and as often."""
    apart = r[0].number - q[0].number
    shapes = q[0].result.shape, r[0].result.shape
    related = shapes[0] == shapes[1] or _reduced_axis(*shapes) is not None
    return 1 < apart <= 16 and len(r) == len(q) and related and r[0].name != "index" and bool(shapes[1])


def _reduced_axis(whole: tuple[int, ...], reduced: tuple[int, ...]) -> int | None:
    """The axis that a reduction has taken away, or left at length 1."""
    for axis, n in enumerate(whole):
        rest = whole[:axis] + whole[axis + 1 :]
        if n > 1 and reduced in (rest, (*whole[:axis], 1, *whole[axis + 1 :])):
            return axis
    return None


def _slopes_between(r: Call, q: Call, tangents: list[Any]) -> Any:
    """The wrong slopes to try for the step from q to r: of an elementwise step, of a softmax, or none."""
    if q.result.shape != r.result.shape:
        return []
    if all(bool((t[q.number] != 0).all()) for t in tangents):
        slopes = [t[r.number] / t[q.number] for t in tangents]
        size = float(xp.abs(slopes[1]).max()) + 1e-300
        if bool((xp.abs(slopes[0] - slopes[1]) <= 1e-5 * size).all()):
            return COMPOSITE if bool((xp.abs(slopes[0] - 1) > 1e-6).any()) else []
    return SOFTMAX if _sums_to_one(r.result) else []


def _sums_to_one(p: Any) -> bool:
    inside = bool(((p >= 0) & (p <= 1)).all())
    return inside and any(bool((xp.abs(p.sum(axis=k) - 1) < 1e-9).all()) for k in range(p.ndim) if p.shape[k] > 1)


def _always(z: Any) -> Callable[[Call, int], Any]:
    return lambda call, i: z


def _turned(other: int) -> Callable[[Call, int], Any]:
    return lambda call, i: xp.swapaxes(call.operands[other], -1, -2)


def _result_of(calls: list[Call]) -> Callable[[Call, int], Any]:
    return lambda call, i: calls[i].result
