"""Figures that alerts compare with their bounds, and what goes on now: each worked out when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from overnight.core.alert_conditions import FIGURES
from overnight.core.durations import format_size
from overnight.core.gauges import NAMES, Figures
from overnight.core.lanes import is_own
from overnight.core.scores import WINDOW, scores
from overnight.host.clock import Clock
from overnight.monitor.history.keeping import History
from overnight.monitor.snapshot import EngineState, Snapshot
from overnight.store.contract import Store

#: Seconds that are looked at for the error rate and for the throughput, and how far back its own history goes.
RECENT, LATELY = 600, 7 * 86400
#: Attempts from which on a share of them says something, and minutes with work from which on there is a history.
ENOUGH, MINUTES = 10, 30
#: Seconds for which a figure that takes some work stands.
STANDS = 15.0


class Worked:
    """Knows every figure.

    Args:
        home: The directory of the home.
        store: Its store.
        clock: Monotonic, for how long a figure stands.
    """

    def __init__(self, home: Path, store: Store, clock: Clock) -> None:
        self._home = home
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[float, float | None]] = {}

    def figure(self, name: str, *, picture: Snapshot, measured: Figures, history: History) -> float | None:
        """A figure by its name; None when there is nothing to say.

        Args:
            name: One of `core.alert_conditions.FIGURES`.
            picture: How it goes.
            measured: By the names of `core.gauges`.
            history: What was.
        """
        if name in NAMES:
            return measured.get(name)
        moment = self._clock.monotonic()
        at, value = self._known.get(name, (-STANDS, None))
        if moment - at >= STANDS:
            value = _WORKED[name](self, picture, history)
            self._known[name] = (moment, value)
        return value

    def error_rate(self, picture: Snapshot, history: History) -> float | None:
        """Of the attempts that ended lately."""
        ended = history.ended(since=picture.at - RECENT, until=picture.at)
        failed = sum(n for outcome, n in ended.items() if outcome == "failed")
        counted = failed + ended.get("completed", 0)
        return failed / counted if counted >= ENOUGH else 0.0

    def queue_age(self, picture: Snapshot, _history: History) -> float | None:
        """Of the task that is next in line; 0 when none is."""
        names = {lane.queue for lane in self._store.orders().lanes if not is_own(lane.queue)}
        heads = [self._store.next_up(name, now=picture.at) for name in names]
        return max((max(0.0, picture.at - head.added_at) for head in heads if head is not None), default=0.0)

    def checkpoint_age(self, picture: Snapshot, _history: History) -> float | None:
        """Of the newest one; None without one."""
        return age(self._home / "checkpoints" / "latest" / "manifest.json", picture.at)

    def autonomy(self, _picture: Snapshot, _history: History) -> float | None:
        """See `core.scores`."""
        return scores(self._store.scored(WINDOW)).autonomy.value

    def throughput(self, picture: Snapshot, history: History) -> float | None:
        """As a share of what is usual while there is work; 1 when there is nothing to do or no history."""
        begun = picture.engine.started_at
        if not picture.counts.running or begun is None or picture.at - begun < RECENT:
            return 1.0
        usual = history.completed_a_minute(since=picture.at - LATELY, until=picture.at - RECENT)
        if len(usual) < MINUTES:
            return 1.0
        done = history.ended(since=picture.at - RECENT, until=picture.at).get("completed", 0)
        return done / (RECENT / 60) / sorted(usual)[len(usual) // 2]


_WORKED: Mapping[str, Callable[[Worked, Snapshot, History], float | None]] = {
    "error_rate": Worked.error_rate,
    "queue_age": Worked.queue_age,
    "checkpoint_age": Worked.checkpoint_age,
    "autonomy": Worked.autonomy,
    "throughput": Worked.throughput,
}
#: Those that can be had: all, or a figure that somebody compares would have no value.
KNOWN = frozenset({*NAMES, *_WORKED}) & FIGURES.keys()


def age(path: Path, now: float) -> float | None:
    """Seconds since a file was written; None when there is none."""
    try:
        return max(0.0, now - path.stat().st_mtime)
    except OSError:
        return None


def goes_on(trigger: str, picture: Snapshot) -> bool | None:
    """Whether what a trigger is about goes on; None when the picture does not say."""
    engine = picture.engine
    if trigger == "task_held":
        return picture.counts.held > 0
    if trigger == "storm_brake":
        return bool(picture.storms)
    if trigger == "gate_closed":
        return None if engine.state in (EngineState.STOPPED, EngineState.RESTARTING) else bool(engine.gates)
    if trigger == "crash_budget":
        if engine.state is EngineState.STOPPED and engine.supervisor is None:
            return None  # nobody has watched, or a person has ended it
        return engine.supervisor is not None and engine.supervisor.gave_up
    return None


def said_of(trigger: str, picture: Snapshot) -> str:
    """What goes on, for people, where no event has said it."""
    if trigger == "task_held":
        return f"{picture.counts.held:,} held"
    if trigger == "storm_brake":
        return "; ".join(f"{one.failures} tasks in a row failed alike: {one.error}" for one in picture.storms)
    if trigger == "gate_closed":
        gates = picture.engine.gates
        return "; ".join(f"{one.gate}: {format_size(one.available_bytes)} are there" for one in gates)
    return picture.engine.why
