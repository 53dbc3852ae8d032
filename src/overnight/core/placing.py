"""Which node an attempt goes to that needs something of a node; and who has what of it.

What is known comes from three sides. A node says once, when it is greeted, what it has (`Stock`). What attempts have
of it is counted here, in the engine, from the claim to the last word about them (`Account`), so a node that is silent
or lost gives back nothing before its attempts are told of. And what waits is in the store, where a claim takes tasks in
their order without knowing of nodes.

So a claim says of each lane that needs something of a node at which nodes one of its tasks may have its place, the best
first, and which pools of that node it draws from there. Whatever is claimed then has its place for certain, and nothing
is ever claimed that has to go back. Tasks that need no node come into the slots that are left: a place on a node
is a slot less for them, so all that is claimed has one.

A label of a node is a resource of which there is enough for everybody who is there: it is asked for by the name
``KEY:VALUE``, which no resource can have.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from overnight.core.resources import Pool

#: What every node is asked for, whatever one machine has: of graphics cards a node knows best.
GPU = "gpu"
#: Between the key of a label and its value, in what a task asks for.
OF_LABEL = ":"
#: Sums of floats are not exact.
_SLACK = 1e-9

Needs = Mapping[str, float]


class Stock(msgspec.Struct, frozen=True):
    """What a node has of each resource, the ids of those that are handed out by name, and its labels."""

    amounts: Mapping[str, float] = {}
    ids: Mapping[str, tuple[str, ...]] = {}
    labels: frozenset[str] = frozenset()

    def shares(self, needs: Needs) -> dict[str, float]:
        """What a task takes of the amounts here: of what has ids whole ones, of labels nothing."""
        return {
            name: math.ceil(amount) if name in self.ids else amount
            for name, amount in needs.items()
            if name not in self.labels
        }

    def lacks(self, needs: Needs) -> str:
        """The first of these of which there is too little here for one task with nobody beside it; empty for none."""
        for name, amount in self.shares(needs).items():
            if amount > self.amounts.get(name, 0.0) + _SLACK:
                return name
        return ""


def stock_of(amounts: Mapping[str, float], ids: Mapping[str, Iterable[str]], labels: Mapping[str, str]) -> Stock:
    """What a node has, by what it says of itself."""
    counted = {name: tuple(each) for name, each in ids.items()}
    return Stock(
        {**amounts, **{name: float(len(each)) for name, each in counted.items()}},
        counted,
        frozenset(f"{key}{OF_LABEL}{value}" for key, value in labels.items()),
    )


def of_nodes(needs: Needs, common: Collection[str]) -> dict[str, float]:
    """Those of these that a node has to have.

    Args:
        needs: What a task needs.
        common: What is counted once for all nodes; graphics cards never are.
    """
    return {name: amount for name, amount in needs.items() if name == GPU or name not in common}


def of_all(needs: Needs, common: Collection[str]) -> dict[str, float]:
    """The others of these, which are counted once for all nodes. The arguments are those of `of_nodes`."""
    return {name: amount for name, amount in needs.items() if name != GPU and name in common}


def compete(needs: Needs, others: Needs) -> bool:
    """Whether both take of the same; of a label nobody takes anything."""
    return any(name in others and OF_LABEL not in name for name in needs)


class Account:
    """One node: what it has, and which attempts have how much of it.

    Args:
        stock: What it has.
    """

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self._pool = Pool(stock.ids)
        #: By task: what its attempt takes, and its ids.
        self._held: dict[int, tuple[dict[str, float], dict[str, tuple[str, ...]]]] = {}
        #: How often each amount is taken: many tenths that come and go must not add up to a little more than none.
        self._taken: Counter[tuple[str, float]] = Counter()

    def renew(self, stock: Stock) -> None:
        """It says something else of itself than before. Who has something keeps it, also while it is not there."""
        if stock != self.stock:
            self.stock = stock
            self._pool = Pool(stock.ids)
            for _, ids in self._held.values():
                self._pool.keep(ids)

    def free(self, name: str) -> float:
        """What nobody has of this; below nothing where there is less than there was."""
        taken = sum(amount * n for (one, amount), n in self._taken.items() if one == name)
        return self.stock.amounts.get(name, 0.0) - taken

    def fits(self, needs: Needs) -> bool:
        """Whether there is as much free as one task takes."""
        return next(self.short(needs), None) is None

    def short(self, needs: Needs) -> Iterator[str]:
        """Of what less is free than one task takes."""
        return (name for name, amount in self.stock.shares(needs).items() if amount > self.free(name) + _SLACK)

    def take(self, task: int, needs: Needs, slot: int) -> dict[str, tuple[str, ...]]:
        """Give the attempt of this task what it needs. Returns its ids.

        Raises:
            ValueError: So much is not free; nothing was given.
        """
        takes = self.stock.shares(needs)
        if not self.fits(needs):
            raise ValueError(f"less is free than {dict(needs)}")
        ids = self._pool.take(takes, slot)
        self._note(task, takes, ids)
        return ids

    def keep(self, task: int, needs: Needs, ids: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
        """The attempt of this task has these ids already, and what it needs. Returns those that are its own."""
        kept = self._pool.keep(ids)
        self._note(task, self.stock.shares(needs), kept)
        return kept

    def _note(self, task: int, takes: dict[str, float], ids: dict[str, tuple[str, ...]]) -> None:
        self._held[task] = (takes, ids)
        self._taken.update(takes.items())

    def give_back(self, task: int) -> None:
        """The attempt of this task is over."""
        takes, ids = self._held.pop(task)
        there = {name: frozenset(each) for name, each in self.stock.ids.items()}
        self._pool.give_back({name: [one for one in each if one in there.get(name, ())] for name, each in ids.items()})
        self._taken.subtract(takes.items())
        self._taken += Counter()  # without what nobody has

    @property
    def idle(self) -> bool:
        """Whether nobody has anything."""
        return not self._held


class Want(NamedTuple):
    """What a task of a lane needs of a node. `cost`: expected seconds."""

    needs: Needs
    cost: float


class Saved(NamedTuple):
    """A node that is kept free for a lane whose tasks need more at once than is ever free by itself."""

    lane: int
    needs: Needs
    #: Lanes whose tasks come first all the same.
    before: frozenset[int] = frozenset()

    def bars(self, lane: int, needs: Needs) -> bool:
        """Whether nothing of this lane may begin there, since it would take what is kept."""
        return lane != self.lane and lane not in self.before and compete(needs, self.needs)


def options(
    wants: Mapping[int, Want],
    accounts: Mapping[str, Account],
    room: Mapping[str, float],
    saved: Mapping[str, Saved] = {},
) -> dict[int, list[str]]:
    """Say at which nodes a task of each lane may have its place now; a lane that fits nowhere is left out.

    First the nodes on which the least is left over, so that whole nodes stay free for those who need much; of several
    those that have the least else which others may want, then those with the most room.

    Args:
        wants: The lanes that need something of a node.
        accounts: The nodes.
        room: Seconds of work that the slots of each node still take; one that is not in it is given nothing.
        saved: Nodes that are kept free.
    """
    found, by_needs = {}, dict[frozenset[tuple[str, float]], list[str]]()
    for lane, want in wants.items():
        if (same := same_needs(want.needs)) not in by_needs:
            by_needs[same] = _fitting(want.needs, accounts, room)
        nodes = [
            node
            for node in by_needs[same]
            if room[node] + _SLACK >= want.cost and not (node in saved and saved[node].bars(lane, want.needs))
        ]
        if nodes:
            found[lane] = sorted(nodes, key=lambda node: _is_for(lane, saved.get(node))) if saved else nodes
    return found


def same_needs(needs: Needs) -> frozenset[tuple[str, float]]:
    """The same for the same needs: many lanes have the same, and nodes are gone through once for all of them."""
    return frozenset(needs.items())


def _fitting(needs: Needs, accounts: Mapping[str, Account], room: Mapping[str, float]) -> list[str]:
    """The nodes where this is free, the best first."""
    fitting = [
        (_left_over(accounts[node], needs), _riches(accounts[node]), -left, node)
        for node, left in room.items()
        if accounts[node].fits(needs)
    ]
    return [node for *_, node in sorted(fitting)]


def _is_for(lane: int, saved: Saved | None) -> int:
    """A node that is kept free comes last, but for whom it is kept."""
    return 0 if saved is None else -1 if saved.lane == lane else 1


def _riches(account: Account) -> int:
    return len(account.stock.amounts)


def _left_over(account: Account, needs: Needs) -> float:
    """What would be free of what a task takes, when it has begun there."""
    return sum(account.free(name) - amount for name, amount in account.stock.shares(needs).items())


def pool_of(name: str, node: str) -> str:
    """The pool of what a node has of this."""
    return f"{name} on {node}"


class Stocks(NamedTuple):
    """What each node has that is known, on which one each slot is now, and which ones are given work."""

    nodes: Mapping[str, Stock]
    seats: Mapping[int, str]
    working: frozenset[str]


#: Says what there is now; is told which nodes are kept free, and for whose needs.
Look = Callable[[Mapping[str, Needs]], Stocks]
