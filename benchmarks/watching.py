"""What it costs that backprop can be watched, when nobody watches: backward() against the same walk without it.

    python benchmarks/watching.py              three graphs, the ratio of medians; ends with 1 if one is above 1.05

The walk without it is the walk's own source with everything taken out that only a watcher needs: the yield at each
node, the list of what arrived, the look at what happened in the pause. The two take turns on graphs of their own, so
that both see the same state of the machine.
"""

import argparse
import ast
import gc
import inspect
import statistics
import sys
import textwrap
import time

import minigen as mg
from minigen import nn
from minigen.graph import walk

ALLOWED = 1.05


class Unwatched(ast.NodeTransformer):
    """Takes the watching out of the walk."""

    removed = 0

    def visit_If(self, node):
        if ast.unparse(node.test) in ("watched", "not in_place and order"):
            self.removed += 1
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)


def unwatched_backward():
    """backward() over a walk that nobody can watch."""
    tree, without = ast.parse(textwrap.dedent(inspect.getsource(walk._walk))), Unwatched()
    tree = ast.fix_missing_locations(without.visit(tree))
    if without.removed != 4:
        sys.exit(f"the walk has changed: {without.removed} statements of watching found in it, expected 4")
    space = dict(vars(walk))
    exec(compile(tree, walk.__file__, "exec"), space)

    def backward(output):
        arrived = {}
        space["_walk"](output, walk._start(output, None, "backward"), arrived)
        walk._write(arrived)

    return backward


def chain():
    """A thousand of the smallest ops: nothing but the walk's own cost."""
    x = mg.tensor([0.5], requires_grad=True)

    def loss():
        y = x
        for _ in range(500):
            y = y * 0.999 + 0.001
        return y.sum()

    return loss, [x]


def network():
    """784-256-128-10, batch 64."""
    model = nn.Sequential(nn.Dense(784, 256), nn.ReLU(), nn.Dense(256, 128), nn.ReLU(), nn.Dense(128, 10))
    x, labels = mg.random.normal((64, 784)), mg.xp.arange(64) % 10
    return lambda: mg.cross_entropy(model(x), labels), model.parameters()


def recurrence():
    """64 steps of a recurrent cell, written out in small ops."""
    w, u, b = (mg.tensor(mg.random.normal(s) * 0.1, requires_grad=True) for s in [(16, 32), (32, 32), (32,)])
    x = mg.random.normal((64, 8, 16))

    def loss():
        h = mg.xp.zeros((8, 32), dtype="float32")
        for t in range(64):
            h = mg.tanh(x[t] @ w + h @ u + b)
        return h.sum()

    return loss, [w, u, b]


def seconds(backward, loss, leaves):
    """One walk, of a graph made for it."""
    output = loss()
    for leaf in leaves:
        leaf.grad = None
    start = time.perf_counter()
    backward(output)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400)
    rounds = parser.parse_args().rounds
    without, worst = unwatched_backward(), 0.0
    gc.disable()  # a collection would fall on whoever is at it
    for make in (chain, network, recurrence):
        loss, leaves = make()
        for backward in (mg.Tensor.backward, without):
            seconds(backward, loss, leaves)
        with_it, bare = [], []
        for turn in range(rounds):
            pair = [(mg.Tensor.backward, with_it), (without, bare)]
            for backward, samples in pair if turn % 2 else reversed(pair):
                samples.append(seconds(backward, loss, leaves))
        a, b = statistics.median(with_it), statistics.median(bare)
        ratio = statistics.median(x / y for x, y in zip(with_it, bare, strict=True))
        worst = max(worst, ratio)
        print(f"{make.__name__:<12} {a * 1e6:8.0f} us, unwatched {b * 1e6:8.0f} us, ratio {ratio:.3f}")
    print(f"watching costs at most {max(worst - 1, 0):.1%} when nobody watches; allowed are {ALLOWED - 1:.0%}")
    return int(worst > ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
