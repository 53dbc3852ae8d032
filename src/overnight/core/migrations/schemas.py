"""The schema of a database as values, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Thing(NamedTuple):
    """A table, an index, a view ...: its parts, one line each, and its definition where the parts do not say all."""

    lines: tuple[str, ...] = ()
    definition: str = ""


#: "table users" -> what it is.
Schema = Mapping[str, Thing]


class Change(NamedTuple):
    """One thing that differs. `sign`: + is new, - is gone, ~ is another one."""

    sign: str
    name: str
    #: Its parts that are new or gone, with their signs.
    lines: tuple[str, ...] = ()


def difference(before: Schema, after: Schema) -> list[Change]:
    """What has to be said to make one of the other, by name."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None and new is not None:
            changes.append(Change("+", name, tuple(f"+ {line}" for line in new.lines)))
        elif old is not None and new is None:
            changes.append(Change("-", name))
        elif old is not None and new is not None and old != new:
            changes.append(Change("~", name, _lines(old, new)))
    return changes


def _lines(old: Thing, new: Thing) -> tuple[str, ...]:
    gone = [f"- {line}" for line in old.lines if line not in new.lines]
    added = [f"+ {line}" for line in new.lines if line not in old.lines]
    if gone or added:
        return (*gone, *added)
    if old.definition != new.definition:
        return f"- {old.definition}", f"+ {new.definition}"
    return ("its parts stand in another order",)
