"""A pause lets nothing more start and changes nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from overnight.core.configuration import Configuration, QueueLimits
from overnight.core.storms import Storm, Subject
from overnight.host.clock import SystemClock
from overnight.store.contract import Queue
from overnight.store.sqlite import SqliteStore
from overnight.wiring.queues import lay_down

Call = Callable[..., Any]


def test_a_pause_of_everything_is_said_and_ended(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert overnight("pause").out == "every queue: paused; what runs may finish\n"
    assert overnight("pause", "default", "--until", "2100-01-01 00:00").out.startswith("queue default: paused until 2")
    assert overnight("unpause").lines == ["every queue: goes on", "queue default: goes on"]
    said = overnight("unpause")
    assert (said.status, said.out, "nothing there was paused" in said.err) == (0, "", True)


def test_a_queue_that_goes_on_while_every_queue_is_paused_is_told(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    overnight("pause")
    overnight("pause", "default")
    for said in (overnight("unpause", "default"), overnight("unpause", "default")):
        assert said.status == 0
        assert "every queue is paused, so nothing starts\n  try: 'overnight unpause'" in said.err
    assert "every queue is paused" not in overnight("unpause").err


def test_a_pause_keeps_the_limits_of_its_queue_and_limits_keep_the_pause(overnight: Call) -> None:
    overnight("queue", "set", "net", "--slots", "2")
    overnight("pause", "net")
    overnight("queue", "set", "net", "--rate", "5/s")
    [shape] = [one for one in map(_object, overnight("queue", "names", "--json").lines) if one["name"] == "net"]
    assert (shape["slots"], shape["rate"], shape["paused"]) == (2, 5.0, True)


def test_the_switch_of_all_queues_is_no_queue(overnight: Call) -> None:
    overnight("add", "--", "true")
    overnight("pause")
    assert [line.split()[0] for line in overnight("queue", "names").lines] == ["default"]


def test_a_queue_that_is_not_there_cannot_be_paused(overnight: Call) -> None:
    overnight("add", "--", "true")
    said = overnight("pause", "nowhere")
    assert (said.status, said.out) == (4, "")
    assert "nothing was changed" in said.err


def test_the_limits_of_a_configuration_do_not_end_a_pause(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "queue.db", create=True, migrate=True)
    now = SystemClock().now()
    store.set_queue(Queue("net", slots=1, paused=True), now=now, by="me")
    configured = Configuration(
        queues={"net": QueueLimits(slots=3), "gpu": QueueLimits(rate=1.0)},
        workflow_limits={"flow": QueueLimits(slots=2)},
    )
    lay_down(store, configured, now=now, by="overnight.toml")
    assert store.queues() == [
        Queue("gpu", rate=1.0),
        Queue("net", slots=3, paused=True),
        Queue("workflow flow", slots=2),
    ]
    store.close()


def test_what_is_paused_does_not_run_and_goes_on_when_it_may(overnight: Call) -> None:
    overnight("add", "-q", "net", "--", "true")
    overnight("add", "--", "true")
    overnight("pause", "net", "--until", "2100-01-01 00:00")
    assert overnight("list", "--state", "completed").out == ""
    said = overnight("run", "--quiet", "--", "true", ":::", "x")
    assert (said.status, "queue net is paused, and nothing of it starts" in said.err) == (0, True)
    assert overnight("status", "--json").json["counts"]["pending"] >= 1
    overnight("unpause", "net")
    assert overnight("run", "--quiet").status == 0
    assert overnight("status", "--json").json["counts"]["completed"] == 3


def test_a_pause_is_told_where_no_engine_runs(overnight: Call) -> None:
    overnight("add", "--", "true")
    overnight("add", "-q", "net", "--", "true")
    overnight("pause", "net")
    assert overnight("status", "--json").json["paused"] is None, "the other one can be worked on"
    overnight("pause", "default", "--until", "2100-01-01 00:00")
    said = overnight("status").out
    assert "no engine runs, and queue default until 2100-01-01T00:00:00.000Z and queue net is paused; 2 of 2" in said
    assert said.index("'overnight unpause' lets tasks start again") < said.index(
        "'overnight run' works on what is left"
    )
    overnight("pause")
    assert overnight("status", "--json").json["paused"] == "every queue"
    overnight("unpause")
    assert "paused" not in overnight("status").out


def test_a_workflow_gets_limits_of_its_own(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(FLOW)
    overnight("add", "-w", "flow", "a")
    said = overnight("queue", "set", "-w", "flow", "--slots", "2", "--rate", "30/m")
    assert said.out == "workflow flow: 2 slots, 0.5 starts a second\n"
    assert [" ".join(line.split()) for line in overnight("queue", "names").lines][1:] == [
        "workflow flow 0 running 1 to do 0 done 2 slots, 0.5 starts a second"
    ]
    shown = [_object(line) for line in overnight("queue", "names", "--json").lines]
    assert [(one["workflow"], one["slots"], one["counts"]["pending"]) for one in shown] == [
        (None, None, 1), ("flow", 2, 1)
    ]  # fmt: skip
    assert "2 slots, 0.5 starts" in overnight("status", "--detailed").out
    assert overnight("queue", "set", "-w", "flow", "--slots", "none", "--rate", "none").out.endswith("no limits\n")


def test_limits_are_of_one_queue_or_one_workflow_that_there_is(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(FLOW)
    for words in (("net", "-w", "flow"), ()):
        said = overnight("queue", "set", *words, "--slots", "2")
        assert (said.status, "nothing was changed" in said.err) == (2, True)
    said = overnight("queue", "set", "-w", "flwo", "--slots", "2")
    assert (said.status, "did you mean 'flow'?" in said.err) == (4, True)


def test_the_limits_of_a_workflow_come_from_the_configuration_too(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(f"[workflow.flow]\nslots = 1\n{FLOW}")
    assert "workflow flow: 1 at a time" in overnight("config", "show").out
    assert overnight("run", "--quiet", "-w", "flow", "a", "b").status == 0
    assert "workflow flow" in overnight("queue", "names").out


def _object(line: str) -> dict[str, Any]:
    import json

    return dict(json.loads(line))


def test_a_storm_is_named_and_ended_like_a_pause(overnight: Call, place: Path) -> None:
    storm = Storm(Subject(workflow="ingest", step="upload"), "net", "cause", None, "refused", 20, 1.0, 2.0, 0, 3.0)
    overnight("add", "--", "true")
    store = SqliteStore.open(place / ".overnight" / "queue.db")
    store.set_storm(storm, now=2.0)
    store.close()
    [line] = [line for line in overnight("status").lines if "failed alike" in line]
    assert line.startswith(
        "20 tasks of workflow 'ingest' failed alike in a row, in step 'upload' (refused); the others"
    )
    assert line.endswith("one of them is tried next; 'overnight unpause ingest' lets all of them go on")
    assert overnight("pause", "ingest").status == 4
    assert overnight("unpause", "ingest").lines == ["workflow 'ingest': goes on, and 0 failures with it"]
    assert "failed alike" not in overnight("status").out


FLOW = """
[[workflow.flow.step]]
id = "one"
run = ["true"]
"""


def test_a_workflow_is_paused_in_whatever_queue_its_tasks_are(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(FLOW)
    overnight("add", "-w", "flow", "a")
    overnight("add", "-w", "flow", "-q", "net", "b")
    overnight("add", "--", "true")
    assert overnight("pause", "-w", "flow").out == "workflow flow: paused; what runs may finish\n"
    said = overnight("run", "--quiet", "--", "true", ":::", "x")
    assert "workflow flow is paused, and nothing of it starts" in said.err
    assert [line.split()[0] for line in overnight("queue", "names").lines] == ["default", "net"]
    assert [overnight("show", number, "--json").json["state"] for number in "12"] == ["pending", "pending"]
    assert overnight("unpause", "-w", "flow").out == "workflow flow: goes on\n"
    assert overnight("run", "--quiet").status == 0
    assert overnight("status", "--json").json["counts"]["completed"] == 4
    said = overnight("pause", "-w", "other")
    assert (said.status, "nothing was changed" in said.err) == (4, True)


def test_a_number_is_a_task_unless_a_queue_is_called_so(overnight: Call) -> None:
    overnight("add", "--", "true")
    said = overnight("pause", "1")
    assert (said.status, said.out) == (1, "")
    assert said.err.splitlines() == [
        "overnight: task 1 is pending, and only what runs can be frozen; nothing was changed",
        "  try: 'overnight hold 1' keeps it from starting",
    ]
    assert overnight("pause", "9").status == 4
    assert overnight("pause", "1", "--until", "2100-01-01").status == 2
    overnight("add", "-q", "1", "--", "true")
    assert overnight("pause", "1").out == "queue 1: paused; what runs may finish\n"
