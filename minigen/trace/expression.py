"""An expression from the command line, "tanh(a*b + c)", computed on Tensors. It is parsed and walked, never eval'ed.

There may be numbers, names that were given a value, + - * / ** @ and comparisons, lists, indexing, calls of minigen's
ops by name, and the Tensor's own methods. Every error is a sentence that points at its column.
"""

import ast
import difflib
import linecache
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from minigen import ops
from minigen.graph import watch
from minigen.tensor import Tensor, tensor

OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.MatMult: operator.matmul,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
SIGNS: dict[type, Callable[[Any], Any]] = {ast.USub: operator.neg, ast.UAdd: operator.pos}
FUNCTIONS = {name: getattr(ops, name) for name in ops.__all__ if callable(getattr(ops, name))}
METHODS = ["sum", "mean", "var", "std", "max", "min", "clip", "reshape", "ravel", "flatten", "transpose", "swapaxes"]
METHODS += ["squeeze", "detach"]
THERE_MAY_BE = "there may be numbers, names, + - * / ** @, lists, indexing, and calls of minigen's ops, as in tanh(a*b)"
FILE = "<expression>"
NAME = 24  # characters, up to which a part of the expression names its own result


class ExpressionError(ValueError):
    """What is wrong with an expression, and where: str() shows the place under the text."""

    def __init__(self, message: str, text: str = "", column: int = 0) -> None:
        self.message, self.text, self.column = message, text, column  # the column counts from 0
        pointer = f"\n    {text}\n    {' ' * column}^" if text and "\n" not in text else ""
        super().__init__(f"column {column + 1}: {message}{pointer}" if text else message)


def compute(text: str, values: dict[str, str]) -> Tensor:
    """The expression with these values put in, recorded under mg.watch(); every intermediate is named by its own text.

    values: {name: "2" or "[[1, 2], [3, 4]]"}. Raises ExpressionError.
    """
    variables = {name: _variable(name, value) for name, value in values.items()}
    evaluator = _Evaluator(text.strip(), variables)
    with watch():
        result = evaluator.result()
    unused = [name for name in variables if name not in evaluator.used]
    if unused:
        raise ExpressionError(f"{', '.join(unused)} was given a value, but the expression does not use it")
    if not isinstance(result, Tensor) or not result.origin:
        raise ExpressionError("there is nothing to step through: the expression computes with no variable; give it "
                              'one, as in minigen step "tanh(a*b)" a=2 b=3')  # fmt: skip
    if result.size != 1:
        raise ExpressionError(
            f"the result has shape {result.shape}, and a walk starts from one number: add .sum() or .mean() to it"
        )
    return result


def number(text: str) -> float:
    """A number, or arithmetic that comes to one: "0.786", "1 * (1 - 0.46 * 0.46)". Raises ExpressionError."""
    result = _Evaluator(text.strip(), {}).result()
    if isinstance(result, bool) or not isinstance(result, (int, float)):
        raise ExpressionError(f"{text!r} is no number")
    return float(result)


def _variable(name: str, text: str) -> Tensor:
    if not name.isidentifier():
        raise ExpressionError(f"{name!r} is no name for a value; names are letters, digits and _")
    if name in FUNCTIONS:
        raise ExpressionError(f"{name} is the name of an op; give the value another one")
    if not text.strip():
        raise ExpressionError(f"{name}= gives no value; write {name}=2, or {name}=[[1, 2], [3, 4]]")
    try:
        return tensor(_numbers(_Evaluator(text.strip(), {}).result()), requires_grad=True, dtype="float64", name=name)
    except ExpressionError as error:
        raise ExpressionError(f"the value of {name}: {error}") from None
    except ValueError:
        raise ExpressionError(f"the value of {name}: the rows of {text} have different lengths") from None


def _numbers(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_numbers(v) for v in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ExpressionError(f"{value!r} is neither a number nor a list of numbers")
    return value


class _Evaluator:
    """Walks the tree of one expression."""

    def __init__(self, text: str, variables: dict[str, Tensor]) -> None:
        self.text, self.variables, self.used = text, variables, set[str]()
        self.pieces: list[str] = []  # the text of each op's part, as the lines of a source file

    def result(self) -> Any:
        try:
            tree = ast.parse(self.text, mode="eval")
            return self.at(tree.body)
        except SyntaxError as error:
            column = error.offset - 1 if error.offset and error.lineno else len(self.text)
            raise ExpressionError(_why(error, self.text), self.text, column) from None
        except (RecursionError, MemoryError):
            raise ExpressionError("this expression is nested too deeply") from None

    def fail(self, node: ast.AST, message: str) -> ExpressionError:
        before = self.text.splitlines()[node.lineno - 1].encode()[: node.col_offset]  # type: ignore[attr-defined]
        return ExpressionError(message, self.text, len(before.decode()))

    def at(self, node: ast.AST) -> Any:
        """The value of one part; what it raises points at this part."""
        method = getattr(self, "at_" + type(node).__name__, None)
        if method is None:
            what = type(node).__name__.lower()
            raise self.fail(node, f"this ({what}) cannot stand in such an expression; {THERE_MAY_BE}")
        try:
            value = method(node)
        except ExpressionError:
            raise
        except (ValueError, TypeError, IndexError, AttributeError, ArithmeticError, RuntimeError) as error:
            raise self.fail(node, str(error.args[-1] if error.args else error)) from None
        self.label(node, value)
        return value

    def label(self, node: ast.AST, value: Any) -> None:
        """Let the steps show the text of this part as the source line, and call its result by it."""
        if not isinstance(value, Tensor) or not value.origin or value.name:
            return
        piece = ast.get_source_segment(self.text, node) or self.text
        self.pieces.append(piece)
        value.name = piece if len(piece) <= NAME else None
        made = value.origin[0]
        if made.seen:
            made.seen = replace(made.seen, file=FILE, line=len(self.pieces), function="")
        linecache.cache[FILE] = len(piece), None, [p + "\n" for p in self.pieces], FILE

    def at_Constant(self, node: ast.Constant) -> Any:  # noqa: N802, as in ast.NodeVisitor
        if isinstance(node.value, (bytes, complex)) or node.value is ...:
            raise self.fail(node, f"{node.value!r} is no number; {THERE_MAY_BE}")
        return node.value

    def at_Name(self, node: ast.Name) -> Any:  # noqa: N802
        if node.id in self.variables:
            self.used.add(node.id)
            return self.variables[node.id]
        if node.id in FUNCTIONS:
            raise self.fail(
                node, f"{node.id} is an op; call it, as in {node.id}({', '.join(FUNCTIONS[node.id].inputs)})"
            )
        raise self.fail(node, f"{node.id} has no value; give it one: {node.id}=2, or {node.id}=[[1, 2], [3, 4]]")

    def at_List(self, node: ast.List | ast.Tuple) -> Any:  # noqa: N802
        return [self.at(part) for part in node.elts]

    def at_Tuple(self, node: ast.Tuple) -> Any:  # noqa: N802
        return tuple(self.at_List(node))

    def at_BinOp(self, node: ast.BinOp) -> Any:  # noqa: N802
        return self.combine(node, node.op, node.left, node.right)

    def at_Compare(self, node: ast.Compare) -> Any:  # noqa: N802
        if len(node.ops) > 1:
            raise self.fail(node, "one comparison at a time: a < b, not a < b < c")
        return self.combine(node, node.ops[0], node.left, node.comparators[0])

    def combine(self, node: ast.expr, kind: ast.AST, left: ast.expr, right: ast.expr) -> Any:
        if type(kind) not in OPERATORS:
            raise self.fail(
                node, f"the operator {_symbol(self.text, left, right)} is not one of + - * / ** @ < > <= >= == !="
            )
        a, b = self.at(left), self.at(right)
        for side, value in ((left, a), (right, b)):
            if not isinstance(value, (Tensor, int, float)) and not hasattr(value, "dtype"):
                raise self.fail(
                    side, f"a {type(value).__name__} cannot be computed with; give the list a name: x=[1, 2]"
                )
        if isinstance(kind, ast.Pow) and not isinstance(a, Tensor) and not isinstance(b, Tensor):
            a, b = float(a), float(b)  # 9 ** 9 ** 9 overflows at once, where Python's ints would take for ever
        return OPERATORS[type(kind)](a, b)

    def at_UnaryOp(self, node: ast.UnaryOp) -> Any:  # noqa: N802
        if type(node.op) not in SIGNS:
            raise self.fail(node, f"only + and - can stand before a value; {THERE_MAY_BE}")
        return SIGNS[type(node.op)](self.at(node.operand))

    def at_Attribute(self, node: ast.Attribute) -> Any:  # noqa: N802
        value = self.at(node.value)
        if node.attr == "T" and isinstance(value, Tensor):
            return value.T
        hint = f"call it: .{node.attr}()" if node.attr in METHODS else f"there are .T and .{', .'.join(METHODS)}"
        raise self.fail(node, f".{node.attr} cannot stand here; {hint}")

    def at_Subscript(self, node: ast.Subscript) -> Any:  # noqa: N802
        return self.at(node.value)[self.index(node.slice)]

    def index(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Tuple):
            return tuple(map(self.index, node.elts))
        if isinstance(node, ast.Slice):
            return slice(*[None if part is None else self.at(part) for part in (node.lower, node.upper, node.step)])
        return ... if isinstance(node, ast.Constant) and node.value is ... else self.at(node)

    def at_Call(self, node: ast.Call) -> Any:  # noqa: N802
        starred = next(
            (a for a in [*node.args, *node.keywords] if isinstance(a, ast.Starred) or getattr(a, "arg", "") is None),
            None,
        )
        if starred:
            raise self.fail(node, "stars are not part of such an expression; write the arguments out")
        function = self.function(node.func)
        by_nature = [getattr(function, f"d_{name}", "") is None for name in getattr(function, "inputs", ())]
        by_nature += [False] * len(node.args)
        given = [_labels(self.at(a)) if data else self.at(a) for a, data in zip(node.args, by_nature, strict=False)]
        return function(*given, **{k.arg: self.at(k.value) for k in node.keywords if k.arg})

    def function(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Attribute):
            value = self.at(node.value)
            if not isinstance(value, Tensor):
                raise self.fail(node, f"only a variable, or what is computed from one, has .{node.attr}()")
            if node.attr not in METHODS:
                raise self.fail(node, f"there is no method .{node.attr}(); {_nearest(node.attr, METHODS)}")
            return getattr(value, node.attr)
        if not isinstance(node, ast.Name):
            raise self.fail(node, f"this cannot be called; {THERE_MAY_BE}")
        if node.id not in FUNCTIONS:
            raise self.fail(node, f"there is no op {node.id}; {_nearest(node.id, list(FUNCTIONS))}")
        return FUNCTIONS[node.id]


def _labels(value: Any) -> Any:
    """What has no gradient by nature: the array of a variable, as integers if that is what it holds."""
    if not isinstance(value, Tensor) or value.origin:
        return value
    whole = value.data.astype("int64")
    return whole if bool((whole == value.data).all()) else value.data


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}"


def _symbol(text: str, left: ast.expr, right: ast.expr) -> str:
    between = text.encode()[left.end_col_offset or 0 : right.col_offset].decode(errors="replace")
    return between.strip(" ()") or "here"


def _why(error: SyntaxError, text: str) -> str:
    if not text:
        return 'there is no expression; as in minigen step "tanh(a*b + c)" a=2 b=-3 c=10'
    return f"this is not an expression: {error.msg}"
