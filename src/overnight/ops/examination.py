"""Asking all checks at the same time, and waiting for none of them longer than it may take."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from overnight.core.durations import format_duration
from overnight.core.findings import Finding, Status
from overnight.host.clock import Clock
from overnight.ops.checks.contract import Check, Scene


class Answer(msgspec.Struct):
    """What one check has found, and how long it took. A check that does not apply has found nothing."""

    check: Check
    findings: list[Finding]
    seconds: float


def examine(checks: Sequence[Check], scene: Scene) -> list[Answer]:
    """Ask all of them; the answers come in the order of the checks.

    A thread whose check is stuck (a dead mount, a hung service) is left behind: nothing can end it but
    the end of the process, so whoever calls this for a long time asks such checks in processes of their own.
    """
    asked = [_Asked(check, scene) for check in checks]
    began = scene.clock.monotonic()
    return [one.answer(began) for one in asked]


class _Asked:
    """A check that is being asked in a thread."""

    def __init__(self, check: Check, scene: Scene) -> None:
        self._check = check
        self._scene = scene
        self._clock: Clock = scene.clock
        self._answer: Answer | None = None
        self._thread = threading.Thread(target=self._ask, name=f"check-{check.id}", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        began = self._clock.monotonic()
        try:
            findings = list(self._check.run(self._scene))
        except Exception as error:  # noqa: BLE001 - whatever a check raises is its failure, and nobody else's
            words = _told(self._check, f"the check itself failed ({type(error).__name__}: {error})")
            findings = [Finding(self._check.id, Status.FAIL, " ".join(words.split()))]
        self._answer = Answer(self._check, findings, self._clock.monotonic() - began)

    def answer(self, began: float) -> Answer:
        """What it has found by its deadline."""
        self._thread.join(max(0.0, began + self._check.timeout - self._clock.monotonic()))
        if self._answer is not None:
            return self._answer
        waited = format_duration(self._check.timeout)
        late = Finding(self._check.id, Status.UNKNOWN, _told(self._check, f"no answer within {waited}"))
        return Answer(self._check, [late], self._check.timeout)


def _told(check: Check, words: str) -> str:
    """With the title of the check, where that says more than the id that stands before it."""
    return words if check.title == check.id else f"{check.title}: {words}"
