"""Records of the journal in batches of equal ones, so that a hundred thousand are done again in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from overnight.store.contract import Verb
from overnight.store.sql import popping
from overnight.store.sql.redo import Record

#: Records done in one batch.
BATCH = 5000
VERBS = {"cancelled": Verb.CANCEL, "held": Verb.HOLD, "released": Verb.RELEASE, "revived": Verb.RETRY}
#: Events that tell of tasks; what follows is the deed.
_OF_TASKS = ("file_", "step_")


def batches(records: Iterable[Record]) -> Iterator[tuple[list[Record], Sequence[Record]]]:
    """Runs of records that can be done at once, each with the one after it."""
    equal = (piece for _, group in groupby(records, key=deed_of) for piece in _pieces(group))
    before: list[Record] | None = None
    for batch in equal:
        if before is not None:
            yield before, batch
        before = batch
    if before is not None:
        yield before, ()


def deed_of(record: Record) -> tuple[str, object]:
    """What is done with a record, and what else must be equal for two of them to be done at once."""
    kind, _, deed = record.event.partition("_")
    if f"{kind}_" not in _OF_TASKS:
        return record.event, None
    if deed == "started":
        if record.fence == popping.NO_ENGINE:
            return "popped", None
        return ("begun", None) if record.first_step else ("started", (record.at, record.fence))
    if record.outcome is not None:
        return "ended", record.at
    if deed in VERBS:
        return "by_hand", (record.event, record.at, record.by, record.was)
    return deed, (record.at, record.by)


def runs(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Records whose numbers follow each other."""
    for _, pairs in groupby(enumerate(records), key=lambda pair: (pair[1].id or 0) - pair[0]):
        yield [record for _, record in pairs]


def _pieces(records: Iterator[Record]) -> Iterator[list[Record]]:
    """At most so many at a time, and none of one task twice."""
    piece: list[Record] = []
    ids: set[int | None] = set()
    for record in records:
        if len(piece) >= BATCH or (record.id is not None and record.id in ids):
            yield piece
            piece, ids = [], set()
        piece.append(record)
        ids.add(record.id)
    if piece:
        yield piece
