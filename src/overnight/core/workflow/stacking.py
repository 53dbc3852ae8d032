"""Layers of a graph that hang together: sorted so that few edges cross, then moved so that edges lead straight.

Everything in a layer is a number, nodes as well as bends, and nearly all of them have one neighbour or two on a side.
So a side is two columns of numbers, and the mean place of the neighbours is half the sum of both, which a
comprehension finds for a whole layer; the few with more neighbours are corrected afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

#: Distance between neighbours of a layer; a bend takes less room than a node.
DOWN, BEND = 44.0, 18.0
#: Sweeps; the last two spare one crossing in a hundred, so where there is much to sort they are left out.
_SWEEPS, _SWEEPS_OF_MANY, _MANY = 6, 4, 5000


class Side(NamedTuple):
    """Neighbours on one side: of each the first and the last, or itself; by layer, who has more than two, or none."""

    first: list[int]
    last: list[int]
    more: list[list[tuple[int, list[int]]]]
    none: list[list[int]]

    def renumbered(self, order: Sequence[int], at: Sequence[int]) -> Side:
        """The same where `order[n]` is called n, and so n `at[n]`."""
        first, last = [at[self.first[one]] for one in order], [at[self.last[one]] for one in order]
        more = [[(at[one], [at[other] for other in around]) for one, around in layer] for layer in self.more]
        return Side(first, last, more, [[at[one] for one in layer] for layer in self.none])


def side(around: Sequence[Sequence[int]], bends: Sequence[int], layer: Sequence[int]) -> Side:
    """Columns of neighbours.

    Args:
        around: The neighbours of each node.
        bends: The only neighbour of each bend; bends are numbered after the nodes.
        layer: Where each stands.
    """
    layers = range(max(layer) + 1)
    more: list[list[tuple[int, list[int]]]] = [[] for _ in layers]
    none: list[list[int]] = [[] for _ in layers]
    for node, others in enumerate(around):
        if len(others) > 2:  # noqa: PLR2004 - what the two columns hold
            more[layer[node]].append((node, list(others)))
        elif not others:
            none[layer[node]].append(node)
    first = [others[0] if others else node for node, others in enumerate(around)]
    last = [others[-1] if others else node for node, others in enumerate(around)]
    return Side([*first, *bends], [*last, *bends], more, none)


def sort(layers: Sequence[list[int]], left: Side, right: Side) -> None:
    """Sweep back and forth: each layer by the mean place of its neighbours in the one before."""
    rank = [0] * len(left.first)
    for layer in layers:
        _count(layer, rank)
    still = 0
    for sweep in range(_SWEEPS if len(rank) <= _MANY else _SWEEPS_OF_MANY):
        near, way = ((left, 1), (right, -1))[sweep % 2]
        moved = [_sort(layers[number], number, near, rank) for number in range(len(layers))[::way]]
        still = 0 if any(moved) else still + 1
        if still > 1:
            break


def _count(layer: Sequence[int], rank: list[int]) -> None:
    for number, one in enumerate(layer):
        rank[one] = number


def _sort(layer: list[int], number: int, near: Side, rank: list[int]) -> bool:
    """Whether anything in it moved."""
    first, last = near.first, near.last
    twice: list[float] = [rank[first[one]] + rank[last[one]] for one in layer]
    for one, around in near.more[number]:
        twice[rank[one]] = 2 * sum([rank[other] for other in around]) / len(around)
    found = [layer[place] for place in _order(twice, sorted([rank[one] for one in near.none[number]]))]
    if found == layer:
        return False
    layer[:] = found
    _count(layer, rank)
    return True


def _order(keys: Sequence[float], kept: Sequence[int]) -> list[int]:
    """Places by their keys; those that are `kept`, which nothing draws anywhere, stay where they are."""
    if not kept:
        return sorted(range(len(keys)), key=keys.__getitem__)
    stay = set(kept)
    order = sorted([place for place in range(len(keys)) if place not in stay], key=keys.__getitem__)
    for place in kept:
        order.insert(place, place)
    return order


def place(layers: Sequence[Sequence[int]], nodes: int, left: Side, right: Side) -> list[float]:
    """How far down each is: near its neighbours, as far as its own layer has room.

    Once there and once back: each way knows nothing but the layer at which it begins; a third would repeat it.

    Args:
        layers: As they are sorted.
        nodes: Numbers below this one are nodes, and the others bends.
        left: The neighbours there.
        right: The same.
    """
    order = [one for layer in layers for one in layer]
    at = [0] * len(order)
    _count(order, at)
    y = [number * DOWN for layer in layers for number in range(len(layer))]
    ends = accumulate(map(len, layers))
    rows = [(end - len(layer), end, _offsets(layer, nodes)) for layer, end in zip(layers, ends, strict=True)]
    for near, way in ((left.renumbered(order, at), 1), (right.renumbered(order, at), -1)):
        for (begin, end, offsets), more in list(zip(rows, near.more, strict=True))[::way]:
            y[begin:end] = _stacked(_wanted(y, begin, end, near, more), offsets)
    return [y[position] for position in at]


def _wanted(y: Sequence[float], begin: int, end: int, near: Side, more: Sequence[tuple[int, list[int]]]) -> list[float]:
    """Where each would be halfway between its neighbours, twice."""
    twice = [y[one] + y[other] for one, other in zip(near.first[begin:end], near.last[begin:end], strict=True)]
    for one, around in more:
        twice[one - begin] = 2 * sum([y[other] for other in around]) / len(around)
    return twice


def _stacked(twice: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """As near as possible to that, in order: the mean of packing downwards and upwards.

    Less its offset, nothing may be above the one before: so packing is the largest so far, or the least from below.
    """
    free = [want - 2 * offset for want, offset in zip(twice, offsets, strict=True)]
    low, last = [], -math.inf
    for want in free:
        if want > last:  # noqa: PLR1730 - thousands of times, and max() is a call
            last = want
        low.append(last)
    high, last = [], math.inf
    for want in reversed(free):
        if want < last:  # noqa: PLR1730 - the same of min()
            last = want
        high.append(last)
    return [(one + other) / 4 + offset for one, other, offset in zip(low, reversed(high), offsets, strict=True)]


def _offsets(layer: Sequence[int], nodes: int) -> list[float]:
    """How far each is from the top at least, packed; bends need less room."""
    bend = [one >= nodes for one in layer]
    wide = (DOWN, (DOWN + BEND) / 2, BEND)
    return list(accumulate((wide[one + other] for one, other in pairwise(bend)), initial=0.0))[: len(layer)]
