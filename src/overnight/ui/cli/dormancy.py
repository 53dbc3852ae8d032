"""How dormant parts are told: each on its lines, as JSON, and all of them counted."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import Any

from overnight.core.dormancy import LYING, MEANS, Dormancy, Found, Kind, activation
from overnight.ops.dormant.keeping import Record
from overnight.ui.cli import printing

SCHEMA = "overnight.dormant/1"


def lines(one: Found) -> list[str]:
    """One part for people: what it is, and below it the command that wakes it."""
    part = one.part
    where = part.file if part.file != part.name else ""
    facts = [
        f"{where}:{part.line}" if part.line else where,
        "" if part.size_bytes is None else printing.size(part.size_bytes),
        "" if part.steps is None else printing.count(part.steps, "step"),
        f"needs {', '.join(part.needs)}" if part.needs else "",
        part.missing or (part.disabled if one.dormancy is Dormancy.DISABLED else ""),
        f"may be dormant: {part.permanent}" if part.permanent else "",
    ]
    state = str(one.dormancy) if one.dormancy else "permanent" if part.permanent else "awake"
    about = "; ".join(fact for fact in facts if fact)
    told = [f"{state:<12}  {part.kind:<8}  {printing.clean(part.name)}  ({printing.clean(about)})"]
    if one.dormancy:
        argv, words = activation(one)
        told.append(f"{'':<24}→ {printing.clean(shlex.join(argv) if argv else words)}")
    return told


def shape(one: Found) -> dict[str, Any]:
    """One part for programs."""
    part = one.part
    argv, words = activation(one) if one.dormancy else ((), "")
    return {
        "kind": part.kind,
        "name": part.name,
        "state": one.dormancy or ("permanent" if part.permanent else "awake"),
        "file": part.file or None,
        "line": part.line or None,
        "size_bytes": part.size_bytes,
        "steps": part.steps,
        "needs": list(part.needs),
        "missing": part.missing or None,
        "since": printing.iso(part.since),
        "last_run": printing.iso(part.past.last_run if part.past else None),
        "permanent": part.permanent or None,
        "argv": list(argv) or None,
        "text": words or None,
    }


def summary(found: Sequence[Found], records: Sequence[Record]) -> dict[str, Any]:
    """All parts counted, for programs."""
    states = Counter(one.dormancy for one in found if one.dormancy)
    return {
        "schema": SCHEMA,
        "parts": len(found),
        "dormant": states.total(),
        "states": {state: states[state] for state in Dormancy},
        "kinds": {kind: sum(one.part.kind is kind and one.dormancy is not None for one in found) for kind in Kind},
        "permanent": [{"part": one.part.key, "reason": one.part.permanent} for one in found if one.part.permanent],
        "records": [{**one._asdict(), "at": printing.iso(one.at)} for one in records],
    }


def report(found: Sequence[Found], records: Sequence[Record]) -> list[str]:
    """The same for people."""
    asleep = [one for one in found if one.dormancy]
    lying = sum(one.part.kind in LYING for one in asleep)
    told = [f"{printing.count(len(found), 'part')}, {len(asleep)} dormant ({lying} of them lie in files)"]
    states = Counter(one.dormancy for one in asleep)
    counted = [(f"{states[state]:,}", str(state), MEANS[state]) for state in Dormancy if states[state]]
    told += printing.table(counted, right=(0,))
    parts = [one.part for one in found if one.part.permanent]
    told += _table("dormant for good", [(part.kind, part.name, part.permanent) for part in parts])
    rows = [(printing.clock(one.at), one.part, one.what, one.outcome, one.by) for one in records]
    told += _table("woken and reached", rows)
    if asleep:
        told += ["", "'overnight dormant list' names them, each with the command that wakes it"]
    return told


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> list[str]:
    return ["", title, *printing.table([tuple(map(printing.clean, row)) for row in rows])] if rows else []
