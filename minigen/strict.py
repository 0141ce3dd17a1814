"""The strict backend: NumPy's numbers with CuPy's manners. It finds GPU mistakes where there is no GPU.

    MINIGEN_BACKEND=strict pytest          # or mg.use("strict")

On a GPU, arrays live in another memory, and CuPy says so where NumPy is silent: an array of the host cannot
be added to one of the device, `np.asarray(a)` is refused, not every function and keyword exists. Code that
was only ever run on NumPy breaks there. The arrays of this module compute with NumPy, but they

- refuse whatever would move data between host and device unasked. Two doors are left, as in CuPy:
  `asarray(host)`, which copies, and `a.get()`; also `float(a)`, `a.item()`, `a.tolist()`;
- are arrays to the end: a reduction or `a[0]` gives a 0-d array, never a number. `a[0]` of a vector is a
  view: `x = a[0]; x += 1` writes into `a`. A 0-d integer is no index for `range` and no length in a shape;
- know CuPy's names, keywords and dtypes, no others, and take no lists where CuPy wants arrays;
- wrap an out-of-range index in an index *array* around, without an error, and compute 1/0 without a warning.

Where CuPy's versions differ this follows 14. Three things are stricter than CuPy: a host array is refused as
an index and as an assigned value too, NumPy's own functions (`np.sum(a)`) are refused, a broadcast view is
read-only. What cannot be seen here: speed, memory, the order in which a GPU adds, its random numbers, its
silence about singular matrices, and that `a[i] = b` with an index twice in `i` may keep either value.
"""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

# ------------------------------------------------------------------------------------- what CuPy has, by name
# tests/test_cupy_names.py compares these tables with an installed CuPy.

_UFUNCS = """
abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2
atanh bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide divmod
equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod frexp gcd greater greater_equal
heaviside hypot invert isfinite isinf isnan lcm ldexp left_shift less less_equal log log10 log1p log2
logaddexp logaddexp2 logical_and logical_not logical_or logical_xor maximum minimum mod modf multiply
negative nextafter not_equal positive pow power rad2deg radians reciprocal remainder right_shift rint sign
signbit sin sinh sqrt square subtract tan tanh true_divide trunc"""
_FUNCTIONS = """
all allclose amax amin angle any append argmax argmin argpartition argsort argwhere around array_equal
array_equiv array_split ascontiguousarray asfortranarray astype atleast_1d atleast_2d atleast_3d average
bincount broadcast_arrays broadcast_to choose clip column_stack compress concat concatenate convolve copy
copyto corrcoef correlate count_nonzero cov cross cumprod cumsum cumulative_prod cumulative_sum delete
diag diag_indices_from diagflat diagonal diff digitize dot dsplit dstack ediff1d einsum empty_like
expand_dims extract fill_diagonal fix flatnonzero flip fliplr flipud full_like gradient histogram
histogram2d histogramdd hsplit hstack imag inner interp intersect1d isclose iscomplex isin isneginf
isposinf isreal kron lexsort matmul matrix_transpose max may_share_memory mean median meshgrid min
moveaxis nan_to_num nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod
nanstd nansum nanvar nonzero ones_like outer pad partition percentile permute_dims place prod ptp put
put_along_axis putmask quantile ravel ravel_multi_index real real_if_close repeat require reshape resize
roll rollaxis rot90 round searchsorted select setdiff1d setxor1d shares_memory sinc sort split squeeze
stack std sum swapaxes take take_along_axis tensordot tile trace transpose trapezoid tril
tril_indices_from trim_zeros triu triu_indices_from union1d unique unique_all unique_counts unique_inverse
unique_values unravel_index unwrap vander var vdot vsplit vstack where zeros_like"""
_MAKERS = "arange diag_indices empty eye full identity indices ones tri tril_indices triu_indices zeros"
_ASKERS = """can_cast common_type iscomplexobj isrealobj isscalar ix_ linspace logspace min_scalar_type
ndim result_type shape size"""  # of any object
_DOORS = "array asanyarray asarray"  # the only ones that take host arrays
_SAME = """
bool bool_ broadcast_shapes byte complex128 complex64 complexfloating dtype e euler_gamma finfo float16
float32 float64 floating generic get_printoptions iinfo index_exp inexact inf int16 int32 int64 int8 int_
intc integer intp isdtype issubdtype iterable nan ndindex newaxis number pi printoptions promote_types s_
set_printoptions short signedinteger single typename ubyte uint uint16 uint32 uint64 uint8 uintc uintp
unsignedinteger ushort"""  # the very same objects as NumPy's
_LINALG = """cholesky cond det eig eigh eigvals eigvalsh inv lstsq matrix_power matrix_rank norm pinv qr
slogdet solve svd tensorinv tensorsolve"""
_GENERATOR = """binomial chisquare dirichlet exponential f gamma geometric hypergeometric integers
logseries poisson power random standard_exponential standard_gamma standard_normal"""
_METHODS = """all any argmax argmin argpartition argsort astype choose clip compress conj conjugate copy
cumprod cumsum diagonal dot fill flatten item max mean min nonzero partition prod put ravel repeat reshape
round searchsorted sort squeeze std sum swapaxes take tolist trace transpose var view"""
_ATTRIBUTES = "T dtype imag itemsize mT nbytes ndim real shape size strides"

_LACKS = {  # keyword -> the functions and methods that have it in NumPy and not in CuPy; no ufunc has where=
    "where": "all amax amin any max mean min nanmax nanmean nanmin nanprod nanstd nansum nanvar prod std sum var",
    "initial": "amax amin max min nanmax nanmin nanprod nansum prod sum",
    "mean": "nanstd nanvar std var",
    "correction": "nanstd nanvar std var",
    "keepdims": "count_nonzero",
    "mode": "take",
    "out": "einsum",
    "casting": "einsum",
    "min": "clip",
    "max": "clip",
    "order": "argpartition argsort einsum partition sort",
    "stable": "argsort sort",
    "sorted": "unique",
    "kind": "argpartition isin partition",
    "axis": "lexsort trim_zeros",
    "weights": "percentile quantile",
    "sparse": "indices",
    "shape": "reshape",  # it is newshape there
    "subok": "broadcast_arrays broadcast_to copy lib.stride_tricks.as_strided matmul",
    "writeable": "lib.stride_tricks.as_strided",
    "like": "arange array asanyarray asarray ascontiguousarray asfortranarray empty eye full identity ones "
    "require tri zeros",
    "device": "arange asanyarray asarray astype empty empty_like eye full full_like linspace ones ones_like "
    "zeros zeros_like",
    "ndmax": "array",
    "upper": "linalg.cholesky",
    "hermitian": "linalg.matrix_rank linalg.pinv linalg.svd",
    "rtol": "linalg.matrix_rank linalg.pinv",
}
_LACKING = {(name, keyword) for keyword, names in _LACKS.items() for name in names.split()}
_AT = {  # the ufuncs that have .at, and the dtypes they add up
    "add": "ilqILQefd", "subtract": "iI", "maximum": "ilqILQfd", "minimum": "ilqILQfd",
    "bitwise_and": "ilqILQ", "bitwise_or": "ilqILQ", "bitwise_xor": "ilqILQ",
}  # fmt: skip
_REDUCES = "add", "multiply"  # the only ufuncs that have .reduce
_DTYPES = "?bhilqBHILQefdFD"  # no strings, dates, objects or long doubles
_NO_LISTS = "where dot matmul vdot inner outer isclose allclose array_equal"  # nor for the second argument
_GIVE_ARRAYS = "allclose array_equal array_equiv count_nonzero"  # where NumPy gives a bool or an int

# ---------------------------------------------------------------------------------------- in and out of NumPy


def _in(value: Any, door: bool = False) -> Any:
    """The NumPy array inside a strict one, also in lists. Refuses Tensors and, but at a door, host arrays."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, (list, tuple)):
        items = [_in(v, door) for v in value]
        return items if isinstance(value, list) else tuple(items)
    if (isinstance(value, np.ndarray) and not door) or _has_own_operators(value):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _out(result: Any, given: tuple[Any, ...] = ()) -> Any:
    """What NumPy returned, with strict arrays in it; an argument that came back is that argument again."""
    if isinstance(result, (list, tuple)):
        items = [_out(r, given) for r in result]
        return items if isinstance(result, list) else tuple(items)
    for a in given:
        if isinstance(a, ndarray) and a._host is result:
            return a
    return _wrap(result) if isinstance(result, (np.ndarray, np.generic)) else result


def _wrap(host: Any) -> "ndarray":
    host = np.asarray(host)
    if host.dtype.char not in _DTYPES:
        raise ValueError(f"Unsupported dtype {host.dtype}")
    array = object.__new__(ndarray)
    array._host = host
    return array


def _call(name: str, function: Callable[..., Any], args: Any, keywords: Any, *given: Any) -> Any:
    """Call what NumPy knows by this name as if it were CuPy's."""
    for keyword in keywords:
        if (name, keyword) in _LACKING:
            raise TypeError(f"{name}() got an unexpected keyword argument {keyword!r}; CuPy's has none")
    if keywords.get("kind") not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")
    on_host = {keyword: _in(value) for keyword, value in keywords.items()}
    if name == "take":
        on_host["mode"] = "wrap"
    if name in ("take_along_axis", "put_along_axis"):
        axis = keywords["axis"] if "axis" in keywords else args[-1]
        args = args[0], args[1] % (args[0].size if axis is None else args[0].shape[axis]), *args[2:]
    with np.errstate(all="ignore"):
        result = function(*_in(tuple(args)), **on_host)
    return _out(result, (*given, *args, *keywords.values()))


def _has_own_operators(other: Any) -> bool:
    """Whether the other operand's operators go first, as a Tensor's do. Like CuPy this asks the instance."""
    return getattr(other, "__array_ufunc__", ...) is None


def _index(shape: tuple[int, ...], index: Any) -> tuple[Any, ...]:
    """An index for NumPy: index arrays wrapped around, and an ellipsis, so that the result is an array."""
    items = [_subscript(i) for i in (index if isinstance(index, tuple) else (index,))]
    if not any(i is Ellipsis for i in items):
        items.append(Ellipsis)
    rest = len(shape) - sum(map(_axes_taken, items))
    axis = 0
    for k, item in enumerate(items):
        if isinstance(item, np.ndarray) and item.dtype != bool and axis < len(shape) and shape[axis]:
            items[k] = np.asarray(item.astype(np.int64) % shape[axis])
        axis += rest if item is Ellipsis else _axes_taken(item)
    return tuple(items)


def _subscript(item: Any) -> Any:
    listed = isinstance(item, (list, tuple))
    item = np.asarray(_in(item)) if listed else _in(item)
    if listed and not item.size:
        return item.astype(np.int64)
    if isinstance(item, np.ndarray) and item.dtype.kind not in "biu":
        raise IndexError(f"arrays used as indices must be of integer or boolean type (actual: {item.dtype})")
    return item


def _axes_taken(item: Any) -> int:
    if item is None or item is Ellipsis or isinstance(item, (bool, np.bool_)):
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def _no_arrays(name: str, lengths: Any) -> None:
    """An array of the device is no number to Python: it cannot say how long an axis is."""
    if any(isinstance(n, ndarray) for n in (lengths if isinstance(lengths, (list, tuple)) else [lengths])):
        raise TypeError(f"{name}: 'ndarray' object cannot be interpreted as an integer")


# -------------------------------------------------------------------------------------------------- the array


class ndarray:  # noqa: N801
    """An array as on a GPU; see this module's docstring. `xp.ndarray(shape, dtype)` is an empty one."""

    __slots__ = ("__weakref__", "_host")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shape: Any, dtype: Any = float) -> None:
        _no_arrays("ndarray", shape)
        self._host = np.empty(shape, dtype)

    def get(self, *, order: Any = "C") -> np.ndarray:
        """A copy on the host."""
        return np.array(self._host, order=order)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        """`np.float32(2) * a` and `np.exp(a)` give strict arrays; `host * a` comes here, to be refused."""
        if "out" in keywords:
            (keywords["out"],) = keywords["out"]
        mine = _NAMES.get(function.__name__)
        mine = mine if method == "__call__" else getattr(mine, method, None)
        return NotImplemented if mine is None else mine(*inputs, **keywords)

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(f"np.{function.__name__} got an array of the device; call xp.{function.__name__}")

    def __reduce__(self) -> Any:
        return _wrap, (self.get(),)

    # A container of arrays. Like CuPy's it has no __index__ and no __contains__.

    def __iter__(self) -> Any:
        if not self._host.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self._host)))

    def __getitem__(self, index: Any) -> Any:
        index = _index(self._host.shape, index)
        result = self._host[index]
        return _wrap(result.copy() if any(isinstance(i, np.ndarray) for i in index) else result)

    def __setitem__(self, index: Any, value: Any) -> None:
        index = _index(self._host.shape, index)
        if isinstance(value, (list, tuple)) and not any(isinstance(i, np.ndarray) for i in index):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")  # CuPy's words for a list
        self._host[index] = _in(value)

    @property
    def base(self) -> Any:
        return _wrap(self._host.base) if isinstance(self._host.base, np.ndarray) else None

    @property
    def data(self) -> Any:
        return SimpleNamespace(ptr=self._host.ctypes.data)

    @property
    def flags(self) -> Any:
        names = "c_contiguous", "f_contiguous", "owndata", "fnc", "forc"
        return SimpleNamespace(**{name: getattr(self._host.flags, name) for name in names})


def _method(name: str) -> Any:
    def call(self: Any, *args: Any, **keywords: Any) -> Any:
        if name == "reshape":
            _no_arrays(name, args[0] if len(args) == 1 else args)
        known_as = "ndarray.clip" if name == "clip" else name  # unlike the function it has min= and max=
        return _call(known_as, getattr(self._host, name), args, keywords, self)

    return call


def _operator(name: str, reflected: bool = False) -> Any:
    def operate(self: Any, other: Any) -> Any:
        if _has_own_operators(other):
            return NotImplemented
        if name in ("equal", "not_equal") and (other is None or type(other).__eq__ is object.__eq__):
            return _wrap(np.full(self.shape, name == "not_equal"))
        return _NAMES[name](other, self) if reflected else _NAMES[name](self, other)

    return operate


def _operator_of_one(name: str) -> Any:
    return lambda self: _NAMES[name](self)


def _operator_in_place(name: str) -> Any:
    return lambda self, other: _NAMES[name](self, other, out=self)


def _as_on_host(name: str) -> Any:
    return lambda self, *args: getattr(self._host, name)(*args)


def _attribute(name: str) -> Any:
    return property(lambda self: _out(getattr(self._host, name)))


_ALONE = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
_IN_PLACE_TOO = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "lshift": "left_shift", "rshift": "right_shift",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}  # fmt: skip
_NOT_IN_PLACE = {"matmul": "matmul", "divmod": "divmod"}  # in CuPy, `a @= b` makes a new array
_COMPARE = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal"
}  # fmt: skip

for _name in _METHODS.split():
    setattr(ndarray, _name, _method(_name))
for _name in _ATTRIBUTES.split():
    setattr(ndarray, _name, _attribute(_name))
for _name in ("len", "bool", "int", "float", "complex", "repr", "str", "format"):
    _name = f"__{_name}__"
    setattr(ndarray, _name, _as_on_host(_name))
for _sign, _name in _ALONE.items():
    setattr(ndarray, f"__{_sign}__", _operator_of_one(_name))
for _sign, _name in (_IN_PLACE_TOO | _NOT_IN_PLACE | _COMPARE).items():
    setattr(ndarray, f"__{_sign}__", _operator(_name))
for _sign, _name in (_IN_PLACE_TOO | _NOT_IN_PLACE).items():
    setattr(ndarray, f"__r{_sign}__", _operator(_name, reflected=True))
for _sign, _name in _IN_PLACE_TOO.items():
    setattr(ndarray, f"__i{_sign}__", _operator_in_place(_name))

# ---------------------------------------------------------------------------------------------- the functions


class ufunc:  # noqa: N801
    """A function of each element: takes strict arrays and numbers, no lists, and has no `where`."""

    def __init__(self, name: str) -> None:
        self._host = getattr(np, name)
        self.name = self.__name__ = name
        self.nin, self.nout, self.nargs = self._host.nin, self._host.nout, self._host.nargs

    def __call__(self, *args: Any, out: Any = None, dtype: Any = None, casting: Any = "same_kind") -> Any:
        for x in (*args, *(out if isinstance(out, tuple) else (out,))):
            if x is not None and not isinstance(x, (ndarray, int, float, complex, np.generic)):
                raise TypeError(f"Unsupported type {type(x)}")
        given = {"out": out} if out is not None else {}
        return _call(self.name, self._host, args, {"dtype": dtype, "casting": casting} | given)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """`a[indices] += b`, or another operation, with an index that comes twice done twice."""
        if self.name not in _AT:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if a.dtype.char not in _AT[self.name]:
            raise TypeError(f"{self.name}.at does not support {a.dtype} arrays")
        self._host.at(_in(a), _index(a.shape, indices), np.asarray(_in(b)).astype(a.dtype))

    def reduce(self, array: Any, axis: Any = 0, **keywords: Any) -> Any:
        if self.name not in _REDUCES:
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return _call("sum", self._host.reduce, (array, axis), keywords)  # lacks what sum lacks

    def outer(self, a: Any, b: Any, **keywords: Any) -> Any:
        return _call(self.name, self._host.outer, (a, b), keywords)


def _function(name: str, host: Callable[..., Any], check: Any = None) -> Callable[..., Any]:
    def call(*args: Any, **keywords: Any) -> Any:
        if check:
            check(name, *args)
        result = _call(name, host, args, keywords)
        return _wrap(result) if name in _GIVE_ARRAYS.split() and not isinstance(result, ndarray) else result

    call.__name__, call.__doc__ = name, host.__doc__
    return call


def _arrays_first(name: str, first: Any = "", *others: Any) -> None:
    """CuPy's functions want an array, or a sequence of arrays, where NumPy's take lists and numbers too."""
    firsts = first if isinstance(first, (list, tuple)) else [first]
    wrong = [x for x in firsts if not isinstance(x, (ndarray, str))]
    if name in _NO_LISTS.split():
        wrong += [x for x in others if isinstance(x, (list, tuple))]
    if wrong:
        raise TypeError(f"{name}: Unsupported type {type(wrong[0])}; CuPy wants arrays of the device here")
    if name in ("reshape", "broadcast_to") and others:
        _no_arrays(name, others[0])


def _numbers_first(name: str, first: Any = (), *_: Any) -> None:
    _no_arrays(name, first)


def _door(name: str) -> Callable[..., Any]:
    def enter(data: Any, *args: Any, **keywords: Any) -> Any:
        host = data.copy("A") if isinstance(data, np.ndarray) else _in(data, door=True)
        return _call(name, partial(getattr(np, name), host), args, keywords, data)

    return enter


class Generator:
    """CuPy's Generator. It has no permutation, shuffle, choice or normal, and gives arrays, 0-d ones too."""

    def __init__(self, seed: Any = None) -> None:
        self._host = np.random.default_rng(seed)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None, dtype: Any = np.float64) -> Any:
        return _wrap(np.asarray(self._host.uniform(_in(low), _in(high), size), dtype))


def _draw(name: str) -> Any:
    def draw(self: Any, *args: Any, **keywords: Any) -> Any:
        result = _call(name, getattr(self._host, name), args, keywords)
        return result if isinstance(result, ndarray) else _wrap(result)

    return draw


for _name in _GENERATOR.split():
    setattr(Generator, _name, _draw(_name))

# --------------------------------------------------------------------------------------------- what `xp` gets


def _functions(names: str, module: Any, prefix: str = "", check: Any = _arrays_first) -> dict[str, Any]:
    """Names that this NumPy is too old for are left out."""
    return {n: _function(prefix + n, getattr(module, n), check) for n in names.split() if hasattr(module, n)}


_NAMES: dict[str, Any] = {  # in a dictionary, so that `any` and `sum` stay Python's in this file
    **{name: getattr(np, name) for name in _SAME.split() if hasattr(np, name)},
    **{name: ufunc(name) for name in _UFUNCS.split() if hasattr(np, name)},
    **{name: _door(name) for name in _DOORS.split()},
    **_functions(_FUNCTIONS, np),
    **_functions(_MAKERS, np, check=_numbers_first),
    **_functions(_ASKERS, np, check=None),
    "ndarray": ndarray,
    "ufunc": ufunc,
    "linalg": SimpleNamespace(LinAlgError=np.linalg.LinAlgError, **_functions(_LINALG, np.linalg, "linalg.")),
    "random": SimpleNamespace(
        Generator=Generator,
        default_rng=lambda seed=None: seed if isinstance(seed, Generator) else Generator(seed),
        **_functions("permutation seed shuffle", np.random, "random.", check=None),
    ),
    "lib": SimpleNamespace(
        stride_tricks=SimpleNamespace(
            **_functions("as_strided sliding_window_view", np.lib.stride_tricks, "lib.stride_tricks.")
        )
    ),
}


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return _NAMES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_NAMES)
