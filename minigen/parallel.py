"""Data-parallel training: each core takes a part of the batch, forward and backward, and the gradients are added up.

    def loss_of(x, y):                                   # any part of a batch -> its mean loss
        return mg.cross_entropy(model(x), y)

    team = parallel.Team(loss_of, adam)
    for x, y in loader:
        adam.zero_grad()
        loss = team.backward(x, y)                       # in the place of loss_of(x, y).backward()
        adam.step()

The mean over a batch is the weighted mean over its parts, and so is its gradient: the sum of what each part gives. Only
an op that looks across the batch has to look across the parts as well; batch norm does (`parts.total`).

Threads of one Python process wait for each other between any two array operations, since only one at a time may run
Python. So the other parts are worked on by processes, copies of this one (forked), that share with it the arrays of
the parameters and nothing else: 2.0 against 1.3 times as fast as one core for a U-Net.
"""

import contextlib
import itertools
import multiprocessing
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from minigen import graph, parts, random, threads
from minigen.backend import current, xp
from minigen.memory import shared_zeros
from minigen.optim import Optimiser


class Team:
    """Processes that work on the parts of a batch. See this module's docstring.

    loss_of: takes a batch (arrays cut along their first axis; numbers and other values go to all as they are), returns
    the loss of one number. optimiser: its parameters get the gradients. processes: one for each core by default, this
    one included. reduction: whether loss_of returns the "mean" over its samples or their "sum".

    A member is a copy of this process, made at the first backward(): what has changed here since, it sees only if
    it is a parameter in an optimiser, or comes as an argument. After model.eval(), model.train(), freezing or other
    changes of what loss_of uses, call close(): the next backward() makes new copies. Random numbers drawn in loss_of
    differ from member to member; a run is repeatable for a given seed and number of processes.

    Where processes cannot be forked (Windows; macOS, where it is unsafe) or the arrays are on a GPU, and under mg.watch
    or mg.detect_anomaly, all work is done here, with the same gradients.
    """

    def __init__(
        self,
        loss_of: Callable[..., Any],
        optimiser: Optimiser,
        *,
        processes: int | None = None,
        reduction: str = "mean",
    ) -> None:
        if not callable(loss_of):
            raise TypeError(f"Team: loss_of is a {type(loss_of).__name__}, wants a function of a batch")
        if not isinstance(optimiser, Optimiser):
            raise TypeError(f"Team: optimiser is a {type(optimiser).__name__}, wants one of minigen.optim")
        if processes is not None and (not isinstance(processes, int) or processes < 1):
            raise ValueError(f"Team: processes is {processes!r}, wants a whole number of at least 1")
        if reduction not in ("mean", "sum"):
            raise ValueError(f'Team: reduction is {reduction!r}, wants "mean" or "sum"')
        self.loss_of, self.params, self.reduction = loss_of, optimiser.params, reduction
        self.processes = processes or threads.threads()
        self.members: list[Member] = []

    def backward(self, *batch: Any) -> float:
        """The loss of the whole batch; adds its gradient to the `.grad` of every parameter of the optimiser.

        Raises ValueError for arrays of different lengths, RuntimeError with the member's traceback where loss_of
        raised there; what it raises here comes as it is. `.grad` is then as it was.
        """
        N = _length(batch)
        count = min(self.processes, N) if _can_fork() else 1
        if count == 1:
            loss = self.loss_of(*batch)
            graph.backward(loss, leaves=self.params)
            return float(loss.item())
        edges = [N * k // count for k in range(count + 1)]
        if not self._fit(count, batch, edges):
            self.close()
            self._start(count, batch, edges)
        before = [p.grad for p in self.params]
        try:
            for member, i, j in zip(self.members, edges[1:], edges[2:], strict=False):
                member.begin([a[i:j] if _is_array(a) else a for a in batch], self._share(j - i, N))
            for p in self.params:
                p.grad = None
            with self._on_a_part(self._add_up):
                loss = self._part([a[: edges[1]] if _is_array(a) else a for a in batch], self._share(edges[1], N))
            for member in self.members:
                loss += member.result()
                member.add_gradients(self.params)
        except BaseException:
            self.close()  # a member may be anywhere: new ones next time
            for p, g in zip(self.params, before, strict=True):
                p.grad = g
            raise
        for p, g in zip(self.params, before, strict=True):
            if g is not None:
                p.grad = g if p.grad is None else p.grad + g
        return loss

    def close(self) -> None:
        """Let the members go. The next backward() makes new ones."""
        for member in self.members:
            member.stop()
        self.members = []

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _share(self, n: int, N: int) -> float:
        """What a part's loss counts in the whole batch's."""
        return n / N if self.reduction == "mean" else 1.0

    def _part(self, batch: list[Any], share: float) -> float:
        """Forward and backward of one part; returns what its loss adds to the whole one."""
        loss = self.loss_of(*batch)
        graph.backward(loss, xp.full(loss.shape, share, dtype=loss.dtype), leaves=self.params)
        return float(loss.item()) * share

    @contextlib.contextmanager
    def _on_a_part(self, add_up: Callable[[Any], Any]) -> Any:
        parts.working_on_a_part(add_up)
        try:
            with threads.alone():
                yield
        finally:
            parts.working_on_a_part(None)

    def _add_up(self, sums: Any) -> Any:
        """parts.total in this process: everyone's sums in, the total out."""
        whole = sums
        for member in self.members:
            whole = whole + member.sums()
        for member in self.members:
            member.pipe.send(("total", whole))
        return whole

    def _fit(self, count: int, batch: tuple[Any, ...], edges: list[int]) -> bool:
        """Whether the members there are can work on such a batch, and on the parameters as they are."""
        return len(self.members) == count - 1 and all(
            member.fits(self.params, [a for a in batch if _is_array(a)], j - i)
            for member, i, j in zip(self.members, edges[1:], edges[2:], strict=False)
        )

    def _start(self, count: int, batch: tuple[Any, ...], edges: list[int]) -> None:
        arrays = [a for a in batch if _is_array(a)]
        seeds = random.generator().integers(0, 2**31, size=count - 1).tolist()
        rows = max(j - i for i, j in itertools.pairwise(edges))
        for seed in seeds:
            self.members.append(Member(self, arrays, rows, seed))


class Member:
    """One of the other processes, as seen from this one: its pipe, and the arrays that both see."""

    def __init__(self, team: Team, arrays: list[Any], rows: int, seed: int) -> None:
        self.batch = [shared_zeros((rows, *a.shape[1:]), a.dtype) for a in arrays]  # where it finds its part
        self.gradients = [shared_zeros(p.shape, p.dtype) for p in team.params]  # where it leaves what it found
        self.seen = [p.data for p in team.params]
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(
            target=self._run, args=(team, theirs, seed), daemon=True
        )
        with warnings.catch_warnings():  # that a fork copies no threads: all that BLAS and we have are idle
            warnings.simplefilter("ignore", DeprecationWarning)
            self.process.start()
        theirs.close()

    def fits(self, params: list[Any], arrays: list[Any], rows: int) -> bool:
        """Whether the shared arrays hold such a part, and the parameters are where they were."""
        same = len(arrays) == len(self.batch) and all(
            a.shape[1:] == mine.shape[1:] and a.dtype == mine.dtype and rows <= len(mine)
            for a, mine in zip(arrays, self.batch, strict=True)
        )
        return same and all(p.data is array for p, array in zip(params, self.seen, strict=True))

    def begin(self, batch: list[Any], share: float) -> None:
        """Send it to work."""
        others = []  # None in the place of each array
        mine = iter(self.batch)
        rows = 0
        for value in batch:
            if _is_array(value):
                rows = len(value)
                next(mine)[:rows] = value
            others.append(None if _is_array(value) else value)
        self._send(("work", others, [_is_array(value) for value in batch], rows, share))

    def result(self) -> float:
        """Wait until it has finished; its share of the loss."""
        return self._receive("loss")[0]

    def sums(self) -> Any:
        """Wait until it asks for a total; its sums."""
        return self._receive("sums")[0]

    def add_gradients(self, params: list[Any]) -> None:
        """Add what it found to the `.grad` of the parameters."""
        for p, g, found in zip(params, self.gradients, self.found, strict=True):
            if found and p.grad is None:
                p.grad = g.copy()
            elif found:
                p.grad += g

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()

    def _send(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            raise self._gone() from None

    def _receive(self, expected: str) -> Any:
        try:
            kind, *values = _receive(self.pipe)
        except (EOFError, OSError):
            raise self._gone() from None
        if kind == "failed":
            raise RuntimeError(f"Team: loss_of raised in one of the other processes:\n\n{values[0]}")
        if kind != expected:
            raise RuntimeError("Team: loss_of took another way on one part of the batch than on the others")
        if kind == "loss":
            self.found = values[1]
        return values

    def _gone(self) -> RuntimeError:
        self.process.join(1)
        return RuntimeError(f"Team: one of the other processes has ended (exit code {self.process.exitcode})")

    # ------------------------------------------------------------------------- what the other process runs
    def _run(self, team: Team, pipe: Any, seed: int) -> None:
        self.pipe.close()  # this end is the parent's
        for other in team.members:
            other.pipe.close()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets its members go
        random.seed(seed)

        def add_up(sums: Any) -> Any:
            pipe.send(("sums", sums))
            return _receive(pipe)[1]

        with team._on_a_part(add_up), contextlib.suppress(EOFError, OSError):
            while True:
                _, others, is_array, rows, share = _receive(pipe)
                arrays = iter(self.batch)
                batch = [next(arrays)[:rows] if a else value for a, value in zip(is_array, others, strict=True)]
                try:
                    for p in team.params:
                        p.grad = None
                    loss = team._part(batch, share)
                    for p, g in zip(team.params, self.gradients, strict=True):
                        if p.grad is not None:
                            g[...] = p.grad
                    pipe.send(("loss", loss, [p.grad is not None for p in team.params]))
                except Exception:
                    pipe.send(("failed", traceback.format_exc()))


def _receive(pipe: Any) -> Any:
    """The next message. Looks often for a millisecond before it goes to sleep: waking up takes 30 microseconds."""
    end = time.perf_counter() + 1e-3
    while not select.select([pipe], [], [], 0)[0] and time.perf_counter() < end:
        pass
    return pipe.recv()


def _is_array(value: Any) -> bool:
    return type(value) is xp.ndarray and value.ndim > 0


def _length(batch: tuple[Any, ...]) -> int:
    lengths = [len(a) for a in batch if _is_array(a)]
    if not lengths or len(set(lengths)) > 1:
        raise ValueError(
            f"Team.backward: wants arrays of one length, the samples along their first axis; got "
            f"{', '.join(map(str, lengths)) or 'no array'}"
        )
    return lengths[0]


def _can_fork() -> bool:
    observed = graph.tape.mode.observers or graph.tape.mode.step_observers
    return sys.platform.startswith("linux") and current() == "numpy" and not observed and not threads.is_alone()
