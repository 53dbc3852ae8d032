"""The picture and the totals as Prometheus reads them.

Names and units follow its conventions, and no label is an id or a path: there are only so many of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from overnight.core.findings import Status
from overnight.core.gauges import GAUGES, Figures
from overnight.core.lanes import is_own, is_queue
from overnight.core.monitor.memory import memory_bound
from overnight.core.states import TaskState
from overnight.core.tallies import BUCKETS
from overnight.core.version import VERSION
from overnight.monitor.figures import age
from overnight.monitor.health import Standings
from overnight.monitor.history.totals import Total
from overnight.monitor.snapshot import EngineState, Snapshot
from overnight.store.contract import Counts, Store

#: Of the machine: name in the history to the name here.
_MACHINE = {
    "cpu": "cpu_ratio",
    "memory_available": "memory_available_bytes",
    "disk_free": "disk_free_bytes",
    "load": "load1",
    "network_up": "network_up",
}
_HELP = {gauge.name: gauge.help for gauge in GAUGES}


class Exposition(Collector):
    """One picture, as metrics.

    Args:
        picture: How it goes.
        queues: Counts by queue.
        oldest: Seconds since the task that is next in line was added, by queue; without those in which none is.
        totals: Of attempts.
        machine: Figures of the machine, by the names of `core.gauges`.
        checkpoint_age: Seconds since the newest checkpoint; None without one.
        firing: Alerts that fire.
        checks: How each check stands, by its name.
    """

    def __init__(
        self,
        picture: Snapshot,
        *,
        queues: Mapping[str, Counts],
        oldest: Mapping[str, float],
        totals: Sequence[Total],
        machine: Figures,
        checkpoint_age: float | None = None,
        firing: int = 0,
        checks: Mapping[str, Status] | None = None,
    ) -> None:
        self._picture = picture
        self._queues = queues
        self._oldest = oldest
        self._totals = totals
        self._machine = machine
        self._checkpoint_age = checkpoint_age
        self._firing = firing
        self._checks = checks or {}

    def text(self) -> bytes:
        """As ``/metrics`` and a ``.prom`` file have it."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        yield _labelled("build_info", "Which version looks.", ("version",), [((VERSION,), 1.0)])
        yield self._tasks()
        waits = [((queue,), seconds) for queue, seconds in sorted(self._oldest.items())]
        yield _labelled("oldest_waiting_seconds", "Age of the task that is next in line.", ("queue",), waits)
        yield from self._attempts()
        yield from self._engine()
        yield from self._nodes()
        yield from self._of_machine()
        yield _plain("alerts_firing", "Alerts that fire.", self._firing)
        checks = [((name,), float(status)) for name, status in sorted(self._checks.items())]
        yield _labelled("check_status", "0 is well, 1 warns, 2 fails, 3 is not known.", ("check",), checks)
        if self._checkpoint_age is not None:
            yield _plain("checkpoint_age_seconds", "Age of the newest checkpoint.", self._checkpoint_age)

    def _tasks(self) -> Metric:
        values = [
            ((queue, state.value), float(getattr(counts, state)))
            for queue, counts in sorted(self._queues.items())
            for state in TaskState
        ]
        return _labelled("tasks", "Tasks in each state; steps of workflows are none.", ("queue", "state"), values)

    def _attempts(self) -> Iterator[Metric]:
        counter = CounterMetricFamily(
            "overnight_attempts", "Attempts that have ended.", labels=("queue", "workflow", "outcome")
        )
        histogram = HistogramMetricFamily(
            "overnight_attempt_duration_seconds", "How long they took.", labels=("queue", "workflow", "outcome")
        )
        ends = [*(str(end) for end in BUCKETS), "+Inf"]
        for total in self._totals:
            labels = (total.queue, total.workflow, total.outcome)
            counter.add_metric(labels, total.n)
            counted = [float(n) for n in accumulate(total.buckets)]
            histogram.add_metric(labels, buckets=list(zip(ends, counted, strict=True)), sum_value=total.seconds)
        yield counter
        yield histogram

    def _engine(self) -> Iterator[Metric]:
        engine = self._picture.engine
        up = engine.state not in (EngineState.STOPPED, EngineState.RESTARTING)
        yield _plain("engine_up", "1 while an engine holds the home.", float(up))
        yield _labelled(
            "engine_state",
            "1 for what the engine does.",
            ("state",),
            [((state.value,), float(state is engine.state)) for state in EngineState],
        )
        restarts = engine.supervisor.restarts if engine.supervisor else 0
        counter = CounterMetricFamily("overnight_engine_restarts", "Engines started again by this supervisor.")
        counter.add_metric((), restarts)
        yield counter
        if engine.slots is not None:
            yield _plain("slots", "Attempts that may run at the same time.", engine.slots)
        if engine.active is not None:
            yield _plain("workers_active", "Workers that have something to do.", engine.active)
        if engine.pid is not None and "engine_memory" in self._machine:
            yield _plain("engine_memory_bytes", _HELP["engine_memory"], self._machine["engine_memory"])
            bound = memory_bound(self._picture.counts.unfinished)
            yield _plain("engine_memory_bound_bytes", "What it may have with so many tasks to do.", bound)

    def _nodes(self) -> Iterator[Metric]:
        """Nothing where everything runs on one machine."""
        nodes = self._picture.nodes
        if nodes is None:
            return
        stands = [((name,), float(n)) for name, n in sorted(nodes.counts().items())]
        yield _labelled("nodes", "Machines on which attempts run, by how they stand.", ("state",), stands)
        yield _plain("node_slots", "Slots of the nodes that are given work.", nodes.slots)
        yield _plain("node_slots_busy", "Of these, how many have something to do.", nodes.busy)
        yield _plain("node_attempts_lost", "Attempts that this engine has lost with nodes.", nodes.lost)

    def _of_machine(self) -> Iterator[Metric]:
        for name, shown in _MACHINE.items():
            if name in self._machine:
                yield _plain(f"machine_{shown}", _HELP[name], self._machine[name])


def _plain(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"overnight_{name}", words, value=value)


def _labelled(name: str, words: str, labels: Sequence[str], values: Sequence[tuple[tuple[str, ...], float]]) -> Metric:
    family = GaugeMetricFamily(f"overnight_{name}", words, labels=labels)
    for one, value in values:
        family.add_metric(one, value)
    return family


def exposition(
    store: Store, home: Path, picture: Snapshot, *, totals: Sequence[Total], machine: Figures, firing: int = 0
) -> Exposition:
    """Everything that there is to tell about a home.

    Args:
        store: Its store.
        home: The directory of the home.
        picture: How it goes.
        totals: Of attempts.
        machine: Figures of the machine.
        firing: Alerts that fire.
    """
    names = {lane.queue for lane in store.orders().lanes if not is_own(lane.queue)} | {
        one.name for one in store.queues() if is_queue(one.name)
    }
    heads = {name: head for name in names if (head := store.next_up(name, now=picture.at)) is not None}
    return Exposition(
        picture,
        queues={name: store.counts(queue=name) for name in names},
        oldest={name: max(0.0, picture.at - head.added_at) for name, head in heads.items()},
        totals=totals,
        machine=machine,
        checkpoint_age=age(home / "checkpoints" / "latest" / "manifest.json", picture.at),
        firing=firing,
        checks={name: one.status for name, one in Standings(home / "health.db").look().items()},
    )
