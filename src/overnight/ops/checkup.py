"""The checks again and again: who is due is asked, and what comes of it is written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from overnight.core.health import Standing, is_due, standing_of
from overnight.monitor.health import HealthBook
from overnight.ops.checks.contract import Check, Cost, Scene
from overnight.ops.examination import Answer, Examiner

#: A check that takes long is asked no more often than this (seconds), unless it says how often itself.
SLOW_EVERY = 900.0
#: A round may be early by this part of the time between two.
_SLACK = 0.25


class Checkup:
    """Rounds of checks.

    Args:
        checks: By name; each is made when it is asked.
        every: Seconds between two rounds.
        examiner: Asks them; knows which of them are stuck.
    """

    def __init__(self, checks: Mapping[str, Callable[[], Check]], examiner: Examiner, *, every: float) -> None:
        self._checks = checks
        self._every = every
        self._examiner = examiner

    def round(self, scene: Scene, book: HealthBook) -> list[Answer]:
        """Ask who is due, and write down what they say. What does not apply any more is forgotten.

        Raises:
            apsw.Error: It could not be written down.
        """
        now, before = scene.clock.now(), book.standings()
        due = [check for check in (make() for make in self._checks.values()) if self._is_due(check, before, now)]
        answers = self._examiner.examine(due, scene)
        said = {answer.check.id for answer in answers if answer.findings}
        silent = {answer.check.id for answer in answers} - said
        gone = [name for name in before if name in silent or name not in self._checks]
        book.note([self._standing(one, before, now) for one in answers if one.findings], gone=gone, now=now)
        return answers

    def _is_due(self, check: Check, before: Mapping[str, Standing], now: float) -> bool:
        return is_due(before.get(check.id), now=now, every=self._period(check), slack=self._every * _SLACK)

    def _period(self, check: Check) -> float:
        usual = SLOW_EVERY if check.cost is Cost.SLOW else 0.0
        return max(self._every, usual if check.every is None else check.every)

    def _standing(self, answer: Answer, before: Mapping[str, Standing], now: float) -> Standing:
        check = answer.check
        return standing_of(
            answer.findings,
            before.get(check.id),
            now=now,
            every=self._period(check),
            more_is_better=check.more_is_better,
        )
