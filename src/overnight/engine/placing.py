"""The places of one engine whose attempts run on nodes: who has what where, from the claim to the last word.

It keeps the accounts of `core.placing` up to date, and asks there. On one machine there is no such thing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from overnight.core.lanes import WORK, Openings
from overnight.core.overtaking import Overtaken
from overnight.core.placing import Account, Look, Stock, Stocks, Want, of_all, of_nodes, options, pool_of, same_needs
from overnight.core.resources import Granted, ids_in
from overnight.engine.dispatch import Hands, deal_by_node
from overnight.store.contract import Claimed, Lane

#: See `Claim.at`.
At = Mapping[int, Sequence[tuple[str, Mapping[str, float]]]]
#: So much less room, in seconds, has a slot for each resource of its node: what needs nothing of it goes elsewhere
#: where it makes no other difference.
_RATHER_ELSEWHERE = 1e-6


class Places:
    """Where attempts go that need something of a node.

    Args:
        look: What there is at the moment.
        common: What is counted once for all nodes.
        heads: The highest priority of what may be claimed, by lane.
    """

    def __init__(self, look: Look, common: Collection[str], heads: Callable[[], Mapping[int, int]]) -> None:
        self._look = look
        self._common = frozenset(common)
        self._heads = heads
        self._accounts: dict[str, Account] = {}
        self._seats: Mapping[int, str] = {}
        self._working: frozenset[str] = frozenset()
        self._stocks: dict[str, Stock] = {}
        #: Where attempts are that have something of a node, by task.
        self._node_of: dict[int, str] = {}
        #: The slots that had room for the last claim, with their nodes.
        self._had_room: frozenset[tuple[int, str]] = frozenset()
        #: What the nodes had then.
        self._had: dict[str, Stock] = {}
        self._overtaken = Overtaken()

    def common(self, needs: Mapping[str, float]) -> dict[str, float]:
        """Those of these that are counted once for all nodes."""
        return of_all(needs, self._common)

    def narrow(
        self, opened: Openings, lanes: Mapping[int, Lane], rooms: Mapping[int, float], *, moment: float
    ) -> tuple[Openings, At]:
        """Say where tasks of the open lanes may have their place that need something of a node. See `Claim.at`.

        Args:
            opened: What is open, as far as it does not depend on nodes.
            lanes: All of them.
            rooms: Seconds of work that each slot still takes.
            moment: Monotonic seconds.

        Returns:
            What is open without what fits on no node now, with the pools of nodes; and the nodes of the rest.
        """
        self._renew()
        self._had_room, self._had = _seated(rooms, self._seats), self._stocks
        self._overtaken.retain(lanes)
        wants = {
            number: Want(needs, takes[WORK])
            for number, takes in opened.lanes.items()
            if (needs := of_nodes(lanes[number].needs, self._common))
        }
        if not wants:
            return opened, {}
        seconds = self._seconds(rooms)
        self._heed_overtaken(wants, moment)
        saved = self._overtaken.saved
        found = options(wants, self._accounts, seconds, saved)
        self._overtaken.served(found)
        if self._overtaken.saved != saved:
            self._had_room = frozenset()  # what was kept free in this claim is everybody's in the next
        going = {number: takes for number, takes in opened.lanes.items() if number not in wants or number in found}
        return Openings(going, opened.pools | self._pools(wants, seconds)), self._at(wants, found)

    def _renew(self) -> None:
        found = self._look_around()
        self._seats, self._working, self._stocks = found.seats, found.working, dict(found.nodes)
        for node, stock in found.nodes.items():
            if node in self._accounts:
                self._accounts[node].renew(stock)
            else:
                self._accounts[node] = Account(stock)

    def _look_around(self) -> Stocks:
        return self._look({node: saved.needs for node, saved in self._overtaken.saved.items()})

    def _seconds(self, rooms: Mapping[int, float]) -> dict[str, float]:
        """What the slots of each node still take."""
        found: dict[str, float] = {}
        for slot, room in rooms.items():
            if (node := self._seats.get(slot)) in self._accounts:
                found[node] = found.get(node, 0.0) + room
        return found

    def _heed_overtaken(self, wants: Mapping[int, Want], moment: float) -> None:
        working = {node: account for node, account in self._accounts.items() if node in self._working}
        if self._overtaken.look(wants, working, moment):
            self._overtaken.save(self._heads(), wants, working, moment)

    def _at(self, wants: Mapping[int, Want], found: Mapping[int, Sequence[str]]) -> At:
        """What a task of each lane takes of each of its nodes; made once for all lanes that take the same."""
        made: dict[object, dict[str, dict[str, float]]] = {}
        at = {}
        for number, nodes in found.items():
            want = wants[number]
            takes = made.setdefault((same_needs(want.needs), want.cost), {})
            takes |= {node: self._takes(want, node) for node in nodes if node not in takes}
            at[number] = [(node, takes[node]) for node in nodes]
        return at

    def _takes(self, want: Want, node: str) -> dict[str, float]:
        """What a task takes of a node."""
        shares = self._accounts[node].stock.shares(want.needs)
        return {pool_of(WORK, node): want.cost} | {pool_of(name, node): amount for name, amount in shares.items()}

    def _pools(self, wants: Mapping[int, Want], seconds: Mapping[str, float]) -> dict[str, float]:
        """What is in the pools of the nodes that have room."""
        names = {name for want in wants.values() for name in want.needs}
        pools = {pool_of(WORK, node): left for node, left in seconds.items()}
        return pools | {pool_of(name, node): self._accounts[node].free(name) for node in seconds for name in names}

    def deal(self, claimed: Sequence[Claimed], rooms: Mapping[int, float], cost: Callable[[int], float]) -> Hands:
        """Deal what was claimed to slots: what has its place on a node to those there, the rest to the others."""
        rich = {node: _RATHER_ELSEWHERE * len(account.stock.amounts) for node, account in self._accounts.items()}
        seen = {slot: room - rich.get(self._seats.get(slot, ""), 0.0) for slot, room in rooms.items()}
        return deal_by_node(claimed, seen, cost, self._seats)

    def grant(self, task: int, lane: Lane, slot: int) -> dict[str, tuple[str, ...]]:
        """Note what an attempt takes of the node of its slot. Returns the ids that are its own."""
        needs = of_nodes(lane.needs, self._common)
        if not needs:
            return {}
        node = self._node_of[task] = self._seats[slot]
        return self._accounts[node].take(task, needs, slot)

    def keep(self, task: int, lane: Lane, slot: int, granted: Granted) -> dict[str, tuple[str, ...]]:
        """Note what an attempt of an earlier engine has of the node of its slot. Returns the ids that are its own."""
        self._renew()
        needs, node = of_nodes(lane.needs, self._common), self._seats.get(slot)
        if not needs or node not in self._accounts:
            return {}
        self._node_of[task] = node
        return self._accounts[node].keep(task, needs, ids_in(granted, needs))

    def give_back(self, task: int) -> None:
        """The attempt of this task is over, wherever it was."""
        if (node := self._node_of.pop(task, None)) is not None:
            self._accounts[node].give_back(task)

    def has_news(self, slots: Iterable[int]) -> bool:
        """Whether a claim may find something now that the last one did not.

        One of these slots, which have room, had none then, or was elsewhere: a node came. Or a node that was there has
        something else than then.
        """
        found = self._look_around()
        seated = _seated(slots, found.seats)
        return not seated <= self._had_room or bool(seated and found.nodes != self._had)


def _seated(slots: Iterable[int], seats: Mapping[int, str]) -> frozenset[tuple[int, str]]:
    return frozenset((slot, seats.get(slot, "")) for slot in slots)
