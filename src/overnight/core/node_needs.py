"""What is said of a task that needs something of a node: whether any has it, who has it now, who could give it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from overnight.core.placing import GPU, OF_LABEL, Account, Needs, compete, of_nodes, same_needs, stock_of

if TYPE_CHECKING:
    from overnight.core.nodes import NodeView


class Lot(msgspec.Struct, frozen=True):
    """What a running task needs, and the node where it is."""

    task: int
    node: str
    needs: Mapping[str, float]


class Possible:
    """Where a task with these needs could run.

    Args:
        needs: What it needs of a node.
        nodes: All nodes.
        lots: What running tasks have.
        accounts: What the nodes have, where that is known already, and there are no lots.
    """

    def __init__(
        self,
        needs: Needs,
        nodes: Iterable[NodeView],
        lots: Iterable[Lot] = (),
        accounts: Mapping[str, Account] | None = None,
    ) -> None:
        self._needs = needs
        self._nodes = {node.row.name: node for node in nodes}
        self._accounts = _accounts(self._nodes.values()) if accounts is None else accounts
        for lot in lots:
            if lot.node in self._accounts:
                self._accounts[lot.node].keep(lot.task, lot.needs, {})
        #: The nodes where it would fit if nobody else were there.
        self.ever = [node for name, node in self._nodes.items() if not self._accounts[name].stock.lacks(needs)]

    @property
    def working(self) -> list[NodeView]:
        """Of these, the ones that are given work."""
        return [node for node in self.ever if node.takes_work]

    @property
    def now(self) -> list[NodeView]:
        """Of these, the ones that have it free."""
        return [node for node in self.working if not self._barred(node) and self._fits(node)]

    def _fits(self, node: NodeView) -> bool:
        return self._accounts[node.row.name].fits(self._needs)

    def _barred(self, node: NodeView) -> bool:
        """Whether it is kept free for others who need the same."""
        kept = node.row.kept_for
        return kept != self._needs and compete(self._needs, kept)

    def missing(self) -> str:
        """Why no node can ever run it; empty when one can."""
        return "" if self.ever else f"needs {self._listed()}, and {self._most()}"

    def _most(self) -> str:
        """How much of what is missing there is at most."""
        if not self._accounts:
            return "no node is known"
        for name, amount in self._needs.items():
            alone = {name: amount}
            if any(not account.stock.lacks(alone) for account in self._accounts.values()):
                continue
            if OF_LABEL in name:
                return "no node has this label"
            most, node = max((account.stock.amounts.get(name, 0.0), node) for node, account in self._accounts.items())
            return f"the most that a node has of it is {most:g} ({node})" if most else "no node has any of it"
        return "no node has all of it"

    def taken(self) -> str:
        """What is to be said when it is not free on any node that is given work."""
        return f"needs {self._listed()}, and {'; '.join(map(self._held, self.working))}"

    def _held(self, node: NodeView) -> str:
        """What is not free there."""
        if self._fits(node):
            return f"{node.row.name} is kept free for what needs {asked(node.row.kept_for)}"
        account = self._accounts[node.row.name]
        amounts = {name: account.stock.amounts.get(name, 0.0) for name in account.short(self._needs)}
        return f"on {node.row.name} " + ", ".join(
            f"{amount - account.free(name):g} of {amount:g} {name!r} is taken by running tasks"
            for name, amount in amounts.items()
        )

    def _listed(self) -> str:
        return asked(self._needs)


def asked(needs: Needs) -> str:
    """Needs in words."""
    return " and ".join(
        f"the label {name!r}" if OF_LABEL in name else f"{amount:g} of {name!r} on one node"
        for name, amount in needs.items()
    )


def _accounts(nodes: Iterable[NodeView]) -> dict[str, Account]:
    return {node.row.name: _account(node) for node in nodes}


def _account(node: NodeView) -> Account:
    row = node.row
    ids = {name: [str(n) for n in range(int(row.resources[name]))] for name in (GPU,) if name in row.resources}
    return Account(stock_of(row.resources, ids, row.labels))


def impossible(waiting: Iterable[Needs], nodes: Collection[NodeView], shared: Collection[str]) -> list[str]:
    """Why no node can ever run what waits, of each in words; empty for what one can.

    Args:
        waiting: What is needed by all that waits; the same again and again costs little.
        nodes: All nodes.
        shared: What is counted once for all nodes.
    """
    accounts, known = _accounts(nodes), dict[frozenset[tuple[str, float]], str]()
    found = []
    for needs in waiting:
        mine = of_nodes(needs, shared)
        if (same := same_needs(mine)) not in known:
            known[same] = Possible(mine, nodes, accounts=accounts).missing() if mine else ""
        found.append(known[same])
    return found
