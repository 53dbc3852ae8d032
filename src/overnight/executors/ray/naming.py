"""The nodes of a cluster by names that stay: what an attempt was handed to must be found again under the same name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from overnight.core.resources import RESOURCE_NAME

#: A label with which a node says its name: ``ray start --labels='overnight-node=NAME'``.
LABEL = "overnight-node"
#: What Ray calls what it knows of every node.
_OF_RAY = ("CPU", "GPU", "memory", "object_store_memory")


class Found(msgspec.Struct, frozen=True):
    """A node that Ray knows and that is alive."""

    id: str
    host: str
    cpus: int
    gpus: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    #: What was said of it besides: ``ray start --resources='{"scanner": 1}'``.
    resources: tuple[tuple[str, float], ...] = ()
    #: Filled in by `name_nodes`.
    name: str = ""


def nodes_in(table: Iterable[Mapping[str, Any]]) -> list[Found]:
    """Those of Ray's table (``ray.nodes()``) that are alive."""
    return [
        Found(
            row["NodeID"],
            row["NodeManagerHostname"],
            int(row["Resources"].get("CPU", 0)),
            int(row["Resources"].get("GPU", 0)),
            tuple(sorted((str(key), str(value)) for key, value in row.get("Labels", {}).items())),
            tuple(sorted((name, float(n)) for name, n in row["Resources"].items() if _is_ours(name))),
        )
        for row in table
        if row["Alive"]
    ]


def _is_ours(name: str) -> bool:
    """Whether a resource is one that tasks can ask for, and none that Ray itself counts by or tells nodes apart by."""
    return name not in _OF_RAY and RESOURCE_NAME.fullmatch(name) is not None


def name_nodes(nodes: Sequence[Found], known: Mapping[str, str] | None = None) -> list[Found]:
    """Names for them: what their label says, else their host, and where several are on one, a part of Ray's number.

    Args:
        nodes: All that are alive.
        known: Names by Ray's numbers that were given before; who has one keeps it, whoever joins.
    """
    known = known or {}
    labelled = [(_safe(dict(node.labels).get(LABEL) or node.host), node) for node in nodes]
    count = Counter(name for name, _ in labelled)
    taken = {known[node.id] for node in nodes if node.id in known}
    fresh = (
        (name if count[name] == 1 and name not in taken else f"{name}-{node.id[:8]}", node) for name, node in labelled
    )
    return [msgspec.structs.replace(node, name=known.get(node.id, name)) for name, node in fresh]


def _safe(name: str) -> str:
    """It becomes the name of a directory."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name).lstrip(".") or "node"
