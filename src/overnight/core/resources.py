"""Named resources with ids: which of them an attempt is given, and how it is told.

A resource that is a number (``gpu = 2``) is only counted. One that is a list of ids (``gpu = ["0", "1"]``)
is handed out by name: each id to one attempt at a time, and as a whole, so a task that asks for half of
one gets one. An attempt finds its ids in ``OVERNIGHT_`` and the name in upper case, joined by commas, and
programs that know a variable of their own find them there, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

from overnight.core.environment import TOLD_TO_TASKS

#: How a resource may be called where somebody says how much there is of it.
RESOURCE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
#: Variables of programs that are told which ones to use.
_ALSO = {"gpu": ("CUDA_VISIBLE_DEVICES",)}
#: What tasks are told anyway, and what the program itself heeds; a resource of that name would write over it.
TAKEN = TOLD_TO_TASKS | {"ROLE"}
#: Variables of the environment, with their values.
Granted = tuple[tuple[bytes, bytes], ...]


def variable(name: str) -> str:
    """The variable that tells the ids of this resource, without ``OVERNIGHT_``."""
    return name.upper().replace("-", "_")


def told(granted: Mapping[str, Iterable[str]]) -> Granted:
    """What an attempt is told of the ids that it was given."""
    found = []
    for name, ids in sorted(granted.items()):
        value = ",".join(ids).encode("utf-8", "surrogateescape")
        found += [(each.encode(), value) for each in (f"OVERNIGHT_{variable(name)}", *_ALSO.get(name.lower(), ()))]
    return tuple(found)


def ids_in(granted: Granted, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The ids of these resources in what an attempt was told."""
    values = dict(granted)
    found = {name: values.get(f"OVERNIGHT_{variable(name)}".encode(), b"") for name in names}
    return {name: tuple(ids.decode("utf-8", "surrogateescape").split(",")) for name, ids in found.items() if ids}


def shares(needs: Mapping[str, float], ids: Mapping[str, Sequence[str]]) -> Mapping[str, float]:
    """What a task takes of each resource: of one with ids whole ones."""
    if ids.keys().isdisjoint(needs):
        return needs
    return {name: math.ceil(amount) if name in ids else amount for name, amount in needs.items()}


class Pool:
    """The ids of all resources, and who has which.

    A slot is given what it had before where that is free: a function may have put a model there.

    Args:
        ids: Of each resource that has ids; each id once.
    """

    def __init__(self, ids: Mapping[str, Sequence[str]]) -> None:
        self._free = {name: list(all_of_it) for name, all_of_it in ids.items()}
        #: Resource and id -> the slot that had it last.
        self._last: dict[tuple[str, str], int] = {}

    def take(self, needs: Mapping[str, float], slot: int) -> dict[str, tuple[str, ...]]:
        """Give an attempt in this slot its ids; empty when it needs none.

        Raises:
            ValueError: So many are not free; nothing was given.
        """
        wanted = {name: math.ceil(amount) for name, amount in needs.items() if name in self._free and amount > 0}
        if any(len(self._free[name]) < count for name, count in wanted.items()):
            raise ValueError(f"less is free than {needs}")
        return {name: self._take(name, count, slot) for name, count in wanted.items()}

    def _take(self, name: str, count: int, slot: int) -> tuple[str, ...]:
        order = {slot: 0, None: 1}  # its own, then those that nobody had, then others'
        chosen = sorted(self._free[name], key=lambda one: order.get(self._last.get((name, one)), 2))[:count]
        for one in chosen:
            self._free[name].remove(one)
            self._last[name, one] = slot
        return tuple(chosen)

    def keep(self, granted: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
        """An attempt has these already; those of them that there are, and that nobody else has, are its own."""
        kept = {name: tuple(one for one in ids if one in self._free.get(name, ())) for name, ids in granted.items()}
        for name, ids in kept.items():
            for one in ids:
                self._free[name].remove(one)
        return {name: ids for name, ids in kept.items() if ids}

    def give_back(self, granted: Mapping[str, Iterable[str]]) -> None:
        """An attempt is over, and its processes are seen dead."""
        for name, ids in granted.items():
            self._free[name] += ids
