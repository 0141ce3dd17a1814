"""How fast a training step could be, and where its time goes: minigen's workloads, measured from outside.

    python benchmarks/floors.py           all workloads
    python benchmarks/floors.py W3b W6    some of them

The floor of a step is the time its matrix products would take at the rate that BLAS reaches on large ones, plus the
time to read every op's inputs and write its outputs once, at the rate of a copy that stays in the cache (two threads
are taken to copy twice as fast). Products are counted in the formulas' own numbers, 2 N D M for (N, D) @ (D, M),
whatever a kernel does; what flows inside a fused op is not counted as bytes.

The shares are CPU time of one thread, of each op forward and backward (an op called inside another counts to the outer
one), of the optimiser and the random numbers; "between" is the rest: the tape, the layers' Python, zero_grad, and the
clock's own cost, half a microsecond an op.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
WORKLOADS = ["W1", "W2", "W3a", "W3b", "W4", "W5", "W6", "W7"]


# ---------------------------------------------------------------------------------------- what the machine can do


def best(work, seconds=0.5):
    """The shortest of the times that `work` takes in so many seconds."""
    work()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def rates():
    """{"gemm": {threads: GFLOP/s}, "copy": {"cache" and "memory": GB/s, read plus written, one thread}}."""
    import numpy as np

    import minigen as mg

    def gemm_of_one():
        a, b = (np.random.default_rng(0).random((1024, 1024), dtype=np.float32) for _ in range(2))
        out = np.empty_like(a)
        return 2 * 1024**3 / best(lambda: np.matmul(a, b, out=out)) / 1e9

    mg.set_threads(1)
    gemm = {"1": gemm_of_one()}
    with ThreadPoolExecutor(2) as pool:  # two products at the same time, a core each
        gemm["2"] = sum(pool.map(lambda _: gemm_of_one(), range(2)))
    copy = {}
    for name, size in (("cache", 1 << 18), ("memory", 1 << 24)):
        source, target = np.ones(size, np.float32), np.empty(size, np.float32)
        copy[name] = 2 * source.nbytes / best(lambda x=source, y=target: np.copyto(y, x)) / 1e9
    return {"gemm": gemm, "copy": copy}


# ------------------------------------------------------------------------------------------- what a step consists of


def products(op, inputs, result):
    """(FLOPs of the forward product, the inputs in which its gradient is another such product)."""
    shapes = {name: getattr(t, "shape", ()) for name, t in zip(op.inputs, inputs, strict=False)}
    if op.__name__ == "dense":
        (n, d), (_, m) = shapes["x"], shapes["w"]
        return 2 * n * d * m, ("x", "w")
    if op.__name__ == "matmul":
        return 2 * result.size * shapes["a"][-1], ("a", "b")
    if op.__name__ == "conv2d":
        return 2 * result.size * math.prod(shapes["w"][:3]), ("x", "w")
    if op.__name__ == "conv_transpose2d":
        return 2 * math.prod(shapes["x"]) * math.prod(shapes["w"][:3]), ("x", "w")
    if op.__name__ in ("rnn", "lstm", "gru"):  # x w_x in "x" and h w_h in "w_h", as one
        (n, t, d), (h, gates) = shapes["x"], shapes["w_h"]
        return 2 * n * t * (d + h) * gates, ("w_x", "w_h")
    return 0, ()


def flops(op, node, inputs, result):
    """FLOPs of the products of one recorded call, forward and backward."""
    forward, operands = products(op, inputs, result)
    wanted = {op.inputs[k] for k in node.plan.wanted} if node and not op.variadic else set()
    if op.__name__ in ("rnn", "lstm", "gru") and wanted:
        return 3 * forward  # all inputs' gradients but perhaps that of x, which is the smallest product
    return forward * (1 + len(wanted.intersection(operands)))


class Profile:
    """CPU seconds and bytes by what used them; what runs inside something else counts to the outer one."""

    def __init__(self):
        self.seconds, self.bytes, self.depth = Counter(), Counter(), 0

    def timed(self, name, function, bytes_of=None):
        def measured(*args, **settings):
            if self.depth:
                return function(*args, **settings)
            self.depth = 1
            start = time.process_time()
            try:
                result = function(*args, **settings)
            finally:
                self.depth = 0
                self.seconds[name] += time.process_time() - start
            self.bytes[name] += bytes_of(*args) if bytes_of else array_bytes(args) + array_bytes(result)
            return result

        return measured


def array_bytes(value):
    if isinstance(value, (tuple, list)):
        return sum(map(array_bytes, value))
    if isinstance(value, dict):
        return sum(map(array_bytes, value.values()))
    if hasattr(value, "outputs"):  # what keep() returned
        return array_bytes(value.outputs) + array_bytes(value.values)
    return getattr(value, "nbytes", 0) if not hasattr(value, "requires_grad") else 0


def optimiser_bytes(optimiser):
    """The parameters and the optimiser's buffers read and written, the gradients read."""
    return sum(p.data.nbytes for p in optimiser.params) * (3 + 2 * len(optimiser.buffers))


def wrap(profile):
    """Time every op that has run, forward and backward, the optimisers and the random numbers."""
    import minigen as mg
    from minigen import ops, optim

    for op in {getattr(ops, name) for name in ops.__all__ if hasattr(getattr(ops, name), "plans")}:
        # An op's call holds its forward formula as `compute`: the one way to it that costs nothing when not measured.
        cell = op.__closure__[op.__code__.co_freevars.index("compute")]
        cell.cell_contents = profile.timed((op.__name__, "forward"), cell.cell_contents)
        for plan in op.plans.values():
            for p in [plan, *plan.narrowed.values()]:
                p.calls = [(k, profile.timed((op.__name__, "backward"), f), at, named) for k, f, at, named in p.calls]
    base = optim.Optimiser  # whose step() the others inherit
    base.step = profile.timed(("optimiser", ""), base.step, optimiser_bytes)
    mg.random.normal = profile.timed(("random numbers", ""), mg.random.normal)


def measure(workload, seconds):
    """{"ms", "gflop", "mb", "shares": [[name, phase, share], ...]} of one training step, one thread."""
    import workloads_minigen

    from minigen.graph.tape import mode

    step, count = workloads_minigen.WORKLOADS[workload](), Counter()
    step()

    def observe(op, node, inputs, settings, result):
        count["flops"] += flops(op, node, inputs, result)

    mode.observers = (observe,)
    step()
    mode.observers = ()
    step()

    def run(limit):
        start, steps = time.process_time(), 0
        while not steps or time.process_time() - start < limit:
            step()
            steps += 1
        return (time.process_time() - start) / steps, steps

    bare, _ = run(seconds)
    profile = Profile()
    wrap(profile)
    total, steps = run(seconds)
    shares = {name: t / steps / total for name, t in profile.seconds.items()}
    shares["between", ""] = 1 - sum(shares.values())
    return {
        "ms": bare * 1e3,
        "gflop": count["flops"] / 1e9,
        "mb": sum(profile.bytes.values()) / steps / 1e6,
        "shares": [[*name, share] for name, share in sorted(shares.items(), key=lambda pair: -pair[1])],
    }


def collect(workloads, seconds=1.0):
    """{"rates", "workloads": {name: what measure() found}}, each workload in a process of its own."""
    one = {**os.environ, "MINIGEN_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}

    def ask(name):
        command = [sys.executable, __file__, "--worker", name, "--seconds", str(seconds)]
        env = one if name != "rates" else {**os.environ, "PYTHONPATH": str(HERE.parent)}
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=env).stdout)

    return {"rates": ask("rates"), "workloads": {name: ask(name) for name in workloads}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=WORKLOADS)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        print(json.dumps(rates() if args.worker == "rates" else measure(args.worker, args.seconds)))
    else:
        import report

        print("\n".join(report.floors(collect(args.workloads, args.seconds), [])))


if __name__ == "__main__":
    main()
