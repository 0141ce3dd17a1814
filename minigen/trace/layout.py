"""Where the boxes of a graph go: in layers from top to bottom, in the order of the forward, with few crossings.

The classical recipe (Sugiyama, Tagawa, Toda 1981): layers by the longest path, order within a layer by the barycentre
of the neighbours, then places as close to the neighbours as the other boxes allow.
"""

from dataclasses import dataclass
from itertools import pairwise

ROUNDS = 60  # sweeps over the layers, for the order and then for the places
LANE = 14.0  # the width that an arrow takes where it passes a layer
PORTS = 12.0  # how far apart arrows enter a box

Point = tuple[float, float]
Edge = tuple[str, str]


@dataclass(frozen=True)
class Layout:
    """places: the centre of each box. routes: the points that an arrow passes, vertically, from first to last."""

    width: float
    height: float
    places: dict[str, Point]
    routes: dict[Edge, list[Point]]


def layout(sizes: dict[str, Point], edges: list[Edge], *, across: float = 22.0, down: float = 30.0) -> Layout:
    """Place boxes of these (width, height). edges: (from, to), without circles. across, down: the gaps between."""
    edges = list(dict.fromkeys(edges))
    layer_of = _layers(sizes, edges)
    lanes = {edge: [(edge, at) for at in range(layer_of[edge[0]] + 1, layer_of[edge[1]])] for edge in edges}
    layers: list[list] = [[] for _ in range(max(layer_of.values(), default=0) + 1)]
    for id, at in layer_of.items():
        layers[at].append(id)
    links: list[tuple] = []
    for (start, end), lane in lanes.items():
        for passing in lane:
            layers[passing[1]].append(passing)
        links += pairwise([start, *lane, end])
    above: dict = {item: [] for layer in layers for item in layer}
    below: dict = {item: [] for layer in layers for item in layer}
    for a, b in links:
        above[b].append(a)
        below[a].append(b)
    layers = _ordered(layers, above, below)
    widths = {item: sizes[item][0] if item in sizes else LANE for layer in layers for item in layer}
    x = _across(layers, above, below, widths, across)
    for (start, end), lane in lanes.items():
        _pull_tight(lane, x, x[start], x[end], layers, widths, across / 2)

    places: dict[str, Point] = {}
    routes: dict[Edge, list[Point]] = {}
    extent: list[Point] = []  # of each layer, from top to bottom
    top = 0.0
    for layer in layers:
        height = max(sizes[item][1] for item in layer if item in sizes)
        extent.append((top, top + height))
        places |= {item: (x[item], top + height / 2) for item in layer if item in sizes}
        top += height + down
    for (start, end), lane in lanes.items():
        leaves = (x[start], places[start][1] + sizes[start][1] / 2)
        rivals = sorted(above[end], key=lambda item: x[item])
        came_by = lane[-1] if lane else start
        offset = (rivals.index(came_by) - (len(rivals) - 1) / 2) * min(PORTS, 0.7 * sizes[end][0] / len(rivals))
        arrives = (x[end] + offset, places[end][1] - sizes[end][1] / 2)
        routes[start, end] = [leaves, *[(x[p], y) for p in lane for y in extent[p[1]]], arrives]
    width = max((x[i] + widths[i] / 2 for i in x), default=0.0)
    return Layout(width, max(0.0, top - down), places, routes)


def _layers(sizes: dict[str, Point], edges: list[Edge]) -> dict[str, int]:
    """The longest path from a source; what has no source of its own stands right above the first that uses it."""
    followers: dict[str, list[str]] = {id: [] for id in sizes}
    waiting = dict.fromkeys(sizes, 0)
    for start, end in edges:
        followers[start].append(end)
        waiting[end] += 1
    sources = [id for id in sizes if not waiting[id]]
    ready, at = list(sources), dict.fromkeys(sizes, 0)
    for id in ready:  # grows as it is read
        for end in followers[id]:
            at[end] = max(at[end], at[id] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)
    for id in sources:
        at[id] = min((at[end] - 1 for end in followers[id]), default=0)
    return at


def _ordered(layers: list[list], above: dict, below: dict) -> list[list]:
    """The order within each layer: sweeping down and up, each item goes to the mean place of its neighbours."""
    best, fewest = layers, _crossings(layers, below)
    layers, wished = [list(layer) for layer in layers], {}
    for sweep in range(ROUNDS):
        downwards = sweep % 2 == 0
        neighbours = above if downwards else below
        order = range(1, len(layers)) if downwards else range(len(layers) - 2, -1, -1)
        for at in order:
            fixed = layers[at - 1 if downwards else at + 1]
            place = {item: i / max(1, len(fixed) - 1) for i, item in enumerate(fixed)}
            for i, item in enumerate(layers[at]):
                near = [place[n] for n in neighbours[item]]
                wished[item] = sum(near) / len(near) if near else i / max(1, len(layers[at]) - 1)
            layers[at].sort(key=wished.__getitem__)
        crossings = _crossings(layers, below)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best


def _crossings(layers: list[list], below: dict) -> int:
    """How many pairs of arrows cross."""
    count = 0
    for upper, lower in pairwise(layers):
        place = {item: i for i, item in enumerate(lower)}
        ends = [place[b] for a in upper for b in sorted(below[a], key=place.__getitem__)]
        count += sum(a > b for i, a in enumerate(ends) for b in ends[i + 1 :])
    return count


def _across(layers: list[list], above: dict, below: dict, widths: dict, gap: float) -> dict:
    """The x of each item: as near to its neighbours as the order and the widths allow, strong links first."""
    x: dict = {}
    for layer in layers:
        pushed = _pushed([widths[item] for item in layer], gap)
        middle = pushed[-1] / 2
        x |= {item: at - middle for item, at in zip(layer, pushed, strict=True)}
    links = {item: [(n, _strength(item, n, above)) for n in (*above[item], *below[item])] for item in x}
    for sweep in range(ROUNDS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            weights = [sum(strength for _, strength in links[item]) or 1e-3 for item in layer]
            wished = [
                sum(strength * x[n] for n, strength in links[item]) / weight if links[item] else x[item]
                for item, weight in zip(layer, weights, strict=True)
            ]
            x |= zip(layer, _spaced(wished, weights, [widths[item] for item in layer], gap), strict=True)
    left = min((x[item] - widths[item] / 2 for item in x), default=0.0)
    return {item: at - left for item, at in x.items()}


def _strength(a: object, b: object, above: dict) -> float:
    """How straight a link is to run: a chain of ops most of all, then what hangs from a leaf, least passing arrows."""
    passing = (type(a) is tuple) + (type(b) is tuple)
    return (0.3, 2.0)[passing - 1] if passing else 4.0 if above[a] and above[b] else 0.5


def _pull_tight(lane: list, x: dict, start: float, end: float, layers: list[list], widths: dict, gap: float) -> None:
    """Let an arrow run straight through as many layers as there is room for it, with few bends."""
    free = []  # from where to where it can move, in each layer
    for passing in lane:
        layer = layers[passing[1]]
        i = layer.index(passing)
        low = x[layer[i - 1]] + (widths[layer[i - 1]] + LANE) / 2 + gap if i else -1e9
        high = x[layer[i + 1]] - (widths[layer[i + 1]] + LANE) / 2 - gap if i + 1 < len(layer) else 1e9
        free.append((min(low, x[passing]), max(high, x[passing])))
    at = 0
    while at < len(lane):
        low, high = free[at]
        after = at + 1
        while after < len(lane) and max(low, free[after][0]) <= min(high, free[after][1]):
            low, high = max(low, free[after][0]), min(high, free[after][1])
            after += 1
        wish = end if after == len(lane) else start
        x |= dict.fromkeys(lane[at:after], min(max(wish, low), high))
        start, at = x[lane[at]], after


def _pushed(widths: list[float], gap: float) -> list[float]:
    """The centres of items pushed together, from the left."""
    centres, at = [], 0.0
    for width in widths:
        centres.append(at + width / 2)
        at += width + gap
    return centres


def _spaced(wished: list[float], weights: list[float], widths: list[float], gap: float) -> list[float]:
    """The places nearest to those wished (least squares) at which nothing overlaps.

    Measured from where each item would stand if all were pushed together, places may only grow from left to right:
    that is isotonic regression, which pooling adjacent violators solves.
    """
    pushed = _pushed(widths, gap)
    pools: list[tuple[float, float, int]] = []  # (mean, weight, count)
    for wish, offset, weight in zip(wished, pushed, weights, strict=True):
        pool = (wish - offset, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, heavy, count = pools.pop()
            total = heavy + pool[1]
            pool = ((mean * heavy + pool[0] * pool[1]) / total, total, count + pool[2])
        pools.append(pool)
    means = [mean for mean, _, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, pushed, strict=True)]
