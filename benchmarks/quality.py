"""How good the models are: the lessons themselves, run with three seeds, the worst result held to its target.

    MINIGEN_DATA=folder python benchmarks/quality.py             every row that has not been measured yet
    MINIGEN_DATA=folder python benchmarks/quality.py --row vae   one row, anew

Each finished run is kept in benchmarks/quality.json, so that an interrupted measurement goes on where it stopped; the
table is written to benchmarks/QUALITY.md.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quality_rows import ROWS

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)


def measure(row: str, seed: int) -> dict[str, object]:
    """Run the row's lesson with this seed: the numbers it measured, the date, and the seconds it took."""
    lesson, options, _ = ROWS[row]
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, str(HERE.parent / "lessons" / lesson), *options, "--seed", str(seed)]
        start = time.perf_counter()
        environment = {**os.environ, "MINIGEN_OUTPUT": folder, "PYTHONPATH": str(HERE.parent)}
        subprocess.run([*command, "--json", str(found)], check=True, env=environment)
        seconds = time.perf_counter() - start
        run = json.loads(found.read_text())
    if run["stopped"]:
        raise SystemExit(f"{row}: stopped early ({', '.join(run['stopped'])}); this run is not kept")
    return {"measured": run["measured"], "date": time.strftime("%Y-%m-%d"), "seconds": round(seconds)}


def table(results: dict[str, dict[str, object]]) -> str:
    """The Markdown page: a line for each promised number, its worst seed against its target."""
    lines = [
        "# How good the models are",
        "",
        "Three seeds each, the worst one reported. Made by `python benchmarks/quality.py`, which runs the lessons.",
        "",
        "| row | what | target | worst | all seeds | met | seconds | date |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row, (lesson, options, targets) in ROWS.items():
        runs = [results[f"{row} {seed}"] for seed in SEEDS if f"{row} {seed}" in results]
        if not runs:
            continue
        for name, target, smaller in targets:
            values = [run["measured"][name] for run in runs]  # type: ignore[index]
            worst = max(values) if smaller else min(values)
            every, wants, met = ", ".join(f"{v:.4g}" for v in values), "", ""
            if target is not None:
                wants = f"{'<=' if smaller else '>='} {target:g}"
                met = "yes" if (worst <= target if smaller else worst >= target) else "no"
            if len(runs) < len(SEEDS) and met != "no":
                met = f"{len(runs)} of {len(SEEDS)} seeds measured"
            lines.append(
                f"| {row}: `{' '.join([lesson, *options])}` | {name.replace('|', '&#124;')} | {wants} | {worst:.4g} "
                f"| {every} | {met} | {max(run['seconds'] for run in runs)} | {runs[-1]['date']} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", choices=ROWS, help="measure this one again")
    args = parser.parse_args()
    store = HERE / "quality.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    if args.row:
        results = {key: value for key, value in results.items() if key.split()[0] != args.row}
    for row in [args.row] if args.row else ROWS:
        for seed in SEEDS:
            if f"{row} {seed}" not in results:
                results[f"{row} {seed}"] = measure(row, seed)
                store.write_text(json.dumps(results, indent=1) + "\n")
                (HERE / "QUALITY.md").write_text(table(results))
    print(table(results))


if __name__ == "__main__":
    main()
