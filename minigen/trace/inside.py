"""Into a fused op: its formula in smaller ops, walked at the recorded inputs with the same upstream gradient."""

from dataclasses import replace
from typing import Any

from minigen.backend import to_numpy, xp
from minigen.graph import keep, op, watch
from minigen.graph.step import Step
from minigen.tensor import Tensor
from minigen.trace.facts import Walk
from minigen.trace.recorded import MISSING, Recorded, output_name


@op
class outputs:  # noqa: N801, an op
    """y = sum of <output, its upstream gradient>: a number whose walk hands each output its upstream gradient"""

    def forward(*ys: Any, upstreams: Any) -> Any:
        products = [(y * dy).sum() for y, dy in zip(ys, upstreams, strict=True)]
        return keep(xp.asarray(sum(products), dtype=ys[0].dtype))

    def backward(dy: Any, upstreams: Any) -> Any:  # noqa: N805
        return [dy * upstream for upstream in upstreams]


def step_into(step: Step, recorded: Recorded) -> Walk:
    """A walk through the plain form of this step's op. Raises LookupError, with a sentence, where there is none."""
    name, plain = step.op.__name__, step.op.plain
    if plain is None:
        raise LookupError(f"{name} has no plain form to step into: its gradient lines are all there is")
    arrays = recorded.inputs(step.node)
    missing = [parameter for parameter, array in arrays.items() if array is MISSING]
    if missing:
        raise LookupError(f"{name}: {', '.join(missing)} was not kept; run the forward inside mg.watch()")
    wanted = {a.input for a in step.arrivals}
    inputs = [Tensor(a, requires_grad=True, name=p) if p in wanted else a for p, a in arrays.items()]
    with watch():
        ys = plain(*inputs, **step.settings)
        if step.node.outputs is None:
            return Walk(ys, step.upstream)
        used = [(slot, dy) for slot, dy in enumerate(step.upstream) if dy is not None]
        for slot, _ in used:
            ys[slot].name = output_name(step.node, slot)
        top: Any = outputs(*[ys[slot] for slot, _ in used], upstreams=[dy for _, dy in used])  # type: ignore[call-arg]
    node = top.origin[0]
    node.seen = replace(node.seen, file="", line=0)  # it stands in nobody's source
    return Walk(top, name="loss")


def compared(step: Step, inner: Walk) -> list[str]:
    """A line for each gradient: by the fused op, by the walk through its plain form, and how far they are apart."""
    arrived: dict[str, Any] = {}
    for small_step in inner.steps:
        for arrival in small_step.arrivals:
            if isinstance(arrival.to, Tensor) and arrival.to.name:
                arrived[arrival.to.name] = arrival.after
    lines = []
    for outer in step.arrivals:
        if outer.input not in arrived:
            lines.append(f"d_{outer.input}: the plain form sends nothing to {outer.input}")
            continue
        ours, plain = to_numpy(outer.gradient), to_numpy(arrived[outer.input])
        size, apart = float(abs(ours).max(initial=0)), float(abs(ours - plain).max(initial=0))
        share = apart / size if size else apart
        verdict = "equal" if not apart else "equal but for rounding" if share < 1e-4 else "DIFFERENT"
        largest = f" ({share:.0e} of the largest)" if apart else ""
        lines.append(f"d_{outer.input} {ours.shape}: {verdict}{largest}")
    return lines
