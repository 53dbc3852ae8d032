"""Asking all checks at the same time, and waiting for none of them longer than it may take."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from overnight.core.durations import format_duration
from overnight.core.findings import Finding, Status
from overnight.host.clock import Clock
from overnight.ops.checks.contract import Check, Scene, by_hand


class Answer(msgspec.Struct):
    """What one check has found, and how long it took. A check that does not apply has found nothing."""

    check: Check
    findings: list[Finding]
    seconds: float


def examine(checks: Sequence[Check], scene: Scene) -> list[Answer]:
    """Ask all of them; the answers come in the order of the checks.

    A thread whose check is stuck (a dead mount, a hung service) is left behind: nothing can end it but
    the end of the process. Whoever asks again and again has an `Examiner`.
    """
    return Examiner().examine(checks, scene)


class Examiner:
    """Asks again and again. A check that is stuck is not asked once more before it has come back."""

    def __init__(self) -> None:
        self._stuck: dict[str, _Asked] = {}

    def examine(self, checks: Sequence[Check], scene: Scene) -> list[Answer]:
        """See `examine`."""
        asked = [self._ask(check, scene) for check in checks]
        began = scene.clock.monotonic()
        answers = [one.answer(began) for one in asked]
        known = {**self._stuck, **{one.check.id: one for one in asked}}  # not each is asked in each round
        self._stuck = {name: one for name, one in known.items() if one.is_stuck}
        return answers

    def _ask(self, check: Check, scene: Scene) -> _Asked:
        before = self._stuck.get(check.id)
        return _Asked(check, scene) if before is None or not before.is_stuck else before


class _Asked:
    """A check that is being asked in a thread."""

    def __init__(self, check: Check, scene: Scene) -> None:
        self.check = check
        self._scene = scene
        self._clock: Clock = scene.clock
        self._answer: Answer | None = None
        self._thread = threading.Thread(target=self._ask, name=f"check-{check.id}", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        began = self._clock.monotonic()
        try:
            findings = list(self.check.run(self._scene))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a check raises is its own failure
            words = _told(self.check, f"the check itself failed ({type(error).__name__}: {error})")
            findings = [Finding(self.check.id, Status.FAIL, " ".join(words.split()))]
        self._answer = Answer(self.check, findings, self._clock.monotonic() - began)

    @property
    def is_stuck(self) -> bool:
        """Whether it has not come back yet."""
        return self._answer is None

    def answer(self, began: float) -> Answer:
        """What it has found by its deadline."""
        self._thread.join(max(0.0, began + self.check.timeout - self._clock.monotonic()))
        if self._answer is not None:
            return self._answer
        waited = format_duration(self.check.timeout)
        alone = by_hand(
            f"{self.check.id}-late", "Ask it alone, and see what it waits for", f"overnight doctor {self.check.id}"
        )
        words = _told(self.check, f"no answer within {waited}")
        late = Finding(self.check.id, Status.UNKNOWN, words, fixes=(alone,))
        return Answer(self.check, [late], self.check.timeout)


def _told(check: Check, words: str) -> str:
    """With the title of the check, where that says more than the id that stands before it."""
    return words if check.title == check.id else f"{check.title}: {words}"
