"""How fast a training step is, minigen against PyTorch and the NumPy engines that are installed.

    python benchmarks/speed.py                           all workloads, all contestants that can be imported
    python benchmarks/speed.py W1 W2 --against torch     some of them
    python benchmarks/speed.py --write                   the same, the floors too, and write benchmarks/RESULTS.md
    python benchmarks/speed.py W5 --write                measure one row of that page anew
    python benchmarks/speed.py --coretype Haswell --against torch     with the kernels OpenBLAS has for older cores
    python benchmarks/speed.py --choices                 minigen against itself without each choice of choices.py

Every contestant runs in a process of its own; they take turns, so that all see the same state of the machine. A sample
in which other processes used more than a fifth of a core is set aside (half a core, where CPU time is what counts), and
the turns go on, up to --patience more, until each contestant has enough of the others; where that fails the row is
marked as contended and no ratio is quoted. Two threads are compared by wall clock, one thread by its CPU time, and
memory by the peak above the level after import and building the model and its optimiser.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import report

HERE = Path(__file__).parent
RIVALS = ["torch", *report.PEERS]
NAMES = list(report.TITLES)
ENOUGH = 5  # undisturbed samples for a median
PAUSE = 0.05  # seconds before a sample: the last contestant's threads wait for work, spinning, before they sleep
THREAD_SETTINGS = [
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "MINIGEN_THREADS", "NUM_CPU_THREADS", "BENCH_THREADS",
]  # fmt: skip


# ------------------------------------------------------------------------------------------ one contestant


def all_cpu() -> float:
    """Seconds of CPU time that all processes of the machine have used; 0 where it cannot be read."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()
    except OSError:
        return 0.0
    return sum(int(fields[i]) for i in (1, 2, 3, 6, 7, 8)) / os.sysconf("SC_CLK_TCK")


def own_cpu() -> float:
    """CPU seconds of this process and of those that it has forked (a parallel.Team's, in ticks of 10 ms)."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in forked()]
    return time.process_time() + sum(int(f[11]) + int(f[12]) for f in fields) / (
        os.sysconf("SC_CLK_TCK") if fields else 1
    )


def forked() -> list[int]:
    return [process.pid or 0 for process in multiprocessing.active_children()]


def forked_mb() -> float:
    """What the forked processes hold for themselves alone, in MB. minigen hands no memory back, so this is the peak."""
    fields = [Path(f"/proc/{pid}/smaps_rollup").read_text().split("Private_Dirty:")[1] for pid in forked()]
    return sum(int(field.split()[0]) for field in fields) / 1024


def peak_mb(anew: bool = False) -> float:
    """The most memory this process has held, in MB; anew: forget the past, the peak is what it holds now."""
    try:
        if anew:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def worker(contestant: str) -> None:
    """Answer requests, "workload steps" a line, by [wall ms, CPU ms, share of foreign CPU, peak MB]."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a contestant prints is no answer
    name, _, variant = contestant.partition("-")
    module = importlib.import_module(f"workloads_{name}")
    workloads = (module.VARIANTS[variant]() if variant else None) or module.WORKLOADS
    if name == "torch":
        importlib.import_module("torch").set_num_threads(int(os.environ["BENCH_THREADS"]))
    print(json.dumps(sorted(workloads)), file=answers, flush=True)
    current = step = None
    level = 0.0
    for line in sys.stdin:
        wanted, steps = line.split()
        if wanted != current:
            current, step = wanted, workloads[wanted]()
            level = peak_mb(anew=True)
            for _ in range(3):
                step()
        time.sleep(PAUSE)
        if int(steps) > 1:
            step()  # the last contestant has emptied the caches
        others, cpu, start = all_cpu(), own_cpu(), time.perf_counter()
        for _ in range(int(steps)):
            step()
        wall, cpu = time.perf_counter() - start, own_cpu() - cpu
        foreign = (all_cpu() - others - cpu - 0.011) / wall
        answer = [wall / int(steps) * 1e3, cpu / int(steps) * 1e3, foreign, peak_mb() - level + forked_mb()]
        print(json.dumps(answer), file=answers, flush=True)


class GoneError(Exception):
    """A contestant's process has ended; the message is the last that it said."""


class Contestant:
    """A worker process with so many threads."""

    def __init__(self, name: str, threads: int) -> None:
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close)
        counts = dict.fromkeys(THREAD_SETTINGS, str(threads))
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=self.said, cwd=HERE, env={**os.environ, **counts, "PYTHONPATH": str(HERE.parent)},
        )  # fmt: skip

    def hear(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.said.seek(0)
        raise GoneError(([line.strip() for line in self.said if line.strip()] or ["it said nothing"])[-1])

    def run(self, workload: str, steps: int) -> list[float]:
        try:
            self.process.stdin.write(f"{workload} {steps}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # hear() says why
        return self.hear()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()
        self.said.close()


# ------------------------------------------------------------------------------------------ the comparison


class Comparison:
    """Rows of measurements, and what was learned of the contestants on the way."""

    def __init__(self, rounds: int, patience: int, chunk: float) -> None:
        self.rounds, self.patience, self.chunk = rounds, patience, chunk
        self.able: dict[str, list[str]] = {}  # the workloads of each contestant, once it has said so
        self.missing: dict[str, str] = {}  # why a contestant, or a contestant in a workload, did not run

    def compare(self, workload: str, names: list[str], threads: int) -> dict[str, dict[str, float]]:
        """{contestant: {wall, cpu, peak, clean, samples, contended}} in ms and MB, of those that can do it."""
        names = [name for name in names if name not in self.missing and workload in self.able.get(name, NAMES)]
        contestants = {name: Contestant(name, threads) for name in names}
        samples: dict[str, list[list[float]]] = {}
        try:
            steps = {}
            for name, contestant in contestants.items():
                failing = name
                try:
                    self.able[name] = contestant.hear()
                    failing = f"{name}, {workload}"
                    if workload in self.able[name]:
                        first = contestant.run(workload, 2)[0]
                        steps[name] = max(1, int(self.chunk * 1e3 / first))
                        samples[name] = []
                except GoneError as why:
                    self.missing[failing] = str(why)
            need, turns = min(ENOUGH, self.rounds), 0
            while turns < self.rounds + self.patience:
                short = [name for name, rows in samples.items() if len(clean(rows, threads)) < need]
                if turns >= self.rounds and not short:
                    break
                for name in samples:
                    samples[name].append(contestants[name].run(workload, steps[name]))
                turns += 1
        finally:
            for contestant in contestants.values():
                contestant.close()
        return {name: summary(rows, threads, need) for name, rows in samples.items()}


def clean(rows: list[list[float]], threads: int) -> list[list[float]]:
    """The samples that other processes did not disturb."""
    return [row for row in rows if row[2] <= (0.5 if threads == 1 else 0.2)]


def summary(rows: list[list[float]], threads: int, need: int) -> dict[str, float]:
    undisturbed = clean(rows, threads)
    contended = len(undisturbed) < need
    used = rows if contended else undisturbed
    return {
        "wall": statistics.median(row[0] for row in used),
        "cpu": statistics.median(row[1] for row in used),
        "peak": max(row[3] for row in rows),
        "clean": len(undisturbed),
        "samples": len(rows),
        "contended": contended,
    }


def print_row(row: dict) -> None:
    for name, found in row["found"].items():
        ratio = report.ratio(row, other=name)
        print(f"{row['workload']:4} {row['threads']:>7} {name:>16} {found[report.clock(row)]:>10.3f} "
              f"{'contended' if ratio is None else f'{ratio:.3g}':>10} {found['peak']:>8.1f} "
              f"{found['clean']:>3}/{found['samples']}", flush=True)  # fmt: skip


# ------------------------------------------------------------------------------------------ machine and page


def installed(contestant: str) -> bool:
    return importlib.util.find_spec(contestant.partition("-")[0]) is not None


def about() -> dict[str, str]:
    """The machine and the versions."""
    import numpy
    import threadpoolctl

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    blas = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    kinds = [f"{b['internal_api']} {b['version']}, core type {b.get('architecture', 'unknown')}" for b in blas]
    versions = {"Python": platform.python_version(), "NumPy": numpy.__version__}
    versions |= {name: importlib.metadata.version(name) for name in RIVALS if "-" not in name and installed(name)}
    return {
        "machine": f"{model or platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "BLAS": "; ".join(kinds) or "unknown to threadpoolctl",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


class Page:
    """RESULTS.md and the numbers behind it, speed.json; a new row takes the place of the same row measured earlier."""

    def __init__(self, folder: Path) -> None:
        self.text, self.numbers = folder / "RESULTS.md", folder / "speed.json"
        self.store = {"about": about(), "commands": [], "missing": {}, "rows": [], "floors": None}
        if self.numbers.exists():
            earlier = json.loads(self.numbers.read_text())
            if earlier["about"] == self.store["about"]:  # never mix machines or versions in one table
                self.store = earlier

    def put(self, row: dict) -> None:
        same = ("kind", "coretype", "workload", "threads")
        self.store["rows"] = [r for r in self.store["rows"] if any(r[key] != row[key] for key in same)] + [row]

    def write(self, missing: dict[str, str], floors: dict | None = None) -> None:
        import choices

        command = " ".join(["python benchmarks/speed.py", *sys.argv[1:]])
        self.store["commands"] = [c for c in self.store["commands"] if c != command] + [command]
        self.store["missing"] = missing
        self.store["floors"] = floors or self.store["floors"]
        described = {name: what for name, (_, what, _) in choices.CHOICES.items()}
        earlier = self.text.read_text() if self.text.exists() else ""
        replace(self.numbers, json.dumps(self.store, indent=1) + "\n")
        replace(self.text, report.page(self.store, earlier, described))


def replace(path: Path, text: str) -> None:
    """Write beside, then replace: a page is never left half-written."""
    beside = path.with_suffix(path.suffix + ".new")
    beside.write_text(text)
    beside.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=NAMES, metavar="WORKLOAD", help=", ".join(NAMES))
    parser.add_argument("--against", nargs="*", help="contestants beside minigen; default: all installed")
    parser.add_argument("--choices", action="store_true", help="minigen against itself without each choice of kernels")
    parser.add_argument("--threads", type=int, nargs="*", default=[2, 1])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--patience", type=int, default=20, help="rounds more, where others use the machine")
    parser.add_argument("--chunk", type=float, default=0.25, help="seconds of a sample")
    parser.add_argument("--coretype", default="", help="OPENBLAS_CORETYPE of the contestants, as Haswell")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return worker(args.worker)
    if unknown := [name for name in args.workloads if name not in NAMES]:
        parser.error(f"there is no workload {unknown[0]}; choose from {', '.join(NAMES)}")
    page = Page(HERE) if args.write else None  # it says what NumPy finds here, so before the core type is set
    if args.coretype:
        os.environ["OPENBLAS_CORETYPE"] = args.coretype
    comparison = Comparison(args.rounds, args.patience, args.chunk)
    rivals = args.against
    if rivals is None:
        rivals = [name for name in RIVALS if installed(name)]
        comparison.missing = {name: "it is not installed" for name in RIVALS if name not in rivals}
    print(f"{'':4} {'threads':>7} {'contestant':>16} {'ms a step':>10} {'minigen /':>10} {'peak MB':>8} {'clean':>6}")
    for threads in args.threads:
        for workload in args.workloads:
            names = rivals
            if args.choices:
                import choices

                names = [f"minigen-{name}" for name, (_, _, suits) in choices.CHOICES.items() if workload in suits]
                if not names:
                    continue
            row = {
                "kind": "choices" if args.choices else "peers", "coretype": args.coretype, "workload": workload,
                "threads": threads, "date": time.strftime("%Y-%m-%d %H:%M"),
                "found": comparison.compare(workload, ["minigen", *names], threads),
            }  # fmt: skip
            print_row(row)
            if page:
                page.put(row)
                page.write(comparison.missing)
    for name, why in comparison.missing.items():
        print(f"{name} did not run: {why}")
    if page and args.workloads == NAMES and not args.coretype and not args.choices:
        import floors

        page.write(comparison.missing, floors.collect(NAMES))
    return None


if __name__ == "__main__":
    main()
