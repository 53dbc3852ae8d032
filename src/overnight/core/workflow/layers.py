"""Where the nodes of a graph are drawn: in layers from left to right, long edges led around what lies between.

The layer of a node is the longest way to it. An edge over several layers gets a bend in each of them, so
that it crosses no node. Within a layer nodes are sorted by where their neighbours are, swept back and forth,
and then moved towards them. Parts that do not hang together are laid out by themselves, one below the other.
Linear in nodes, bends and edges but for the sorting. After Sugiyama, Tagawa and Toda (1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from overnight.core.workflow.stacking import DOWN, place, side, sort

#: Distances between layers, and between parts.
ACROSS, APART = 180.0, 30.0
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
        layer[node] = 1 + max([layer[before] for before in needs[node]], default=-1)
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
    """What more edges leave than reach stands right before the first that wants it: so more edges become shorter."""
    nobody = len(needs)
    first, leaving = [nobody] * len(needs), [0] * len(needs)
    for node in reversed(order):
        if first[node] != nobody and leaving[node] > len(needs[node]):
            layer[node] = first[node] - 1
        for before in needs[node]:
            leaving[before] += 1
            first[before] = min(first[before], layer[node])


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
        #: Of everything that takes a place: its layer. Bends come after the nodes.
        self._layer = [layer[node] for node in nodes]
        #: Neighbours to the left and to the right, of nodes; the only one of bends.
        self._left: list[list[int]] = [[] for _ in nodes]
        self._right: list[list[int]] = [[] for _ in nodes]
        self._back: list[int] = []
        self._forth: list[int] = []
        #: From, to, and its first bend and the one after its last.
        self._edges: list[tuple[int, int, int, int]] = []
        here = {node: number for number, node in enumerate(nodes)}
        for after, node in enumerate(nodes):
            for before in needs[node]:
                self._lead(here[before], after)

    @property
    def width(self) -> float:
        """Of all layers."""
        return max(self._layer) * ACROSS

    def draw(self, top: float, places: list[Point], routes: list[Route]) -> float:
        """Write down where everything is; the height of the part."""
        y = self._place()
        least, most = min(y), max(y)
        points = [(one * ACROSS, top + down - least) for one, down in zip(self._layer, y, strict=True)]
        nodes = self._nodes
        for node, point in zip(nodes, points, strict=False):
            places[node] = point
        routes += [Route(nodes[one], nodes[other], tuple(points[a:b])) for one, other, a, b in self._edges]
        return most - least + DOWN

    def _lead(self, before: int, after: int) -> None:
        """An edge, with a bend in every layer that it crosses."""
        layer = self._layer
        begin, crossed = len(layer), range(layer[before] + 1, layer[after])
        if begin >= _MOST_BENDS or not crossed:
            self._right[before].append(after)
            self._left[after].append(before)
            self._edges.append((before, after, begin, begin))
            return
        layer.extend(crossed)
        end = len(layer)
        self._back += [before, *range(begin, end - 1)]
        self._forth += [*range(begin + 1, end), after]
        self._right[before].append(begin)
        self._left[after].append(end - 1)
        self._edges.append((before, after, begin, end))

    def _place(self) -> list[float]:
        layers: list[list[int]] = [[] for _ in range(max(self._layer) + 1)]
        for one, layer in enumerate(self._layer):
            layers[layer].append(one)
        left, right = side(self._left, self._back, self._layer), side(self._right, self._forth, self._layer)
        sort(layers, left, right)
        return place(layers, len(self._nodes), left, right)
