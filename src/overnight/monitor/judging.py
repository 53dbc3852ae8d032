"""Alerts, judged by who watches: what happened and what is beyond its bound becomes messages, and these become tasks.

Each round takes in a portion of the journal and a picture of now, asks `core.alerts` what that makes of each alert, and
writes all of it in one transaction: where the alerts stand, what waits for company, the messages, and how far the
journal was read. Only then is a message put into the queue, and its task number noted. Whoever is killed
between two of these steps leaves behind what the next one needs: a portion that was not written is read again, and
a message without a task gets one, which the queue refuses if it is there already.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from overnight.core import alerts
from overnight.core.alert_conditions import TRIGGERS, shown
from overnight.core.alert_messages import Message, Outgoing, due, gathered
from overnight.core.alert_settings import Rule, Target
from overnight.core.alerts import Alert, Notice, Phase
from overnight.core.events import printable
from overnight.core.findings import Status
from overnight.core.gauges import Figures
from overnight.core.health import Standing
from overnight.host.clock import Clock
from overnight.monitor.figures import Worked, goes_on, said_of
from overnight.monitor.health import Standings
from overnight.monitor.history.alerting import Book
from overnight.monitor.history.keeping import History
from overnight.monitor.occurrences import Occurrence, Occurrences
from overnight.monitor.snapshot import Snapshot
from overnight.monitor.tail import JournalTail
from overnight.store.contract import Store

#: Events that may be read a second time after a crash, because none of them was asked for.
UNWRITTEN = 10_000


class Wanted(NamedTuple):
    """What people want to be told of, and whom it reaches."""

    rules: Mapping[str, Rule]
    targets: Mapping[str, Target]
    #: When they said so, POSIX seconds: of what was before that they are not told.
    since: float = 0.0


#: Puts messages into the queue; the number of the task of each, by its key.
HandOn = Callable[[list[Message]], Mapping[str, int]]


class Judge:
    """Judges alerts. Remembers nothing but what it has read: the truth is in the history.

    Args:
        home: The directory of the home.
        store: To look at.
        look: Takes a picture.
        wanted: What is to be told now; asked in each round.
        hand_on: Puts messages into the queue.
        clock: Wall clock for the records.
    """

    def __init__(
        self,
        home: Path,
        store: Store,
        *,
        look: Callable[[], Snapshot],
        wanted: Callable[[], Wanted],
        hand_on: HandOn,
        clock: Clock,
    ) -> None:
        self._home = home
        self._store = store
        self._look = look
        self._wanted = wanted
        self._hand_on = hand_on
        self._clock = clock
        self._worked = Worked(home, store, clock)
        self._standings = Standings(home / "health.db")
        self._heard: Occurrences | None = None
        self._asked: frozenset[str] = frozenset()
        #: The last event that is on record as read.
        self._written: int | None = None
        #: There are no alerts, and that is on record.
        self._is_off = False

    def round(self, history: History, measured: Figures, *, last: bool = False) -> bool:
        """Judge once; whether there is more of the journal to be read at once.

        Args:
            history: Where it is written.
            measured: Figures of the machine and the work, by the names of `core.gauges`.
            last: Nobody will be here later to wait for company.

        Raises:
            Exception: Something was not written or handed on; the next round does it.
        """
        wanted = self._wanted()
        if not wanted.rules:
            self._forget(history)
            return False
        book, self._is_off = history.alerting.read(), False
        try:
            more = self._judge(wanted, book, history, measured, last=last)
        except BaseException:
            self._heard = None  # once more, from what was written on
            raise
        self._send(history)
        return more

    def _forget(self, history: History) -> None:
        """There are no alerts: what happens from here on is not to be told when some are set up again."""
        if self._is_off:
            return
        book, self._heard = history.alerting.read(), None
        if book.seq is not None:
            history.alerting.write(Book({}, book.outgoing, None, book.began), [], now=self._clock.now())
        self._is_off = True

    def _judge(self, wanted: Wanted, book: Book, history: History, measured: Figures, *, last: bool) -> bool:
        heard, since = self._listen(wanted, book)
        news = heard.news(since=since, now=self._clock.now())
        # After the journal: what it told of has come into the picture.
        picture = self._look()
        now = picture.at
        silenced = history.alerting.silences(now=now).keys()
        round_ = _Round(wanted, book, now)
        for name, rule in wanted.rules.items():
            is_silenced = name in silenced
            for trigger in rule.on:
                if TRIGGERS[trigger].check is not None:
                    round_.examined(rule, trigger, self._standings.look(), is_silenced=is_silenced)
                    continue
                told = [one for one in news.occurrences if one.trigger == trigger]
                round_.happened(_key(rule, trigger), rule, trigger, told, picture, is_silenced=is_silenced)
            if rule.when is not None:
                value = self._worked.figure(rule.when.figure, picture=picture, measured=measured, history=history)
                round_.compared(name, rule, value, is_silenced=is_silenced)
        found, messages = round_.ended(_whose(self._home), seq=heard.seq, hurry=last and not news.more)
        if self._is_worth_writing(found, book, last=last):
            history.alerting.write(found, messages, now=now)
            self._written = found.seq
        return news.more

    def _is_worth_writing(self, found: Book, book: Book, *, last: bool) -> bool:
        """Events that nobody asks for are only read again when we die; not each round is worth a sync."""
        read = (found.seq or 0) - (book.seq or 0)
        is_new = book.seq is None or msgspec.structs.replace(found, seq=book.seq) != book
        return is_new or read >= UNWRITTEN or (last and read > 0)

    def _listen(self, wanted: Wanted, book: Book) -> tuple[Occurrences, float]:
        """Who follows the journal, and since when (POSIX seconds) what happened is to be told."""
        asked = frozenset(trigger for rule in wanted.rules.values() for trigger in rule.on)
        if self._heard is None or asked != self._asked or book.seq != self._written:
            # What was read so far is judged: whoever asks for more now does not ask for that.
            after = self._heard.seq if self._heard is not None and book.seq == self._written else book.seq or 0
            self._written = book.seq
            tail = JournalTail(self._home / "events.jsonl", after=after)
            self._heard, self._asked = Occurrences(tail, asked, self._store), asked
        if book.seq is not None:
            return self._heard, 0.0
        return self._heard, wanted.since  # alerts are new here

    def _send(self, history: History) -> None:
        if unsent := history.alerting.unsent():
            history.alerting.handed_on(self._hand_on(unsent))


class _Round:
    """What one round makes of all alerts."""

    def __init__(self, wanted: Wanted, book: Book, now: float) -> None:
        self._wanted = wanted
        self._book = book
        self._now = now
        self._began = int(now) if book.began is None else book.began
        self._alerts: dict[str, Alert] = {}
        #: Of targets that are named no more it is kept how many messages they had: no key is given twice.
        gone = {name: one for name, one in book.outgoing.items() if name not in wanted.targets}
        self._outgoing = {name: msgspec.structs.replace(one, waiting=(), since=0.0) for name, one in gone.items()}
        self._outgoing |= {name: book.outgoing.get(name, Outgoing()) for name in wanted.targets}

    def happened(
        self, key: str, rule: Rule, trigger: str, told: list[Occurrence], picture: Snapshot, *, is_silenced: bool
    ) -> None:
        """What happened of one trigger."""
        alert = self._alert(key)
        if not TRIGGERS[trigger].lasts:
            if told:
                words = _and_more(told[-1].words, len(told)) if trigger != "run_finished" else _night(told[-1], picture)
                step = alerts.happened(key, alert, times=len(told), words=words, now=self._now, is_silenced=is_silenced)
                self._take(key, rule, step)
            return
        for one in told:
            self._saw(key, rule, holds=one.begins, words=one.words, is_silenced=is_silenced)
        alert = self._alert(key)
        holds = goes_on(trigger, picture)
        if holds is None and not told:
            holds = alert.phase in (Phase.PENDING, Phase.FIRING)
        if holds is not None:
            is_news = holds and TRIGGERS[trigger].is_seen and not told and not self._alert(key).is_active
            words = said_of(trigger, picture) if is_news else ""
            self._saw(key, rule, holds=holds, words=words, is_silenced=is_silenced)

    def examined(self, rule: Rule, trigger: str, standings: Mapping[str, Standing], *, is_silenced: bool) -> None:
        """How the checks stand: an alert for each. One that is there no more is over."""
        above, least = _key(rule, trigger), TRIGGERS[trigger].check
        for name, one in standings.items():
            holds = one.status is Status.FAIL if least is Status.FAIL else one.status is not Status.OK
            known = holds if one.is_known(self._now) else None
            self._saw(f"{above}.{name}", rule, holds=known, words=f"{name}: {one.summary}", is_silenced=is_silenced)
        for key in [key for key in self._book.alerts if key.startswith(f"{above}.")]:
            if key not in self._alerts and self._book.alerts[key].phase is not Phase.INACTIVE:
                self._saw(key, rule, holds=False, words="", is_silenced=is_silenced)

    def compared(self, key: str, rule: Rule, value: float | None, *, is_silenced: bool) -> None:
        """A figure with its bound."""
        if rule.when is None:
            return
        alert, condition = self._alert(key), rule.when
        holds = None if value is None else condition.holds(value, is_active=alert.is_active)
        words = "" if value is None else f"{condition.figure} is {shown(condition.figure, value)} ({condition.text})"
        self._saw(key, rule, holds=holds, words=words, is_silenced=is_silenced)

    def ended(self, whose: str, *, seq: int, hurry: bool) -> tuple[Book, list[Message]]:
        """Everything as it is to be written, and the messages that go out."""
        messages = []
        for name, target in self._wanted.targets.items():
            found = due(
                self._outgoing[name],
                target.pace,
                target=name,
                prefix=f"{self._began:x}",
                whose=whose,
                now=self._now,
                hurry=hurry,
            )
            self._outgoing[name] = found.outgoing
            messages += [found.message] if found.message is not None else []
        outgoing = {name: one for name, one in self._outgoing.items() if one != Outgoing()}
        return Book(self._alerts, outgoing, seq, self._began), messages

    def _alert(self, key: str) -> Alert:
        return self._alerts.setdefault(key, self._book.alerts.get(key, Alert()))

    def _saw(self, key: str, rule: Rule, *, holds: bool | None, words: str, is_silenced: bool) -> None:
        self._take(
            key,
            rule,
            alerts.looked(
                key,
                self._alert(key),
                rule.policy,
                holds=holds,
                words=words,
                now=self._now,
                is_silenced=is_silenced,
            ),
        )

    def _take(self, key: str, rule: Rule, step: alerts.Step) -> None:
        before = self._alerts.get(key)
        # That it was looked at again is worth a write only now and then.
        if before is not None and _but_for_looks(before) == _but_for_looks(step.alert) and step.notice is None:
            is_fresh = step.alert.seen_at - before.seen_at < alerts.GAP / 5
            self._alerts[key] = before if is_fresh else step.alert
            return
        self._alerts[key] = step.alert
        if step.notice is not None:
            self._tell(step.notice, rule)

    def _tell(self, notice: Notice, rule: Rule) -> None:
        for name in rule.targets:
            if name in self._wanted.targets:
                self._outgoing[name] = gathered(self._outgoing[name], notice)


def _but_for_looks(alert: Alert) -> Alert:
    return msgspec.structs.replace(alert, seen_at=0.0, words="")


def _key(rule: Rule, trigger: str) -> str:
    """An alert about several things has a state for each of them."""
    return rule.name if len(rule.on) == 1 else f"{rule.name}.{trigger}"


def _whose(home: Path) -> str:
    return printable(os.fspath(home.parent))


def _and_more(words: str, times: int) -> str:
    return words if times == 1 else f"{words}, and {times - 1:,} more"


def _night(one: Occurrence, picture: Snapshot) -> str:
    """The morning in one line."""
    counts = picture.counts
    parts = [f"{counts.completed:,} completed", f"{counts.failed:,} failed", f"{counts.held:,} held"]
    return f"{one.words}: {', '.join([*parts, f'{counts.unfinished:,} left'])}"
