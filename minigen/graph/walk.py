"""The backward walk: one loop over the recorded nodes, last made first. Everything that looks at backprop uses it."""

from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

from minigen.backend import xp
from minigen.graph import tape
from minigen.graph.contract import INPUT, KEPT, OUTPUT, Plan, op
from minigen.graph.step import Step
from minigen.graph.tape import Node, key_of, mode


def backward(output: Any, upstream: Any = None, *, retain_graph: bool = False, leaves: Any = None) -> None:
    """Walk back from `output` and add to the `.grad` of every leaf below it. See Tensor.backward.

    leaves: where given, of these alone; what leads to no other leaf is not computed.
    """
    upstream = _start(output, upstream, "backward")
    arrived: dict[Any, Any] = {}
    watched, targets = bool(mode.step_observers), None if leaves is None else set(leaves)
    _to_the_end(_walk(output, upstream, arrived, targets=targets, keep_graph=retain_graph, watched=watched))
    _write(arrived)


def backprop(output: Any, upstream: Any = None) -> Iterator[Step]:
    """Walk back from `output` one node at a time, pausing at each: `for step in mg.backprop(loss): print(step)`.

    The graph is kept. `.grad` is written after the last step, as backward() does; a walk left early writes nothing.
    """
    return _steps(output, _start(output, upstream, "backprop"))


def _steps(output: Any, upstream: Any) -> Iterator[Step]:
    arrived: dict[Any, Any] = {}
    nodes = _collect(output.origin[0], None)[0] if output.origin else []
    consumers = Counter(node.parents[k] for node in nodes for k in node.plan.wanted)
    came: Counter[Any] = Counter()
    walk = _walk(output, upstream, arrived, keep_graph=True, in_place=False)
    for number, (node, dys, arrivals) in enumerate(walk, start=1):
        for observe in mode.step_observers:
            observe(node, dys, arrivals)
        yield Step(number, len(nodes), node, dys, arrivals, came, consumers)
    _write({leaf: d.copy() for leaf, d in arrived.items()})  # the steps may still be looked at


def grad(output: Any, inputs: Any, upstream: Any = None, *, create_graph: bool = False) -> Any:
    """The gradients of `output` with respect to `inputs`, as Tensors; no `.grad` is touched, the graph is kept.

    inputs: a Tensor or a list of them, any Tensors of the graph. upstream: for an output of more than one number, an
    array (or Tensor) of its shape. create_graph=True records the gradients' own graph, so that they can be
    differentiated again. Returns a Tensor, or a list as long as `inputs`.

    Raises ValueError for an input that takes no part in `output`, and, with create_graph, RuntimeError for an op in
    between that is differentiable once.
    """
    upstream = _start(output, upstream, "grad", as_tensor=create_graph)
    wanted = [inputs] if isinstance(inputs, tape.Tensor) else list(inputs)
    for i, t in enumerate(wanted):
        if not isinstance(t, tape.Tensor):
            raise TypeError(f"grad: input {i} is a {type(t).__name__}, wants a Tensor that takes part in the output")
    arrived: dict[Any, Any] = {}
    targets = {key_of(t) for t in wanted}
    was, mode.recording = mode.recording, create_graph
    try:
        _to_the_end(_walk(output, upstream, arrived, targets=targets, create_graph=create_graph, keep_graph=True))
    finally:
        mode.recording = was
    for i, t in enumerate(wanted):
        if key_of(t) not in arrived:
            name = f" ({t.name})" if t.name else ""
            raise ValueError(f"grad: input {i}{name} takes no part in this output, or requires no gradient")
    found = [arrived[key_of(t)] for t in wanted]
    if not create_graph:
        found = [tape.Tensor(xp.array(d, dtype=t.dtype)) for d, t in zip(found, wanted, strict=True)]  # copies
    return found[0] if isinstance(inputs, tape.Tensor) else found


def _start(output: Any, upstream: Any, verb: str, as_tensor: bool = False) -> Any:
    """Check what a walk starts from, and return the upstream gradient."""
    if not isinstance(output, tape.Tensor):
        raise TypeError(f"{verb}: wants a Tensor to start from, got {type(output).__name__}")
    if not output.requires_grad:
        raise RuntimeError(
            f"{verb}: this Tensor requires no gradient, so there is nothing to walk back through; it was made without "
            "requires_grad=True, from Tensors without it, under no_grad(), or detached"
        )
    if upstream is None:
        if output.size != 1:
            raise RuntimeError(
                f"{verb}: without an upstream gradient a walk starts from one number, and this Tensor has shape "
                f"{output.shape}; reduce it first (.sum(), .mean()), or pass the upstream gradient, of its shape"
            )
        upstream = xp.ones(output.shape, dtype=output.dtype)
    elif not isinstance(upstream, tape.Tensor):
        upstream = xp.asarray(upstream, dtype=output.dtype)
    if upstream.shape != output.shape:
        raise ValueError(
            f"{verb}: the upstream gradient has the shape of what the walk starts from, {output.shape}; "
            f"got {upstream.shape}"
        )
    upstream = upstream if upstream.dtype == output.dtype else upstream.astype(output.dtype)
    is_tensor = isinstance(upstream, tape.Tensor)
    return upstream if is_tensor == as_tensor else tape.Tensor(upstream) if as_tensor else upstream.data


def _to_the_end(walk: Iterator[Any]) -> None:
    if not mode.step_observers:
        deque(walk, maxlen=0)
    for step in walk:
        for observe in mode.step_observers:
            observe(*step)


def _write(arrived: dict[Any, Any]) -> None:
    """Write the leaves' gradients after the last step: all of them, or, where a line raised, none."""
    for leaf, d in arrived.items():
        if leaf.grad is not None and getattr(leaf.grad, "shape", None) != d.shape:
            raise ValueError(
                f"backward: .grad of {leaf.name or 'a leaf'} was set to {getattr(leaf.grad, 'shape', leaf.grad)!r}; "
                f"wants an array of shape {d.shape} to add to, or None"
            )
    for leaf, d in arrived.items():
        if leaf.grad is not None:
            leaf.grad += d
        else:
            leaf.grad = xp.asarray(d, dtype=leaf.dtype)


def _walk(
    output: Any,
    upstream: Any,
    arrived: dict[Any, Any],
    *,
    targets: set[Any] | None = None,
    create_graph: bool = False,
    keep_graph: bool = False,
    in_place: bool = True,
    watched: bool = True,
) -> Iterator[tuple[Node, tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Every node below `output` once, last made first. This is the walk; there is no other.

    Yields (node, its upstream gradients, arrivals), an arrival being (input position, what the gradient line returned,
    that summed over broadcast axes, what had arrived there before or None, the sum now). The gradients of leaves, or
    of `targets` (keys) where given, are left in `arrived`; a leaf's is memory that nothing else writes to.
    Unless `watched`, nothing is yielded, and what only a watcher needs is left out.
    """
    root = key_of(output)
    if output.origin is None or (targets and root in targets):
        arrived[root] = upstream if create_graph else upstream.copy()
    if output.origin is None:
        return
    kind = tape.Tensor if create_graph else xp.ndarray
    order, plans = _collect(root[0], targets)
    unchanged_since = tape.latest_change
    flight = {root: upstream}  # gradients on their way, by (node, slot)
    owned = set()  # where the sum was allocated by this walk, so that it may add in place
    while order:
        node = order.pop()
        if node.outputs is None:
            dy = flight.pop((node, 0), None)
            if dy is not None and dy.dtype is not node.dtype:  # float32 met float64 further on
                dy = dy.astype(node.dtype)
            dys = (dy,)
        else:
            dys = tuple([flight.pop((node, slot), None) for slot in range(len(node.outputs))])
        plan = node.plan
        if targets is not None:
            arrived.update({(node, s): dy for s, dy in enumerate(dys) if dy is not None and (node, s) in targets})
            plan = plans.get(node)
            if plan is None or all(dy is None for dy in dys):  # leads to no target
                continue
        if create_graph:
            gradients = _graph_gradients(node, plan, dys)
        elif plan.joint or node.outputs is not None:
            gradients = _joint_gradients(node, plan, dys)
        else:
            saved: Any = node.saved
            gradients = [(k, line(dy, *map(saved.__getitem__, places))) for k, line, places, _ in plan.calls]
        if watched:
            arrivals = []
        for (k, raw), shape in zip(gradients, node.shapes if plan is node.plan else _shapes(node, plan), strict=True):
            d = raw if type(raw) is kind and raw.shape == shape else _fitted(node, k, raw, shape)
            key = node.parents[k]
            leaf = type(key) is not tuple
            sums = arrived if leaf else flight
            before = sums.get(key)
            if before is None:
                total = d  # a first arrival is borrowed, unless it is to become a leaf's .grad
                if leaf and not create_graph:
                    fresh = in_place and not plan.joint and d.base is None and _is_new(d, dys, node.saved)
                    total = d if fresh else d.copy()
                    owned.add(key)
            elif in_place and key in owned and before.dtype == d.dtype:
                before += d
                total = before
            else:
                total = before + d  # the second arrival allocates
                if not create_graph:
                    owned.add(key)
                    total = total if d.ndim else xp.asarray(total)  # a 0-d result is an array
            sums[key] = total
            if watched:
                arrivals.append((k, raw if raw.ndim else d, d, before, total))
        if watched:
            yield node, dys, arrivals
        if not keep_graph:
            node.saved, node.parents = None, []
        if not in_place and order:  # much may have happened in the pause
            if order[-1].saved is None:
                raise _released(order[-1])
            if tape.latest_change > unchanged_since:
                unchanged_since = tape.latest_change
                _refuse_stale(order)


def _collect(root: Node, targets: set[Any] | None) -> tuple[list[Node], dict[Node, Plan]]:
    """All nodes below root, by number; with targets, also the plan of each node that leads to one."""
    order, seen = [root], {root}
    for node in order:  # grows as it is read
        if node.saved is None:
            raise _released(node)
        for k in node.plan.wanted:
            parent = node.parents[k]
            if type(parent) is tuple and parent[0] not in seen:
                seen.add(parent[0])
                order.append(parent[0])
    order.sort(key=_number)  # parents were made before their children, so this is a topological order
    if tape.latest_change > order[0].number:
        _refuse_stale(order)
    if targets is None:
        return order, {}
    plans: dict[Node, Plan] = {}
    for node in order:
        leads = []
        for k in node.plan.wanted:
            parent = node.parents[k]
            if parent in targets or (type(parent) is tuple and parent[0] in plans):
                leads.append(k)
        if leads:
            plans[node] = node.plan.only(node.op, tuple(leads))
    return order, plans


def _number(node: Node) -> int:
    return node.number


def _released(node: Node) -> RuntimeError:
    return RuntimeError(
        f"backward: the graph at {node.op.__name__} was released by an earlier backward(); use "
        "backward(retain_graph=True) the first time, or compute the forward again"
    )


def _refuse_stale(order: list[Node]) -> None:
    """Raise where a saved array was given other numbers after it was saved: its gradient would be silently wrong."""
    leaves = {id(p): p for node in order for p in node.parents if isinstance(p, tape.Tensor)}
    changed_leaves = [leaf for leaf in leaves.values() if leaf.changed > order[0].number]
    for node in order:
        for (kind, key), value in zip(node.plan.sources, node.saved or (), strict=True):
            stale = f"the output of {node.op.__name__}" if kind == OUTPUT and node.changed > node.number else None
            if kind == INPUT:
                for parent in node.parents if node.op.variadic else node.parents[key : key + 1]:
                    changed = parent[0] if type(parent) is tuple else parent
                    if changed is not None and changed.changed > node.number:
                        stale = f"{node.op.inputs[key]}, an input of {node.op.__name__},"
                        stale = getattr(changed, "name", None) or stale
            for leaf in changed_leaves:  # also where what was saved is a view of it, as w.T of w
                if leaf.changed > node.number and _overlap(value, leaf.data):
                    stale = leaf.name or stale or f"a Tensor of shape {leaf.shape}"
            if stale:
                raise RuntimeError(
                    f"backward: {stale} was changed (its .data was set, or an optimiser stepped) after "
                    f"{node.op.__name__} had saved it for its gradient; change it after backward(), or compute the "
                    "forward again"
                )


def _overlap(a: Any, b: Any) -> bool:
    if isinstance(a, (tuple, list)):
        return any(_overlap(part, b) for part in a)
    return isinstance(a, xp.ndarray) and bool(xp.may_share_memory(a, b))


# ---------------------------------------------------------------------------------- the gradients of one node


def _joint_gradients(node: Node, plan: Plan, dys: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """(input position, gradient) for each wanted input, from a kernel, or for an op of several outputs; on arrays."""
    saved: Any = node.saved
    if node.outputs is not None:
        dys = _filled(node, dys)
    gradients = []
    for k, function, places, keywords in plan.calls:
        returned = function(*dys, *[saved[i] for i in places], **keywords)
        if k is not None:
            gradients.append((k, returned))
        else:
            returned = returned if type(returned) in (tuple, list) else (returned,)
            gradients += [(k, returned[k] if k < len(returned) else None) for k in plan.wanted]
    return gradients


def _shapes(node: Node, plan: Plan) -> list[tuple[int, ...]]:
    return [node.shapes[node.plan.wanted.index(k)] for k in plan.wanted]


def _filled(node: Node, dys: tuple[Any, ...]) -> tuple[Any, ...]:
    """The upstream gradients of several outputs: zeros where an output was not used."""
    dys = tuple(
        xp.zeros(shape, dtype) if dy is None else dy if dy.dtype == dtype else dy.astype(dtype)
        for dy, (shape, dtype) in zip(dys, node.outputs or (), strict=True)
    )
    return (dys,) if node.op.outputs[0].startswith("*") else dys


def _graph_gradients(node: Node, plan: Plan, dys: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """The same as Tensors that record a graph of their own: from the very same lines, or through `plain`."""
    saved: Any = node.saved
    asked = {i for _, _, places, _ in plan.graph_calls for i in places}  # by the lines; a kernel may keep floats
    floats = [plan.names[i] for i in sorted(asked) if plan.sources[i][0] == KEPT and _holds_floats(saved[i])]
    if (floats or not plan.graph_calls) and node.op.plain:
        return _through_plain(node, plan, dys)
    if node.outputs is not None:
        dys = _filled(node, dys)
    if floats or not plan.graph_calls:
        why = f"it keeps {floats[0]}, a result of its forward" if floats else "its backward is a kernel on arrays"
        raise RuntimeError(
            f"{node.op.__name__} is differentiable once: {why}, and it has no plain formula to differentiate again"
        )
    live = list(saved)
    for i, (kind, key) in enumerate(plan.sources):
        if kind == OUTPUT:
            live[i] = _reconnected(saved[i], (node, key))
        elif kind == INPUT and node.op.variadic:
            live[i] = [_reconnected(*pair) for pair in zip(saved[i], node.parents, strict=True)]
        elif kind == INPUT and key < len(node.parents):
            live[i] = _reconnected(saved[i], node.parents[key])
    gradients: list[tuple[int, Any]] = []
    for k, line, places, keywords in plan.graph_calls:
        returned = line(*dys, *[live[i] for i in places], **keywords)
        gradients += [(k, returned)] if k is not None else [(k, returned[k]) for k in plan.wanted]
    return gradients


def _holds_floats(value: Any) -> bool:
    if isinstance(value, (tuple, list, dict)):
        return any(map(_holds_floats, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f"


def _reconnected(value: Any, parent: Any) -> Any:
    """A saved array as the Tensor it was, so that the new graph grows out of the old one."""
    if type(parent) is tuple:
        return tape.Tensor(value, True, parent)
    return parent if parent is not None and parent.requires_grad else value


def _through_plain(node: Node, plan: Plan, dys: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """Run the plain formula at the recorded inputs, and walk back through it as far as those inputs."""
    saved = dict(zip(plan.names, node.saved or (), strict=True))
    inputs = list(saved[node.op.inputs[0]]) if node.op.variadic else [saved[name] for name in node.op.inputs]
    for k, parent in enumerate(node.parents):
        inputs[k] = _reconnected(inputs[k], parent)
        if k in plan.wanted:
            t = inputs[k] if isinstance(inputs[k], tape.Tensor) else tape.Tensor(inputs[k], True)  # frozen since
            inputs[k] = alias(t)  # a node of its own, so that the walk below stops here
    ys = node.op.plain(*inputs, **node.settings)
    ys = ys if type(ys) is tuple else (ys,)
    # The gradient of <y, dy> is the vector-Jacobian product with dy.
    product: Any = sum((y * dy).sum() for y, dy in zip(ys, dys, strict=True) if dy is not None)
    arrived: dict[Any, Any] = {}
    targets = {key_of(inputs[k]) for k in plan.wanted}
    one = tape.Tensor(xp.ones_like(product.data))
    deque(_walk(product, one, arrived, targets=targets, create_graph=True, keep_graph=True), maxlen=0)
    zeros = {k: tape.Tensor(xp.zeros_like(inputs[k].data)) for k in plan.wanted if key_of(inputs[k]) not in arrived}
    return [(k, zeros[k] if k in zeros else arrived[key_of(inputs[k])]) for k in plan.wanted]


@op
class _alias:
    """y = x, as a node of its own."""

    # fmt: off
    def forward(x): return x
    def d_x(dy):    return dy
    # fmt: on


alias: Any = _alias  # a type checker takes what is decorated for a class


# ---------------------------------------------------------------------------------- what a line may return


def _fitted(node: Node, k: int, raw: Any, shape: tuple[int, ...]) -> Any:
    """A gradient that is no array of its input's shape: summed over broadcast axes if the op says so, or refused."""
    op, name = node.op, node.op.inputs[0 if node.op.variadic else k]
    got = getattr(raw, "shape", None)
    d = raw if got == shape else unbroadcast(raw, shape) if op.broadcast and got is not None else None
    if d is None:
        line = f"{op.__name__}.{'backward' if op.joint else 'd_' + name}"
        returned = f"shape {got}" if got is not None else "None" if raw is None else type(raw).__name__
        raise ValueError(
            f"{line}: the gradient of {name} has the shape of {name}, {shape}; the line returned {returned}"
        )
    return d if isinstance(d, tape.Tensor) else xp.asarray(d)  # NumPy's 0-d results are no arrays


def unbroadcast(d: Any, shape: tuple[int, ...]) -> Any:
    """Sum a gradient over the axes along which an input of this shape was broadcast; None if it cannot have been."""
    lead = d.ndim - len(shape)
    if lead < 0 or any(n not in (1, m) for n, m in zip(shape, d.shape[lead:], strict=True)):
        return None
    stretched = tuple(lead + i for i, n in enumerate(shape) if n == 1 and d.shape[lead + i] != 1)
    return d.sum(axis=tuple(range(lead)) + stretched).reshape(shape)


def _is_new(d: Any, dys: tuple[Any, ...], saved: Any) -> bool:
    """Whether a line made this array for itself: it is nothing that the line was handed."""
    for other in (*dys, *saved):  # a loop: it runs for every leaf, and a generator costs twice as much
        if d is other:
            return False
    return True
