"""What the API answers, and what it does: over a real connection, from a real store."""

from __future__ import annotations

import contextlib
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from dashboards import ACTION, NOON, Served, drain, fail, finish, home_in, new, serving, store_of

from overnight.core.findings import Status
from overnight.core.health import Standing
from overnight.core.nodes import Census, NodeRow
from overnight.core.states import Reason, TaskState
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.host.lock import HomeLock, about_me
from overnight.monitor.health import HealthBook
from overnight.monitor.history.keeping import History
from overnight.store.contract import Query
from overnight.ui.web import desk, tasks

STEERING = "a\u202eb\x1b[31mc"


def test_the_first_page_counts_everything_once(served: Served) -> None:
    found = served.get("overview").json
    counts = found["pulse"]["counts"]
    assert {state: n for state, n in counts.items() if n} == {"completed": 2, "failed": 3, "pending": 7}
    assert sum(counts.values()) == found["pulse"]["total"] == 12
    assert [(one["fingerprint"], one["tasks"]) for one in found["causes"]] == [("disk", 2), ("limit", 1)]
    assert found["pulse"]["sentence"]["level"] == "attention"
    assert found["autonomy"] == {"value": 0.4, "part": 2.0, "whole": 5.0}
    assert {one["name"]: one["counts"]["pending"] for one in found["queues"]} == {"default": 6, "gpu": 1}


def test_nodes_are_on_the_first_page_where_there_are_any(home: Home, own: Served) -> None:
    assert own.get("pulse").json["nodes"] == []
    now = SystemClock().now()
    home.engine_info.write_bytes(msgspec.json.encode({"pid": 1, "started_at": now - 60}))
    lost = NodeRow("b\u202e", "away", "not heard for 16 s", slots=2, lost=3, heard_at=now - 20)
    home.nodes.write_bytes(msgspec.json.encode(Census(now, [lost])))

    [told] = own.get("pulse").json["nodes"]
    assert (told["stands"], told["busy"], told["slots"], told["lost"]) == ("lost", 0, 2, 3)
    assert "\u202e" not in told["name"]


def test_a_list_goes_on_where_the_page_before_ended(served: Served) -> None:
    seen: list[int] = []
    before: int | None = None
    while True:
        page = served.get("tasks?limit=5" + (f"&before={before}" if before else "")).json
        seen += [one["id"] for one in page["tasks"]]
        before = page["next"]
        if before is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 12


@pytest.mark.parametrize(
    ("words", "many"),
    [
        ("state=failed", 3),
        ("state=failed&state=completed", 5),
        ("queue=gpu", 1),
        ("cause=disk", 2),
        ("cause=disk&queue=gpu", 0),
        ("search=GPU", 1),
        ("search=%25", 0),
        ("workflow=none", 0),
    ],
)
def test_a_list_can_be_narrowed(words: str, many: int, served: Served) -> None:
    page = served.get(f"tasks?count=true&{words}").json
    assert (len(page["tasks"]), page["matching"]) == (many, many)


@pytest.mark.parametrize(
    "words", ["state=nothing", "limit=0", "limit=1000", "before=0", "before=x", "search=" + "a" * 300]
)
def test_what_makes_no_sense_is_refused(words: str, served: Served) -> None:
    answer = served.get(f"tasks?{words}")
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["detail"]


def test_a_task_tells_its_attempts_and_why(served: Served) -> None:
    found = served.get("tasks/1").json
    assert found["task"]["state"] == "failed"
    assert "disk" in found["why"]
    assert [one["number"] for one in found["attempts"]] == [1]
    assert found["doing"]["command"] == ["process", "{}"]


def test_a_task_that_is_not_there_is_a_problem(served: Served) -> None:
    answer = served.get("tasks/999")
    assert (answer.status, answer.json["status"]) == (404, 404)
    assert "999" in answer.json["detail"]
    assert answer.json["hint"]


def test_values_of_the_environment_are_not_told(home: Home) -> None:
    import msgspec
    from dashboards import ACTION

    action = msgspec.structs.replace(ACTION, env={b"PASSWORD": b"sesame"})
    with store_of(home) as store:
        (task_id,) = store.add([new("x", action=action)], now=NOON).ids
    with serving(home) as served:
        answer = served.get(f"tasks/{task_id}")
    assert answer.json["doing"]["environment"] == ["PASSWORD"]
    assert b"sesame" not in answer.body


def test_names_that_steer_are_written_out(home: Home) -> None:
    """Bidirectional marks make one name look like another, and escape codes may be copied into a terminal."""
    with store_of(home) as store:
        (task_id,) = store.add([new("x", title=STEERING)], now=NOON).ids
        raw = store.add([new(b"caf\xe9")], now=NOON).ids[0]
        fail(store, "y", "strange", STEERING)
    with serving(home) as served:
        assert served.get(f"tasks/{task_id}").json["task"]["name"] == "a\\u202eb\\u001b[31mc"
        assert "caf\ufffd" in served.get(f"tasks/{raw}").json["task"]["name"]
        body = served.get("overview").body + served.get("causes").body + served.get("tasks").body
    assert "\u202e".encode() not in body
    assert b"\\u001b" not in body.replace(b"\\\\u001b", b"")


@pytest.mark.parametrize("verb", ["retry", "cancel", "hold", "release"])
def test_nothing_named_never_means_everything(verb: str, served: Served) -> None:
    assert served.post(f"tasks/{verb}", {}).status == 400
    assert served.get("pulse").json["counts"]["failed"] == 3


def test_a_cause_is_retried_and_nothing_else(own: Served) -> None:
    done = own.post("tasks/retry", {"cause": "disk"}).json
    assert (done["changed"], done["command"]) == (2, "overnight retry --state failed --cause disk")
    counts = own.get("pulse").json["counts"]
    assert (counts["failed"], counts["pending"]) == (1, 9)


def test_tasks_are_cancelled_held_and_released(own: Served) -> None:
    ids = [one["id"] for one in own.get("tasks?state=pending&limit=3").json["tasks"]]
    assert own.post("tasks/cancel", {"ids": ids[:1]}).json["changed"] == 1
    assert own.post("tasks/hold", {"ids": ids[1:]}).json["changed"] == 2
    assert own.get("pulse").json["counts"]["held"] == 2
    assert own.post("tasks/release", {"states": ["held"]}).json["changed"] == 2
    assert own.get(f"tasks/{ids[0]}").json["task"]["state"] == "cancelled"


def test_what_was_done_is_on_record_with_who_did_it(own: Served) -> None:
    own.post("tasks/retry", {"ids": [1]})
    own.post("pause")
    with store_of(own.home) as store:
        told = [json.loads(line) for row in store.outbox(1000) for line in row.lines.splitlines()]
    by = {one["event"]: one.get("by", "") for one in told}
    assert by["file_revived"].endswith(" dashboard")
    assert by["queue_changed"].endswith(" dashboard")


def test_a_retry_by_hand_costs_autonomy(own: Served) -> None:
    own.post("tasks/retry", {"ids": [1]})
    with store_of(own.home) as store:
        popped = store.pop("default", owner="1:1:1", now=NOON, by="me", task_id=1)
        assert popped is not None
    assert own.get("overview").json["autonomy"]["whole"] == 4.0


def test_everything_is_paused_and_goes_on(own: Served) -> None:
    assert own.post("pause").json["command"] == "overnight pause"
    with store_of(own.home) as store:
        assert [one.name for one in store.queues() if one.paused] == [""]
    assert own.post("unpause").json["changed"] == 1


def test_one_queue_is_paused(own: Served) -> None:
    assert own.post("pause", {"queue": "gpu"}).json["command"] == "overnight pause gpu"
    assert [one["name"] for one in own.get("overview").json["queues"] if one["paused"]] == ["gpu"]
    assert own.post("pause", {"queue": "no such"}).status == 404
    assert own.post("pause", {"workflow": "no such"}).status == 404


def test_an_engine_that_is_not_there_is_not_stopped(served: Served) -> None:
    answer = served.post("stop")
    assert answer.status == 409
    assert not served.home.stop.exists()


def test_a_checkpoint_is_saved(own: Served) -> None:
    done = own.post("checkpoint")
    assert done.status == 200, done
    (found,) = own.get("checkpoints").json["checkpoints"]
    assert found["name"] in done.json["words"]
    assert found["reason"] == "asked"


def test_a_stream_begins_with_how_it_goes_and_tells_each_change(own: Served) -> None:
    with own.raw() as line:
        head = f"Host: {own.host}\r\nAuthorization: Bearer {own.token}\r\n"
        line.sendall(f"GET /api/v1/stream HTTP/1.1\r\n{head}\r\n".encode())
        words = line.makefile("rb")
        first = _pulse(words)
        with store_of(own.home) as store:
            store.add([new("another")], now=NOON)
        while (later := _pulse(words))["total"] == first["total"]:
            pass
    assert later["total"] == 13
    assert later["seq"] > first["seq"]


def test_a_dashboard_that_is_shown_ends_all_the_same(home: Home) -> None:
    """A stream never ends by itself, and whoever ends the dashboard does not wait for it."""
    with serving(home) as served, served.raw() as line:
        head = f"Host: {served.host}\r\nAuthorization: Bearer {served.token}\r\n"
        line.sendall(f"GET /api/v1/stream HTTP/1.1\r\n{head}\r\n".encode())
        assert _pulse(line.makefile("rb"))["total"] == 12
        served.stop()


def _pulse(words: Any) -> Any:
    for line in words:
        if line.startswith(b"data: "):
            return json.loads(line[6:])
    raise AssertionError("the stream ended")


def test_what_ended_is_drawn_where_it_ran(home: Home) -> None:
    """The journal tells when, the store in which slot."""
    told = drain(home)
    with serving(home) as served:
        found = served.get(f"timeline?since={NOON - 10:.0f}&until={NOON + 10:.0f}&bins=20").json
        (lane,) = found["lanes"]
        events = served.get("events?limit=3").json
        older = served.get(f"events?limit=500&before={events['next']}").json
    assert lane["slot"] == 0
    assert [block[0] for block in lane["blocks"]] == [10, 11, 12]
    assert sum(block[2] for block in lane["blocks"]) == 2
    assert sum(block[3] for block in lane["blocks"]) == 3
    seqs = [one["seq"] for one in [*events["events"], *older["events"]]]
    assert seqs == list(range(told, 0, -1))
    assert older["next"] is None


def test_a_store_that_was_replaced_is_shown_as_it_is_now(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a rescue or a rollback does it; what was open before would be shown for ever."""
    monkeypatch.setattr(desk, "LOOK_EVERY", 0.0)
    (tmp_path / "other").mkdir()
    other = home_in(tmp_path / "other")
    with store_of(other) as store:
        store.add([new("restored")], now=NOON)
        store.copy_to(tmp_path / "whole.db")
    with serving(home) as served:
        assert served.get("pulse").json["total"] == 12
        for ending in ("-wal", "-shm"):
            home.store.with_name(home.store.name + ending).unlink(missing_ok=True)
        (tmp_path / "whole.db").replace(home.store)
        assert served.get("pulse").json["total"] == 1
        assert served.post("tasks/cancel", {"ids": [1]}).json["changed"] == 1


def test_the_last_answers_of_each_check_are_told_oldest_first(home: Home) -> None:
    """As a strip shows them; a home in which nobody asks again and again has none."""
    with serving(home) as served:
        assert served.get("strips").json == {"strips": []}
    with contextlib.closing(HealthBook(home.health)) as book:
        for n, status in enumerate([Status.OK] * 100 + [Status.WARN, Status.FAIL]):
            at = NOON + 60 * n
            book.note([Standing("disk", status, "so much", NOON, at, 60.0, 100.0 - n, "bytes", True)], now=at)  # noqa: FBT003 - more is better
    with serving(home) as served:
        (strip,) = served.get("strips").json["strips"]
    assert (strip["check"], strip["unit"], strip["course"], len(strip["answers"])) == (
        "disk",
        "bytes",
        "worsening",
        100,
    )
    assert [strip["answers"][n] for n in (0, -1)] == [[NOON + 120, "ok", 98.0], [NOON + 6060, "fail", -1.0]]
    assert strip["uptime"] == 0.99


def test_metrics_name_states_and_no_ids(served: Served) -> None:
    words = served.ask("GET", "/metrics").body.decode()
    assert 'overnight_tasks{queue="default",state="failed"} 3.0' in words
    assert "/data" not in words


def test_the_document_describes_every_answer(served: Served) -> None:
    document = served.ask("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]
    missing = []
    for path, ways in document["paths"].items():
        for method, way in ways.items():
            reference = (
                way["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {}).get("$ref")
            )
            if (
                path.startswith("/api/")
                and "stream" not in path
                and (reference or "").rpartition("/")[2] not in schemas
            ):
                missing.append((method, path))
    assert missing == []
    assert _dangling(document, schemas) == []


def _dangling(part: Any, schemas: dict[str, Any]) -> list[str]:
    if isinstance(part, dict):
        mine = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return [one for one in mine if one.rpartition("/")[2] not in schemas] + [
            one for value in part.values() for one in _dangling(value, schemas)
        ]
    return [one for value in part for one in _dangling(value, schemas)] if isinstance(part, list) else []


def test_answers_are_what_the_document_says(served: Served) -> None:
    """Every field of the schema is there, and no other one."""
    document = served.ask("GET", "/openapi.json").json
    schemas = document["components"]["schemas"]
    for path in (
        "overview",
        "pulse",
        "tasks",
        "tasks/1",
        "causes",
        "workflows",
        "timeline",
        "history",
        "events",
        "checkpoints",
    ):
        way = document["paths"]["/api/v1/" + path.replace("/1", "/{task_id}")]["get"]
        name = way["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert set(served.get(path).json) == set(schemas[name]["properties"]), path


def test_a_page_is_sent_small_and_once(served: Served) -> None:
    packed = served.ask("GET", "/static/app.js", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    again = served.ask("GET", "/static/app.js", headers={"If-None-Match": packed.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_the_graph_of_nothing_is_a_problem(served: Served) -> None:
    assert served.get("workflows/none/graph").status == 404
    assert served.get("tasks/1/graph").status == 404


def test_a_log_that_was_never_written_is_empty(home: Home) -> None:
    with store_of(home) as store:
        task_id = finish(store, "quiet")
        waiting = store.tasks(Query(states=(TaskState.PENDING,), limit=1))[0].id
    with serving(home) as served:
        found = served.get(f"tasks/{task_id}/log").json
        assert (found["lines"], found["ended"], found["end"]) == ([], True, 0)
        assert served.get(f"tasks/{waiting}/log").json["attempt"] == 0
        assert served.get(f"tasks/{task_id}/log?attempt=7").status == 404


def test_what_happened_is_told_since_a_person_started_it(home: Home) -> None:
    """What a supervisor starts after a crash is part of the same night."""
    told = [
        ("processor_started", "2026-03-01T20:00:00.000Z"),
        ("processor_stopped", "2026-03-01T20:30:00.000Z"),
        ("processor_started", "2026-03-01T22:00:00.000Z"),
        ("slots_changed", "2026-03-02T03:30:56.000Z"),
        ("processor_started", "2026-03-02T03:31:00.000Z"),
        ("processor_stopped", "2026-03-02T06:00:00.000Z"),
    ]
    lines = [{"seq": seq, "event": name, "at": at, "fence": 1} for seq, (name, at) in enumerate(told, 1)]
    home.journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    with serving(home) as served:
        found = served.get("since").json
        later = served.get("since?at=1772422200").json  # 03:30
    assert found["meaning"] == "start"
    assert found["since"] == 1772402400.0  # 22:00
    assert found["words"] == "1 crash, resumed in 4.0 s"
    assert (later["meaning"], later["words"]) == ("visit", "1 crash, resumed in 4.0 s")
    assert [one["level"] for one in found["incidents"]] == ["fine", "trouble", "fine"]
    assert found["incidents"][1]["words"] == "the engine crashed, the next one went on within 4.0 s"


def test_what_does_not_exist_is_not_acted_on(own: Served) -> None:
    """As on the command line; whether anything was done is in the answer."""
    for which in ({"ids": [1, 9999]}, {"cause": "zzz"}):
        answer = own.post("tasks/retry", which)
        assert answer.status == 404
        assert "nothing was changed" in answer.json["detail"]
    assert own.get("pulse").json["counts"]["failed"] == 3
    assert own.post("tasks/hold", {"queue": "gpu"}).json["changed"] == 1
    assert [own.post("pause").json["changed"] for _ in range(2)] == [1, 0]


def test_a_history_that_is_behind_has_not_counted(home: Home) -> None:
    """What the journal tells comes into the history some time later."""
    drain(home)
    with contextlib.closing(History(home.path / "history.db")), serving(home) as served:
        served.get("since")  # the journal is read
        assert served.get("history").json["counted"] is False
        assert served.get(f"history?since={NOON + 60:.0f}").json["counted"] is True


def test_the_pictures_of_a_night_end_with_it(home: Home) -> None:
    """Looked at later it would be a mark at the edge, and slower from look to look."""
    drain(home)
    with serving(home) as served:
        served.get("since")  # the journal is read
        night, figures = served.get("timeline").json, served.get("history").json
    last = night["until"]
    assert NOON <= last < NOON + 60
    assert (night["since"], figures["since"], figures["until"]) == (last - 60, last - 60, last)


def test_what_nobody_counted_is_not_said_to_be_none(home: Home) -> None:
    """A short run leaves no history: the journal knows how many ended, and without it nobody does."""
    with serving(home) as served:
        assert served.get("since?at=1").json["words"] == "how many attempts ended is not known"
        assert served.get("history").json["counted"] is False
        drain(home)
        assert served.get("since?at=2").json["words"] == "2 attempts completed and 3 failed"
        assert served.get(f"since?at={NOON + 60:.0f}").json["words"] == "nothing out of the ordinary"


def test_a_cause_has_the_advice_of_the_report(home: Home) -> None:
    """A time limit is told from that of the newest task."""
    with store_of(home) as store:
        given = msgspec.structs.replace(ACTION, timeout=300.0)
        fail(store, "slow", "hangs", reason=Reason.TIMEOUT, action=given)
    with serving(home) as served:
        found = {one["fingerprint"]: one for one in served.get("causes").json["causes"]}
    assert found["hangs"]["advice"].startswith("They ran into their time limit")
    assert found["hangs"]["commands"] == ["overnight log 13", "overnight retry --cause hangs --timeout 10m"]
    assert "No further attempt can mend this" in found["disk"]["advice"]


def test_what_runs_is_on_the_timeline(own: Served) -> None:
    """Only while an engine is there to run it."""
    with store_of(own.home) as store:
        assert store.pop("default", owner="1:1:1", now=NOON, by="test") is not None
    asked = f"timeline?since={NOON:.0f}&until={NOON + 10:.0f}&bins=10"
    assert own.get(asked).json["lanes"] == []
    own.post("unpause")  # what was answered a moment ago is forgotten
    with HomeLock(own.home.lock) as lock:
        lock.acquire({"pid": 1})
        (lane,) = own.get(asked).json["lanes"]
    assert [block[8] for block in lane["blocks"]] == [1.0] * 10


def test_priority_and_limits_are_changed_of_what_is_still_to_run(own: Served) -> None:
    ids = [one["id"] for one in own.get("tasks?state=pending&queue=default").json["tasks"]][:2]
    done = own.post("edit", {"ids": [*ids, 1], "priority": 7, "timeout": 0, "retries": 2}).json
    assert done["words"].startswith("2 tasks changed; 1 task left as they are")
    assert done["command"] == f"overnight edit {ids[0]} {ids[1]} 1 --priority 7 --timeout 0s --retries 2"
    found = own.get(f"tasks/{ids[0]}").json
    assert (found["task"]["priority"], found["doing"]["timeout"], found["doing"]["retries"]) == (7, None, 2)
    drain(own.home)
    told = [json.loads(line) for line in own.home.journal.read_text().splitlines()]
    edited = {one["id"]: one["by"] for one in told if one["event"] == "file_redefined"}
    assert set(edited) == set(ids)
    assert edited[ids[0]].endswith(" dashboard")


@pytest.mark.parametrize(
    "body",
    [
        {"ids": [6]},
        {"priority": 1},
        {"ids": [6], "priority": 10**9},
        {"ids": [6], "timeout": -1},
        {"ids": [6], "retries": 0.5},
        {"ids": [6], "command": ["rm"]},
        {"ids": [6], "priority": 1, "queue": "x", "cwd": "/"},
    ],
)
def test_nothing_else_can_be_changed(body: dict[str, Any], served: Served) -> None:
    assert served.post("edit", body).status in (400, 422)


def test_a_checkpoint_is_looked_at_before_anybody_goes_back(own: Served) -> None:
    own.post("checkpoint")
    name = own.get("checkpoints").json["checkpoints"][0]["name"]
    with store_of(own.home) as store:
        store.add([new("since")], now=NOON)
    drain(own.home)
    (saved,) = own.get("events?name=checkpoint_saved").json["events"]
    assert saved["fields"]["by"].endswith(" dashboard")
    assert own.post(f"checkpoints/{name}/verify").json["words"] == f"{name}: whole"
    plan = own.get(f"checkpoints/{name}").json
    assert "1 task added since would be gone" in plan["lines"]
    assert own.post(f"checkpoints/{name}/restore", {"confirm": "yes"}).status == 400
    assert own.post(f"checkpoints/{name}/restore").status == 422
    assert own.get("pulse").json["total"] == 13


@pytest.mark.parametrize("name", ["latest", "--help", "..", "%2e%2e%2fqueue.db", "20260101-000000-1", "x" * 101])
def test_only_a_checkpoint_that_there_is_can_be_asked_for(name: str, served: Served) -> None:
    """The command line would take the path of any file, and words that mean one."""
    for answer in (
        served.get(f"checkpoints/{name}"),
        served.post(f"checkpoints/{name}/verify"),
        served.post(f"checkpoints/{name}/restore", {"confirm": name}),
    ):
        assert answer.status in (404, 405, 422)


def test_a_search_comes_in_parts(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """One part at a time where a moment is over at once; together they find what is there, each once."""
    monkeypatch.setattr(tasks, "_MOMENT", 0.0)
    monkeypatch.setattr(tasks, "_WINDOW", 3)
    first = served.get("tasks?state=completed&search=d&count=true").json
    assert (first["tasks"], first["next"], first["searched_to"], first["newest"]) == ([], 10, 10, 12)
    found, before = [], first["next"]
    while before is not None:
        part = served.get(f"tasks?state=completed&search=d&before={before}").json
        found += [one["id"] for one in part["tasks"]]
        before = part["next"]
    assert found == [4]


@pytest.mark.parametrize(
    ("asked", "matching"),
    [
        ("state=pending&queue=gpu", 1),
        ("state=completed", 2),
        ("queue=default", 11),
        ("state=failed&queue=default", 3),
        ("search=nothing", 0),
    ],
)
def test_how_many_match_is_said_where_it_is_known(asked: str, matching: int, served: Served) -> None:
    found = served.get(f"tasks?{asked}&count=true").json
    assert (found["matching"], len(found["tasks"]), found["next"]) == (matching, matching, None)


@pytest.mark.parametrize(
    ("silent_for", "level", "commands"),
    [(0.0, "attention", ["overnight report"]), (3600.0, "trouble", ["overnight stop --now", "overnight start"])],
)
def test_an_engine_that_says_nothing_is_trouble(
    silent_for: float, level: str, commands: list[str], own: Served
) -> None:
    heard = datetime.fromtimestamp(time.time() - silent_for, UTC)
    about = {"pid": os.getpid(), "state": "running", "last_heartbeat": heard}
    own.home.engine_info.write_bytes(msgspec.json.encode(about))
    with HomeLock(own.home.lock) as lock:
        lock.acquire(about_me(own.home.path, now=NOON))
        sentence = own.get("pulse").json["sentence"]
    assert (sentence["level"], sentence["commands"]) == (level, commands)


def test_what_people_did_is_on_the_timeline(own: Served) -> None:
    """A queue that goes on has no new settings."""
    own.post("pause", {"queue": "gpu"})
    own.post("unpause", {"queue": "gpu"})
    drain(own.home)
    told = [one["words"].partition(" by ")[0] for one in own.get("timeline").json["incidents"]]
    assert told == ["queue gpu paused", "queue gpu goes on"]
