"""Whatever the package asks of `xp`, CuPy has: names and keywords, compared with an installed CuPy.

CuPy imports without a GPU, so this runs wherever it is installed, and skips elsewhere.
"""

import ast
import inspect
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

import minigen
from minigen import strict

PACKAGE = Path(minigen.__file__).parent
EINSUM = {"dtype", "optimize"}  # CuPy's einsum takes **kwargs, and these of them


@pytest.fixture(scope="module")
def cupy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where it finds no CUDA
        return pytest.importorskip("cupy", reason="CuPy is not installed")


@pytest.fixture(scope="module")
def cupy14(cupy):
    if cupy.__version__.split(".")[0] != "14":
        pytest.skip(f"the strict backend follows CuPy 14, this is {cupy.__version__}")
    return cupy


# ---------------------------------------------------------------------------------- what the package asks for


def dotted(node):
    """["lib", "stride_tricks", "as_strided"] for the expression xp.lib.stride_tricks.as_strided, or None."""
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return names if names and isinstance(node, ast.Name) and node.id == "xp" else None


def uses(source):
    """(names, call or None, line) of every use of xp in this source; names is the whole dotted name."""
    tree = ast.parse(source)
    inner = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    calls = {id(n.func): n for n in ast.walk(tree) if isinstance(n, ast.Call)}
    for node in ast.walk(tree):
        names = dotted(node)
        if names and id(node) not in inner and not names[0].startswith("__"):
            yield names, calls.get(id(node)), node.lineno


def uses_of_package():
    for path in sorted(PACKAGE.rglob("*.py")):
        for names, call, line in uses(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(PACKAGE.parent)}:{line}", names, call


def resolve(module, names):
    for name in names:
        module = getattr(module, name)
    return module


def signature(cupy, function):
    """The signature, or None where there is none to be had. Compiled functions show it in their docstring."""
    if getattr(function, "__name__", "").startswith("__"):
        return None
    if isinstance(function, cupy.ufunc):
        inputs = [f"x{k}" for k in range(function.nargs)]
        return inspect.signature(eval(f"lambda {', '.join(inputs)}, out=0, dtype=0, casting=0: 0"))
    if function is cupy.einsum:
        return inspect.signature(eval(f"lambda *operands, {', '.join(f'{k}=0' for k in EINSUM)}: 0"))
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        first_line = re.match(r"\w+(?:\.\w+)?\((.*)\)", (getattr(function, "__doc__", "") or "").strip())
        if not first_line or inspect.isclass(function):
            return None
        words = [w.strip() for w in first_line[1].split(",") if w.strip()]
        if isinstance(getattr(function, "__self__", None), cupy.ufunc):  # xp.add.reduce: self is given
            words.remove("self")
        try:
            return inspect.signature(eval(f"lambda {', '.join(words)}: 0"))
        except (SyntaxError, NameError):
            return None


def complaints(cupy, where, names, call):
    """What CuPy would say to this use, as sentences."""
    name = "xp." + ".".join(names)
    try:
        function = resolve(cupy, names)
    except AttributeError:
        return [f"{where}: CuPy has no {name}"]
    wanted = signature(cupy, function) if call else None
    if wanted is None:
        return []
    kinds = {p.kind for p in wanted.parameters.values()}
    known = {p.name for p in wanted.parameters.values() if p.kind is not p.POSITIONAL_ONLY}
    found = [
        f"{where}: CuPy's {name} takes no keyword {k.arg!r}"
        for k in call.keywords
        if k.arg and k.arg not in known and inspect.Parameter.VAR_KEYWORD not in kinds
    ]
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    most = sum(p.kind in positional for p in wanted.parameters.values())
    starred = any(isinstance(a, ast.Starred) for a in call.args)
    if not starred and len(call.args) > most and inspect.Parameter.VAR_POSITIONAL not in kinds:
        found.append(f"{where}: CuPy's {name} takes {most} positional arguments, not {len(call.args)}")
    return found


def test_cupy_has_every_name_and_keyword_the_package_uses(cupy):
    found = [sentence for use in uses_of_package() for sentence in complaints(cupy, *use)]
    assert not found, "\n" + "\n".join(found)


def test_the_finder_finds_the_uses_of_the_package():
    names = {".".join(names) for _, names, _ in uses_of_package()}
    assert {"asarray", "zeros", "exp", "ndarray"} <= names
    assert any(name.startswith("random.") for name in names)
    assert len(names) > 20


def test_the_finder_finds_dotted_names_and_their_calls():
    source = "def f(y=xp.pi):\n    z = xp.lib.stride_tricks.as_strided(y, (2,))\n    return xp.add.at, xp.exp(z).sum()"
    found = [(".".join(names), call is not None, line) for names, call, line in uses(source)]
    assert sorted(found) == [
        ("add.at", False, 3),
        ("exp", True, 3),
        ("lib.stride_tricks.as_strided", True, 2),
        ("pi", False, 1),
    ]


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("xp.errstate(divide='ignore')", "no xp.errstate"),
        ("xp.random.default_rng", None),
        ("xp.lib.stride_tricks.windows", "no xp.lib.stride_tricks.windows"),
        ("xp.take(x, i, axis=0, out=y)", None),
        ("xp.take(x, i, axis=0, mode='clip')", "'mode'"),
        ("xp.take(x, i, 0, y, 'clip')", "4 positional"),
        ("xp.sum(x, axis=0, keepdims=True)", None),
        ("xp.sum(x, where=m)", "'where'"),
        ("xp.max(x, initial=0)", "'initial'"),
        ("xp.multiply(x, y, out=z, dtype=t)", None),
        ("xp.multiply(x, y, z)", None),
        ("xp.divide(x, y, where=m)", "'where'"),
        ("xp.add.reduce(x, axis=0, keepdims=True)", None),
        ("xp.add.reduce(x, initial=0)", "'initial'"),
        ("xp.add.at(x, i, y)", None),
        ("xp.ndarray.sum(x, axis=0)", None),
        ("xp.ndarray.__getitem__(x, i)", None),
        ("xp.matmul(x, y, out=z)", None),
        ("xp.einsum('ij->i', x, optimize=True)", None),
        ("xp.einsum('ij->i', x, out=y)", "'out'"),
        ("xp.clip(x, min=0)", "'min'"),
        ("xp.concatenate([x, y], axis=1, out=z)", None),
        ("xp.lib.stride_tricks.as_strided(x, s, t, writeable=False)", "'writeable'"),
        ("xp.zeros((2, 3), dtype=xp.float32)", None),
    ],
)
def test_the_check_sees_what_cupy_lacks(cupy, source, complaint):
    found = [s for names, call, _ in uses(source) for s in complaints(cupy, "here", names, call)]
    assert (complaint in found[0] and len(found) == 1) if complaint else not found


# ------------------------------------------------------------- the strict backend promises nothing CuPy lacks


def public(thing):
    return sorted(name for name in dir(thing) if not name.startswith("_"))


@pytest.mark.parametrize("room", ["", "linalg", "random", "lib", "lib.stride_tricks", "ndarray", "ufunc"])
def test_strict_has_only_cupys_names(cupy14, room):
    names = room.split(".") if room else []
    mine, theirs = resolve(strict, names), resolve(cupy14, names)
    assert len(public(mine)) > 0
    assert [name for name in public(mine) if not hasattr(theirs, name)] == []


def test_strict_has_only_cupys_random_generator_methods(cupy14):
    try:
        theirs = cupy14.random.Generator
    except ImportError as error:
        pytest.skip(f"CuPy's generator needs CUDA's libraries: {error}")
    assert [name for name in public(strict.Generator) if not hasattr(theirs, name)] == []
    assert [name for name in public(np.random.Generator) if hasattr(theirs, name)] == sorted(
        set(public(strict.Generator)) | {"beta"}
    )


def test_strict_refuses_the_keywords_that_cupy_lacks(cupy14):
    """The table of lacking keywords is true and complete, but for arguments that only have another name."""
    for name, keyword in sorted(strict._LACKING):
        theirs = signature(cupy14, resolve(cupy14, name.split(".")))
        assert keyword not in theirs.parameters, (name, keyword)
    missed = []
    for name in strict._FUNCTIONS.split() + strict._MAKERS.split() + strict._DOORS.split():
        try:
            theirs = list(inspect.signature(getattr(cupy14, name)).parameters.values())
            ours = list(inspect.signature(getattr(np, name)).parameters.values())
        except (AttributeError, TypeError, ValueError):
            continue  # no signature on one of the sides
        if any(p.kind is p.VAR_KEYWORD for p in theirs):
            continue
        places = sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in theirs)
        for k, p in enumerate(ours):
            by_keyword = p.kind is p.KEYWORD_ONLY or (p.kind is p.POSITIONAL_OR_KEYWORD and k >= places)
            variadic = any(q.kind is q.VAR_POSITIONAL for q in theirs) and p.kind is not p.KEYWORD_ONLY
            if by_keyword and not variadic and p.name not in {q.name for q in theirs}:
                missed += [(name, p.name)] if (name, p.name) not in strict._LACKING else []
    assert missed == []


def test_strict_knows_which_functions_cupy_calls_ufuncs(cupy14):
    mine = [name for name in public(strict) if isinstance(getattr(strict, name), strict.ufunc)]
    assert len(mine) > 50
    assert [name for name in mine if not isinstance(getattr(cupy14, name), cupy14.ufunc)] == []
