"""What speed.py measured, as the Markdown page RESULTS.md. Numbers in, text out: nothing is measured here.

A row is {"kind": "peers" or "choices", "coretype", "workload", "threads", "date", "found": {contestant: {...}}}, where
what was found of a contestant is {"wall", "cpu" (ms a step), "peak" (MB), "clean", "samples", "contended"}.
"""

TITLES = {
    "W1": "MLP 784-256-128-10, batch 64, SGD momentum",
    "W2": "LeNet-5, batch 64, Adam",
    "W3a": "character LSTM 128, 64 steps, batch 32, Adam",
    "W3b": "character LSTM 256, the same",
    "W4": "VAE 784-400-20, batch 128, Adam",
    "W5": "DCGAN 28x28, batch 64, Adam, both steps",
    "W6": "DDPM U-Net 28x28, batch 32, Adam",
    "W7": "MLP 2-16-16-1, batch 32: overhead alone",
}
TARGETS = {"W1": 0.9, "W2": 0.9, "W3a": 1.5, "W3b": 1.5, "W4": 0.9, "W5": 1.35, "W6": 1.4, "W7": 0.3}  # of torch's time
PEER_TARGET = 5  # times faster than the fastest NumPy engine, on W2
CHOICE_LIMIT = 0.9  # below this, a choice costs more than a tenth
EXPLANATION = """\
A training step: forward, backward, update, float32. The contestants take turns in processes of their own; a time is the
median of the samples in which other processes left the machine alone. "Contended": there were too few of these, and no
ratio is quoted; times in brackets come from disturbed samples. 3.4x: takes 3.4 times as long as minigen."""
BEGIN, END = "<!-- notes, by hand: kept by speed.py --write -->", "<!-- end of the notes -->"
PEERS = ["autograd", "dezero", "dezero-float32", "tinygrad", "micrograd"]


def table(head, rows):
    """A Markdown table; cells are text."""
    return ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]] + [""]


def ms(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def clock(row):
    return "cpu" if row["threads"] == 1 else "wall"


def ratio(row, other="torch", of="minigen"):
    """How many times `other`'s time `of` takes; None where one is missing or was never measured undisturbed."""
    found = row["found"]
    if other not in found or of not in found or found[other]["contended"] or found[of]["contended"]:
        return None
    return found[of][clock(row)] / found[other][clock(row)]


def verdict(value, target):
    return "" if value is None or target is None else "yes" if value <= target else "**no**"


def shown(row, name):
    """A contestant's time, in brackets where other processes disturbed it."""
    if name not in row["found"]:
        return ""
    found = row["found"][name]
    time = ms(found[clock(row)])
    return f"({time})" if found["contended"] else time


def times(rows, with_targets):
    """The table of times: minigen and torch, their ratio, and each peer with how many times minigen's time it takes."""
    peers = [p for p in PEERS if any(p in row["found"] for row in rows)]
    head = ["", "workload", "minigen, ms", "torch, ms", "minigen / torch"]
    head += ["target", "met"] if with_targets else []
    lines = []
    for row in rows:
        value, target = ratio(row), TARGETS[row["workload"]]
        cells = [row["workload"], TITLES[row["workload"]], shown(row, "minigen"), shown(row, "torch")]
        cells += ["contended" if value is None and "torch" in row["found"] else f"{value:.2f}" if value else ""]
        cells += [f"<= {target:.2f}", verdict(value, target)] if with_targets else []
        for p in peers:
            slower = ratio(row, of=p, other="minigen")
            cells.append(f"{shown(row, p)}: {slower:.3g}x" if slower else shown(row, p))
        contestants = row["found"].values()
        cells.append(f"{min(f['clean'] for f in contestants)} of {max(f['samples'] for f in contestants)}")
        lines.append([*cells, row["date"]])
    return table([*head, *peers, "clean samples, fewest", "measured"], lines)


def memory(rows):
    """Peak memory above the level after import and building the model."""
    peers = [p for p in PEERS if any(p in row["found"] for row in rows)]
    lines = []
    for row in rows:
        found = row["found"]
        peaks = [f"{found[n]['peak']:.1f}" if n in found else "" for n in ["minigen", "torch", *peers]]
        value = found["minigen"]["peak"] / max(found["torch"]["peak"], 0.1) if "torch" in found else None
        cells = [row["workload"], *peaks[:2], f"{value:.2f}" if value is not None else ""]
        lines.append([*cells, "<= 1.00", verdict(value, 1.0), *peaks[2:]])
    return table(["", "minigen, MB", "torch, MB", "minigen / torch", "target", "met", *peers], lines)


def fastest_peer(rows):
    """The sentence about W2 and the NumPy engines."""
    for row in rows:
        if row["workload"] == "W2":
            slower = {p: ratio(row, of=p, other="minigen") for p in PEERS if p in row["found"]}
            known = {p: r for p, r in slower.items() if r}
            if len(known) < len(slower) or not known:
                break
            name = min(known, key=known.__getitem__)
            met = "met" if known[name] >= PEER_TARGET else "**not met**"
            return [f"W2: the fastest of the others, {name}, takes {known[name]:.1f} times minigen's time "
                    f"(target: at least {PEER_TARGET}): {met}.", ""]  # fmt: skip
    return ["W2: no undisturbed measurement of all the other engines.", ""]


def choices(rows, described):
    """What each choice of a kernel buys: the step without it over the step with it."""
    lines = []
    for row in rows:
        for name, found in row["found"].items():
            if not name.startswith("minigen-"):
                continue
            value, choice = ratio(row, of=name, other="minigen"), name.removeprefix("minigen-")
            judged = "" if value is None else "yes" if value >= CHOICE_LIMIT else "**no**"
            lines.append([
                f"{choice}: {described.get(choice, '')}", row["coretype"] or "as detected", row["workload"],
                str(row["threads"]), shown(row, "minigen"), ms(found[clock(row)]),
                f"{value:.2f}" if value else "contended", judged, row["date"],
            ])  # fmt: skip
    head = ["choice", "core type", "", "threads", "with it, ms", "without it, ms", "without / with"]
    return table([*head, "loses at most a tenth", "measured"], lines)


def floors(found, rows):
    """The floors and the shares. rows: the measured rows, whose minigen times the floors are set against."""
    gemm, copy = found["rates"]["gemm"], found["rates"]["copy"]
    lines = [
        f"sgemm of 1024 x 1024 matrices: {gemm['1']:.0f} GFLOP/s on one thread, {gemm['2']:.0f} on two. A copy on one "
        f"thread, read plus written: {copy['cache']:.0f} GB/s within the cache, {copy['memory']:.0f} GB/s from memory.",
        "",
    ]
    wall = {r["workload"]: r["found"]["minigen"] for r in rows if r["threads"] == 2}
    cells = []
    for name, step in found["workloads"].items():
        products = [step["gflop"] / gemm[t] * 1e3 for t in ("1", "2")]
        bytes_ms = step["mb"] / copy["cache"]
        two = wall.get(name)
        cells.append([
            name, f"{step['gflop']:.3g}", ms(products[0]), f"{step['mb']:.3g}", ms(bytes_ms), ms(step["ms"]),
            f"{(products[0] + bytes_ms) / step['ms']:.0%}", ms(products[1]), ms(two["wall"]) if two else "",
            f"{(products[1] + bytes_ms / 2) / two['wall']:.0%}" if two else "",
        ])  # fmt: skip
    head = ["", "products, GFLOP", "at that rate, ms", "arrays in and out, MB", "at the copy rate, ms"]
    head += ["step, 1 thread, ms", "floor / step", "products, 2 threads, ms", "step, 2 threads, ms", "floor / step"]
    lines += table(head, cells)
    lines += ["Where the time of a step goes (one thread, CPU time; parts of 2% and more):", ""]
    for name, step in found["workloads"].items():
        parts = [f"{op}{' ' + phase if phase else ''} {share:.0%}" for op, phase, share in step["shares"]]
        large = [part for part, (_, _, share) in zip(parts, step["shares"], strict=True) if share >= 0.02]
        lines.append(f"- {name}: {', '.join(large)}.")
    return [*lines, ""]


def notes_of(text):
    """The hand-written part of an earlier page, between its markers."""
    if BEGIN in text and END in text:
        return text.split(BEGIN, 1)[1].split(END, 1)[0].strip("\n")
    return "## Notes\n\nNone yet."


def page(store, earlier="", described=None):
    """RESULTS.md. store: {"about": {name: text}, "commands": [...], "missing": {contestant: why}, "rows", "floors"}."""
    rows = sorted(store["rows"], key=lambda row: list(TITLES).index(row["workload"]))
    of = [row for row in rows if row["kind"] == "peers" and not row["coretype"]]
    two, one = ([row for row in of if row["threads"] == n] for n in (2, 1))
    lines = ["# How fast minigen is", "", "Made by:", ""]
    lines += [f"    {command}" for command in store["commands"]]
    lines += ["", *[f"- {name}: {text}" for name, text in store["about"].items()]]
    lines += [f"- {name} did not run: {why}" for name, why in store["missing"].items()]
    lines += ["", *EXPLANATION.splitlines(), ""]
    if two:
        lines += ["## Two threads, by wall clock", "", *times(two, True), *fastest_peer(two)]
    if one:
        lines += ["## One thread, by CPU time", "", *times(one, False)]
    if two:
        lines += ["## Peak memory", "", "Above the level after import and building model and optimiser; two threads.",
                  "", *memory(two)]  # fmt: skip
    for kind in sorted({row["coretype"] for row in rows if row["kind"] == "peers" and row["coretype"]}):
        under = [row for row in rows if row["kind"] == "peers" and row["coretype"] == kind]
        lines += [f"## With OPENBLAS_CORETYPE={kind}", "", "torch does not use OpenBLAS; minigen and NumPy do.", ""]
        for threads in (2, 1):
            part = [row for row in under if row["threads"] == threads]
            if part:
                title = "Two threads, by wall clock:" if threads == 2 else "One thread, by CPU time:"
                lines += [title, "", *times(part, False)]
    chosen = [row for row in rows if row["kind"] == "choices"]
    if chosen:
        lines += ["## What the choices of kernels buy", "", *choices(chosen, described or {})]
    if store.get("floors"):
        lines += ["## Floors", "", "See floors.py for what is counted.", "", *floors(store["floors"], two)]
    lines += [BEGIN, "", notes_of(earlier).strip("\n"), "", END]
    return "\n".join(lines) + "\n"
