"""The sidecar: looks at the store and the machine, and writes what it sees into files of its own.

It is beside the work, and the work does not know it: whatever happens to it or to its files costs
views and no task. Each duty fails by itself, is told once, and is tried again; so a full disk or a
deleted database heals as soon as there is room.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from overnight.core.gauges import IDLE_EVERY, Figures
from overnight.host.clock import Clock
from overnight.host.files import write_atomically
from overnight.monitor.deliveries import Deliveries
from overnight.monitor.endings import Endings
from overnight.monitor.history.keeping import History
from overnight.monitor.judging import Judge
from overnight.monitor.pinging import Pinger
from overnight.monitor.snapshot import EngineState, Snapshot
from overnight.monitor.status_file import describe, write
from overnight.monitor.tail import JournalTail
from overnight.monitor.telling import Telling
from overnight.store.contract import Store

#: Seconds between two samples: while something runs, and while nothing does.
BUSY, IDLE = 1.0, IDLE_EVERY
#: Seconds between two writings of the state while one thing happens after another: each costs some 2 ms.
SOON = 0.2
#: Seconds between two portions of the journal, and until a duty that failed is tried again.
READ_EVERY, AGAIN_AFTER = 1.0, 5.0
#: Of the time, so much is spent on the journal while something runs; the rest of it is read afterwards.
SHARE = 0.05
FORGET_EVERY = 600.0
#: Seconds between two looks at alerts: while something goes on, and while nothing does.
JUDGE_BUSY, JUDGE_IDLE = 1.0, 5.0
#: Seconds in which others have to take the last of what they are told; the next one tells it again.
_ARRIVAL = 0.4
#: Seconds by which the wall clock may stray meanwhile.
_JUMP = 60.0
#: Seconds between two texts for Prometheus.
EXPOSE_EVERY = 15.0
_MOVING = frozenset({EngineState.STARTING, EngineState.STOPPING, EngineState.RESTARTING})


class Gauges(Protocol):
    """What is measured of the machine."""

    def look(self) -> Mapping[str, float]:
        """By the names of `core.gauges`."""

    def resident(self, pid: int) -> float | None:
        """Resident memory of a process, bytes; None when it has gone."""


class Duty:
    """Something that is done again and again, and may fail.

    Args:
        name: What it is, for the one who reads that it fails.
        act: Does it.
        clock: Monotonic.
        told: Is told once that it fails, and once that it works again.
    """

    def __init__(self, name: str, act: Callable[[], None], clock: Clock, told: Callable[[str], None]) -> None:
        self._name = name
        self._act = act
        self._clock = clock
        self._told = told
        self._done_at = -math.inf
        self._trouble = ""

    def do(self, every: float) -> bool:
        """Do it if that is so many seconds ago; one that failed is not tried again so soon.

        Returns:
            Whether there is no trouble with it.
        """
        moment = self._clock.monotonic()
        wait = AGAIN_AFTER if self._trouble else every
        if moment - self._done_at >= wait:
            self._done_at = moment
            self._note(self._try())
        return not self._trouble

    def put_off(self) -> None:
        """It is not to be done before its time has passed once."""
        self._done_at = self._clock.monotonic()

    def hurry(self) -> None:
        """It is to be done at the next occasion, whatever came of it before."""
        self._done_at = -math.inf

    def _try(self) -> str:
        try:
            self._act()
        except Exception as error:  # noqa: BLE001 - whatever it is, a duty fails by itself
            return str(error) or type(error).__name__
        return ""

    def _note(self, trouble: str) -> None:
        if bool(trouble) != bool(self._trouble):
            self._told(f"{self._name}: {trouble}; the work goes on" if trouble else f"{self._name} is written again")
        self._trouble = trouble


class Sidecar:
    """Does everything that is due, one round after the other.

    Args:
        home: Whose: ``monitor.json`` and ``history.db`` are written there.
        store: To look at.
        look: Takes a picture.
        gauges: Of the machine.
        clock: Wall clock for the records, monotonic for the pace.
        told: What people should know, for the log.
        judge: Who judges alerts; None for nobody.
        pinger: Who gives signs of life, and how often (seconds); None for nobody.
        tellings: Others who are told what happens.
    """

    def __init__(
        self,
        home: Path,
        store: Store,
        *,
        look: Callable[[], Snapshot],
        gauges: Gauges,
        clock: Clock,
        told: Callable[[str], None],
        judge: Judge | None = None,
        pinger: tuple[Pinger, float] | None = None,
        tellings: Sequence[Telling] = (),
    ) -> None:
        self._home = home
        self._store = store
        self._look = look
        self._gauges = gauges
        self._clock = clock
        self._told = told
        self._history: History | None = None
        self._endings: Endings | None = None
        self._machine: Figures = {}
        self._mean: float | None = None
        self._picture: Snapshot | None = None
        self._token: int | None = None
        self._has_changed = True
        #: Seconds until the next portion of the journal; whether the last one was all that there was.
        self._read_again, self._is_up_to_date = READ_EVERY, True
        #: Seconds to wait for what others are being told.
        self._arrival = 0.0
        self._wall, self._steady = clock.now(), clock.monotonic()
        self._sure_since = self._steady
        self._change = Duty("queue.db", self._look_for_change, clock, told)
        self._status = Duty("monitor.json", self._write_status, clock, told)
        self._sample = Duty("history.db (samples)", self._take_sample, clock, told)
        self._tally = Duty("history.db (attempts)", self._read_journal, clock, told)
        self._judge = judge
        self._deliveries = Deliveries(store, told)
        #: Whether there is more of the journal to judge, and whether this is the end.
        self._is_judged_at_once = self._is_last = False
        self._alerts = Duty("history.db (alerts)", self._judge_alerts, clock, told)
        self._pinger = pinger[0] if pinger else None
        self._ping_every = pinger[1] if pinger else 0.0
        self._ping = Duty("ping", self._give_a_sign, clock, told)
        self._is_exposed = False
        self._expose = Duty("metrics.prom", self._write_metrics, clock, told)
        self._tellings = [(Duty(one.name, partial(self._tell, one), clock, told), one) for one in tellings]
        self._forget = Duty("history.db (what is old)", self._let_go, clock, told)
        self._expose.put_off()  # its library takes a while to come
        self._forget.put_off()

    def round(self) -> None:
        """Everything that is due. Costs next to nothing while nothing has changed."""
        pace = BUSY if self._is_busy else IDLE
        self._change.do(0.0)
        changed = self._has_changed
        self._status.do(SOON if changed else pace)
        self._sample.do(pace)
        for duty, telling in self._tellings:  # before what counts on: a new one begins where the history stands
            duty.do(0.0 if telling.has_more and not self._is_busy else READ_EVERY)
        self._tally.do(self._read_again)
        if self._judge is not None:
            hurries = self._is_judged_at_once or self._is_busy or changed
            self._alerts.do(JUDGE_BUSY if hurries else JUDGE_IDLE)
        if self._pinger is not None:
            self._ping.do(self._ping_every)
        self._expose.do(EXPOSE_EVERY)
        self._forget.do(FORGET_EVERY)

    def finish(self) -> bool:
        """The last state; whether it was written. What somebody waits for comes first, and is not much."""
        self._status.hurry()
        self._status.do(IDLE)
        if self._is_up_to_date:  # else the next one goes on where this one has stopped
            self._tally.hurry()
            self._tally.do(IDLE)
            self._status.hurry()
        if self._judge is not None:
            self._is_last = True
            self._alerts.hurry()
            self._alerts.do(JUDGE_IDLE)
        if self._is_exposed:
            self._expose.hurry()
            self._expose.do(IDLE)
        written = self._status.do(IDLE)
        self._arrival = _ARRIVAL
        for duty, _ in self._tellings * 2:  # what is on its way, and what is left
            duty.do(0.0)
        if self._history is not None:
            Duty("closing the history", self._history.close, self._clock, self._told).do(0.0)
        return written

    @property
    def _is_busy(self) -> bool:
        picture = self._picture
        return picture is not None and (picture.counts.running > 0 or picture.engine.state in _MOVING)

    def _look_for_change(self) -> None:
        token, before = self._store.change_token(), self._token
        self._token, self._has_changed = token, self._has_changed or token != before

    def _write_status(self) -> None:
        self._has_changed = False  # what changes from now on may be in the picture or not
        self._picture = self._look()
        write(self._home / "monitor.json", describe(self._picture, self._machine, self._mean))

    def _take_sample(self) -> None:
        picture = self._picture or self._look()
        self._machine = {**self._gauges.look(), **self._memory(picture)}
        self._kept().sample({**self._machine, **_of(picture)}, now=self._clock.now())

    def _memory(self, picture: Snapshot) -> dict[str, float]:
        """Of the engine, and of this process."""
        pids = {"engine_memory": picture.engine.pid, "monitor_memory": os.getpid()}
        told = {name: None if pid is None else self._gauges.resident(pid) for name, pid in pids.items()}
        return {name: size for name, size in told.items() if size is not None}

    def _read_journal(self) -> None:
        history = self._kept()
        if self._endings is None:
            self._endings = Endings(JournalTail(self._home / "events.jsonl", after=history.journal_seq), self._store)
            self._note_mean(history)
        before = self._endings.seq
        began = self._clock.monotonic()
        try:
            news = self._endings.news()
            if self._endings.seq != before:
                history.tally(news.endings, seq=self._endings.seq)
                self._note_mean(history)
        except BaseException:
            self._endings = None  # once more, from what was written on
            raise
        self._is_up_to_date = not news.more
        took = self._clock.monotonic() - began
        self._read_again = max(READ_EVERY, took / SHARE) if self._is_busy or not news.more else 0.0

    def _tell(self, telling: Telling) -> None:
        telling.go_on(self._kept(), wait=self._arrival)

    def _note_mean(self, history: History) -> None:
        """For ``monitor.json``, which so needs nothing of a history that may be damaged."""
        mean = history.mean_seconds()
        self._mean = None if mean is None else round(mean, 6)

    def _judge_alerts(self) -> None:
        """One portion; at the end all that there is, and without waiting for company."""
        history, judge = self._kept(), self._judge
        if judge is None:
            return
        measured = {**self._machine, **(_of(self._picture) if self._picture else {})}
        self._is_judged_at_once = judge.round(history, measured, last=self._is_last)
        while self._is_last and self._is_judged_at_once:
            self._is_judged_at_once = judge.round(history, measured, last=True)
        self._deliveries.look(history, now=self._clock.now())

    def _give_a_sign(self) -> None:
        if self._pinger is not None:
            self._pinger.ping(self._look())

    def _write_metrics(self) -> None:
        from overnight.monitor.exposition import exposition  # 60 ms: nothing for a run that is over soon

        history, picture = self._kept(), self._picture or self._look()
        told = exposition(
            self._store,
            self._home,
            picture,
            totals=history.totals(),
            machine=self._machine,
            firing=sum(one.is_active for one in history.alerting.read().alerts.values()),
        )
        write_atomically(self._home / "metrics.prom", told.text(), durable=False)
        self._is_exposed = True

    def _let_go(self) -> None:
        """Forget what is old, by a clock that has not jumped for as long as we wait in between."""
        wall, steady = self._clock.now(), self._clock.monotonic()
        if abs((wall - self._wall) - (steady - self._steady)) > _JUMP:
            self._sure_since = steady
        self._wall, self._steady = wall, steady
        history = self._kept()
        history.catch_up(now=wall)
        if steady - self._sure_since >= FORGET_EVERY:
            history.forget(now=wall)

    def _kept(self) -> History:
        """The history, opened when it is not, and begun anew when it is gone or damaged."""
        if self._history is not None and self._history.is_lost():
            self._history.close()
            self._history = self._endings = None
            self._told("history.db is gone or damaged; another one is begun, and the work goes on")
        if self._history is None:
            self._history = History(self._home / "history.db")
            if self._history.is_anew:
                self._told("history.db was damaged and lies aside; another one is begun, and the work goes on")
            self._history.catch_up(now=self._clock.now())
        return self._history


def _of(picture: Snapshot) -> dict[str, float]:
    """What a picture says, by the names of `core.gauges`."""
    counts, engine = picture.counts, picture.engine
    told = {name: getattr(counts, name) for name in ("waiting", "pending", "running", "completed", "failed", "held")}
    more = {"slots": engine.slots, "active": engine.active, "rate": picture.rate_per_second}
    return {name: float(value) for name, value in (told | more).items() if value is not None}
