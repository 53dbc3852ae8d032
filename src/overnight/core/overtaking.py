"""What is done for those who need much at once, while those who need little take whatever becomes free.

Nothing is kept idle for a guess: what is free goes to whoever can use it now. But a lane that has been passed over for
`PATIENCE` though one of its tasks may run, gets a node that is kept free for it: nobody whose tasks do not come first
by their priority begins anything there that would take the same. As soon as one of its tasks has its chance the node is
everybody's again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from overnight.core.placing import Account, Saved, Want, same_needs

#: Seconds for which a lane is passed over before a node is kept free for it, and until that is thought over again.
PATIENCE = 60.0


class Overtaken:
    """The lanes that have been passed over, and the nodes that are kept for them."""

    def __init__(self) -> None:
        #: Monotonic seconds by lane.
        self._since: dict[int, float] = {}
        #: By node.
        self.saved: dict[str, Saved] = {}

    def look(self, wants: Mapping[int, Want], accounts: Mapping[str, Account], moment: float) -> bool:
        """Take note of who is passed over now. Returns whether `save` has anything to do.

        Who is shut out for a moment, by a full queue or by a licence that is taken, keeps what was noted.

        Args:
            wants: The lanes that could claim something if it were free.
            accounts: The nodes that are given work.
            moment: Monotonic seconds.
        """
        waits = {same_needs(want.needs): want for want in wants.values()}
        over = {same for same, want in waits.items() if not _fits(want, accounts) and _could(want, accounts)}
        for lane, want in wants.items():
            if same_needs(want.needs) in over:
                self._since.setdefault(lane, moment)
        return bool(self.saved or self._due(wants, moment))

    def _due(self, wants: Mapping[int, Want], moment: float) -> list[int]:
        return [lane for lane, since in self._since.items() if lane in wants and moment - since >= PATIENCE]

    def retain(self, lanes: Collection[int]) -> None:
        """There are no other lanes any more."""
        for lane in self._since.keys() - set(lanes):
            self._forget(lane)

    def save(
        self, heads: Mapping[int, int], wants: Mapping[int, Want], accounts: Mapping[str, Account], moment: float
    ) -> None:
        """Keep nodes free for those who have been passed over for long enough, and none for who has nothing left.

        Args:
            heads: The highest priority of what may be claimed, by lane; one that has nothing is not in it.
            wants: As for `look`.
            accounts: As for `look`.
            moment: Monotonic seconds.
        """
        self.retain(heads)
        due = self._due(wants, moment)
        for lane in sorted(due, key=lambda lane: (-heads[lane], self._since[lane], lane)):
            was = next((node for node, saved in self.saved.items() if saved.lane == lane), None)
            self._forget(lane)
            self._since[lane] = moment
            if (node := self._choose(wants[lane], accounts, was)) is not None:
                before = frozenset(other for other, head in heads.items() if head > heads[lane])
                self.saved[node] = Saved(lane, wants[lane].needs, before)

    def _choose(self, want: Want, accounts: Mapping[str, Account], was: str | None) -> str | None:
        """The node where least is missing; the one that was kept until now, if it is still there."""
        fitting = {
            node: account
            for node, account in accounts.items()
            if not account.stock.lacks(want.needs) and node not in self.saved
        }
        if was in fitting:
            return was
        return min(fitting, key=lambda node: (_missing(fitting[node], want), node), default=None)

    def served(self, lanes: Collection[int]) -> None:
        """One task of each of these had its chance."""
        for lane in self._since.keys() & set(lanes):
            self._forget(lane)

    def _forget(self, lane: int) -> None:
        self._since.pop(lane, None)
        self.saved = {node: one for node, one in self.saved.items() if one.lane != lane}


def _fits(want: Want, accounts: Mapping[str, Account]) -> bool:
    return any(account.fits(want.needs) for account in accounts.values())


def _could(want: Want, accounts: Mapping[str, Account]) -> bool:
    return any(not account.stock.lacks(want.needs) for account in accounts.values())


def _missing(account: Account, want: Want) -> float:
    return sum(max(0.0, amount - account.free(name)) for name, amount in account.stock.shares(want.needs).items())
