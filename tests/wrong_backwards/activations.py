"""Elementwise functions."""

import numpy as np

from wrong_backwards.form import Family, Planted, normal, positive

WRONG: list[Planted] = []


def _x():
    return (normal(4, 5),)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


class relu:
    """y = max(x, 0)"""

    def forward(x):
        return np.maximum(x, 0)

    def d_x(dy, x):
        return dy * (x > 0)


f = Family(relu, _x, WRONG)
f("no mask", "mask|derivative, left out", d_x=lambda dy: dy.copy())
f("mask of dy", "mask, dy", d_x=lambda dy: dy * (dy > 0))
f("only the mask returned", "upstream", d_x=lambda dy, x: (x > 0) * 1.0)
f("mask inverted", "invert", d_x=lambda dy, x: dy * (x < 0))


class leaky_relu:
    """y = x where x > 0, else slope x"""

    def forward(x, *, slope=0.1):
        return np.where(x > 0, x, slope * x)

    def d_x(dy, x, slope):
        return dy * np.where(x > 0, 1.0, slope)


f = Family(leaky_relu, _x, WRONG, slope=0.3)
f("slope lost", "slope=0|x < 0", d_x=lambda dy, x: dy * (x > 0))
f("no branch", "x < 0|left out, slope|mask|derivative", d_x=lambda dy: dy.copy())
f("slope everywhere", "x > 0|slope|factor", d_x=lambda dy, slope: dy * slope)


class sigmoid:
    """y = 1 / (1 + e^-x)"""

    def forward(x):
        return 1 / (1 + np.exp(-x))

    def d_x(dy, y):
        return dy * y * (1 - y)


f = Family(sigmoid, _x, WRONG)
f("derivative left out", "derivative, left out", d_x=lambda dy: dy.copy())
f("derivative twice", "derivative, twice", d_x=lambda dy, y: dy * (y * (1 - y)) ** 2)
f("x (1 - x)", "output, input", d_x=lambda dy, x: dy * x * (1 - x))
f("sigmoid'(y)", "output|y", d_x=lambda dy, y: dy * _sigmoid(y) * (1 - _sigmoid(y)))
f("1 - y", "factor y|y (1 - y)", d_x=lambda dy, y: dy * (1 - y))
f("sign", "sign", d_x=lambda dy, y: dy * y * (y - 1))


class tanh:
    """y = tanh(x)"""

    def forward(x):
        return np.tanh(x)

    def d_x(dy, y):
        return dy * (1 - y * y)


f = Family(tanh, _x, WRONG)
f("1 - y", "1 - y, square|1 - y^2|exponent|1 + y", d_x=lambda dy, y: dy * (1 - y))
f("1 - x^2", "output, input", d_x=lambda dy, x: dy * (1 - x * x))
f("y (1 - y)", "y (1 - y)", d_x=lambda dy, y: dy * y * (1 - y))
f("1 + y^2", "1 + y^2|sign", d_x=lambda dy, y: dy * (1 + y * y))


class exp:
    """y = e^x"""

    def forward(x):
        return np.exp(x)

    def d_x(dy, y):
        return dy * y


f = Family(exp, _x, WRONG)
f("x for y", "output|x", d_x=lambda dy, x: dy * x)
f("x e^x", "factor x", d_x=lambda dy, x, y: dy * x * y)
f("e^-x", "exp(-x)|inverse", d_x=lambda dy, x: dy * np.exp(-x))


class log:
    """y = ln x"""

    def forward(x):
        return np.log(x)

    def d_x(dy, x):
        return dy / x


f = Family(log, lambda: (positive(4, 5),), WRONG)
f("times x", "inverse|x", d_x=lambda dy, x: dy * x)
f("1 / y", "output|y", d_x=lambda dy, y: dy / y)


class cube:
    """y = x^n"""

    def forward(x, *, n=3):
        return x**n

    def d_x(dy, x, n):
        return dy * n * x ** (n - 1)


f = Family(cube, lambda: (positive(4, 5),), WRONG, n=3)
f("n missing", "n, left out|3", d_x=lambda dy, x, n: dy * x ** (n - 1))
f("n - 1 for n", "n - 1|exponent", d_x=lambda dy, x, n: dy * (n - 1) * x ** (n - 1))
f("exponent not lowered", "factor x, exponent|too many", d_x=lambda dy, x, n: dy * n * x**n)


class sqrt:
    """y = x ** 0.5"""

    def forward(x):
        return np.sqrt(x)

    def d_x(dy, y):
        return dy / (2 * y)


f = Family(sqrt, lambda: (positive(4, 5),), WRONG)
f("2 missing", "2", d_x=lambda dy, y: dy / y)
f("x for y", "output, input", d_x=lambda dy, x: dy / (2 * x))


class softplus:
    """y = ln(1 + e^x)"""

    def forward(x):
        return np.log1p(np.exp(x))

    def d_x(dy, x):
        return dy * _sigmoid(x)


f = Family(softplus, _x, WRONG)
f("sigmoid'", "sigmoid(x) (1 - sigmoid(x))|derivative", d_x=lambda dy, x: dy * _sigmoid(x) * (1 - _sigmoid(x)))
f("sigmoid(-x)", "derivative, 1 / (1 +|sigmoid", d_x=lambda dy, x: dy * _sigmoid(-x))


class silu:
    """y = x sigmoid(x)"""

    def forward(x):
        return x * _sigmoid(x)

    def d_x(dy, x):
        s = _sigmoid(x)
        return dy * (s + x * s * (1 - s))


f = Family(silu, _x, WRONG)
f("product rule: only the first term", "sigmoid|path|term|constant", d_x=lambda dy, x: dy * _sigmoid(x))
f(
    "product rule: only the second term",
    "path|term|constant|operand",
    d_x=lambda dy, x: dy * x * _sigmoid(x) * (1 - _sigmoid(x)),
)
f("sigmoid' left out", "derivative|factor", d_x=lambda dy, x: dy * (_sigmoid(x) + x))


class elu:
    """y = x where x > 0, else alpha (e^x - 1)"""

    def forward(x, *, alpha=1.0):
        return np.where(x > 0, x, alpha * (np.exp(x) - 1))

    def d_x(dy, x, alpha):
        return dy * np.where(x > 0, 1.0, alpha * np.exp(x))


f = Family(elu, _x, WRONG, alpha=0.7)
f("alpha left out", "alpha", d_x=lambda dy, x: dy * np.where(x > 0, 1.0, np.exp(x)))
f("y for y + alpha", "x < 0", d_x=lambda dy, x, y: dy * np.where(x > 0, 1.0, y))


class clip:
    """y = x held between low and high"""

    def forward(x, *, low, high):
        return np.clip(x, low, high)

    def d_x(dy, x, low, high):
        return dy * (x > low) * (x < high)


f = Family(clip, _x, WRONG, low=-0.6, high=0.8)
f("passes everywhere", "mask|derivative|bound", d_x=lambda dy: dy.copy())
f("no upper bound", "x >|bound|high", d_x=lambda dy, x, low: dy * (x > low))


class absolute:
    """y = |x|"""

    def forward(x):
        return np.abs(x)

    def d_x(dy, x):
        return dy * np.sign(x)


f = Family(absolute, _x, WRONG)
f("no sign", "derivative|mask|x < 0", d_x=lambda dy: dy.copy())


class product:
    """y = a b"""

    def forward(a, b):
        return a * b

    def d_a(dy, b):
        return dy * b

    def d_b(dy, a):
        return dy * a


f = Family(product, lambda: (normal(4, 5), normal(4, 5, seed=1)), WRONG)
f("own operand", "swapped|a|operand", d_a=lambda dy, a: dy * a)
f("the other factor left out", "b, left out", d_a=lambda dy: dy.copy())
f("swapped", "swapped", d_a=lambda dy, a: dy * a, d_b=lambda dy, b: dy * b)


class divide:
    """y = a / b"""

    def forward(a, b):
        return a / b

    def d_a(dy, b):
        return dy / b

    def d_b(dy, a, b):
        return -dy * a / b**2


f = Family(divide, lambda: (normal(4, 5), positive(4, 5)), WRONG)
f("not squared", "b, square|too many|divis", d_b=lambda dy, a, b: -dy * a / b)
f("sign", "sign", d_b=lambda dy, a, b: dy * a / b**2)
f("a left out", "a, left out", d_b=lambda dy, b: -dy / b**2)
f("d_a times b", "b, inverse|divis", d_a=lambda dy, b: dy * b)
