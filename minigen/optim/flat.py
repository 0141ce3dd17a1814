"""Parameters end to end in one array: an update is a few array calls, not a few for each parameter."""

from collections.abc import Iterator
from typing import Any

from minigen import backend
from minigen.backend import xp
from minigen.graph import mark_changed
from minigen.memory import shared_zeros
from minigen.optim.arguments import called
from minigen.tensor import Tensor

# How many numbers are updated at a time: a piece of the parameters, with its gradient, buffers and scratch,
# then stays in the processor's cache. (Adam, 650,000 float32 parameters: 0.94 ms, 1.7 in one piece.)
CHUNK = 1 << 16

# A gradient of this many numbers is read where it lies, smaller ones are gathered first. Gathering them all
# would cost a copy (0.15 ms more, and memory); gathering none, a few array calls for every bias.
LARGE = 1 << 13


class Slot:
    """Where one parameter lives."""

    __slots__ = ("gathered", "index", "parameter", "start", "steps", "stop", "view")

    index: int  # its place among the optimiser's parameters
    parameter: Tensor
    start: int  # its numbers are flat.data[start:stop]
    stop: int
    view: Any  # the same numbers in the parameter's shape: the parameter's own array
    gathered: Any  # the same place among the gathered gradients; None for a large parameter
    steps: int  # how often it was updated


class Flat:
    """The parameters of one dtype, their optimiser's buffers, and the gradients of the small ones."""

    def __init__(self, numbered: list[tuple[int, Tensor]], buffers: tuple[str, ...]) -> None:
        on_gpu = backend.current() == "cupy"  # there, what counts is how many calls there are
        is_large = {i: p.size >= LARGE and not on_gpu for i, p in numbered}
        numbered = sorted(numbered, key=lambda pair: is_large[pair[0]])  # the small ones in front
        dtype = numbered[0][1].dtype
        size = sum(p.size for _, p in numbered)
        self.chunk = max(size, 1) if on_gpu else CHUNK
        self.data = shared_zeros((size,), dtype)  # with the processes of a parallel.Team
        self.gradients = xp.empty(sum(p.size for i, p in numbered if not is_large[i]), dtype=dtype)
        self.buffers = {name: shared_zeros((size,), dtype) for name in buffers}  # no memory until written to
        self.scratch = [xp.empty(min(self.chunk, size), dtype=dtype) for _ in range(2)]
        self.slots = []
        start = 0
        for i, p in numbered:
            slot = Slot()
            slot.index, slot.parameter, slot.start, slot.stop, slot.steps = i, p, start, start + p.size, 0
            slot.view = self.of(slot, self.data)
            slot.gathered = None if is_large[i] else self.of(slot, self.gradients)
            self.slots.append(slot)
            self.move_in(slot)
            start = slot.stop

    @staticmethod
    def of(slot: Slot, array: Any) -> Any:
        """What belongs to this slot in a flat array, as a view in the parameter's shape."""
        return array[slot.start : slot.stop].reshape(slot.parameter.shape)

    def move_in(self, slot: Slot) -> None:
        """Copy the parameter's numbers to their place here, and let it use them there.

        Done when the optimiser is made, and again where the parameter was since given another array: by
        `p.data = ...`, or by another optimiser.
        """
        slot.view[...] = slot.parameter._data
        slot.parameter._data = slot.view

    def ready(self, who: str) -> list[Slot]:
        """The slots whose parameter has a gradient. Raises, with nothing changed, where one does not fit."""
        array_types = (xp.ndarray, xp.generic)  # NumPy's 0-d results are no arrays
        slots = []
        for slot in self.slots:
            p = slot.parameter
            g = p.grad
            if g is None:
                continue
            if not isinstance(g, array_types) or g.shape != slot.view.shape:
                got = f"shape {g.shape}" if isinstance(g, array_types) else f"type {type(g).__name__}"
                raise ValueError(
                    f"{who}: the .grad of parameter {called(slot.index, p)} is of {got}; wants an array of "
                    f"shape {p.shape}, or None"
                )
            self.settle(who, slot)
            slots.append(slot)
        return slots

    def settle(self, who: str, slot: Slot) -> None:
        """Have the parameter at its place here, wherever its numbers were put since."""
        p = slot.parameter
        if p._data is slot.view:
            return
        if p.dtype != self.data.dtype:
            raise TypeError(
                f"{who}: parameter {called(slot.index, p)} was {self.data.dtype} when this optimiser "
                f"was made, and is {p.dtype} now; make the optimiser after changing the dtype"
            )
        self.move_in(slot)

    def runs(self, slots: list[Slot]) -> Iterator[tuple[int, int, Any, int]]:
        """(start, stop, gradient, steps) of each stretch that is updated as one, for slots that are ready.

        A large parameter is a stretch of its own; neighbouring small ones are one if updated equally often.
        """
        start = stop = steps = 0
        for slot in slots:
            slot.steps += 1
            mark_changed(slot.parameter)
            if slot.gathered is None:
                yield slot.start, slot.stop, slot.parameter.grad.reshape(-1), slot.steps
                continue
            slot.gathered[...] = slot.parameter.grad
            if slot.start != stop or slot.steps != steps:
                if start < stop:
                    yield start, stop, self.gradients[start:stop], steps
                start, steps = slot.start, slot.steps
            stop = slot.stop
        if start < stop:
            yield start, stop, self.gradients[start:stop], steps

    def due(self, has_gradient: list[bool]) -> list[tuple[int, int, int]]:
        """(start, stop, steps) of the stretches to update, where all gradients lie end to end as the parameters do."""
        stretches: list[tuple[int, int, int]] = []
        for slot in self.slots:
            if has_gradient[slot.index]:
                slot.steps += 1
                mark_changed(slot.parameter)
                start = slot.start
                if stretches and stretches[-1][1:] == (start, slot.steps):
                    start = stretches.pop()[0]
                stretches.append((start, slot.stop, slot.steps))
        return stretches
