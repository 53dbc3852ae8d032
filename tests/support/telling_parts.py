"""Lines of a journal, for those who follow it."""

from __future__ import annotations

from pathlib import Path

import msgspec

AT = "2027-01-15T08:00:00.000Z"


def journal(path: Path, *events: dict[str, object]) -> None:
    """Write these events."""
    with path.open("ab") as file:
        for event in events:
            file.write(msgspec.json.encode(event) + b"\n")


def ended(seq: int, **changes: object) -> dict[str, object]:
    """The end of an attempt."""
    plain = {"seq": seq, "event": "file_completed", "at": AT, "id": 1, "attempt": 1, "outcome": "completed"}
    return plain | {"state": "completed", "started_at": AT, "seconds": 2.5} | changes
