"""Where the nodes of a graph are drawn: in layers from left to right, long edges led around what lies between.

The layer of a node is the longest way to it. An edge over several layers gets a bend in each of them, so
that it crosses no node. Within a layer nodes are sorted by where their neighbours are, swept back and forth,
and then moved towards them. Parts that do not hang together are laid out by themselves, one below the other.
Linear in nodes, bends and edges but for the sorting. After Sugiyama, Tagawa and Toda (1981).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

#: Distances between layers and between neighbours in one, and between parts.
ACROSS, DOWN, APART = 180.0, 44.0, 30.0
#: A bend takes less room than a node.
_BEND = 18.0
_SWEEPS, _NUDGES = 6, 8
#: So many bends are made at most; further edges go straight.
_MOST_BENDS = 40_000

Point = tuple[float, float]


class Route(NamedTuple):
    """An edge: from a node to another, and the points where it bends."""

    before: int
    after: int
    bends: tuple[Point, ...]


class Layout(NamedTuple):
    """Where each node is drawn (its middle), how edges lead, and how much room it takes."""

    places: list[Point]
    routes: list[Route]
    width: float
    height: float


def lay_out(needs: Sequence[Sequence[int]], order: Sequence[int]) -> Layout:
    """Find a place for every node.

    Args:
        needs: For each node those that it comes after.
        order: All nodes, each after those that it needs.
    """
    layer = [0] * len(needs)
    for node in order:
        layer[node] = 1 + max((layer[before] for before in needs[node]), default=-1)
    _pull(needs, order, layer)
    parts = _parts(needs)
    parts.sort(key=len, reverse=True)
    places: list[Point] = [(0.0, 0.0)] * len(needs)
    routes: list[Route] = []
    width = top = 0.0
    for part in parts:
        drawn = _Part(part, needs, layer)
        high = drawn.draw(top, places, routes)
        width = max(width, drawn.width)
        top += high + APART
    return Layout(places, routes, width, max(0.0, top - APART))


def _pull(needs: Sequence[Sequence[int]], order: Sequence[int], layer: list[int]) -> None:
    """Nodes without a predecessor stand right before the first that wants them."""
    first = [-1] * len(needs)
    for node in order:
        for before in needs[node]:
            first[before] = layer[node] if first[before] < 0 else min(first[before], layer[node])
    for node, wanted in enumerate(first):
        if not needs[node] and wanted > 0:
            layer[node] = wanted - 1


def _parts(needs: Sequence[Sequence[int]]) -> list[list[int]]:
    """Nodes that hang together."""
    chief = list(range(len(needs)))

    def find(node: int) -> int:
        while chief[node] != node:
            chief[node] = chief[chief[node]]
            node = chief[node]
        return node

    for node, before in enumerate(needs):
        for one in before:
            chief[find(node)] = find(one)
    found: dict[int, list[int]] = {}
    for node in range(len(needs)):
        found.setdefault(find(node), []).append(node)
    return list(found.values())


class _Part:
    """One part: its nodes, and the bends of its long edges, in layers."""

    def __init__(self, nodes: Sequence[int], needs: Sequence[Sequence[int]], layer: Sequence[int]) -> None:
        self._nodes = nodes
        #: Of everything that takes a place: its layer, and its neighbours to the left and to the right.
        self._layer = [layer[node] for node in nodes]
        self._left: list[list[int]] = [[] for _ in nodes]
        self._right: list[list[int]] = [[] for _ in nodes]
        self._edges: list[tuple[int, int, list[int]]] = []
        here = {node: number for number, node in enumerate(nodes)}
        for after, node in enumerate(nodes):
            for before in needs[node]:
                self._lead(here[before], after)
        count = max(self._layer, default=0) + 1
        self._layers: list[list[int]] = [[] for _ in range(count)]
        for one, place in enumerate(self._layer):
            self._layers[place].append(one)
        self._y = [0.0] * len(self._layer)

    @property
    def width(self) -> float:
        """Of all layers."""
        return (len(self._layers) - 1) * ACROSS

    def draw(self, top: float, places: list[Point], routes: list[Route]) -> float:
        """Write down where everything is; the height of the part."""
        self._sort()
        self._place()
        least = min(self._y)
        for number, node in enumerate(self._nodes):
            places[node] = (self._layer[number] * ACROSS, top + self._y[number] - least)
        for before, after, bends in self._edges:
            points = tuple((self._layer[one] * ACROSS, top + self._y[one] - least) for one in bends)
            routes.append(Route(self._nodes[before], self._nodes[after], points))
        return max(self._y) - least + DOWN

    def _lead(self, before: int, after: int) -> None:
        """An edge, with a bend in every layer that it crosses."""
        bends: list[int] = []
        last = before
        if len(self._layer) < _MOST_BENDS:
            for place in range(self._layer[before] + 1, self._layer[after]):
                bends.append(len(self._layer))
                self._layer.append(place)
                self._left.append([])
                self._right.append([])
                self._join(last, bends[-1])
                last = bends[-1]
        self._join(last, after)
        self._edges.append((before, after, bends))

    def _join(self, left: int, right: int) -> None:
        self._right[left].append(right)
        self._left[right].append(left)

    def _sort(self) -> None:
        """Sweep back and forth: each layer by the mean place of its neighbours in the one before."""
        rank = [0.0] * len(self._layer)
        for layer in self._layers:
            for number, one in enumerate(layer):
                rank[one] = number
        for sweep in range(_SWEEPS):
            forth = sweep % 2 == 0
            near = self._left if forth else self._right
            for layer in self._layers if forth else reversed(self._layers):
                mean = {one: _mean(rank, near[one], rank[one]) for one in layer}
                layer.sort(key=mean.__getitem__)
                for number, one in enumerate(layer):
                    rank[one] = number

    def _place(self) -> None:
        """Move everything towards its neighbours, as far as its own layer has room."""
        stacks = [(layer, self._gaps(layer)) for layer in self._layers if layer]
        for layer, gaps in stacks:
            self._stack(layer, gaps, [number * DOWN for number in range(len(layer))])
        for nudge in range(_NUDGES):
            near = (self._left, self._right)[nudge % 2]
            for layer, gaps in stacks if nudge % 2 == 0 else reversed(stacks):
                self._stack(layer, gaps, [_mean(self._y, near[one], self._y[one]) for one in layer])

    def _stack(self, layer: Sequence[int], gaps: Sequence[float], wanted: Sequence[float]) -> None:
        """As near as possible to where each wants to be, in order: the mean of packing downwards and upwards."""
        down: list[float] = []
        last = -math.inf
        for want, gap in zip(wanted, gaps, strict=True):
            last += gap
            if want > last:  # noqa: PLR1730 - thousands of times, and max() is a call
                last = want
            down.append(last)
        last = math.inf
        for number in range(len(layer) - 1, -1, -1):
            want = wanted[number]
            if want < last:  # noqa: PLR1730 - the same of min()
                last = want
            self._y[layer[number]] = (down[number] + last) / 2
            last -= gaps[number]

    def _gaps(self, layer: Sequence[int]) -> list[float]:
        """How far each is from the one above it, at least; bends need less room."""
        bend = [one >= len(self._nodes) for one in layer]
        wide = (DOWN, (DOWN + _BEND) / 2, _BEND)
        return [0.0, *(wide[one + other] for one, other in pairwise(bend))]


def _mean(of: Sequence[float], which: Sequence[int], otherwise: float) -> float:
    return sum(map(of.__getitem__, which)) / len(which) if which else otherwise
