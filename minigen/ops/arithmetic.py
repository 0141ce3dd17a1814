"""Elementwise arithmetic. Inputs are broadcast against each other as NumPy does it."""
# fmt: off

from minigen.backend import xp
from minigen.graph import keep, op


@op(broadcast=True)
class add:
    """y = a + b"""
    def forward(a, b): return a + b
    def d_a(dy):       return dy
    def d_b(dy):       return dy


@op(broadcast=True)
class subtract:
    """y = a - b"""
    def forward(a, b): return a - b
    def d_a(dy):       return dy
    def d_b(dy):       return -dy


@op(broadcast=True)
class multiply:
    """y = a b, elementwise"""
    def forward(a, b): return a * b
    def d_a(dy, b):    return dy * b
    def d_b(dy, a):    return dy * a


@op(broadcast=True)
class divide:
    """y = a / b, elementwise"""
    def forward(a, b): return a / b
    def d_a(dy, b):    return dy / b
    def d_b(dy, b, y): return -dy * y / b


@op
class negative:
    """y = -x"""
    def forward(x): return -x
    def d_x(dy):    return -dy


@op(broadcast=True)
class power:
    """y = x ** p, elementwise"""
    def forward(x, p):    return x ** p
    def d_x(dy, x, p):    return dy * p * x ** (p - (p != 0))    # x ** 0 is 1 everywhere: no slope, also at x = 0
    def d_p(dy, x, y):    return dy * y * log(x + (x == 0))      # 0 ** p is 0 everywhere: no slope


@op
class exp:
    """y = e ** x"""
    def forward(x): return xp.exp(x)
    def d_x(dy, y): return dy * y


@op
class log:
    """y = ln x"""
    def forward(x): return xp.log(x)
    def d_x(dy, x): return dy / x


@op
class sqrt:
    """y = x ** 0.5"""
    def forward(x): return xp.sqrt(x)
    def d_x(dy, y): return dy * 0.5 / y


@op
class sign:
    """y = -1, 0 or 1; flat everywhere but at 0"""
    def forward(x): return xp.sign(x)
    def d_x(dy):    return dy * 0


@op
class abs:
    """y = |x|; the slope at 0 is taken as 0"""
    def forward(x): return xp.abs(x)
    def d_x(dy, x): return dy * sign(x)


@op
class clip:
    """y = x, held between min and max (None: no bound)"""
    def forward(x, *, min=None, max=None): return xp.clip(x, min, max)
    def d_x(dy, x, min, max):
        if min is not None: dy = dy * (x >= min)
        if max is not None: dy = dy * (x <= max)
        return dy


@op(broadcast=True)
class maximum:
    """y = the larger of a and b, elementwise; where they are equal, each has half the gradient"""
    def forward(a, b):   return xp.maximum(a, b)
    def d_a(dy, a, b):   return dy * (a > b) + dy * (a == b) * 0.5
    def d_b(dy, a, b):   return dy * (b > a) + dy * (a == b) * 0.5


@op(broadcast=True)
class minimum:
    """y = the smaller of a and b, elementwise; where they are equal, each has half the gradient"""
    def forward(a, b):   return xp.minimum(a, b)
    def d_a(dy, a, b):   return dy * (a < b) + dy * (a == b) * 0.5
    def d_b(dy, a, b):   return dy * (b < a) + dy * (a == b) * 0.5


@op(broadcast=True)
class where:
    """y = a where condition holds, else b"""
    def forward(condition, a, b): return xp.where(condition, a, b)
    d_condition = None
    def d_a(dy, condition):       return dy * (condition != 0)
    def d_b(dy, condition):       return dy * (condition == 0)


@op
class astype:
    """y = x in another floating-point type; its gradient returns in x's own"""
    def forward(x, *, dtype):
        if dtype is not None and xp.dtype(dtype).kind != "f" and x.dtype.kind == "f":
            raise TypeError(f"astype: a Tensor stays a floating-point one, got {dtype}; use x.data.astype for integers")
        return keep(x.astype(dtype), from_dtype=x.dtype)
    def d_x(dy, from_dtype): return dy.astype(from_dtype)
