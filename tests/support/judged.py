"""Endings to be judged, and what is known of their tasks."""

from __future__ import annotations

from typing import Any

from overnight.core.endings import Ended, Ending
from overnight.core.task import Action, ActionKind
from overnight.core.verdict import Intent, Standing

NOON = 1_000_000.0


def standing(*, failures: int = 0, deaths: int = 0, intent: Intent | None = None, **options: Any) -> Standing:
    action = Action(**{"kind": ActionKind.COMMAND, "cwd": b"/", "argv": (b"true",), **options})
    return Standing(failures=failures, deaths=deaths, action=action, slot=1, intent=intent)


def ended(ending: Ending, **details: Any) -> Ended:
    return Ended(task_id=7, attempt=1, ending=ending, started_at=NOON - 1, seconds=1.0, **details)


def exited(code: int, **details: Any) -> Ended:
    return ended(Ending.EXITED, exit_code=code, **details)
