"""No op of minigen.ops is left without the laws; what is differentiable once says so."""

import ast
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

import minigen as mg
from minigen import ops

#: flat everywhere, or of another type than its input: tested by name in test_ops_arithmetic
BY_NAME = {"sign", "astype"}


def families():
    return sorted(path.stem for path in Path(__file__).parent.glob("test_ops_*.py") if path.stem != Path(__file__).stem)


def test_every_op_is_under_the_laws():
    tested = BY_NAME.copy()
    for family in families():
        tested |= getattr(importlib.import_module(family), "CASES", {}).keys()
    assert tested == set(ops.__all__)


@pytest.mark.parametrize("name", sorted(ops.__all__))
def test_every_op_says_what_it_computes(name):
    """Its docstring is there, and it is to be had at the top level."""
    function = getattr(ops, name)
    assert (function.__doc__ or "").strip(), f"{name} has no docstring"
    assert inspect.signature(function).parameters
    assert getattr(mg, name) is function, f"{name} is not to be had as mg.{name}"


def test_an_op_that_keeps_floats_and_has_no_plain_is_differentiable_once():
    @mg.op
    class kept_tanh:
        def forward(x):
            y = mg.xp.tanh(x)
            return mg.keep(y, slope=1 - y * y)

        def d_x(dy, slope):
            return dy * slope

    x = mg.asarray(np.array([0.5, -1.0]))
    mg.gradcheck(kept_tanh, x)
    with pytest.raises(RuntimeError, match="kept_tanh is differentiable once: it keeps slope"):
        mg.gradcheck(kept_tanh, x, order=2)


def test_an_op_with_a_kernel_alone_is_differentiable_once():
    @mg.op
    class product:
        def forward(a, b):
            return a * b

        def backward(dy, a, b):
            return dy * b, dy * a

    a, b = mg.asarray(np.array([0.5, -1.0])), mg.asarray(np.array([2.0, 3.0]))
    mg.gradcheck(product, a, b)
    with pytest.raises(RuntimeError, match="product is differentiable once"):
        mg.gradcheck(product, a, b, order=2)


def test_what_a_type_checker_sees_is_what_there_is():
    """ops/__init__.pyi names every op, and no other."""
    stub = ast.parse(Path(ops.__file__).with_suffix(".pyi").read_text())
    declared = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
    assert declared == set(ops.__all__)
