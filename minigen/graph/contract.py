"""The op contract: how an operation is written, and what calling it records.

An operation is a small class: the forward formula, and one line for each input's gradient.

    @op
    class dense:
        \"\"\"y = x @ w + b.   x (N, D), w (D, M), b (M,) -> y (N, M)\"\"\"
        def forward(x, w, b): return x @ w + b
        def d_x(dy, w):       return dy @ w.T
        def d_w(dy, x):       return x.T @ dy
        def d_b(dy):          return dy.sum(axis=0)

Calling `dense(x, w, b)` with a Tensor among the inputs computes y and records a Node; with arrays alone it just
computes. The signatures say what is saved: `d_w(dy, x)` names x, so x is kept for backward, and nothing else is.

    positional parameters of forward    inputs; `d_<input> = None` for one without a gradient (labels, indices)
    keyword-only parameters             settings; a gradient line may name them
    a line may also name                the output `y`, `<input>_shape`, what forward kept: `return keep(y, mask=mask)`
    backward(dy, ..., wanted)           a kernel for several gradients at once, used on arrays, equal to the lines;
                                        `wanted` holds the names of the inputs to answer for, None for the others
    plain(...)                          the same formula written in other ops; second derivatives go through it
    forward(*xs, ...)                   any number of inputs; a joint backward in the place of the lines
    outputs = "hs", "c_n"               several outputs, upstream gradients d_hs, d_c_n; "*ys": any number, in d_ys
    explain(...)                        asked when NumPy raised inside forward: a sentence for it, or None
"""

import inspect
from collections.abc import Callable
from typing import Any

from minigen.backend import asarray, xp
from minigen.graph import tape
from minigen.graph.tape import Node, mode, next_number
from minigen.threads import in_pieces

INPUT, OUTPUT, SHAPE, SETTING, KEPT = range(5)  # where a value that a gradient line names comes from


class Kept:
    __slots__ = ("outputs", "values")

    def __init__(self, outputs: Any, values: dict[str, Any]) -> None:
        self.outputs, self.values = outputs, values


def keep(*outputs: Any, **values: Any) -> Kept:
    """What forward returns to save more than inputs and output for its gradients: `return keep(y, mask=mask)`."""
    return Kept(outputs[0] if len(outputs) == 1 else outputs, values)


def op(cls: Any = None, *, broadcast: bool = False, elementwise: bool = False) -> Any:
    """Turn a class in contract form (see this module's docstring) into a function that computes and records.

    broadcast=True, for elementwise ops only, sums a gradient over the axes its input was broadcast along.
    elementwise=True, where y[i] and every gradient depend on entry i of their arrays alone, lets large arrays be worked
    on in pieces.
    Raises TypeError, with a sentence, for a class that does not keep the contract.
    """
    if cls is None:
        return lambda c: op(c, broadcast=broadcast, elementwise=elementwise)
    name = cls.__name__
    members = {key: m.__func__ if isinstance(m, staticmethod) else m for key, m in vars(cls).items()}
    if "forward" not in members:
        raise TypeError(f"{name}: an op needs a forward(...), and this class has none")
    forward = members["forward"]
    parameters = list(inspect.signature(forward).parameters.values())
    settings = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    outputs: Any = members.get("outputs")
    outputs = (outputs,) if isinstance(outputs, str) else outputs
    several = outputs is not None
    by_nature = {k for k, p in enumerate(parameters) if members.get("d_" + p.name, "none") is None}
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    setting_names = settings.keys()
    compute = in_pieces(forward) if elementwise else forward

    def call(*inputs: Any, **settings: Any) -> Any:
        if settings and not settings.keys() <= setting_names:  # an input given by name: dense(x, w, b=b)
            inputs, settings = _by_position(call, inputs, settings)
        if variadic and len(inputs) == 1 and type(inputs[0]) in (list, tuple):
            inputs = inputs[0]
        Tensor, ndarray = tape.Tensor, xp.ndarray
        arrays: list[Any] = []
        parents: list[Any] = []
        wanted: tuple[int, ...] = ()
        shapes: list[Any] = []  # of these
        traced = False
        for k, t in enumerate(inputs):
            if isinstance(t, Tensor):
                traced = True
                arrays.append(t._data)
                parents.append(t.origin or t)
                if t.requires_grad and mode.recording:
                    wanted += (k,)
                    shapes.append(t._data.shape)
            else:
                arrays.append(t if type(t) is ndarray else _value(t, k in by_nature))
                parents.append(None)
        if not traced and ndarray not in map(type, arrays):
            arrays = _numbers(inputs, arrays)
        try:
            y = compute(*arrays, **settings)
        except (ValueError, TypeError, IndexError, AttributeError) as error:
            raise _explained(call, arrays, settings, error) from error
        kept: dict[str, Any] = {}
        if type(y) is Kept:
            y, kept = y.outputs, y.values
        if several:
            y = _outputs(call, y)
        elif type(y) is not ndarray:
            y = _output(call, y)
        if not traced:
            return y
        node = _record(call, arrays, parents, wanted, shapes, settings, y, kept) if wanted else None
        if not several:
            result = Tensor(y, True, (node, 0)) if node else Tensor(y)
        else:
            result = tuple(
                Tensor(o, True, (node, slot)) if node and o.dtype.kind == "f" else Tensor(o) for slot, o in enumerate(y)
            )
        for observe in mode.observers:
            observe(call, node, inputs, settings, result)
        return result

    carried = {
        "inputs": [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY],
        "defaults": [p.default for p in parameters if p.kind is not p.KEYWORD_ONLY],
        "settings": settings,
        "outputs": outputs,
        "upstreams": ["d_" + o.lstrip("*") for o in outputs] if outputs else ["dy"],
        "variadic": variadic,
        "broadcast": broadcast,
        "elementwise": elementwise,
        "plans": {},  # by the positions of the inputs that want a gradient
        "joint": members.get("backward"),
        "plain": members.get("plain"),
        "explain": members.get("explain"),
        "forward": forward,
        "__name__": name,
        "__qualname__": name,
        "__module__": cls.__module__,
        "__doc__": cls.__doc__,
        "__signature__": inspect.signature(forward),
        **{key: value for key, value in members.items() if key.startswith("d_") or key == "backward"},
    }
    for key, value in carried.items():
        setattr(call, key, value)
    _check_contract(call)
    return call


def line_of(op: Any, k: int) -> Any:
    """The gradient line of input k: a function, None by nature, or None because a joint backward stands alone."""
    return None if op.variadic else getattr(op, "d_" + op.inputs[k], None)


def _check_contract(op: Any) -> None:
    """Refuse, with a sentence, a class that does not keep the contract. Run once, when the op is defined."""
    name = op.__name__
    lines = {key: value for key, value in vars(op).items() if key.startswith("d_")}
    if op.inputs[:1] == ["self"]:
        raise TypeError(f"{name}: forward takes self, but an op has no state; write forward(x, ...), of arrays")
    for key, line in lines.items():
        if key[2:] not in op.inputs:
            inputs = ", ".join(op.inputs)
            raise TypeError(f"{name}: {key} is the gradient of an unknown input; the inputs are {inputs}")
        if line is not None and not callable(line):
            raise TypeError(f"{name}: {key} is {line!r}; wants a function of dy, or None for no gradient by nature")
    if op.variadic and op.joint is None:
        raise TypeError(f"{name}: an op of any number of inputs (*{op.inputs[-1]}) needs a joint backward")
    for i in op.inputs:
        if "d_" + i not in lines and op.joint is None:
            raise TypeError(
                f"{name}: input {i} has no d_{i}; write d_{i} = None if it has no gradient by nature (labels, indices)"
            )
    if op.plain and list(inspect.signature(op.plain).parameters) != list(op.__signature__.parameters):
        raise TypeError(f"{name}: plain has to take what forward takes, {op.__signature__}")
    known = {*op.inputs, *op.settings, "wanted", *(i + "_shape" for i in op.inputs)}
    known |= {o.lstrip("*") for o in op.outputs or ("y",)}
    keeps = "keep" in op.forward.__code__.co_names
    if op.elementwise and (keeps or op.joint or op.outputs or op.variadic):
        raise TypeError(
            f"{name}: elementwise=True is for an op of one output with a line for each gradient, that keeps nothing: "
            "where arrays are large, forward and the lines are called on pieces of them"
        )
    for function in filter(None, [op.joint, *lines.values()]):
        parameters = list(inspect.signature(function).parameters)
        if parameters[: len(op.upstreams)] != op.upstreams:
            raise TypeError(
                f"{name}.{function.__name__}: the first parameters are the upstream gradients, "
                f"{', '.join(op.upstreams)}; got {', '.join(parameters) or 'none'}"
            )
        for asked in parameters[len(op.upstreams) :]:
            if asked not in known and not keeps:
                raise TypeError(
                    f"{name}.{function.__name__} asks for {asked!r}, which is no input, setting, output or "
                    f"<input>_shape, and forward does not keep it (return keep(y, {asked}=...))"
                )


class Plan:
    """For one choice of wanted inputs: what recording saves, and what backward calls."""

    __slots__ = ("calls", "graph_calls", "joint", "names", "narrowed", "sources", "unnamed", "wanted")

    def __init__(self, op: Any, wanted: tuple[int, ...], names: list[str] | None = None) -> None:
        self.wanted = wanted
        lines = [(k, line_of(op, k)) for k in wanted]
        lines = [] if any(line is None for _, line in lines) else lines
        joint = [(None, op.joint)] if op.joint else []
        if names is None:  # the names of all values to save, each once
            by_lines, asked = ([n for _, f in functions for n in _asked(op, f)] for functions in (lines, joint + lines))
            if op.plain and (not lines or any(_source(op, n)[0] == KEPT for n in by_lines)):
                asked += op.inputs  # the lines cannot be differentiated again, plain can
            names = list(dict.fromkeys(n for n in asked if n != "wanted"))
        self.names = names
        self.sources = [_source(op, name) for name in names]
        named = {key for kind, key in self.sources if kind == INPUT}  # any other constant is not kept
        self.unnamed = [] if op.variadic else [k for k in range(len(op.inputs)) if k not in named and k not in wanted]
        who = frozenset(wanted) if op.variadic else frozenset(op.inputs[k] for k in wanted)

        def ready(k: int | None, function: Callable[..., Any]) -> tuple[Any, ...]:
            places = [names.index(n) for n in _asked(op, function) if n != "wanted"]
            return k, function, places, {"wanted": who} if "wanted" in _asked(op, function) else {}

        kernel, formulas = [ready(*f) for f in joint], [ready(*f) for f in lines]
        self.joint = bool(kernel)
        self.calls = kernel or formulas  # on arrays: the kernel where there is one
        if op.elementwise:
            self.calls = [(k, in_pieces(line), places, keywords) for k, line, places, keywords in self.calls]
        self.graph_calls = kernel if op.variadic else formulas  # on Tensors: the lines
        self.narrowed: dict[tuple[int, ...], Plan] = {}

    def only(self, op: Any, wanted: tuple[int, ...]) -> "Plan":
        """The plan for fewer inputs, reading from the same saved list."""
        if wanted == self.wanted:
            return self
        if wanted not in self.narrowed:
            self.narrowed[wanted] = Plan(op, wanted, self.names)
        return self.narrowed[wanted]


def _asked(op: Any, function: Callable[..., Any]) -> list[str]:
    """What a gradient line asks for after its upstream gradients."""
    return list(inspect.signature(function).parameters)[len(op.upstreams) :]


def _source(op: Any, name: str) -> tuple[int, Any]:
    if name in op.inputs:
        return INPUT, op.inputs.index(name)
    if name in (op.outputs or ("y",)):
        return OUTPUT, op.outputs.index(name) if op.outputs else 0
    if name.endswith("_shape") and name[:-6] in op.inputs:
        return SHAPE, op.inputs.index(name[:-6])
    return (SETTING, name) if name in op.settings else (KEPT, name)


def _record(
    op: Any,
    arrays: list[Any],
    parents: list[Any],
    wanted: tuple[int, ...],
    shapes: list[Any],
    settings: Any,
    y: Any,
    kept: Any,
) -> Node:
    """The node of one call, holding what the gradient lines of the wanted inputs name, and nothing else."""
    plan = op.plans.get(wanted)
    if plan is None:
        _refuse_gradient_by_nature(op, wanted)
        plan = op.plans[wanted] = Plan(op, wanted)
    node = Node()
    node.number, node.op, node.settings, node.parents, node.plan = next_number(), op, settings, parents, plan
    node.changed, node.seen = 0, None
    for k in plan.unnamed:
        if k < len(parents):
            parents[k] = None
    node.shapes = shapes
    node.dtype, node.outputs = (None, [(o.shape, o.dtype) for o in y]) if op.outputs else (y.dtype, None)
    node.saved = saved = []
    for kind, key in plan.sources:
        if kind == INPUT:
            saved.append(arrays if op.variadic else arrays[key] if key < len(arrays) else op.defaults[key])
        elif kind == OUTPUT:
            saved.append(y[key] if op.outputs else y)
        elif kind == SHAPE:
            shapes = [getattr(a, "shape", ()) for a in arrays]
            saved.append(shapes if op.variadic else shapes[key] if key < len(shapes) else None)
        elif kind == SETTING:
            saved.append(settings[key] if key in settings else op.settings[key])
        elif key in kept:
            saved.append(kept[key])
        else:
            kept_names = ", ".join(kept) or "nothing"
            raise TypeError(f"{op.__name__}: a gradient line asks for {key!r}, and forward kept {kept_names}")
    return node


def _refuse_gradient_by_nature(op: Any, wanted: tuple[int, ...]) -> None:
    for k in wanted if not op.variadic else ():
        name = op.inputs[k]
        if "d_" + name in vars(op) and line_of(op, k) is None:
            raise TypeError(
                f"{op.__name__}: {name} has no gradient by nature (d_{name} = None), but it was given a Tensor that "
                f"requires one; pass an array, or {name}.detach()"
            )


# ------------------------------------------------------------------------- what came in, and what to say of it


def _value(t: Any, by_nature: bool) -> Any:
    """An input that is no array of this backend. NumPy's scalars become Python's, which never promote a dtype.

    Lists become float32, but where an input has no gradient by nature: there, a list of integers are labels.
    """
    if isinstance(t, xp.generic):
        return t.item()
    if isinstance(t, (list, tuple)):
        return xp.asarray(t, dtype=None if by_nature and _integers(t) else xp.float32)
    return t


def _numbers(inputs: Any, arrays: list[Any]) -> list[Any]:
    """No array came in: NumPy's scalars stand for 0-d arrays then, and Python's numbers alone are float32."""
    if any(isinstance(t, xp.generic) for t in inputs):
        return [xp.asarray(t) if isinstance(t, xp.generic) else a for t, a in zip(inputs, arrays, strict=True)]
    return [asarray(a) if isinstance(a, (int, float)) else a for a in arrays]


def _integers(t: Any) -> bool:
    return all(map(_integers, t)) if isinstance(t, (list, tuple)) else isinstance(t, int)


def _output(op: Any, y: Any) -> Any:
    """What forward returned, where that is no array of this backend: a 0-d result becomes one."""
    if not isinstance(y, (xp.generic, xp.ndarray, int, float)):
        hint = ""
        if isinstance(y, tape.Tensor):
            hint = "; settings are numbers or arrays, give a Tensor's .data"
        if isinstance(y, (tuple, list)):
            hint = '; an op of several outputs names them: outputs = "y", "z"'
        raise TypeError(f"{op.__name__}: forward returned a {type(y).__name__}, wants an array{hint}")
    return xp.asarray(y)


def _outputs(op: Any, ys: Any) -> tuple[Any, ...]:
    """The same for an op of several outputs."""
    fixed = not op.outputs[0].startswith("*")
    if type(ys) not in (tuple, list) or (fixed and len(ys) != len(op.outputs)):
        got = f"{len(ys)} of them" if type(ys) in (tuple, list) else f"a {type(ys).__name__}"
        raise TypeError(f"{op.__name__}: forward has to return a tuple of {', '.join(op.outputs)}; it returned {got}")
    return tuple([y if type(y) is xp.ndarray else _output(op, y) for y in ys])


def _by_position(op: Any, inputs: Any, settings: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Move inputs that were given by name to their places: dense(x, w, b=b) -> dense(x, w, b)."""
    try:
        bound = op.__signature__.bind(*inputs, **settings)
    except TypeError as error:
        raise TypeError(f"{op.__name__}{op.__signature__}: {error}") from None
    bound.apply_defaults()
    return bound.args, {name: value for name, value in bound.kwargs.items() if name in settings}


def _explained(op: Any, arrays: list[Any], settings: dict[str, Any], error: Exception) -> Exception:
    """NumPy's error as a sentence that names the op and says what it was given."""
    kind = next(k for k in (IndexError, TypeError, ValueError, AttributeError) if isinstance(error, k))
    # "matmul: Input operand ..." is NumPy speaking.
    if str(error).startswith(op.__name__ + ":") and "Input operand" not in str(error):
        return kind(str(error))
    sentence = None
    if op.explain:
        try:
            sentence = op.explain(*arrays, **settings)
        except (ValueError, TypeError, IndexError, AttributeError):
            sentence = None  # the explanation tripped over the same input
    if sentence is None:
        names = [f"{op.inputs[0]}[{k}]" for k in range(len(arrays))] if op.variadic else op.inputs
        got = [f"{n} {_describe(a)}" for n, a in zip(names, arrays, strict=False)]
        got += [f"{n}={v!r}" for n, v in settings.items()]
        sentence = f"got {', '.join(got)}; {error}"
    return kind(f"{op.__name__}: {sentence}")


def _describe(a: Any) -> str:
    return f"{tuple(a.shape)} {a.dtype}" if hasattr(a, "dtype") else repr(a)
