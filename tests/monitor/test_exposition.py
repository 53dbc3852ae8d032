"""What Prometheus reads: whole, in its format, and by its rules for names, units and help."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from overnight.core.findings import Status
from overnight.core.gauges import NAMES
from overnight.core.lanes import switch_of
from overnight.core.monitor.memory import memory_bound
from overnight.core.tallies import BUCKETS
from overnight.monitor.exposition import Exposition, exposition
from overnight.monitor.history.totals import Total
from overnight.monitor.snapshot import EngineState, EngineView, Snapshot, SupervisorView
from overnight.store.contract import Counts, Queue
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0
#: What promtool takes for units that are no base units, and for abbreviations of some (promlint of client_golang).
NO_UNITS = re.compile(
    r"(milli|micro|nano|kilo|mega|giga)?(minutes?|hours?|days?|weeks?|milliseconds?|microseconds?|nanoseconds?)"
    r"|ms|us|ns|sec|s|min|h|kb|mb|gb|kib|mib|kilobytes?|megabytes?|gigabytes?|bits?|percent"
)


@pytest.fixture
def whole() -> Exposition:
    """Everything that there can be, with names that try to break out of a label."""
    engine = EngineView(
        EngineState.RUNNING,
        pid=4711,
        slots=4,
        active=2,
        supervisor=SupervisorView(1, True, False, 3, "", None),  # noqa: FBT003 - in the order of their names
    )
    counts = Counts(pending=3, running=2)
    odd = 'a"} 1\nup 0\\'
    return Exposition(
        Snapshot(NOON, engine, counts, [], 1.0, 3.0),
        queues={"default": counts, odd: Counts()},
        oldest={"default": 5.0},
        totals=[Total(odd, "flow", "completed", 3, 6.0, (0, 1, 2, *[0] * (len(BUCKETS) - 2)))],
        machine=dict.fromkeys(NAMES, 0.5),
        checkpoint_age=7.0,
        checks={"disk": Status.OK, odd: Status.FAIL},
    )


def lint(families: Iterable[Metric]) -> list[str]:
    """What promtool complains of."""
    found = []
    for family in families:
        name, words = family.name, family.name.split("_")
        if not family.documentation:
            found.append(f"{name}: no help text")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            found.append(f"{name}: no snake_case")
        if set(words) & {"gauge", "counter", "histogram", "summary"}:
            found.append(f"{name}: a type in the name")
        if any(NO_UNITS.fullmatch(word) for word in words):
            found.append(f"{name}: no base unit")
        if family.type == "gauge" and words[-1] in ("total", "count", "sum", "bucket"):
            found.append(f"{name}: a suffix that is not a gauge's")
        if family.type == "counter" and not all(one.name.endswith("_total") for one in family.samples):
            found.append(f"{name}: a counter without _total")
    return found


def test_names_units_and_help_are_as_prometheus_wants_them(whole: Exposition) -> None:
    families = list(text_string_to_metric_families(whole.text().decode()))
    assert lint(families) == []
    assert all(family.name.startswith("overnight_") for family in families)


def test_the_rules_find_what_is_against_them() -> None:
    """The control."""
    bad = [
        GaugeMetricFamily("a_total", "x", value=1),
        GaugeMetricFamily("b_milliseconds", "x", value=1),
        GaugeMetricFamily("c_gauge", "", value=1),
        GaugeMetricFamily("dE", "x", value=1),
    ]
    assert len(lint(bad)) == 5
    assert lint([CounterMetricFamily("fine", "x", value=1)]) == []


def test_it_is_whole_in_both_formats(whole: Exposition) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(whole)
    plain = {family.name: family for family in text_string_to_metric_families(whole.text().decode())}
    text = openmetrics(registry).decode()  # type: ignore[no-untyped-call]  # the library is not typed here
    newer = {family.name for family in openmetrics_families(text)}  # type: ignore[no-untyped-call]  # nor here
    assert {name.removesuffix("_total") for name in plain} == newer
    assert {sample.labels["queue"] for sample in plain["overnight_tasks"].samples} == {"default", 'a"} 1\nup 0\\'}
    duration = {sample.name: sample.value for sample in plain["overnight_attempt_duration_seconds"].samples}
    assert duration["overnight_attempt_duration_seconds_count"] == 3
    assert duration["overnight_attempt_duration_seconds_sum"] == 6.0


def test_what_is_told_of_the_engine(whole: Exposition) -> None:
    found = {
        sample.name: sample.value
        for family in text_string_to_metric_families(whole.text().decode())
        for sample in family.samples
        if not sample.labels
    }
    assert found["overnight_engine_up"] == 1
    assert found["overnight_engine_restarts_total"] == 3
    assert found["overnight_engine_memory_bytes"] == 0.5
    assert found["overnight_engine_memory_bound_bytes"] == memory_bound(5)
    assert found["overnight_checkpoint_age_seconds"] == 7


def test_checks_are_told_as_they_stand(whole: Exposition) -> None:
    plain = {family.name: family for family in text_string_to_metric_families(whole.text().decode())}
    told = {sample.labels["check"]: sample.value for sample in plain["overnight_check_status"].samples}
    assert told == {"disk": 0, 'a"} 1\nup 0\\': 2}


def test_no_label_grows_with_the_work(whole: Exposition) -> None:
    """Labels are names that a person has given, or come from lists of ours; never an id or a path."""
    names = {
        label
        for family in text_string_to_metric_families(whole.text().decode())
        for sample in family.samples
        for label in sample.labels
    }
    assert names == {"queue", "state", "workflow", "outcome", "le", "version", "check"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_promtool_is_content(whole: Exposition, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["promtool", "check", "metrics"], input=whole.text(), capture_output=True, check=False, cwd=tmp_path
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_what_is_said_of_a_workflow_is_no_queue(tmp_path: Path) -> None:
    """A workflow that is paused has settings under a name of its own among those of queues."""
    with closing(SqliteStore.open(tmp_path / "queue.db", create=True)) as store:
        for name in ("", "uploads", switch_of("ingest")):
            store.set_queue(Queue(name, paused=True), now=NOON, by="me")
        picture = Snapshot(NOON, EngineView(EngineState.STOPPED), Counts(), [], None, None)
        text = exposition(store, tmp_path, picture, totals=[], machine={}).text().decode()
    assert set(re.findall(r'queue="([^"]*)"', text)) == {"uploads"}
