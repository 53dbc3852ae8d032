"""The nodes on which attempts run, as the engine has written them down, and which attempt is where.

Where everything runs on one machine there are no such files, and nothing is imported or read here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from overnight.core.claims import Lane
from overnight.core.lanes import is_own
from overnight.core.states import TaskState
from overnight.host.layout import Layout

if TYPE_CHECKING:  # most homes have no nodes
    from overnight.core.nodes import Census, Closing, NodesView
    from overnight.core.task import Task


def look(home: Path, started_at: float | None, lanes: Callable[[], Iterable[Lane]]) -> NodesView | None:
    """The nodes of the engine that was started then; None when it has none.

    Args:
        home: The directory of the home.
        started_at: When the engine was started, of one that is no more, too; POSIX seconds.
        lanes: What waits.
    """
    known = None if started_at is None else census(home)
    if known is None or started_at is None or known.at < started_at:
        return None
    from overnight.core.node_needs import impossible
    from overnight.core.nodes import NodesView, NodeView

    closed = closed_nodes(home)
    nodes = [NodeView(row, closed.get(row.name)) for row in known.nodes]
    waiting = [lane.needs for lane in lanes() if lane.head is not None and not is_own(lane.queue)]
    why_never = impossible(waiting, nodes, known.shared)
    words = tuple(dict.fromkeys(filter(None, why_never)))
    return NodesView(known.at, nodes, tuple(known.shared), words, not all(why_never) or not waiting)


def census(home: Path) -> Census | None:
    """What the last engine that had nodes has written of them."""
    packed = _read(Layout(home).nodes)
    if packed is None:
        return None
    import msgspec

    from overnight.core.nodes import Census

    try:
        return msgspec.json.decode(packed, type=Census)
    except msgspec.MsgspecError:
        return None


def closed_nodes(home: Path) -> dict[str, Closing]:
    """The nodes that people have closed, and how."""
    packed = _read(Layout(home).closed_nodes)
    if packed is None:
        return {}
    import msgspec

    from overnight.core.nodes import Closing

    try:
        return msgspec.json.decode(packed, type=dict[str, Closing])
    except msgspec.MsgspecError:
        return {}


class Whereabouts:
    """On which node running attempts are, read once, when the first one is asked for.

    Args:
        home: The directory of the home.
    """

    def __init__(self, home: Path) -> None:
        self._path = Layout(home).placements
        self._by_key: dict[tuple[int, int], str] | None = None

    def of(self, task: Task) -> str:
        """The node of its attempt; empty when it does not run, or runs on the machine of the engine."""
        if task.state is not TaskState.RUNNING:
            return ""
        if self._by_key is None:
            self._by_key = self._placed() if self._path.exists() else {}
        return self._by_key.get((task.id, task.attempt), "")

    def _placed(self) -> dict[tuple[int, int], str]:
        import msgspec

        from overnight.executors.nodes.placements import read

        try:
            return read(self._path).by_key
        except (OSError, ValueError, msgspec.MsgspecError):  # it is written while we read
            return {}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
