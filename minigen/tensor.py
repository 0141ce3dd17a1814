"""Tensor: an array that remembers how it was computed. The operators and methods people write with."""

from collections.abc import Iterator
from typing import Any

from minigen import graph, ops
from minigen.backend import asarray, to_numpy, xp


class _RefuseNumpy:
    """What np.exp(tensor) finds. NumPy looks on the class, and gets a function that answers with a sentence, or with
    the Tensor's own operator where `array + tensor` was meant. CuPy looks on the instance, and gets None, which means
    that the Tensor's operators are to be asked."""

    def __get__(self, instance: Any, owner: type) -> Any:
        return _numpy_called if instance is None else None


_REFLECTED = {
    "add": "__radd__", "subtract": "__rsub__", "multiply": "__rmul__", "divide": "__rtruediv__",
    "power": "__rpow__", "matmul": "__rmatmul__", "equal": "__eq__", "not_equal": "__ne__",
    "less": "__gt__", "less_equal": "__ge__", "greater": "__lt__", "greater_equal": "__le__",
}  # fmt: skip


def _numpy_called(tensor: "Tensor", ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    if name in _REFLECTED and not keywords and not isinstance(inputs[0], Tensor):
        return getattr(inputs[1], _REFLECTED[name])(inputs[0])
    raise TypeError(_advice(name))


_not_silently = "a Tensor is not silently turned into an array: use x.data, or x.numpy() for one on the host"


def _advice(name: str) -> str:
    instead = f"mg.{name}(x)" if hasattr(ops, name) else "the ops in minigen.ops"
    return f"np.{name} was called on a Tensor, which would lose its gradient; use {instead}, or x.data for the array"


@graph.register_tensor
class Tensor:
    """An array, and, where it needs a gradient, the call that computed it.

    data             the array (NumPy's or CuPy's). Setting it, also by `w.data -= ...`, is noticed by the walk.
    grad             the gradient, an array of the same shape, or None; written on leaves by backward()
    requires_grad    whether gradients are wanted
    name             shown in messages, steps and pictures
    """

    __slots__ = ("__weakref__", "_data", "changed", "grad", "name", "origin", "requires_grad")
    __array_ufunc__ = _RefuseNumpy()

    def __init__(self, data: Any, requires_grad: bool = False, origin: Any = None, name: str | None = None) -> None:
        self._data = data
        self.grad: Any = None
        self.requires_grad = requires_grad
        self.origin = origin  # (node, slot) where it was computed; None for a leaf
        self.name = name
        self.changed = 0

    @property
    def data(self) -> Any:
        return self._data

    @data.setter
    def data(self, array: Any) -> None:
        if isinstance(array, Tensor):
            raise TypeError(_not_silently)
        array = asarray(array, None if hasattr(array, "dtype") else self.dtype)
        if array.shape != self._data.shape:
            raise ValueError(
                f"data: this Tensor has shape {self.shape}; it cannot take an array of shape {array.shape}"
            )
        if self.requires_grad and array.dtype.kind != "f":
            raise TypeError(_integers_have_no_gradient(array.dtype))
        self._data = array
        graph.mark_changed(self)

    # ------------------------------------------------------------------------------- what arrays have too
    shape = property(lambda self: self._data.shape)
    ndim = property(lambda self: self._data.ndim)
    size = property(lambda self: self._data.size)
    dtype = property(lambda self: self._data.dtype)
    T = property(lambda self: ops.transpose(self))

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Tensor"]:
        if not self.ndim:
            raise TypeError("a Tensor of one number cannot be iterated over; .item() is the number")
        return (self[i] for i in range(len(self)))

    def item(self) -> Any:
        """The one number of a Tensor of size 1, as Python's float or int."""
        if self.size != 1:
            raise ValueError(f"item: wants a Tensor of one number, this one has shape {self.shape}; see .tolist()")
        return self._data.item()

    def tolist(self) -> Any:
        return self._data.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __format__(self, specification: str) -> str:
        return format(self.item(), specification) if specification else str(self)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of a Tensor of shape {self.shape} is ambiguous; use .any() or .all() of .data")
        return bool(self._data)

    # fmt: off
    def __neg__(self) -> Any: return ops.negative(self)
    def __pos__(self) -> Any: return self
    def __abs__(self) -> Any: return ops.abs(self)
    def __add__(self, other: Any) -> Any: return ops.add(self, other)
    def __radd__(self, other: Any) -> Any: return ops.add(other, self)
    def __sub__(self, other: Any) -> Any: return ops.subtract(self, other)
    def __rsub__(self, other: Any) -> Any: return ops.subtract(other, self)
    def __mul__(self, other: Any) -> Any: return ops.multiply(self, other)
    def __rmul__(self, other: Any) -> Any: return ops.multiply(other, self)
    def __truediv__(self, other: Any) -> Any: return ops.divide(self, other)
    def __rtruediv__(self, other: Any) -> Any: return ops.divide(other, self)
    def __pow__(self, other: Any) -> Any: return ops.power(self, other)
    def __rpow__(self, other: Any) -> Any: return ops.power(other, self)
    def __matmul__(self, other: Any) -> Any: return ops.matmul(self, other)
    def __rmatmul__(self, other: Any) -> Any: return ops.matmul(other, self)
    # Comparisons have no gradient: they give arrays of booleans.
    def __gt__(self, other: Any) -> Any: return xp.asarray(self._data > _comparable(other, self._data))
    def __ge__(self, other: Any) -> Any: return xp.asarray(self._data >= _comparable(other, self._data))
    def __lt__(self, other: Any) -> Any: return xp.asarray(self._data < _comparable(other, self._data))
    def __le__(self, other: Any) -> Any: return xp.asarray(self._data <= _comparable(other, self._data))
    def __eq__(self, other: Any) -> Any: return xp.asarray(self._data == _comparable(other, self._data))
    def __ne__(self, other: Any) -> Any: return xp.asarray(self._data != _comparable(other, self._data))
    __hash__ = object.__hash__
    # fmt: on

    def __getitem__(self, index: Any) -> Any:
        return ops.getitem(self, index=tuple(map(_index, index)) if isinstance(index, tuple) else _index(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(
            "a Tensor cannot be assigned to in place: its gradient would be lost; build the result with mg.where or "
            "mg.concatenate, or change x.data for a leaf"
        )

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        return ops.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        return ops.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return ops.var(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Any:
        return ops.sqrt(ops.var(self, axis=axis, ddof=ddof, keepdims=keepdims))

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        return ops.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        return ops.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: Any = None) -> Any:
        """Where the largest entries are: an array of integers, without a gradient."""
        return self._data.argmax(axis=axis)

    def argmin(self, axis: Any = None) -> Any:
        """Where the smallest entries are: an array of integers, without a gradient."""
        return self._data.argmin(axis=axis)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        return ops.clip(self, min=min, max=max)

    def reshape(self, *shape: Any) -> Any:
        return ops.reshape(self, shape=_unpacked(shape))

    def ravel(self) -> Any:
        return ops.reshape(self, shape=(-1,))

    flatten = ravel

    def transpose(self, *axes: Any) -> Any:
        return ops.transpose(self, axes=_unpacked(axes) if axes else None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        axes = list(range(self.ndim))
        axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
        return ops.transpose(self, axes=tuple(axes))

    def squeeze(self, axis: Any = None) -> Any:
        return ops.squeeze(self, axis=axis)

    def astype(self, dtype: Any) -> Any:
        return ops.astype(self, dtype=dtype)

    # ------------------------------------------------------------------------------- what only Tensors have
    def backward(self, upstream: Any = None, *, retain_graph: bool = False) -> None:
        """Walk back from here and add to the `.grad` of every leaf below that requires one.

        upstream: the gradient of whatever this goes into, an array of this shape; may be left out for one number.
        The graph is released on the way, unless retain_graph=True.
        Raises RuntimeError where nothing was recorded, the graph was released, or a saved value changed since.
        """
        graph.backward(self, upstream, retain_graph=retain_graph)

    def detach(self) -> "Tensor":
        """The same numbers, cut off from the graph: no gradient flows through here."""
        return Tensor(self._data, name=self.name)

    def numpy(self) -> Any:
        """The array on the host, as NumPy's. No gradient follows it there."""
        return to_numpy(self._data)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Want a gradient from here on, or no longer; returns the Tensor itself."""
        if requires_grad and self.dtype.kind != "f":
            raise TypeError(_integers_have_no_gradient(self.dtype))
        if self.origin and not requires_grad:
            raise RuntimeError(f"this Tensor was computed by {self.origin[0].op.__name__}; .detach() cuts it off")
        self.requires_grad = requires_grad
        return self

    def __reduce__(self) -> Any:
        """For copy and pickle: a leaf, its gradient too. What was computed would drag its whole graph along."""
        if self.origin:
            raise TypeError(
                f"only leaves are copied and pickled, and this Tensor was computed by "
                f"{self.origin[0].op.__name__}; take its .detach()"
            )
        return _leaf, (self._data, self.grad, self.requires_grad, self.name)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(_not_silently)

    def __array_function__(self, function: Any, types: Any, args: Any, keywords: Any) -> Any:
        raise TypeError(_advice(function.__name__))

    def __repr__(self) -> str:
        values = repr(to_numpy(self._data))
        values = values[len("array(") : values.rindex("]") + 1 if self.ndim else -1]
        values = values.split(", dtype")[0].replace("\n ", "\n  ") if self.ndim else str(to_numpy(self._data))
        notes = [f"shape={self.shape}"] if self.size != 1 else []
        notes += [f"name={self.name!r}"] if self.name else []
        notes += [f"dtype={self.dtype}"] if self.dtype != "float32" else []
        notes += [f"from {self.origin[0].op.__name__}"] if self.origin else []
        notes += ["requires_grad=True"] if self.requires_grad and not self.origin else []
        return f"tensor({', '.join([values, *notes])})"


def tensor(data: Any, requires_grad: bool = False, *, dtype: Any = None, name: str | None = None) -> Tensor:
    """A leaf Tensor holding a copy of `data`. Lists and numbers become float32, arrays keep their dtype.

    requires_grad: whether backward() writes a gradient into `.grad`. name: shown in messages and steps.
    Raises TypeError for integers that are to have a gradient, ValueError for what is no array of numbers.
    """
    try:
        array = asarray(_array(data), dtype).copy()
    except (ValueError, TypeError) as error:
        raise ValueError(f"tensor: wants numbers, in rows of one length; got {data!r:.60} ({error})") from error
    if data is None or array.dtype.kind not in "fiub":
        raise ValueError(f"tensor: wants numbers; got {data!r:.60}")
    if requires_grad and array.dtype.kind != "f":
        raise TypeError(_integers_have_no_gradient(array.dtype))
    return Tensor(array, requires_grad, name=name)


def _leaf(data: Any, grad: Any, requires_grad: bool, name: str | None) -> Tensor:
    """What Tensor.__reduce__ rebuilds."""
    leaf = Tensor(data, requires_grad, name=name)
    leaf.grad = grad
    return leaf


def _integers_have_no_gradient(dtype: Any) -> str:
    return f"tensor: gradients want floating-point numbers, got {dtype}; convert with .astype('float32')"


def _array(value: Any) -> Any:
    return value._data if isinstance(value, Tensor) else value


def _comparable(value: Any, array: Any) -> Any:
    """What `array` can be compared with: arrays and numbers. Lists take its dtype, NumPy's scalars never promote it."""
    if isinstance(value, (list, tuple)):
        return asarray(value, array.dtype if array.dtype.kind == "f" else None)
    if type(value) is not xp.ndarray and getattr(value, "shape", None) == () and not isinstance(value, Tensor):
        return value.item()
    return _array(value)


def _index(part: Any) -> Any:
    """One part of an index: lists become arrays, Tensors their arrays."""
    return xp.asarray(part, dtype=None if part else int) if isinstance(part, list) else _array(part)


def _unpacked(arguments: tuple[Any, ...]) -> tuple[int, ...]:
    """x.reshape(2, 3) and x.reshape((2, 3)) are the same."""
    return tuple(arguments[0]) if len(arguments) == 1 and isinstance(arguments[0], (tuple, list)) else arguments
