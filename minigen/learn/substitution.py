"""A solution or a wrong answer says only what it changes; here it is put in its place in the stub."""

import ast
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


class SubstitutionError(ValueError):
    """A change that has no place in the stub, or several."""


@dataclass(frozen=True)
class Unwritten:
    """Something that is still to be written: its name, and the line of its `...`."""

    name: str
    line: int


def substituted(stub: str, change: str) -> str:
    """`stub` with each function, class and assignment of `change` in place of the one of the same name.

    Imports of `change` are added on top. Raises SubstitutionError where a name is not in the stub, or twice in
    classes of it, and SyntaxError for what is not Python.
    """
    tree, lines = ast.parse(stub), stub.splitlines()
    imports, edits = [], []
    for node in ast.parse(change).body:
        text = _text(change, node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.append(text)
            continue
        place = _place(tree, _name(node))
        edits.append((_first_line(place), place.end_lineno or 0, textwrap.indent(text, " " * place.col_offset)))
    for first, last, text in sorted(edits, reverse=True):  # from the bottom up: line numbers above stay true
        lines[first - 1 : last] = text.splitlines()
    return "\n".join(imports + lines) + "\n"


def names(change: str) -> list[str]:
    """What a change puts in place."""
    return [_name(n) for n in ast.parse(change).body if not isinstance(n, ast.Import | ast.ImportFrom)]


def unwritten(source: str, wanted: list[str]) -> list[Unwritten]:
    """Which of the wanted definitions still hold the `...` of the stub. Raises SyntaxError."""
    tree = ast.parse(source)
    found = []
    for name in wanted:
        try:
            node = _place(tree, name)
        except SubstitutionError:
            continue  # renamed or deleted: the check will say so
        if line := next(_ellipses(node), None):
            found.append(Unwritten(name, line))
    return found


def _ellipses(node: ast.AST) -> Iterator[int]:
    """The lines of each `...`, but for those of an index, as in x[..., 0]."""
    if isinstance(node, ast.Constant) and node.value is ...:
        yield node.lineno
    elif not isinstance(node, ast.Subscript):
        for child in ast.iter_child_nodes(node):
            yield from _ellipses(child)


def _place(tree: ast.Module, name: str) -> Definition:
    """Where `name` is defined: at the top, or else inside a class."""
    top = [n for n in tree.body if _defines(n, name)]
    inside = [n for c in tree.body if isinstance(c, ast.ClassDef) for n in c.body if _defines(n, name)]
    found = top or inside
    if len(found) != 1:
        what = "two of that name in classes of the stub: write the whole class" if found else "no such name in the stub"
        raise SubstitutionError(f"{name} has no place: there is {what}")
    return found[0]  # type: ignore[return-value]


def _defines(node: ast.stmt, name: str) -> bool:
    try:
        return _name(node) == name
    except SubstitutionError:
        return False


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return node.target.id
    raise SubstitutionError(f"`{ast.unparse(node).splitlines()[0]}` is no function, class, import or assignment")


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _text(source: str, node: ast.stmt) -> str:
    return "\n".join(source.splitlines()[_first_line(node) - 1 : node.end_lineno])
