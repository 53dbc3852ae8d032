"""Backups of one home: where they lie, what is in them, and how long they are kept."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from overnight.core.checkpoints import Keeping
from overnight.core.configuration import Configuration
from overnight.core.settings import Settings
from overnight.host.home import Home
from overnight.ops.backups.making import Wanted
from overnight.ops.backups.place import BackupPlace
from overnight.wiring.checkpoints import plan_of


def places(home: Home, settings: Settings) -> list[BackupPlace]:
    """Where the backups of a home lie: in it, and in the second place if there is one."""
    number = home.id
    second = [Path(os.path.abspath(settings.backup_second)) / number] if settings.backup_second else []  # noqa: PTH100 - links are kept
    return [BackupPlace(place, number) for place in (home.backups, *second)]


def wanted(settings: Settings, configured: Configuration) -> Wanted:
    """What is in a backup besides what must be."""
    return Wanted(settings.backup_include, settings.backup_output, configured.workflows)


def keeping(settings: Settings) -> Keeping:
    """The table by which old ones go: that of checkpoints, with room of its own."""
    return msgspec.structs.replace(plan_of(settings).keeping, room_bytes=settings.backup_room)
