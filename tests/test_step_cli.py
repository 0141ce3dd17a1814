"""`minigen step`: an expression or a script, from the shell."""

import builtins
import subprocess
import sys

import numpy as np
import pytest

import minigen as mg
from minigen.cli import main
from minigen.trace.expression import ExpressionError, compute


def value(text, **values):
    return float(compute(text, {k: str(v) for k, v in values.items()}).data)


def test_the_classic(capsys):
    assert main(["step", "tanh(a*b + c)", "a=2", "b=-3", "c=5.5"]) == 0
    out = capsys.readouterr().out
    assert "loss = tanh(a*b + c)" in out and "a*b + c = add(a*b, c)" in out
    assert "d_x = 1 * (1 - (-0.4621) * (-0.4621)) = 0.7864" in out
    assert out.rstrip().endswith("b            1.573")


@pytest.mark.parametrize(
    "text, values, expected",
    [
        ("a - b / 2 + +a ** 2", {"a": 3, "b": 4}, 3 - 2 + 9),
        ("-a", {"a": 3}, -3),
        ("(x @ w).sum()", {"x": [[1, 2]], "w": [[3], [4]]}, 11),
        ("x.T[0].mean()", {"x": [[1, 2], [3, 4]]}, 2),
        ("x[0, ::2].sum() + x[-1][1]", {"x": [[1, 2, 4], [3, 5, 6]]}, 10),
        ("x[[0, 0]].sum()", {"x": [1, 2]}, 2),
        ("softmax(x, axis=0)[0]", {"x": [1, 1]}, 0.5),
        ("where(x > 1, x, 0 * x).sum()", {"x": [1, 2, 3]}, 5),
        ("sum(x.reshape(2, 2), axis=None)", {"x": [1, 2, 3, 4]}, 10),
        ("mse(x, [0, 0])", {"x": [1, 1]}, 1),
        ("cross_entropy(x, t)", {"x": [[0, 0]], "t": [1]}, np.log(2)),
        ("cross_entropy(x, [1])", {"x": [[0, 0]]}, np.log(2)),
        ("concatenate([x, x]).sum()", {"x": [1, 2]}, 6),
        ("x.clip(0, max=1).sum()", {"x": [-1, 5]}, 1),
        ("dropout(x, [1, 0], p=0.5).sum()", {"x": [3, 4]}, 6),
    ],
)
def test_what_an_expression_may_hold(text, values, expected):
    assert value(text, **values) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text, values, column, message",
    [
        ("tahn(a)", {"a": 1}, 1, "there is no op tahn; did you mean tanh"),
        ("a + nope", {"a": 1}, 5, "nope has no value; give it one: nope=2"),
        ("a + ", {"a": 1}, 4, "this is not an expression"),
        ("a * (b", {"a": 1, "b": 1}, 5, "'(' was never closed"),
        ("a // b", {"a": 1, "b": 2}, 1, "the operator // is not one of"),
        ("2 + tanh", {"a": 1}, 5, "tanh is an op; call it, as in tanh(x)"),
        ("a.foo()", {"a": 1}, 1, "there is no method .foo()"),
        ("a.sum", {"a": 1}, 1, "call it: .sum()"),
        ("a * x[5]", {"a": 1, "x": [1, 2]}, 5, "index 5"),
        ("1 + x @ w", {"x": [[1, 2]], "w": [[1, 2]]}, 5, "matmul"),
        ("a + [1, 2]", {"a": 1}, 5, "a list cannot be computed with"),
        ("tanh(*a)", {"a": 1}, 1, "stars are not part"),
        ("softmax(a, axes=0)", {"a": [1]}, 1, "softmax"),
        ("9**9**9*a", {"a": 1}, 1, "out of range"),
        ("a < b < a", {"a": 1, "b": 2}, 1, "one comparison at a time"),
        ("not a", {"a": 1}, 1, "only + and - can stand before"),
        ("é + nope", {"é": 1}, 5, "nope has no value"),
    ],
)
def test_errors_are_sentences_that_point_at_the_column(text, values, column, message):
    with pytest.raises(ExpressionError) as caught:
        value(text, **values)
    said = str(caught.value)
    assert said.startswith(f"column {column}: ") and message in said
    assert said.splitlines()[-1] == " " * (4 + column - 1) + "^" and said.splitlines()[-2].strip() == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "a.__class__",
        "a.data",
        "a._data",
        "a.backward()",
        "a.numpy()",
        "(lambda: a)()",
        "[a for a in [1]]",
        "a if a else a",
        "a and a",
        "f'{a}'",
        "(a := 3)",
        "tanh.forward(a)",
        "tanh.__globals__",
        "'a'.upper()",
        "{1: a}",
        "a; a",
        "a = 3",
        "import os",
        "open('x')",
        "eval('a')",
        "exec('a')",
        "getattr(a, 'x')",
        "a['x']",
        "tanh(x=a)(a)",
        "\x00",
        "(" * 500 + "a" + ")" * 500,
        "-" * 5000 + "a",
    ],
)
def test_nothing_but_the_white_list_gets_through(text, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("evaluated")

    monkeypatch.setattr(builtins, "eval", refuse)
    monkeypatch.setattr(builtins, "exec", refuse)
    with pytest.raises(ExpressionError):
        value(text, a=1)


def test_an_expression_is_computed_without_eval(monkeypatch):
    monkeypatch.setattr(builtins, "eval", None)
    monkeypatch.setattr(builtins, "exec", None)
    assert value("a * a", a=3) == 9


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "what is to be stepped through?"),
        (["a*b", "a"], "'a' gives no value; write NAME=VALUE"),
        (["a*b", "a=", "b=2"], "a= gives no value; write a=2"),
        (["a*b", "a=two", "b=2"], "the value of a: column 1: two has no value"),
        (["a", "a=[[1, 2], [3]]"], "have different lengths"),
        (["a", "a='x'"], "neither a number nor a list of numbers"),
        (["a*1", "a=1", "b=2"], "b was given a value, but the expression does not use it"),
        (["a*1", "tanh=1", "a=1"], "tanh is the name of an op"),
        (["a*1", "2=1", "a=1"], "is no name for a value"),
        (["1 + 2"], "nothing to step through"),
        (["a", "a=1"], "nothing to step through"),
        (["x*2", "x=[1, 2]"], "has shape (2,), and a walk starts from one number: add .sum()"),
        (["nowhere.py"], "there is no file nowhere.py"),
    ],
)
def test_wrong_words_get_a_sentence_and_exit_code_2(words, message, capsys):
    assert main(["step", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("minigen step: ") and message in error and "Traceback" not in error


def script(tmp_path, text):
    path = tmp_path / "script.py"
    path.write_text("import minigen as mg\nimport sys\n" + text)
    return str(path)


TWO = "w = mg.tensor([1.0, 2.0], requires_grad=True)\nh = mg.tanh(w)\n"


def test_a_script_is_watched_and_stepped_through(tmp_path, capsys):
    path = script(tmp_path, TWO + "loss = (h * h).sum()\nprint('ran', __name__, sys.argv[1:])\n")
    argv, search = list(sys.argv), list(sys.path)
    assert main(["step", path, "--quick", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("ran __main__ ['--quick', '3']") and "h = tanh(w)" in out and "script.py:4" in out
    assert "2 of 2 consumers have arrived" in out and (sys.argv, sys.path) == (argv, search)


def test_another_variable_can_be_started_from(tmp_path, capsys):
    path = script(tmp_path, TWO + "total = h.sum()\n")
    assert main(["step", path]) == 2
    assert "leaves no Tensor loss; it has h, total: choose one with --loss NAME" in capsys.readouterr().err
    assert main(["step", "--loss", "total", path]) == 0
    assert "total = sum(h)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text, code, message",
    [
        ("1 / 0\n", 1, "ZeroDivisionError"),
        ("def f(:\n", 1, "SyntaxError"),
        ("sys.exit(3)\n", 2, "ended itself (exit code 3)"),
        ("loss = 3\n", 2, "leaves no Tensor loss; it has no Tensor that was computed"),
        (TWO + "loss = h.sum()\nloss.backward()\n", 2, "released"),
        ("loss = mg.tensor([1.0]).sum()\n", 2, "requires no gradient"),
        (TWO + "loss = h * 2.0\n", 2, "starts from one number"),
    ],
)
def test_a_script_that_leaves_nothing_to_step_through(tmp_path, capsys, text, code, message):
    assert main(["step", script(tmp_path, text)]) == code
    assert message in capsys.readouterr().err


def test_the_error_of_a_script_is_shown_from_its_own_line_on(tmp_path, capsys):
    assert main(["step", script(tmp_path, "def f():\n    return 1 / 0\nf()\n")]) == 1
    error = capsys.readouterr().err
    assert "script.py" in error and "runpy" not in error and "cli/step" not in error


@pytest.mark.parametrize(
    "words", [["--predict", "a*a", "a=3"], ["a*a", "a=3", "--predict"], ["a*a", "--predict", "a=3"]]
)
def test_predict_can_stand_anywhere(words, monkeypatch, capsys):
    got = {}
    monkeypatch.setattr("minigen.cli.step.step_through", lambda loss, predict: got.update(loss=loss, predict=predict))
    assert main(["step", *words]) == 0
    assert got["predict"] is True and isinstance(got["loss"], mg.Tensor)


def test_the_installed_command_prints_where_there_is_no_terminal():
    command = [sys.executable, "-m", "minigen.cli", "step", "a*a + a", "a=3"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert ran.returncode == 0 and "adds up" in ran.stdout and ran.stderr == ""
    assert "3 of 3 consumers of a have arrived: its gradient is complete" in ran.stdout
