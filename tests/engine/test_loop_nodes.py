"""What happens to nodes is in the journal with the next transaction, whether there is anything else to write or not."""

from __future__ import annotations

from night import Night, task

from overnight.core.nodes import Change, NodeNews
from overnight.testing import Play


def test_what_happens_to_nodes_is_in_the_journal_once(night: Night) -> None:
    night.add(task("x"))
    lost = NodeNews("b", Change.LOST, "not heard for 16 s", attempts=2, begun=1, tasks=(7, 8))
    night.nodes = [NodeNews("a", Change.JOINED, slots=4, version="1.0")]

    night.run(lambda _spec, _action: Play(seconds=60.0), script=[(20.0, lambda: night.nodes.append(lost))])

    [joined] = night.told("node_joined")
    assert (joined["node"], joined["slots"], joined["version"]) == ("a", 4, "1.0")
    [told] = night.told("node_lost")
    assert (told["node"], told["attempts"], told["begun"], told["tasks"]) == ("b", 2, 1, [7, 8])
    [ended] = night.told("file_completed")
    assert joined["at"] < told["at"] < ended["at"], "nothing waits for the end of a task"
    assert [event["seq"] for event in (joined, told, ended)] == sorted(event["seq"] for event in (joined, told, ended))
