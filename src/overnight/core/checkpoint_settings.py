"""The settings of checkpoints: how often, where else, and how long they are kept, backups as well."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.checkpoints import DEFAULT_INTERVAL, DEFAULT_TASKS, Keeping
from overnight.core.setting import Setting

CHECKPOINT_SETTINGS = (
    Setting(
        name="checkpoint_tasks",
        kind=kinds.COUNT,
        default=DEFAULT_TASKS,
        help="Finished tasks between two checkpoints, as far as these cost no more than 5 %; 0 for by time alone.",
        flag="--checkpoint",
        environment="OVERNIGHT_CHECKPOINT",
        key="checkpoints.tasks",
        minimum=0,
        maximum=1_000_000_000,
    ),
    Setting(
        name="checkpoint_interval",
        kind=kinds.DURATION,
        default=DEFAULT_INTERVAL,
        help="The longest time between two checkpoints while anything changes; 0 for by finished tasks alone.",
        flag="--checkpoint-interval",
        environment="OVERNIGHT_CHECKPOINT_INTERVAL",
        key="checkpoints.interval",
    ),
    Setting(
        name="checkpoint_second",
        kind=kinds.PATH,
        default="",
        default_words="none",
        help="A directory for a second copy of every checkpoint, best on another disk.",
        environment="OVERNIGHT_CHECKPOINT_SECOND",
        key="checkpoints.second",
    ),
    Setting(
        name="checkpoint_room",
        kind=kinds.SIZE,
        default=Keeping().room_bytes,
        help="How much disk all checkpoints together may take; the newest three are kept in any case.",
        environment="OVERNIGHT_CHECKPOINT_ROOM",
        key="checkpoints.room",
        minimum=0,
    ),
    Setting(
        name="checkpoint_keep_all",
        kind=kinds.DURATION,
        default=Keeping().all_seconds,
        help="How long every checkpoint is kept, and by `backup prune` every backup; so below.",
        environment="OVERNIGHT_CHECKPOINT_KEEP_ALL",
        key="checkpoints.keep_all",
    ),
    Setting(
        name="checkpoint_keep_hourly",
        kind=kinds.DURATION,
        default=Keeping().hourly_seconds,
        help="How long one checkpoint of each hour is kept.",
        environment="OVERNIGHT_CHECKPOINT_KEEP_HOURLY",
        key="checkpoints.keep_hourly",
    ),
    Setting(
        name="checkpoint_keep_daily",
        kind=kinds.DURATION,
        default=Keeping().daily_seconds,
        help="How long one checkpoint of each day is kept, and those that a person asked for.",
        environment="OVERNIGHT_CHECKPOINT_KEEP_DAILY",
        key="checkpoints.keep_daily",
    ),
)
