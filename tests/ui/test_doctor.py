"""Doctor on projects in trouble: it names each, says what mends it, and mends what is safe."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from overnight import wiring
from overnight.core.durations import iso
from overnight.core.version import VERSION
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.host.lock import HomeLock, about_me
from overnight.host.processes import identity
from overnight.monitor import health
from overnight.monitor.history import database
from overnight.ops.dormant import keeping as dormant
from overnight.ops.logs import keeping as logs
from overnight.ops.suites import keeping as suites
from overnight.testing import FakeClock

Call = Callable[..., Any]
GIT = {
    **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "somebody"),
    **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "somebody@localhost"),
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(*words: str) -> None:
    subprocess.run(["git", *words], env={**os.environ, **GIT}, check=True, capture_output=True)


def summary(overnight: Call, name: str) -> tuple[str, str]:
    """Status and summary of the one finding of a check."""
    [check] = overnight("doctor", name, "--json").json["checks"]
    return check["status"], check["summary"]


def test_in_an_empty_directory_there_is_little_to_examine_and_it_is_well(overnight: Call) -> None:
    said = overnight("doctor", "--quick")
    assert (said.status, said.lines[-1].split(":")[0]) == (0, "HEALTHY"), said


def test_json_is_one_object_and_nothing_else(overnight: Call) -> None:
    words = overnight("doctor", "disk", "--json").json
    assert words["schema"] == "overnight.doctor/1"
    assert words["overall"] == "HEALTHY"
    [disk] = words["checks"]
    assert (disk["id"], disk["status"], disk["unit"], disk["fixes"]) == ("disk", "ok", "bytes", [])


def test_a_wrong_call_is_unknown_and_not_critical(overnight: Call) -> None:
    for words in (("doctor", "nonsense"), ("doctor", "--nonsense"), ("doctor", "--yes"), ("doctor", "--fail-on", "x")):
        said = overnight(*words)
        assert (said.status, said.out) == (3, ""), words
    assert "disk" in overnight("doctor", "nonsense").err


def test_a_full_disk_is_a_failure_with_the_number_that_matters(
    overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_GATE_DISK", "900TB")
    said = overnight("doctor", "disk")
    assert said.status == 2
    assert "below 900.0 TB nothing is started" in said.lines[0]
    assert said.lines[-1].startswith("FAIL")


def test_failed_and_held_tasks_are_warnings_that_say_how_to_look(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "--", "false", ":::", "a", "b")
    assert summary(overnight, "tasks") == ("warn", "2 tasks have failed")
    assert "overnight list --state failed" in overnight("doctor", "tasks").out


def test_work_that_is_left_without_an_engine_is_a_warning(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert summary(overnight, "engine") == ("warn", "no engine runs, and 1 task is left in the queue")


def test_a_damaged_store_is_a_failure_and_is_not_touched(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    store = place / ".overnight" / "queue.db"
    store.write_bytes(b"no database" * 1000)
    before = store.read_bytes()
    said = overnight("doctor", "store")
    assert said.status == 2, said
    assert store.read_bytes() == before


def test_changed_files_unpushed_commits_and_missing_ones_are_named(overnight: Call, place: Path) -> None:
    git("init", "--quiet", "--bare", "../there.git")
    git("init", "--quiet", "--initial-branch=main")
    (place / "one").write_text("1")
    git("add", "one")
    git("commit", "--quiet", "-m", "one")
    assert summary(overnight, "git") == ("ok", "everything is committed")
    git("remote", "add", "origin", "../there.git")
    git("push", "--quiet", "-u", "origin", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "two")
    (place / "two").write_text("2")
    found = overnight("doctor", "git", "--json").json["checks"]
    assert [check["summary"] for check in found] == [
        "1 file has changed and is not committed",
        "1 commit is not pushed",
    ]
    assert all(fix["argv"] is None for check in found for fix in check["fixes"])


def test_a_configuration_that_makes_no_sense_keeps_nothing_from_being_examined(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text("[defaults]\nretires = 3\n")
    said = overnight("doctor", "disk", "--json")
    found = {check["id"]: check for check in said.json["checks"]}
    assert (said.status, set(found)) == (2, {"configuration", "disk"})
    assert "overnight.toml:2:1: error: unknown key 'retires'" in found["configuration"]["summary"]
    assert found["configuration"]["fixes"][0]["text"] == "overnight config show"
    assert overnight("doctor", "mine").status == 3
    assert "'overnight config show'" in overnight("doctor", "mine").err


@pytest.mark.parametrize("is_ignored", [True, False])
def test_the_home_is_no_change_to_be_committed(overnight: Call, place: Path, *, is_ignored: bool) -> None:
    overnight("add", "--", "true")
    git("init", "--quiet", "--initial-branch=main")
    git("commit", "--quiet", "--allow-empty", "-m", "one")
    if not is_ignored:
        (place / ".overnight" / ".gitignore").unlink()
    assert summary(overnight, "git") == ("ok", "everything is committed")
    git("add", "-A")
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, check=True).stdout
    assert (tracked == b"") is is_ignored


def test_links_that_lead_nowhere_are_named(overnight: Call, place: Path) -> None:
    (place / "docs").mkdir()
    (place / "docs" / "page.md").write_text(
        "[up](../README.md#top) [away](https://example.org/x)\n```\n[no](code)\n```"
    )
    (place / "README.md").write_text("[page](docs/page.md) [gone](docs/gone.md)")
    assert summary(overnight, "documentation") == ("warn", "links to nowhere: README.md → docs/gone.md")
    (place / "docs" / "gone.md").write_text("")
    assert summary(overnight, "documentation")[0] == "ok"


def test_a_clock_that_has_gone_back_is_a_failure(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    os.utime(place / ".overnight" / "queue.db", (4e9, 4e9))
    status, words = summary(overnight, "clock")
    assert (status, "before what it said last" in words) == ("fail", True)


def test_a_fix_without_a_terminal_is_only_shown(overnight: Call, place: Path) -> None:
    open_home(overnight, place)
    said = overnight("doctor", "home", "--fix")
    assert "chmod go-rwx" in said.out
    assert "nothing was run" in said.err
    assert said.status == 1
    assert (place / ".overnight").stat().st_mode & 0o777 == 0o755


def test_a_fix_that_was_agreed_to_is_run_and_examined_again(overnight: Call, place: Path) -> None:
    open_home(overnight, place)
    said = overnight("doctor", "home", "--fix", "--yes")
    assert said.status == 0, said
    assert said.lines[-1].startswith("HEALTHY")
    assert (place / ".overnight").stat().st_mode & 0o777 == 0o700


def test_on_a_terminal_the_plan_comes_first_and_each_fix_is_asked_for(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_home(overnight, place)
    asked: list[str] = []

    def no(question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr("overnight.ui.cli.commands.doctor.agreed", no)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    said = overnight("doctor", "home", "engine", "--fix")
    assert [question.split(":")[0] for question in asked] == ["Close the home to others", "Start the engine"]
    plan = said.err.splitlines()
    assert plan[:3] == ["overnight: what can be run:", f"  1. chmod go-rwx {place}/.overnight", "  2. overnight start"]
    assert (place / ".overnight").stat().st_mode & 0o777 == 0o755
    assert said.status == 1


def test_what_only_a_person_can_do_is_never_run(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "--", "false")
    said = overnight("doctor", "tasks", "--fix", "--yes")
    assert (said.status, "mended by a command alone" in said.err) == (1, True)


def test_who_minds_only_failures_gets_exit_0_after_warnings(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "--", "false")
    assert overnight("doctor", "tasks").status == 1
    assert overnight("doctor", "tasks", "--fail-on", "fail").status == 0


def open_home(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    (place / ".overnight").chmod(0o755)


def test_checks_of_ones_own_are_asked_with_the_others(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(
        '[check.beat]\nfile = "beat"\n[check.raid]\nrun = ["sh", "-c", "echo degraded; exit 1"]\n'
    )
    found = {one["id"]: (one["status"], one["summary"]) for one in overnight("doctor", "--json").json["checks"]}
    assert found["raid"] == ("warn", "degraded")
    assert found["beat"][0] == "fail"
    (place / "beat").touch()
    assert overnight("doctor", "beat").status == 0
    assert "raid" not in {one["id"] for one in overnight("doctor", "--quick", "--json").json["checks"]}
    (place / "overnight.toml").write_text('[check.disk]\nfile = "beat"\n')
    assert overnight("doctor").status == 3


def findings(overnight: Call, name: str) -> list[tuple[str, str]]:
    return [(one["status"], one["summary"]) for one in overnight("doctor", name, "--json").json["checks"]]


def test_what_workflows_and_schedules_name_and_is_not_there(overnight: Call, place: Path) -> None:
    assert findings(overnight, "workflows") == []
    (place / "overnight.toml").write_text(
        '[[workflow.w.step]]\nid = "a"\nrun = ["no-such-program", "{input}"]\n'
        '[schedules.s]\nevery = "1h"\nrun = ["./gone.sh"]\n[schedules.c]\nevery = "1h"\ncall = "nowhere:f"\n'
        '[schedules.fine]\nevery = "1h"\nrun = ["true"]\n'
    )
    [(status, words)] = findings(overnight, "workflows")
    assert status == "warn"
    for named in ("no-such-program", "./gone.sh", "nowhere"):
        assert named in words
    (place / "overnight.toml").write_text('[schedules.fine]\nevery = "1h"\nrun = ["true"]\n')
    assert summary(overnight, "workflows")[0] == "ok"


def test_checkpoints_that_cannot_be_read_are_named(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    assert findings(overnight, "checkpoints") == []
    overnight("checkpoint", "save")
    overnight("checkpoint", "save")
    assert summary(overnight, "checkpoints")[0] == "ok"
    made = sorted(path for path in (place / ".overnight" / "checkpoints").iterdir() if not path.is_symlink())
    (made[0] / "manifest.json").write_text("{}")
    first, second = findings(overnight, "checkpoints")
    assert (first[0], first[1].split(":")[0], second[0]) == ("warn", "1 of 2 cannot be read", "ok")
    (made[1] / "manifest.json").write_text("{}")
    assert [status for status, _ in findings(overnight, "checkpoints")] == ["fail"]


def test_a_second_place_without_the_newest_checkpoint_is_named(overnight: Call, place: Path) -> None:
    overnight("add", "--", "true")
    overnight("checkpoint", "save")
    (place / "overnight.toml").write_text(f'[checkpoints]\nsecond = "{place.parent / "second"}"\n')
    assert findings(overnight, "checkpoints")[0][0] == "warn"
    overnight("checkpoint", "save")
    assert [status for status, _ in findings(overnight, "checkpoints")] == ["ok"]


def engine_of(place: Path, **said: Any) -> HomeLock:
    """An engine as others see it: this process, which has the lock and has said so."""
    home = Home(place / ".overnight")
    began = SystemClock().now() - said.pop("seconds", 0.0)
    me = about_me(home.path, now=began)
    lock = HomeLock(home.lock)
    lock.acquire({**me, **said.pop("owner", {})})
    words = {"pid": me["pid"], "started_at": began, "version": VERSION, "state": "working", "containment": "", **said}
    home.engine_info.write_bytes(msgspec.json.encode({"last_heartbeat": iso(SystemClock().now()), **words}))
    return lock


@pytest.fixture
def working(overnight: Call, place: Path) -> Iterator[Callable[..., HomeLock]]:
    overnight("add", "--", "true")
    overnight("cancel", "--all")
    locks: list[HomeLock] = []

    def begin(**said: Any) -> HomeLock:
        locks.append(engine_of(place, **said))
        return locks[-1]

    yield begin
    for lock in locks:
        lock.release()


def test_a_service_is_started_by_the_command_that_its_check_names(overnight: Call, place: Path) -> None:
    """And one that cannot be started holds up no other."""
    checks = '[check.a]\nfile = "a"\nfix = ["./there-is-none"]\n[check.up]\nfile = "up"\nfix = ["touch", "up"]\n'
    (place / "overnight.toml").write_text(checks)
    assert "→ touch up" in overnight("doctor", "up").out
    said = overnight("doctor", "a", "up", "--fix", "--yes")
    assert "'./there-is-none' cannot be started: No such file or directory" in said.err
    assert "'touch up' ended with exit status 0" in said.err
    assert overnight("doctor", "up").status == 0


def test_tests_that_fail_are_looked_at_and_run_again_by_what_is_printed(overnight: Call) -> None:
    """To look at them mends nothing, so it is nothing that --fix runs."""
    overnight("test", "run", "--suite", "my unit", "--quiet", "--", "false")
    [check] = overnight("doctor", "tests", "--json").json["checks"]
    (fix,) = check["fixes"]
    assert (fix["argv"], "overnight test run --suite 'my unit' -- false" in fix["text"]) == (None, True)
    assert "over 1 run" not in check["summary"]


@pytest.mark.parametrize("name", ["history.db", "health.db", "tests.db", "logs.db", "dormant.db"])
def test_a_file_of_a_newer_version_is_named_and_left_alone(overnight: Call, place: Path, name: str) -> None:
    rooms: dict[str, Any] = {"history": database, "health": health, "tests": suites, "logs": logs, "dormant": dormant}
    overnight("add", "--", "true")
    file = place / ".overnight" / name
    with closing(apsw.Connection(str(file))) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.pragma("application_id", rooms[file.stem].APPLICATION)
        connection.pragma("user_version", rooms[file.stem].VERSION + 1)
    before = file.read_bytes()
    assert any(f"has written {name}" in words for _, words in findings(overnight, "home"))
    for words in (("dormant", "list"), ("logs", "errors"), ("test", "report"), ("health", "stop"), ("status",)):
        assert "unexpected" not in overnight(*words).err
    assert file.read_bytes() == before


def test_an_engine_of_another_version_is_named(overnight: Call, working: Callable[..., HomeLock]) -> None:
    working(version="0.0.1")
    found = findings(overnight, "engine")
    assert [status for status, _ in found] == ["warn", "ok"]
    assert "0.0.1" in found[0][1]
    assert "overnight restart" in overnight("doctor", "engine").out


def test_an_engine_whose_supervisor_is_gone_is_named(overnight: Call, working: Callable[..., HomeLock]) -> None:
    working(owner={"supervisor": 2**22 - 1, "supervisor_start": 1})
    assert any("nobody would start it again" in words for _, words in findings(overnight, "engine"))


def test_a_crash_of_the_last_day_is_named_and_an_older_one_is_not(
    overnight: Call, working: Callable[..., HomeLock]
) -> None:
    now = SystemClock().now()

    def crashed(at: float) -> list[str]:
        parent = identity(os.getppid())
        assert parent is not None
        report = {"pid": parent.pid, "restarts": 2, "last_crash": "killed by SIGSEGV", "last_crash_at": at}
        owner = {"supervisor": parent.pid, "supervisor_start": parent.ticks}
        lock = working(owner=owner, supervisor=report)
        found = [words for _, words in findings(overnight, "engine") if "SIGSEGV" in words]
        lock.release()
        return found

    assert len(crashed(now - 3600.0)) == 1
    assert crashed(now - 2 * 86400.0) == []


def test_a_crash_is_named_although_the_supervisor_died_with_the_engine(
    overnight: Call, place: Path, working: Callable[..., HomeLock]
) -> None:
    """Killed together, as by a power cut; the next ones know nothing of it."""
    journal, now = Home(place / ".overnight").journal, SystemClock().now()
    began = [
        f'{{"seq":{n},"event":"processor_started","at":"{iso(now - 99 / n)}","fence":{n},"by":"me"}}\n' for n in (1, 9)
    ]
    with journal.open("a") as file:
        file.write(began[0])
    assert any("ended without a word" in words and "had begun" in words for _, words in findings(overnight, "engine"))
    with journal.open("a") as file:
        file.write(began[1])
    working()
    assert any("the next one began 11 s ago" in words for _, words in findings(overnight, "engine"))


def test_checkpoints_that_an_engine_owes_are_asked_for(
    overnight: Call, working: Callable[..., HomeLock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works for an hour, a task has finished in its first minutes, and there is none of after that."""
    overnight("checkpoint", "clear", "--yes")
    lock = working(seconds=60.0)
    assert findings(overnight, "checkpoints") == []
    lock.release()
    later = FakeClock(SystemClock().now() + 3600.0)
    monkeypatch.setattr(wiring, "clock", later)
    lock = working(seconds=-3540.0)  # one that has only begun owes none yet
    assert findings(overnight, "checkpoints") == []
    lock.release()
    working(seconds=60.0)
    [(status, words)] = findings(overnight, "checkpoints")
    assert (status, "there is none" in words) == ("warn", True)
    assert overnight("doctor", "checkpoints", "--json").json["checks"][0]["fixes"][0]["argv"][1] == "checkpoint"


def test_what_holds_processes_together_is_said_and_what_is_not_to_be_had_fails(
    overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    overnight("add", "--", "true")
    assert "purge" in summary(overnight, "containment")[1]
    monkeypatch.setattr("overnight.host.namespaces.refusal", lambda: "not permitted")
    monkeypatch.setenv("OVERNIGHT_ISOLATION", "pidns")
    assert summary(overnight, "containment")[0] == "fail"


def test_a_sqlite_that_may_damage_stores_is_named(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    overnight("add", "--", "true")
    assert findings(overnight, "store")[0][0] == "ok"
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: "3.51.2")
    assert findings(overnight, "store")[0][0] == "warn"


def test_a_project_in_trouble_is_told_all_of_it_and_a_second_run_is_better(
    overnight: Call,
    place: Path,
    program: Callable[..., subprocess.CompletedProcess[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Changes that are not committed, a service that is dead, an old backup, too little room, an open home."""
    git("init", "--quiet")
    (place / "overnight.toml").write_text('[check.web]\ntcp = "127.0.0.1:1"\n[backup]\nmax_age = "1d"\n')
    overnight("add", "--", "true")
    overnight("cancel", "--all")
    with monkeypatch.context() as past:
        past.setattr(wiring, "clock", FakeClock(SystemClock().now() - 30 * 86400.0))
        assert overnight("backup", "create").status == 0
    (place / ".overnight").chmod(0o755)
    monkeypatch.setenv("OVERNIGHT_GATE_DISK", "900TB")
    asked = ("git", "web", "backups", "disk", "home")

    def told(*words: str) -> tuple[dict[str, str], Any]:
        said = json.loads(program("doctor", *asked, "--json", *words).stdout)
        return {one["id"]: one["status"] for one in said["checks"]}, said

    before, said = told()
    assert before == {"git": "warn", "web": "fail", "backups": "warn", "disk": "fail", "home": "warn"}
    assert (said["overall"], said["exit_code"]) == ("FAIL", 2)
    assert all(fix["argv"] or fix["text"] for one in said["checks"] for fix in one["fixes"])
    assert all(one["fixes"] for one in said["checks"])
    refused = program("doctor", *asked, "--fix")
    assert b"nothing was run" in refused.stderr
    assert told()[0] == before

    mended = program("doctor", *asked, "--fix", "--yes")
    assert b"'overnight backup create' ended with exit status 0" in mended.stderr
    after, _ = told()
    assert after == {**before, "home": "ok", "backups": "ok"}


def test_a_program_that_does_not_answer_is_ended_and_nothing_is_known(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "--quiet")
    bin_ = place.parent / "bin"
    bin_.mkdir()
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    (bin_ / "git").write_text("#!/bin/sh\nexit 128\n")
    (bin_ / "git").chmod(0o755)
    assert findings(overnight, "git") == [("unknown", "git ends with exit status 128")]
    (bin_ / "git").write_text(f"#!/bin/sh\necho $$ > {place}/pid; exec sleep 50\n")
    monkeypatch.setattr("overnight.ops.asking.SLACK", 2.5)
    assert findings(overnight, "git") == [("unknown", "git does not answer in time")]
    pid = (place / "pid").read_text().strip() if (place / "pid").exists() else ""
    assert not pid or not Path("/proc", pid).exists()
