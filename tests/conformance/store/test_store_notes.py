"""Events that change no task."""

from __future__ import annotations

from store_parts import task, told

from overnight.core import events, store_events
from overnight.store.contract import Store

NOON = 1_700_000_000.0


def test_a_note_lies_in_the_outbox_after_what_was_there(store: Store) -> None:
    store.add([task("a")], now=NOON)
    saved = store_events.CheckpointSaved(at=events.stamp(NOON), checkpoint="x", position=1, size_bytes=2, seconds=0.5)
    store.note([saved, store_events.CheckpointFailed(at=events.stamp(NOON), error="no room")])
    assert [event["event"] for event in told(store)] == ["file_added", "checkpoint_saved", "checkpoint_failed"]
    assert store.counts().total == 1


def test_no_note_is_no_row(store: Store) -> None:
    store.note([])
    assert store.outbox(10) == []
