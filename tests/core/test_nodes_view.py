"""Nodes in words: how each stands, what is said of all of them, and why nothing can begin."""

from __future__ import annotations

import pytest

from overnight.core.nodes import Closing, NodeRow, NodesView, NodeView

NOON = 1_800_000_000.0
UP = NodeRow("a", "up", slots=4, held=2)


@pytest.mark.parametrize(
    ("row", "closed", "stands"),
    [
        (UP, None, "up"),
        (UP, Closing.CORDON, "cordoned"),
        (UP, Closing.DRAIN, "draining"),
        (UP, Closing.DRAIN_NOW, "draining"),
        (NodeRow("a", "closed"), Closing.DRAIN, "drained"),
        (NodeRow("a", "closed"), None, "closed"),
        (NodeRow("a", "up", why="it has no directory '/x'"), None, "unfit"),
        (NodeRow("a", "silent"), None, "silent"),
        (NodeRow("a", "silent"), Closing.CORDON, "silent"),
        (NodeRow("a", "away"), None, "lost"),
        (NodeRow("a", "awaited"), None, "joining"),
        (NodeRow("a", "opening"), None, "joining"),
        (NodeRow("a", "refused"), None, "refused"),
    ],
)
def test_how_a_node_stands(row: NodeRow, closed: Closing | None, stands: str) -> None:
    view = NodeView(row, closed)
    assert view.stands == stands
    assert view.takes_work is (stands == "up")


def test_all_nodes_in_a_line() -> None:
    silent = NodeView(NodeRow("b", "silent", slots=4, held=3, over_at=NOON + 12))
    gone = NodeView(NodeRow("c", "away", slots=4, lost=1))
    nodes = NodesView(NOON, [NodeView(UP), silent, gone])

    assert nodes.words(NOON) == (
        "3 nodes, 2 of 4 slots busy; b silent, its lease runs for 12 s more; c lost;"
        " 1 attempt lost with nodes, and run again"
    )
    assert NodesView(NOON, [NodeView(UP)]).words(NOON) == "1 node, 2 of 4 slots busy"
    assert nodes.counts() == {"up": 1, "silent": 1, "lost": 1}


def test_a_node_that_holds_more_than_it_runs_is_busy_with_what_it_runs() -> None:
    assert NodeView(NodeRow("a", "up", slots=2, held=90)).busy == 2


def test_nothing_can_begin_while_no_node_is_given_work() -> None:
    closed = NodeView(UP, Closing.CORDON)
    drained = NodeView(NodeRow("b", "closed"), Closing.DRAIN)
    silent = NodeView(NodeRow("c", "silent", over_at=NOON + 5))

    assert NodesView(NOON, [closed, NodeView(UP)]).stranded(NOON) == ""
    assert NodesView(NOON, [closed, drained]).stranded(NOON) == "people have closed all nodes (a cordoned; b drained)"
    assert NodesView(NOON, [closed, silent]).stranded(NOON) == (
        "no node can be given work (a cordoned; c silent, its lease runs for 5.0 s more)"
    )
    assert NodesView(NOON, []).stranded(NOON) == "no node can be given work"


def test_a_node_that_is_kept_free_says_for_what() -> None:
    kept = NodeView(NodeRow("a", "up", slots=4, resources={"gpu": 2.0}, kept_for={"gpu": 2.0}))
    words = "1 node, 0 of 4 slots busy; a is kept free for what needs 2 of 'gpu' on one node"
    assert NodesView(NOON, [kept]).words(NOON) == words
