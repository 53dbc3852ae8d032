"""What happened to the store as a whole: its checkpoints, and what was made of it from them."""

from __future__ import annotations

import msgspec

from overnight.core import events
from overnight.core.event_names import EventName


class CheckpointSaved(events.OfStore, frozen=True, kw_only=True, gc=False, tag=EventName.CHECKPOINT_SAVED.value):
    """A verified copy of the store lies in the home."""

    checkpoint: str
    #: Number of the last event in it.
    position: int
    size_bytes: int
    seconds: float
    #: Enough tasks had finished for one earlier; it would have cost too much.
    stretched: bool = False
    #: Why there is no copy of it in the second place.
    second_trouble: str = ""
    by: str = ""


class CheckpointFailed(events.OfStore, frozen=True, kw_only=True, gc=False, tag=EventName.CHECKPOINT_FAILED.value):
    """No checkpoint could be made; the older ones are as they were."""

    error: str


class CheckpointRestored(events.OfStore, frozen=True, kw_only=True, gc=False, tag=EventName.CHECKPOINT_RESTORED.value):
    """The store was set back to a checkpoint; what it was before lies aside."""

    #: Empty: there was none, and everything comes from the journal.
    checkpoint: str = ""
    #: Number of the last event in the checkpoint.
    position: int
    epoch: int
    #: Events applied after it. A rollback that a person asks for applies none.
    replayed: int = 0
    #: What could not be made good, in words.
    lost: list[str] = msgspec.field(default_factory=list)
    why: str = ""
    #: Where the store of before lies.
    aside: str = ""
    by: str = ""


class CheckpointRestoreFailed(
    events.OfStore, frozen=True, kw_only=True, gc=False, tag=EventName.CHECKPOINT_RESTORE_FAILED.value
):
    """A checkpoint was to be used and was passed over."""

    checkpoint: str
    error: str


class StoreRescued(events.OfStore, frozen=True, kw_only=True, gc=False, tag=EventName.STORE_RESCUED.value):
    """The store is whole and in its place again; `aside`: where what lay there lies now, empty when nothing did."""

    epoch: int
    why: str
    aside: str = ""
