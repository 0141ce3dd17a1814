"""What is recorded: nodes, the clock that numbers them, and what this thread is doing."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

next_number = itertools.count(1).__next__  # one clock, for nodes and for changes of data
latest_change = 0  # when any Tensor's data was last changed
Tensor: Any = type(None)  # what ops return; minigen.tensor registers its class here


class _Mode(threading.local):
    recording = True
    observers: tuple[Callable[..., None], ...] = ()  # called after every op on Tensors: watch, detect_anomaly
    step_observers: tuple[Callable[..., None], ...] = ()  # called after every step of a walk: detect_anomaly


mode = _Mode()


class Node:
    """One recorded call: the op, its settings, its parents and the saved arrays. It holds no result Tensors."""

    __slots__ = (
        "changed",
        "dtype",
        "number",
        "op",
        "outputs",
        "parents",
        "plan",
        "saved",
        "seen",
        "settings",
        "shapes",
    )

    number: int  # given when made, so every node's number is greater than its parents'
    op: Any
    settings: dict[str, Any]
    parents: list[Any]  # for each input: the (node, slot) that computed it, the leaf Tensor, or None for an array
    plan: Any  # which inputs want a gradient, and by which lines (contract.Plan)
    saved: list[Any] | None  # the values that the gradient lines name; None once released
    shapes: list[tuple[int, ...]]  # of the inputs that want a gradient
    dtype: Any  # of the output, and so of the gradient that comes in
    outputs: list[Any] | None  # of an op with several outputs: their (shape, dtype)
    changed: int  # when the output's .data was last set; 0 for never
    seen: Any  # what mg.watch() noted

    def __repr__(self) -> str:
        return f"<{self.op.__name__} #{self.number}>"


def register_tensor(cls: type) -> type:
    """Tell the graph which class ops return. Used once, by minigen.tensor."""
    global Tensor
    Tensor = cls
    return cls


def key_of(tensor: Any) -> Any:
    """What gradients in flight to this Tensor are filed under: the (node, slot) that made it, or the leaf itself."""
    return tensor.origin or tensor


def mark_changed(tensor: Any) -> None:
    """Note that this Tensor's array holds other numbers from now on, so that the walk can refuse stale gradients."""
    global latest_change
    changed = tensor.origin[0] if tensor.origin else tensor
    latest_change = changed.changed = next_number()


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording, in this thread: for evaluation, sampling and updates."""
    was, mode.recording = mode.recording, False
    try:
        yield
    finally:
        mode.recording = was
