"""The other processes of a parallel.Team: how they are made, what they run, and what goes between them."""

import contextlib
import multiprocessing
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import Any

from minigen import graph, parts, random, threads
from minigen.backend import xp
from minigen.memory import shared_zeros
from minigen.optim import Optimiser
from minigen.optim.arguments import called
from minigen.tensor import Tensor


class Outbox:
    """Where one process leaves its gradients of an optimiser's parameters for the others to see."""

    def __init__(self, optimiser: Optimiser) -> None:
        self.params = optimiser.params
        self.arrays = [shared_zeros(flat.data.shape, flat.data.dtype) for flat in optimiser.flats]  # in their order
        places = {
            slot.index: flat.of(slot, array)
            for flat, array in zip(optimiser.flats, self.arrays, strict=True)
            for slot in flat.slots
        }
        self.places = [places[i] for i in range(len(self.params))]

    def leave_gradients(self) -> list[bool]:
        """Copy every `.grad`, and 0 for None; returns which there were."""
        for p, place in zip(self.params, self.places, strict=True):
            place[...] = 0 if p.grad is None else p.grad
        return [p.grad is not None for p in self.params]

    def add_to_gradients(self, found: list[bool]) -> None:
        """Add what was left here to the `.grad` of this process's parameters."""
        for p, place, there in zip(self.params, self.places, found, strict=True):
            if there and p.grad is None:
                p.grad = place.copy()
            elif there:
                p.grad += place


class Worker:
    """What each process does, whether the user's or another: differentiate its part's losses, update its share."""

    def __init__(
        self,
        number: int,
        loss_of: Callable[..., Any],
        optimisers: tuple[Optimiser, ...],
        outboxes: list[dict[Optimiser, Outbox]],  # of each process; empty where there is one process
    ) -> None:
        self.number, self.loss_of, self.optimisers, self.outboxes = number, loss_of, optimisers, outboxes
        self.goes_on = False  # whether loss_of is a generator, and does more after it gave a loss

    def losses(self, part: list[Any]) -> Iterator[tuple[Optimiser, Any]]:
        """Each optimiser with its loss, in turn."""
        given = self.loss_of(*part)
        self.goes_on = isinstance(given, GeneratorType)
        count, wanted = 0, len(self.optimisers)
        for loss in given if self.goes_on else (given,):
            count += 1
            if count > wanted:
                break
            self._refuse_moved()
            if not isinstance(loss, Tensor) or loss.size != 1:
                got = f"a Tensor of shape {loss.shape}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
                raise TypeError(f"Team: loss_of gave {got}, wants the loss, a Tensor of one number")
            yield self.optimisers[count - 1], loss
        self._refuse_moved()
        if count != wanted:
            got = f"more than {wanted}" if count > wanted else str(count)
            raise ValueError(f"Team: the losses that loss_of gave are {got}; wants {wanted}, one for each optimiser")

    def _refuse_moved(self) -> None:
        for optimiser in self.optimisers:
            for flat in optimiser.flats:
                for slot in flat.slots:
                    if slot.parameter._data is not slot.view:
                        who = called(slot.index, slot.parameter)
                        raise RuntimeError(
                            f"Team: loss_of set the .data of parameter {who}; it runs in every process on the same "
                            "parameters, and leaves changing them to the optimisers"
                        )

    def differentiate(self, optimiser: Optimiser, loss: Any, share: float) -> float:
        """The gradient of a part's loss, into `.grad`; returns what the part adds to the whole loss."""
        graph.backward(loss, xp.full(loss.shape, share, dtype=loss.dtype), leaves=optimiser.params)
        return float(loss.item()) * share

    def outbox(self, optimiser: Optimiser, number: int | None = None) -> Outbox:
        """This process's, or another one's, for the gradients of this optimiser."""
        return self.outboxes[self.number if number is None else number][optimiser]

    def update(self, optimiser: Optimiser, due: list[list[tuple[int, int, int]]]) -> None:
        """Add up the gradients of this process's share of the parameters, and update it.

        due: for each flat array the stretches (start, stop, step) that get an update. The share is the same part
        of each array.
        """
        count = len(self.outboxes)
        for f, (flat, stretches) in enumerate(zip(optimiser.flats, due, strict=True)):
            low, high = (len(flat.data) * k // count for k in (self.number, self.number + 1))
            mine = self.outbox(optimiser).arrays[f]
            others = [self.outbox(optimiser, n).arrays[f] for n in range(count) if n != self.number]
            for start, stop, t in stretches:
                for i in range(max(start, low), min(stop, high), flat.chunk):
                    j = min(i + flat.chunk, stop, high)
                    for other in others:
                        mine[i:j] += other[i:j]
                    optimiser.update_piece(flat, i, j, mine[i:j], t)


class Member:
    """One of the other processes, as seen from this one: its pipe, and where it finds its part of the batch."""

    def __init__(self, worker: Worker, batch: list[Any], rows: int) -> None:
        self.worker = worker
        self.params = [p for optimiser in worker.optimisers for p in optimiser.params]
        self.seen = [p.data for p in self.params]
        self.batch = [shared_zeros((rows, *a.shape[1:]), a.dtype) for a in batch if is_array(a)]
        self.pipe, self.theirs = multiprocessing.Pipe()

    def start(self, seed: int, pipes: list[Any]) -> None:
        """Make the process. pipes: those that are open here, and are not for it."""
        self.process = multiprocessing.get_context("fork").Process(target=self._run, args=(seed, pipes), daemon=True)
        with warnings.catch_warnings():  # that a fork copies no threads: all that BLAS and we have are idle
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        self.theirs.close()

    def fits(self, part: list[Any]) -> bool:
        """Whether the shared arrays hold such a part, and the parameters are where they were."""
        arrays = [a for a in part if is_array(a)]
        return (
            len(arrays) == len(self.batch)
            and all(
                a.shape[1:] == mine.shape[1:] and a.dtype == mine.dtype and len(a) <= len(mine)
                for a, mine in zip(arrays, self.batch, strict=True)
            )
            and all(p.data is array for p, array in zip(self.params, self.seen, strict=True))
        )

    def begin(self, task: str, part: list[Any], share: float) -> None:
        """Send it to work: its part of the batch, and what its loss counts in the whole."""
        mine = iter(self.batch)
        rows = 0
        for value in part:
            if is_array(value):
                rows = len(value)
                next(mine)[:rows] = value
        others = [None if is_array(value) else value for value in part]
        self.send(task, others, [is_array(value) for value in part], rows, share)

    def send(self, *message: Any) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            raise self._gone() from None

    def receive(self, expected: str) -> list[Any]:
        """Wait for what it says. Raises RuntimeError if that is something else than was expected."""
        try:
            kind, *values = _receive(self.pipe)
        except (EOFError, OSError):
            raise self._gone() from None
        if kind == "failed":
            raise RuntimeError(f"Team: loss_of raised in one of the other processes:\n\n{values[0]}")
        if kind != expected:
            raise RuntimeError("Team: loss_of took another way on one part of the batch than on the others")
        return values

    def stop(self) -> None:
        self.pipe.close()
        self.theirs.close()
        process = getattr(self, "process", None)  # start() may have been interrupted
        if process is not None and process.pid is not None:
            process.terminate()
            process.join()

    def _gone(self) -> RuntimeError:
        self.process.join(1)
        return RuntimeError(f"Team: one of the other processes has ended (exit code {self.process.exitcode})")

    # ------------------------------------------------------------------------- what the other process runs
    def _run(self, seed: int, pipes: list[Any]) -> None:
        for other in pipes:
            other.close()
        pipe = self.theirs
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets its members go
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which it does
        random.seed(seed)

        def add_up(sums: Any) -> Any:
            pipe.send(("sums", sums))
            return _receive(pipe)[1]

        with working_on_a_part(add_up), contextlib.suppress(EOFError, OSError):  # until the pipe is closed
            while True:
                task, others, arrays_at, rows, share = _receive(pipe)
                arrays = iter(self.batch)
                part = [next(arrays)[:rows] if a else value for a, value in zip(arrays_at, others, strict=True)]
                try:
                    self._work(pipe, task, part, share)
                except Exception:
                    pipe.send(("failed", traceback.format_exc()))

    def _work(self, pipe: Any, task: str, part: list[Any], share: float) -> None:
        """What Team.step and Team.backward do, on this part."""
        for optimiser, loss in self.worker.losses(part):
            optimiser.zero_grad()
            value = self.worker.differentiate(optimiser, loss, share)
            pipe.send(("loss", value, self.worker.outbox(optimiser).leave_gradients()))
            if task == "step":
                _, numbers, due = _receive(pipe)
                for name, number in numbers.items():
                    setattr(optimiser, name, number)
                self.worker.update(optimiser, due)
                pipe.send(("updated",))
                if self.worker.goes_on:
                    _receive(pipe)  # "go on": all the others have updated, too
        if self.worker.goes_on:
            pipe.send(("done",))


@contextlib.contextmanager
def working_on_a_part(add_up: Callable[[Any], Any]) -> Iterator[None]:
    """While in this block, this process works on one part of several."""
    parts.working_on_a_part(add_up)
    try:
        with threads.alone():
            yield
    finally:
        parts.working_on_a_part(None)


def is_array(value: Any) -> bool:
    """Whether this value of a batch is cut up."""
    return isinstance(value, xp.ndarray) and value.ndim > 0


def _receive(pipe: Any) -> Any:
    """The next message. Looks often for a millisecond before it goes to sleep: waking up takes 30 microseconds."""
    end = time.perf_counter() + 1e-3
    while not select.select([pipe], [], [], 0)[0] and time.perf_counter() < end:
        pass
    return pipe.recv()
