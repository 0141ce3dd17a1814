"""gradcheck: is what backward() says the slope of what forward does?"""

import copy
import inspect
import random as python_random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from minigen import random
from minigen.backend import xp
from minigen.check.numeric import numerical_gradient
from minigen.check.verdict import Checked, Report, judged
from minigen.graph import grad
from minigen.nn import Module
from minigen.tensor import Tensor

Run = Callable[[bool], list[Tensor]]  # the outputs; the argument: whether they are to be differentiated


def gradcheck(fn: Callable[..., Any], *inputs: Any, order: int = 1, seed: int = 0, most: int = 1000) -> Report:
    """Compare the gradients that backward() gives for fn(*inputs) with numerical ones.

        mg.gradcheck(mg.dense, x, w, b)
        mg.gradcheck(lambda x: mg.mse(mg.tanh(x), target), x, order=2)
        mg.gradcheck(nn.LSTM(3, 5), x)                               # its parameters are checked too

    fn: an op, a Module, or any function of Tensors that returns a Tensor or several.
    inputs: arrays, lists and Tensors of floating-point numbers are checked, in float64 copies; what is to be
    held constant is closed over. A Module is copied to float64, with its random numbers fixed.
    order: 2 also checks the gradient of <gradient, v>, v random, in the inputs and in the upstream gradient.
    seed: of the random-normal upstream gradient.
    most: entries looked at in each input; where it has more, they are chosen at random.

    Right is max |a - n| / max |n| below 1e-7, n measured by five points in float64 (minigen.check.numeric).
    Returns a Report. Raises AssertionError, naming the input, the entry and both numbers, where a gradient
    is wrong; where more than 20 % of an input's entries lie at kinks; where all slopes are 0, so that nothing
    was checked; where fn changes its inputs, leaves float64, or gives other numbers each time it is called.
    With order=2, RuntimeError from an op that is differentiable once.
    """
    if order not in (1, 2):
        raise ValueError(f"gradcheck: order is {order!r}, wants 1 or 2")
    name = getattr(fn, "__name__", type(fn).__name__)
    leaves: dict[str, Tensor] = {}
    arguments = []
    for parameter, value in zip(_names(fn, len(inputs)), inputs, strict=True):
        array = _floats(value)
        if array is not None:
            value = leaves[parameter] = Tensor(array, requires_grad=True, name=parameter)
        arguments.append(value)
    if isinstance(fn, Module):
        fn = copy.deepcopy(fn).astype("float64")
        leaves |= {path: parameter for path, parameter in fn.named_parameters() if parameter.requires_grad}
    if not leaves:
        raise ValueError(f"gradcheck: {name} was given no floating-point numbers, so there is nothing to check")

    def forward(record: bool) -> list[Tensor]:
        with _fixed_randomness(seed):  # recorded also where nobody asks: fn may use mg.grad, as a gradient penalty
            outputs = fn(*arguments)
        return [y for y in _flat(outputs) if y.dtype.kind == "f"]

    checked = _compared(name, forward, leaves, 1, seed, most)
    if order == 2:  # the first derivatives are a function too, of the leaves and of the upstream gradient
        normals = enumerate(_normals(forward(False), seed))
        upstream = {f"upstream[{i}]": Tensor(dy, requires_grad=True) for i, dy in normals}

        def slopes(record: bool) -> list[Tensor]:
            return _gradients(forward(True), upstream.values(), leaves.values(), create_graph=record)

        checked += _compared(name, slopes, leaves | upstream, 2, seed + 1, most)
    return Report(checked)


def _compared(name: str, run: Run, leaves: dict[str, Tensor], order: int, seed: int, most: int) -> list[Checked]:
    """Every leaf's gradient of <outputs, random upstream> against the numerical one."""
    before = [leaf.data.copy() for leaf in leaves.values()]
    outputs = run(True)
    _check_outputs(name, outputs)
    dys = _normals(outputs, seed)
    gradients = _gradients(outputs, dys, leaves.values())
    for (path, leaf), was in zip(leaves.items(), before, strict=True):
        if not bool((leaf.data == was).all()):
            raise AssertionError(f"gradcheck: {name} changes its input {path} in place")

    def terms() -> Any:
        return xp.concatenate([(y.data * dy).ravel() for y, dy in zip(run(False), dys, strict=True)])

    if not bool((terms() == terms()).all()):
        raise AssertionError(f"gradcheck: {name} gives other numbers each time it is called")
    checked, vacuous = [], True
    for (path, leaf), gradient in zip(leaves.items(), gradients, strict=True):
        chosen = sorted(python_random.Random(seed).sample(range(leaf.size), min(most, leaf.size)))
        slopes = numerical_gradient(terms, leaf.data, chosen)
        checked.append(judged(name, path, order, gradient.data, slopes))
        vacuous = vacuous and bool((xp.abs(slopes.gradient) <= slopes.uncertainty).all())
    if vacuous:
        raise AssertionError(
            f"gradcheck: nothing was checked: {name} has slope 0 in each input ({', '.join(leaves)}), "
            "and a backward that returns zeros would pass; choose inputs that the output depends on"
        )
    return checked


def _gradients(
    outputs: list[Tensor], upstream: Iterable[Any], leaves: Iterable[Tensor], create_graph: bool = False
) -> list[Tensor]:
    """The vector-Jacobian products: the gradients of <outputs, upstream> in the leaves, zeros where none."""
    product: Any = sum(0.0 * leaf.sum() for leaf in leaves)  # so that every leaf takes part
    for y, dy in zip(outputs, upstream, strict=True):
        product = product + (y * dy).sum()
    return grad(product, leaves, create_graph=create_graph)


def _check_outputs(name: str, outputs: list[Tensor]) -> None:
    for y in outputs:
        if y.dtype != xp.float64:
            raise AssertionError(f"gradcheck: {name} turns float64 into {y.dtype}; wants float64 all through")
        if not bool(xp.isfinite(y.data).all()):
            raise AssertionError(f"gradcheck: {name} gives NaN or Inf at these inputs; it has no slope there")
    if not any(y.requires_grad for y in outputs):
        raise AssertionError(
            f"gradcheck: the output of {name} requires no gradient: a step in it leaves the graph (.data, "
            ".detach(), no_grad), or it returns no floating-point Tensor"
        )


def _flat(outputs: Any) -> list[Tensor]:
    """All Tensors of an output such as (hs, (h, c)), in order."""
    return [y for part in outputs for y in _flat(part)] if isinstance(outputs, (tuple, list)) else [outputs]


def _normals(outputs: list[Tensor], seed: int) -> list[Any]:
    """A random-normal upstream gradient for each output."""
    rng = xp.random.default_rng(seed + 1_000_003)  # other numbers than default_rng(0) gave the inputs
    return [xp.asarray(rng.standard_normal(y.shape)) for y in outputs]


def _floats(value: Any) -> Any:
    """A contiguous float64 copy of an input that is to be checked; None for what is no array of floats."""
    if isinstance(value, Tensor):
        value = value.data
    if not isinstance(value, list) and type(value) is not xp.ndarray:
        return None
    array = xp.asarray(value)
    return array.astype("float64", order="C") if array.dtype.kind == "f" else None


def _names(fn: Callable[..., Any], count: int) -> list[str]:
    """What fn calls its first `count` positional parameters."""
    names: list[str] = []
    for p in inspect.signature(fn.forward if isinstance(fn, Module) else fn).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(count - len(names))]
        elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
    if count > len(names):
        raise TypeError(f"gradcheck: fn takes {len(names)} inputs ({', '.join(names)}), got {count}")
    return names[:count]


@contextmanager
def _fixed_randomness(seed: int) -> Iterator[None]:
    """Draw the same random numbers each time inside, and leave the sequence outside as it was."""
    before = random._seed, dict(random._generators)
    random.seed(seed)
    try:
        yield
    finally:
        random._seed = before[0]
        random._generators.clear()
        random._generators.update(before[1])
