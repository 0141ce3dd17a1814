"""Data-parallel training: each core takes a part of the batch, forward and backward, and the gradients are added up.

    def loss_of(x, y):                                   # any part of a batch -> its mean loss
        return mg.cross_entropy(model(x), y)

    team = parallel.Team(loss_of, adam)
    for x, y in loader:
        loss = team.step(x, y)                           # adam.zero_grad(), loss.backward(), adam.step()

The mean over a batch is the weighted mean over its parts, and so is its gradient: the sum of what each part gives. Only
an op that looks across the batch has to look across the parts as well; batch norm does (`parts.total`). In a step each
process adds up, and updates, its share of the parameters.

A step of several losses, each for an optimiser of its own, is a generator. While it waits at a `yield`, the loss is
differentiated, and its optimiser updates in all processes:

    def losses_of(x, z):
        fake = generator(z)
        yield loss(critic(x), 1.0) + loss(critic(fake.detach()), 0.0)
        yield loss(critic(fake), 1.0)                    # by the critic as it is now

    team = parallel.Team(losses_of, for_critic, for_generator)

Threads of one Python process wait for each other between any two array operations, since only one at a time may run
Python. So the other parts are worked on by processes, copies of this one (forked), that share with it the optimisers'
arrays, the gradients and the batch, and nothing else: 2.0 against 1.3 times as fast as one core for a U-Net.
"""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from minigen import graph, parts, random, threads
from minigen.backend import current
from minigen.members import Member, Outbox, Worker, is_array, working_on_a_part
from minigen.optim import Optimiser


class Team:
    """Processes that work on the parts of a batch. See this module's docstring.

    loss_of: takes a batch (arrays cut along their first axis; numbers and other values go to all as they are), returns
    the loss of one number, or yields one for each of the optimisers, in their order. processes: one for each core by
    default, this one included. reduction: whether a loss is the "mean" over its samples or their "sum".

    A member is a copy of this process, made at the first step, and anew for samples of another shape: what has changed
    here since, it sees only if it is a parameter or a setting of one of these optimisers, or comes as an argument.
    After model.eval(), model.train(), freezing or other changes of what loss_of uses, call close(): the next step makes
    new copies. Random numbers drawn in loss_of differ from member to member; a run is repeatable for a given seed and
    number of processes. loss_of runs in every process on the same parameters, and leaves changing them to the
    optimisers (optim.clip_weights between two losses is all right).

    Where processes cannot be forked (Windows; macOS, where it is unsafe) or the arrays are on a GPU, and under mg.watch
    or mg.detect_anomaly, all work is done here, with the same gradients.
    """

    def __init__(
        self,
        loss_of: Callable[..., Any],
        *optimisers: Optimiser,
        processes: int | None = None,
        reduction: str = "mean",
    ) -> None:
        if not callable(loss_of):
            raise TypeError(f"Team: loss_of is a {type(loss_of).__name__}, wants a function of a batch")
        if not optimisers:
            raise TypeError("Team: there is no optimiser; wants one of minigen.optim, or one for each loss")
        for optimiser in optimisers:
            if not isinstance(optimiser, Optimiser):
                raise TypeError(f"Team: optimiser is a {type(optimiser).__name__}, wants one of minigen.optim")
        every = [p for optimiser in dict.fromkeys(optimisers) for p in optimiser.params]
        if len(set(every)) < len(every):
            raise ValueError("Team: two of the optimisers have a parameter in common; wants each in one of them")
        if processes is not None and (not isinstance(processes, int) or processes < 1):
            raise ValueError(f"Team: processes is {processes!r}, wants a whole number of at least 1")
        if reduction not in ("mean", "sum"):
            raise ValueError(f'Team: reduction is {reduction!r}, wants "mean" or "sum"')
        self.loss_of, self.optimisers, self.reduction = loss_of, optimisers, reduction
        self.processes = processes or threads.threads()
        self.worker = Worker(0, loss_of, optimisers, [])  # does this process's part
        self.members: list[Member] = []

    # ------------------------------------------------------------------------- what the user calls
    def step(self, *batch: Any) -> Any:
        """Train on one batch: each loss's gradient, and its optimiser's update. Returns the loss, or a tuple of them.

        What was in `.grad` is forgotten, and None is in it afterwards. To do something between gradient and update,
        such as clipping, call backward() and optimiser.step().

        Raises ValueError for arrays of different lengths and where loss_of gives more or fewer losses than there are
        optimisers; TypeError for a loss that is none, and for an optimiser with a step() of its own; RuntimeError with
        the member's traceback where loss_of raised there; what it raises here comes as it is. Of several optimisers,
        those before the error have updated; one that was interrupted at it may have done so in part.
        """
        for optimiser in self.optimisers:
            if type(optimiser).step is not Optimiser.step:
                who = type(optimiser).__name__
                raise TypeError(f"Team.step: {who} has a step() of its own; use backward(), then optimiser.step()")
        losses = []
        try:
            with self._parts(batch, "step") as (part, share):
                for optimiser, loss in self.worker.losses(part):
                    optimiser.zero_grad()
                    value = self.worker.differentiate(optimiser, loss, share)
                    if self.members:
                        value += self._update(optimiser)
                    else:
                        optimiser.step()
                    losses.append(value)
        finally:
            for optimiser in self.optimisers:
                optimiser.zero_grad()
        return losses[0] if len(losses) == 1 else tuple(losses)

    def backward(self, *batch: Any) -> float:
        """The loss of the whole batch; adds its gradient to the `.grad` of every parameter of the optimiser.

        Raises what step() raises. `.grad` is then as it was.
        """
        if len(self.optimisers) > 1:
            raise ValueError(f"Team.backward: there are {len(self.optimisers)} optimisers; wants one, or use step()")
        params = self.optimisers[0].params
        before = [p.grad for p in params]
        for p in params:
            p.grad = None
        try:
            with self._parts(batch, "backward") as (part, share):
                for optimiser, loss in self.worker.losses(part):
                    value = self.worker.differentiate(optimiser, loss, share)
                for member in self.members:
                    more, found = member.receive("loss")
                    value += more
                    member.worker.outbox(optimiser).add_to_gradients(found)
        except BaseException:
            for p, g in zip(params, before, strict=True):
                p.grad = g
            raise
        for p, g in zip(params, before, strict=True):
            if g is not None:
                p.grad = g if p.grad is None else p.grad + g
        return value

    def close(self) -> None:
        """Let the members go. The next step makes new ones."""
        for member in self.members:
            member.stop()
        self.members = []
        self.worker = Worker(0, self.loss_of, self.optimisers, [])

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # ------------------------------------------------------------------------- the parts of a batch
    @contextlib.contextmanager
    def _parts(self, batch: tuple[Any, ...], task: str) -> Iterator[tuple[list[Any], float]]:
        """Set the members to work on theirs; (this process's part, what its loss counts)."""
        N = _length(batch)
        if parts.is_a_part():
            raise RuntimeError("Team: the loss_of of a Team cannot use another Team")
        for optimiser in self.optimisers:
            optimiser.settle()
        count = max(1, min(self.processes, N)) if _can_fork() else 1
        if count == 1:
            if self.members:
                self.close()
            yield list(batch), 1.0
            return
        edges = [N * k // count for k in range(count + 1)]
        shares = [(j - i) / N if self.reduction == "mean" else 1.0 for i, j in itertools.pairwise(edges)]
        cut = [[a[i:j] if is_array(a) else a for a in batch] for i, j in itertools.pairwise(edges)]
        try:
            if len(self.members) != count - 1 or not all(map(Member.fits, self.members, cut[1:])):
                self.close()
                self._start(cut)
            for member, part, share in zip(self.members, cut[1:], shares[1:], strict=True):
                member.begin(task, part, share)
            with working_on_a_part(self._add_up):
                yield cut[0], shares[0]
            if self.worker.goes_on:
                for member in self.members:
                    member.receive("done")
        except BaseException:
            self.close()  # a member may be anywhere: new ones next time
            raise

    def _start(self, cut: list[list[Any]]) -> None:
        rows = max(len(a) for part in cut for a in part if is_array(a))
        outboxes = [{optimiser: Outbox(optimiser) for optimiser in self.optimisers} for _ in cut]
        self.worker, *others = [Worker(k, self.loss_of, self.optimisers, outboxes) for k in range(len(cut))]
        for worker, seed in zip(others, random.generator().integers(0, 2**31, size=len(others)).tolist(), strict=True):
            member = Member(worker, cut[0], rows)
            self.members.append(member)
            member.start(seed, [other.pipe for other in self.members])

    def _add_up(self, sums: Any) -> Any:
        """parts.total in this process: everyone's sums in, the total out."""
        whole = sums
        for member in self.members:
            whole = whole + member.receive("sums")[0]
        for member in self.members:
            member.send("total", whole)
        return whole

    # ------------------------------------------------------------------------- the update, shared among all
    def _update(self, optimiser: Optimiser) -> float:
        """Have everybody update their share of the parameters; returns what the others add to the loss."""
        found = self.worker.outbox(optimiser).leave_gradients()
        loss = 0.0
        for member in self.members:
            more, found_there = member.receive("loss")
            loss += more
            found = [a or b for a, b in zip(found, found_there, strict=True)]
        due = [flat.due(found) for flat in optimiser.flats]
        for member in self.members:
            member.send("update", optimiser.numbers(), due)
        self.worker.update(optimiser, due)
        for member in self.members:
            member.receive("updated")
        if self.worker.goes_on:
            for member in self.members:
                member.send("go on")
        return loss


def _length(batch: tuple[Any, ...]) -> int:
    lengths = [len(a) for a in batch if is_array(a)]
    if not lengths or len(set(lengths)) > 1:
        raise ValueError(
            f"Team: wants arrays of one length, the samples along their first axis; got "
            f"{', '.join(map(str, lengths)) or 'no array'}"
        )
    return lengths[0]


def _can_fork() -> bool:
    observed = graph.tape.mode.observers or graph.tape.mode.step_observers
    return sys.platform.startswith("linux") and current() == "numpy" and not observed and not threads.is_alone()
