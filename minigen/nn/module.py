"""Module: parameters by name, children, train and eval, the state as arrays; and Sequential."""

from collections.abc import Iterator
from typing import Any

from minigen.backend import asarray, xp
from minigen.graph import mark_changed
from minigen.tensor import Tensor


class Module:
    """The base of all layers and models. A subclass sets its parts as attributes and defines forward(...).

    A Tensor that requires a gradient, set as an attribute, is a parameter; it stays one when frozen later
    (requires_grad = False). A Module, or a list or dict of Modules, is a child. An array set by `buffer` is
    part of the state without being learned (running statistics).

        class Block(nn.Module):
            def __init__(self):
                self.inner = nn.Dense(8, 8)
                self.scale = mg.tensor([1.0], requires_grad=True)
            def forward(self, x):
                return x + self.inner(x) * self.scale
    """

    training = True

    def forward(self, *inputs: Any) -> Any:
        raise TypeError(f"{type(self).__name__}: a Module needs a forward(self, ...), and this class defines none")

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        return self.forward(*inputs, **settings)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and value.requires_grad and value.origin is None:
            self.__dict__.setdefault("_parameters", {})[name] = None  # a dict for its order
        object.__setattr__(self, name, value)

    def buffer(self, name: str, array: Any) -> None:
        """Set an attribute that is part of the state dict but not a parameter."""
        self.__dict__.setdefault("_buffers", {})[name] = None
        object.__setattr__(self, name, array)

    def children(self) -> Iterator[tuple[str, "Module"]]:
        """(name, module) of all modules that are attributes, or in a list or dict that is one ("cells.0")."""
        for name, value in vars(self).items():
            yield from _modules_in(name, value)

    def modules(self, path: str = "") -> Iterator[tuple[str, "Module"]]:
        """(path, module) for this module and all below it; a module used twice comes once."""
        seen: set[int] = set()
        todo = [(path, self)]
        while todo:
            here, module = todo.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield here, module
                below = [(f"{here}.{name}" if here else name, child) for name, child in module.children()]
                todo += reversed(below)

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(path, Tensor) of every parameter, once; the path becomes the Tensor's name where it has none."""
        seen: set[int] = set()
        for path, module in self.modules():
            for name, parameter in module._own_parameters():
                if id(parameter) not in seen:
                    seen.add(id(parameter))
                    parameter.name = parameter.name or (f"{path}.{name}" if path else name)
                    yield (f"{path}.{name}" if path else name), parameter

    def _own_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """(attribute, Tensor) of the parameters of this module itself, without its children's."""
        for name in self.__dict__.get("_parameters", ()):
            value = self.__dict__.get(name)
            if isinstance(value, Tensor) and value.origin is None:  # it may have been replaced since
                yield name, value

    def parameters(self) -> list[Tensor]:
        """All parameters: what an optimiser wants."""
        return [parameter for _, parameter in self.named_parameters()]

    def parameter_count(self) -> int:
        """How many numbers the parameters hold together, frozen ones too."""
        return sum(parameter.size for parameter in self.parameters())

    def requires_grad_(self, requires_grad: bool = True) -> "Module":
        """Freeze (False) or thaw all parameters: a frozen network takes no gradient. Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, training: bool = True) -> "Module":
        """Behave as in training: dropout drops, batch norm uses the batch's statistics. Returns self."""
        for _, module in self.modules():
            module.training = training
        return self

    def eval(self) -> "Module":
        """Behave as in use: dropout keeps all, batch norm uses its running statistics. Returns self."""
        return self.train(False)

    def astype(self, dtype: Any) -> "Module":
        """Turn all parameters and buffers into another floating-point type: float64 for checking gradients.

        Returns self. Raises TypeError for a type without gradients.
        """
        if xp.dtype(dtype).kind != "f":
            raise TypeError(f"{type(self).__name__}.astype: got {dtype}, wants a floating-point type")
        for holder, name, array in self._state():
            _set(holder, name, array.astype(dtype))
        return self

    def _state(self) -> Iterator[tuple["Module", str, Any]]:
        """(module, attribute, array) of every parameter and buffer."""
        for _, module in self.modules():
            for name, parameter in module._own_parameters():
                yield module, name, parameter._data
            for name in module.__dict__.get("_buffers", ()):
                yield module, name, getattr(module, name)

    def state_dict(self) -> dict[str, Any]:
        """{path: array}, copies of all parameters and buffers."""
        paths = {id(module): path for path, module in self.modules()}
        return {".".join(filter(None, (paths[id(m)], name))): array.copy() for m, name, array in self._state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over all parameters and buffers from a state_dict().

        The arrays may be of another floating-point type, or on the host: the module keeps its own. Raises
        TypeError for what is no dict, ValueError where an entry is missing, surplus, of another shape or no real
        numbers; then nothing was changed.
        """
        if not isinstance(state, dict):
            raise TypeError(f"load_state_dict: got a {type(state).__name__}, wants the dict that state_dict() gives")
        paths = {id(module): path for path, module in self.modules()}
        own = {".".join(filter(None, (paths[id(m)], name))): (m, name, array) for m, name, array in self._state()}
        wrong = [f"{path} is missing" for path in own if path not in state]
        wrong += [f"{path} is surplus" for path in state if path not in own]
        for path, (_, _, array) in own.items():
            given = state.get(path, array)  # what is missing is said above
            shape, dtype = getattr(given, "shape", None), getattr(given, "dtype", None)
            if shape != array.shape:
                got = f"has shape {shape}" if shape is not None else f"is a {type(given).__name__}"
                wrong.append(f"{path} {got}, wants shape {array.shape}")
            elif getattr(dtype, "kind", "f") not in "biuf":  # other libraries' dtypes have no kind
                wrong.append(f"{path} is of dtype {dtype}, wants real numbers")
        if wrong:
            more = f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""
            raise ValueError(
                f"load_state_dict: this state is not of this {type(self).__name__}: {'; '.join(wrong[:4])}{more}"
            )
        taken = {path: asarray(state[path], array.dtype) for path, (_, _, array) in own.items()}
        for path, (module, name, _) in own.items():
            _set(module, name, taken[path])

    def __repr__(self) -> str:
        """A line for each module: its name, what it is, its parameters' shapes, how many numbers they are."""
        rows = list(_rows("", "", self, 0, {}))
        if len(rows) > 1:
            rows.append(("all parameters", "", f"{self.parameter_count():,}"))
            frozen = sum(p.size for p in self.parameters() if not p.requires_grad)
            rows += [("of these frozen", "", f"{frozen:,}")] if frozen else []
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [f"{a:<{widths[0]}}   {b:<{widths[1]}}   {c:>{widths[2]}}".rstrip() for a, b, c in rows]
        return "\n".join(lines)

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """What the repr shows below this module."""
        return self.children()

    def describe(self) -> str:
        """What stands in the brackets of the repr: the settings of a layer."""
        return ""


def _modules_in(name: str, value: Any) -> Iterator[tuple[str, Module]]:
    """(name, module) for an attribute that is a module, or a list or dict that holds some."""
    if isinstance(value, Module):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _modules_in(f"{name}.{key}", part)


def _rows(path: str, name: str, part: Any, depth: int, seen: dict[int, str]) -> Iterator[tuple[str, str, str]]:
    """The lines of a repr: what it is, its parameters, how many numbers. seen: {id: path} of those above."""
    title = "  " * depth + (f"{name}: " if name else "")
    if not isinstance(part, Module):  # a function in a Sequential
        yield title + getattr(part, "__name__", type(part).__name__), "", ""
        return
    if id(part) in seen:
        yield f"{title}the same as {seen[id(part)] or 'the whole'}", "", ""
        return
    seen[id(part)] = path
    parts, settings = list(part._parts()), part.describe()
    title += type(part).__name__ + (f"({settings})" if settings or not parts else "")
    shapes, count = [], 0
    for attribute, p in part._own_parameters():
        shared, frozen = " shared" if id(p) in seen else "", "" if p.requires_grad else " frozen"
        shapes.append(f"{attribute} {p.shape}{shared}{frozen}")
        count += 0 if shared else p.size
        seen[id(p)] = attribute
    yield title, ", ".join(shapes), f"{count:,}" if shapes else ""
    for below, child in parts:
        yield from _rows(f"{path}.{below}" if path else below, below, child, depth + 1, seen)


def _set(module: Module, name: str, array: Any) -> None:
    """Give a parameter or buffer other numbers: in place if the type stays, for an optimiser has a view."""
    value = getattr(module, name)
    target = value._data if isinstance(value, Tensor) else value
    if target.dtype == array.dtype:
        target[...] = array
    elif isinstance(value, Tensor):
        value._data, value.grad = array, None
    else:
        module.buffer(name, array)
    if isinstance(value, Tensor):
        mark_changed(value)


class Sequential(Module):
    """Modules (or functions of one Tensor) one after the other: nn.Sequential(nn.Dense(2, 16), mg.tanh).

    model[0] is a layer, model[:2] a Sequential of the same first two. Raises TypeError for what is no layer.
    """

    def __init__(self, *layers: Any) -> None:
        for i, layer in enumerate(layers):
            if isinstance(layer, type) or not callable(layer):
                kind = type(layer).__name__
                got = f"the class {layer.__name__}" if isinstance(layer, type) else f"a {kind}"
                raise TypeError(f"Sequential: layer {i} is {got}, wants a Module, made, or a function")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def children(self) -> Iterator[tuple[str, Module]]:
        """(place, module) for every layer that is one."""
        return ((name, layer) for name, layer in self._parts() if isinstance(layer, Module))

    def _parts(self) -> Iterator[tuple[str, Any]]:
        return ((str(i), layer) for i, layer in enumerate(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, index: Any) -> Any:
        return Sequential(*self.layers[index]) if isinstance(index, slice) else self.layers[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)


def parameter(array: Any) -> Tensor:
    """An array as a Tensor that is to be learned."""
    return Tensor(array, requires_grad=True)


def zeros(*shape: int) -> Tensor:
    """A parameter that starts at 0."""
    return parameter(xp.zeros(shape, dtype="float32"))


def ones(*shape: int) -> Tensor:
    """A parameter that starts at 1."""
    return parameter(xp.ones(shape, dtype="float32"))
