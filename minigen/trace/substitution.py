"""The rule of a step in symbols, and with the numbers put in.

    dy * (1 - y * y)   ->   1 * (1 - 0.4621 * 0.4621) = 0.7864

The gradient line's own source is read as a tree. One entry of the result is chosen (the first that is not 0), and in
place of each name stands that entry of its value; a product of matrices becomes the sum of products that it is, a sum
over an axis the sum of its terms. What cannot be taken apart, as a call of another op, is shown as the number it is.
"""

import ast
import builtins
import inspect
import itertools
import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigen.backend import to_numpy
from minigen.graph.contract import line_of
from minigen.graph.step import Arrival, Step
from minigen.trace.recorded import upstreams

TERMS = 4  # of a sum that are written out
SYMBOLS: dict[type, tuple[str, int]] = {  # how an operator is written, and how strongly it binds
    ast.Add: ("+", 1),
    ast.Sub: ("-", 1),
    ast.Mult: ("*", 2),
    ast.Div: ("/", 2),
    ast.Pow: ("**", 4),
    ast.Gt: (">", 0),
    ast.GtE: (">=", 0),
    ast.Lt: ("<", 0),
    ast.LtE: ("<=", 0),
    ast.Eq: ("==", 0),
    ast.NotEq: ("!=", 0),
}
SUM, PRODUCT, MINUS, ATOM = 1, 2, 3, 5


class NotALineError(Exception):
    """A gradient whose numbers cannot be put in; the message says why."""


@dataclass(frozen=True)
class Rule:
    """The gradient of one input: how it was computed."""

    symbols: str  # what its line returns, "dy * (1 - y * y)"; several lines where it takes several, as far as they ran
    source: str  # the op's own lines, whole
    numbers: tuple[str, ...]  # the symbols with numbers put in; or a sentence why not
    entry: str  # for which entry of what the line returned, "[0, 1]"; "" for a single number


def work_out(step: Step, arrival: Arrival, index: tuple[int, ...] | None = None) -> Rule:
    """The rule of one gradient of a step, in symbols and in numbers.

    index: the entry to work out; by default the first that is not 0.
    """
    op = step.op
    function = line_of(op, op.inputs.index(arrival.input)) if arrival.input in op.inputs else None
    function = function or op.joint
    try:
        source = textwrap.dedent(inspect.getsource(function)).strip()
        tree = _definition(source)
    except (OSError, TypeError, SyntaxError):  # written where there is no file to read
        header = f"def {function.__name__}{inspect.signature(function)}: ..."
        return Rule(header, header, ("its source is not at hand",), "")
    symbols = _at_once(tree, source)
    if function is op.joint:
        into = "; step into its plain form to see them one by one" if op.plain else ""
        why = f"{op.__name__} computes its gradients together{into}"
        return Rule(symbols or f"def {function.__name__}{inspect.signature(function)}: ...", source, (why,), "")
    raw = to_numpy(arrival.raw)
    if not raw.size:
        return Rule(symbols or source, source, (f"there is no entry in an array of shape {raw.shape}",), "")
    index = tuple(map(int, np.unravel_index(int((raw != 0).argmax()), raw.shape))) if index is None else index
    worked = _Worked(step, function, tree, source, index)
    try:
        with np.errstate(all="ignore"):
            worked.run(tree.body)
    except NotALineError as why:
        return Rule(symbols or source, source, (str(why),), "")
    except Exception:  # whatever a learner's line may do when it is taken apart
        return Rule(symbols or source, source, ("its line cannot be taken apart",), "")
    numbers, result = worked.numbers, number(raw[index])
    if not numbers or not numbers[-1].endswith(result):  # it reads something that has changed since
        return Rule(symbols or source, source, ("its line comes to something else by now",), "")
    entry = f"[{', '.join(map(str, index))}]" if index else ""
    if entry or numbers[-1] != result:
        numbers[-1] = f"d_{arrival.input}{entry} = {numbers[-1]}"
    numbers += _reduced(raw, arrival.gradient, index)
    return Rule("\n".join(worked.symbols), source, tuple(numbers), entry)


def _reduced(raw: np.ndarray, gradient: Any, index: tuple[int, ...]) -> list[str]:
    """A line for the sum over broadcast axes that the entry at `index` goes into."""
    shape = gradient.shape
    if raw.shape == shape:
        return []
    lead = raw.ndim - len(shape)
    at = tuple(0 if n == 1 else i for i, n in zip(index[lead:], shape, strict=True))
    ranges = [range(n) for n in raw.shape[:lead]]
    ranges += [range(m) if n == 1 else range(i, i + 1) for i, n, m in zip(at, shape, raw.shape[lead:], strict=True)]
    text, _ = _sum((number(raw[i]) for i in itertools.product(*ranges)), math.prod(map(len, ranges)))
    return [f"and summed: {text} = {number(to_numpy(gradient)[at])}"]


def number(value: Any) -> str:
    """A number as a reader wants it."""
    value = value.item() if hasattr(value, "item") else value
    value = abs(value) if value == 0 else value  # -0 is a 0
    return f"{value:.4g}" if isinstance(value, (int, float)) else str(value)


def _definition(source: str) -> Any:
    """The function in this source; of a lambda, what would be its body."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            return node
        if isinstance(node, ast.Lambda):
            returned = ast.Return(node.body)
            return ast.FunctionDef("line", node.args, [ast.copy_location(returned, node.body)], [])
    raise SyntaxError("no function in it")


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _at_once(tree: Any, source: str) -> str:
    """What a function returns, where returning is all it does."""
    body = [s for s in tree.body if not _is_docstring(s)]
    alone = len(body) == 1 and isinstance(body[0], ast.Return) and body[0].value is not None
    return (alone and ast.get_source_segment(source, body[0].value)) or ""


class _Worked:
    """One gradient line, worked out for one entry of its result."""

    def __init__(self, step: Step, function: Any, tree: Any, source: str, index: tuple[int, ...]) -> None:
        self.source, self.index = source, index
        self.symbols: list[str] = []  # of each statement that was run
        self.numbers: list[str] = []
        self.known = dict(zip(step.op.upstreams, upstreams(step), strict=False))
        self.known |= {name: step.saved[name] for name in inspect.signature(function).parameters if name in step.saved}
        self.around = {**vars(builtins), **function.__globals__, **inspect.getclosurevars(function).nonlocals}
        self.values: dict[ast.AST, Any] = {}

    def run(self, body: list[ast.stmt]) -> bool:
        """Work through statements; whether a return was met."""
        for s in body:
            if isinstance(s, ast.Return) and s.value is not None:
                self.symbols.append(ast.get_source_segment(self.source, s.value) or "")
                self.numbers.append(self._equation(s.value))
                return True
            if isinstance(s, ast.If):
                if self.run(s.body if self._value(s.test) else s.orelse):
                    return True
            elif isinstance(s, ast.Assign) and len(s.targets) == 1 and isinstance(s.targets[0], ast.Name):
                name = s.targets[0].id
                self.symbols.append(ast.get_source_segment(self.source, s) or "")
                if self._fits(self._value(s.value)):
                    self.numbers.append(f"{name} = {self._equation(s.value)}")
                self.known[name] = self._value(s.value)
            elif not _is_docstring(s):
                raise NotALineError("its gradient takes several statements; read its source")
        return False

    def _equation(self, node: ast.expr) -> str:
        text = _bracketed(self._at(node, self.index), SUM)
        result = number(self._entry(self._value(node), self.index))
        return text if text == result else f"{text} = {result}"

    def _value(self, node: ast.AST) -> Any:
        """What a part of the op's own line comes to. It is code that the walk has just run, so it may be run."""
        if node not in self.values:
            code = compile(ast.Expression(ast.fix_missing_locations(node)), "<gradient line>", "eval")  # type: ignore[arg-type]
            self.values[node] = eval(code, {**self.around, **self.known})
        return self.values[node]

    def _fits(self, value: Any) -> bool:
        """Whether a value has an entry that belongs to the one that was chosen."""
        shape = getattr(value, "shape", ())
        if len(shape) > len(self.index) or (not isinstance(value, (int, float)) and not hasattr(value, "dtype")):
            return False
        return all(n == 1 or i < n for n, i in zip(shape[::-1], self.index[::-1], strict=False))

    def _entry(self, value: Any, index: tuple[int, ...]) -> Any:
        """The entry of a value that broadcasting puts at `index`."""
        if not hasattr(value, "shape"):
            return value
        tail = index[len(index) - value.ndim :] if value.ndim else ()
        return to_numpy(value)[tuple(0 if n == 1 else i for i, n in zip(tail, value.shape, strict=True))]

    def _at(self, node: ast.expr, index: tuple[int, ...]) -> tuple[str, int]:
        """An expression at one entry of its result, and how strongly its outermost operator binds."""
        if isinstance(node, ast.BinOp) and type(node.op) in SYMBOLS:
            symbol, strength = SYMBOLS[type(node.op)]
            left, right = self._at(node.left, index), self._at(node.right, index)
            right_strength = strength + (symbol in "-/")
            return f"{_bracketed(left, strength)} {symbol} {_bracketed(right, right_strength, True)}", strength
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
            return self._product(node, index)
        if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SYMBOLS:
            symbol, strength = SYMBOLS[type(node.ops[0])]
            left, right = self._at(node.left, index), self._at(node.comparators[0], index)
            return f"{_bracketed(left, 1)} {symbol} {_bracketed(right, 1)}", strength
        if (
            isinstance(node, ast.UnaryOp)
            and isinstance(node.op, ast.USub)
            and not isinstance(node.operand, ast.Constant)
        ):
            return f"-{_bracketed(self._at(node.operand, index), MINUS, True)}", MINUS
        if isinstance(node, ast.Call):
            return self._call(node, index)
        return self._number(node, index)

    def _number(self, node: ast.expr, index: tuple[int, ...]) -> tuple[str, int]:
        text = number(self._entry(self._value(node), index))
        return text, MINUS if text.startswith("-") else ATOM

    def _product(self, node: ast.BinOp, index: tuple[int, ...]) -> tuple[str, int]:
        """An entry of a @ b: a row of a times a column of b."""
        a, b = self._value(node.left), self._value(node.right)
        if a.ndim < 2 or b.ndim < 2:
            return self._number(node, index)
        rows, columns = (*index[:-2], index[-2]), (*index[:-2], index[-1])
        pairs = (
            (self._entry(a, (*rows, n)), self._entry(b, (*columns[:-1], n, columns[-1]))) for n in range(a.shape[-1])
        )
        return _sum((f"{_negative(number(p))} * {_negative(number(q))}" for p, q in pairs), a.shape[-1])

    def _call(self, node: ast.Call, index: tuple[int, ...]) -> tuple[str, int]:
        """A sum over axes as its terms, an elementwise op as tanh(0.5), anything else as the number it comes to."""
        value, function = self._value(node), node.func
        if isinstance(function, ast.Attribute) and function.attr == "sum":
            of = self._value(function.value)
            return self._terms(of, value, index) if hasattr(of, "shape") else self._number(node, index)
        name = function.id if isinstance(function, ast.Name) else ""
        first = self._value(node.args[0]) if node.args else None
        if name == "unbroadcast":
            same = getattr(first, "shape", None) == value.shape
            return self._at(node.args[0], index) if same else self._number(node, index)
        op = self._value(function)
        elementwise = (
            hasattr(op, "d_x") and not op.settings and len(op.inputs) == 1
        )  # as none of ours with a setting is
        if elementwise and getattr(first, "shape", ()) == value.shape:
            return f"{name}({self._at(node.args[0], index)[0]})", ATOM
        return self._number(node, index)

    def _terms(self, of: Any, value: Any, index: tuple[int, ...]) -> tuple[str, int]:
        """The entries that a sum adds up to its entry at `index`."""
        shape, reduced = of.shape, getattr(value, "shape", ())
        tail = index[len(index) - len(reduced) :] if reduced else ()
        gone = _summed_axes(shape, reduced)
        if gone is None:
            return number(self._entry(value, index)), ATOM
        kept = iter(tail)
        fixed = (
            [None if i in gone else next(kept) for i in range(len(shape))]
            if len(shape) != len(reduced)
            else [None if i in gone else tail[i] for i in range(len(shape))]
        )
        ranges = [range(n) if f is None else (f,) for n, f in zip(shape, fixed, strict=True)]
        array = to_numpy(of)
        return _sum((number(array[at]) for at in itertools.product(*ranges)), math.prod(map(len, ranges)))


def _summed_axes(shape: tuple[int, ...], reduced: tuple[int, ...]) -> set[int] | None:
    """Which axes a sum went over, from the shapes; None where these do not tell."""
    if len(shape) == len(reduced):
        return {i for i, n in enumerate(reduced) if n == 1 and shape[i] != 1}
    fits = [
        set(gone)
        for gone in itertools.combinations(range(len(shape)), len(shape) - len(reduced))
        if tuple(n for i, n in enumerate(shape) if i not in gone) == tuple(reduced)
    ]
    return fits[0] if len(fits) == 1 else None


def _sum(terms: Iterator[str], count: int) -> tuple[str, int]:
    shown = list(itertools.islice(terms, TERMS))
    text = " + ".join([shown[0], *map(_negative, shown[1:])])
    text += f" + ... ({count} terms)" if count > TERMS else ""
    return text, SUM if count > 1 else PRODUCT if " * " in text else MINUS if text.startswith("-") else ATOM


def _negative(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _bracketed(part: tuple[str, int], strength: int, inner: bool = False) -> str:
    """A part of a larger expression, in brackets where it binds less, or is a negative number within a product."""
    text, binds = part
    negative = text.startswith("-") and (inner or strength > SUM)
    return f"({text})" if binds < strength or negative else text
