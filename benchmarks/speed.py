"""How fast a training step is, minigen against PyTorch and the NumPy engines that are installed.

    python benchmarks/speed.py                           all workloads, all contestants that can be imported
    python benchmarks/speed.py W1 W2 --against torch     some of them
    python benchmarks/speed.py --write                   the same, and write benchmarks/RESULTS.md

Every contestant runs in a process of its own; they take turns, so that all see the same state of the machine. A sample
in which other processes used more than a fifth of a core is set aside. Two threads are compared by wall clock, one
thread by its CPU time, and memory by the peak above the level after import and building the model.
"""

import argparse
import importlib
import importlib.util
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
MODULES = {
    "torch": "torch",
    "dezero": "dezero",
    "autograd": "autograd",
    "tinygrad": "tinygrad",
    "micrograd": "micrograd",
}
NAMES = ["W1", "W2", "W3a", "W3b", "W4", "W5", "W6", "W7"]


# ------------------------------------------------------------------------------------------ one contestant


def foreign_cpu() -> float:
    """Seconds of CPU time that all processes of the machine have used; 0 where it cannot be read."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return 0.0
    return sum(int(fields[i]) for i in (1, 2, 3, 6, 7, 8)) / os.sysconf("SC_CLK_TCK")


def worker(contestant: str) -> None:
    """Answer requests, "workload steps" a line, by [wall ms, CPU ms, share of foreign CPU, peak MB]."""
    workloads = importlib.import_module(f"workloads_{contestant}").WORKLOADS
    if contestant == "torch":
        importlib.import_module("torch").set_num_threads(int(os.environ["BENCH_THREADS"]))
    print(json.dumps(sorted(workloads)), flush=True)
    name = step = None
    level = 0.0
    for line in sys.stdin:
        wanted, steps = line.split()
        if wanted != name:
            name, step = wanted, workloads[wanted]()
            level = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for _ in range(3):
                step()
        others, cpu, start = foreign_cpu(), time.process_time(), time.perf_counter()
        for _ in range(int(steps)):
            step()
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        foreign = (foreign_cpu() - others - cpu - 0.011) / wall
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - level) / 1024
        print(json.dumps([wall / int(steps) * 1e3, cpu / int(steps) * 1e3, foreign, peak]), flush=True)


class Contestant:
    """A worker process with so many threads."""

    def __init__(self, name: str, threads: int) -> None:
        counts = dict.fromkeys(
            [
                "OMP_NUM_THREADS",
                "OPENBLAS_NUM_THREADS",
                "MKL_NUM_THREADS",
                "MINIGEN_THREADS",
                "BENCH_THREADS",
            ],
            str(threads),
        )
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=HERE, env={**os.environ, **counts, "CPU": "1", "PYTHONPATH": str(HERE.parent)},
        )  # fmt: skip
        self.workloads = json.loads(self.process.stdout.readline())

    def run(self, workload: str, steps: int) -> list[float]:
        self.process.stdin.write(f"{workload} {steps}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


# ------------------------------------------------------------------------------------------ the comparison


def compare(workload: str, names: list[str], threads: int, rounds: int, chunk: float) -> dict[str, dict[str, float]]:
    """{contestant: {wall, cpu, clean, peak}} in ms and MB: medians over the rounds, the disturbed ones set aside."""
    contestants = {name: Contestant(name, threads) for name in names}
    contestants = {name: c for name, c in contestants.items() if workload in c.workloads}
    try:
        steps = {}
        for name, contestant in contestants.items():
            first = contestant.run(workload, 2)[0]
            steps[name] = max(1, int(chunk * 1e3 / first))
            contestant.run(workload, steps[name])
        samples: dict[str, list[list[float]]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                samples[name].append(contestant.run(workload, steps[name]))
    finally:
        for contestant in contestants.values():
            contestant.close()
    result = {}
    for name, rows in samples.items():
        clean = [row for row in rows if row[2] <= 0.2]
        used = clean if len(clean) >= 3 else rows
        result[name] = {
            "wall": statistics.median(row[0] for row in used),
            "cpu": statistics.median(row[1] for row in used),
            "clean": len(clean),
            "peak": max(row[3] for row in rows),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=NAMES)
    parser.add_argument("--against", nargs="*", default=None, help="contestants beside minigen; default: all installed")
    parser.add_argument("--threads", type=int, nargs="*", default=[2, 1])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--chunk", type=float, default=0.25, help="seconds of a sample")
    parser.add_argument("--worker")
    args = parser.parse_args()
    if args.worker:
        return worker(args.worker)
    rivals = (
        args.against if args.against is not None else [n for n, m in MODULES.items() if importlib.util.find_spec(m)]
    )
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'':4} {'threads':>7} {'contestant':>10} {'ms a step':>10} {'minigen /':>10} {'peak MB':>8} {'clean':>6}")
    for threads in args.threads:
        for workload in args.workloads:
            found = compare(workload, ["minigen", *rivals], threads, args.rounds, args.chunk)
            clock = "cpu" if threads == 1 else "wall"
            for name, row in found.items():
                ratio = found["minigen"][clock] / row[clock]
                print(f"{workload:4} {threads:>7} {name:>10} {row[clock]:>10.3f} {ratio:>10.2f} {row['peak']:>8.1f} "
                      f"{row['clean']:>3}/{args.rounds}", flush=True)  # fmt: skip
    return None


if __name__ == "__main__":
    main()
