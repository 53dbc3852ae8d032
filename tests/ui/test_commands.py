"""The commands as people use them, on real stores."""

from __future__ import annotations

import base64
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from overnight import wiring
from overnight.core.states import ErrorClass, Outcome, Reason, TaskState
from overnight.core.verdict import Settlement
from overnight.host.lock import HomeLock
from overnight.store.contract import Claim, Store
from overnight.ui.cli.commands import wait as wait_command
from overnight.ui.cli.group import COMMANDS, load
from overnight.wiring import ending

#: Runs a command line: status, out, err.
Call = Callable[..., Any]


@contextmanager
def the_store() -> Iterator[Store]:
    store = wiring.open_store(wiring.find_home())
    try:
        yield store
    finally:
        store.close()


def claim(store: Store) -> int:
    """Make everything that is pending running; the fence of the engine that did."""
    fence = store.take_fence(now=wiring.clock.now(), by="engine")
    lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
    store.turn(fence=fence, now=wiring.clock.now(), claim=Claim(count=100, lanes=lanes, pools={"work": 100.0}))
    return fence


def end(store: Store, fence: int, state: TaskState, *ids: int) -> None:
    """End running attempts."""
    now = wiring.clock.now()
    bad = state is not TaskState.COMPLETED
    settlements = [
        Settlement(
            task_id=one,
            attempt=store.get(one).attempt,
            state=state,
            outcome=Outcome.FAILED if bad else Outcome.COMPLETED,
            failures=int(bad),
            deaths=0,
            started_at=now,
            seconds=1.5,
            reason=Reason.ERROR if state is TaskState.FAILED else Reason.POISON if bad else None,
            error_class=ErrorClass.UNKNOWN if bad else None,
            error="exit 1" if bad else "",
            exit_code=int(bad),
        )
        for one in ids
    ]
    assert store.turn(fence=fence, now=now, settlements=settlements).stale == []


def outcome(state: TaskState, *ids: int) -> None:
    """Let pending tasks run and end so."""
    with the_store() as store:
        end(store, claim(store), state, *ids)


# -- the frame -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_list_says_and_says_the_same_about_itself(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_list_of_commands_needs_no_home(overnight: Call) -> None:
    said = overnight("--help")
    assert said.status == 0
    assert all(entry.help in said.out for entry in COMMANDS.values())
    assert max(len(line) for line in said.lines) <= 80


def test_help_may_be_asked_for_in_words(overnight: Call) -> None:
    for words, options in (
        ((), ("--help",)),
        (("run",), ("run", "--help")),
        (("logs", "tail"), ("logs", "tail", "-h")),
    ):
        said = overnight("help", *words)
        assert (said.status, said.out) == (0, overnight(*options).out)
    assert (overnight("help", "fly").status, overnight("help", "fly").out) == (2, "")
    assert overnight("-V").out == overnight("--version").out


def test_an_unknown_command_says_what_was_meant(overnight: Call) -> None:
    said = overnight("stauts")
    assert (said.status, said.out) == (2, "")
    assert said.err == "overnight: there is no command 'stauts'; nothing was done\n  try: 'overnight status'\n"


def test_an_unknown_option_says_what_was_meant(overnight: Call) -> None:
    said = overnight("add", "--retires", "3", "--", "true")
    assert said.status == 2
    assert "no such option '--retires'; nothing was done" in said.err.lower()
    assert "try: '--retries'" in said.err


def test_an_option_that_shares_but_its_dashes_was_not_meant(overnight: Call) -> None:
    assert overnight("list", "--since", "8h").err.endswith("try: 'overnight list --help' lists what there is\n")


def test_a_misspelt_choice_says_what_was_meant_and_a_number_what_it_is(overnight: Call) -> None:
    assert overnight("list", "--state", "fialed").err.endswith("try: '--state failed'\n")
    assert overnight("list", "--state", "failed,held").err.endswith("try: '--state failed --state held'\n")
    assert overnight("completion", "zhs").err.endswith("try: 'overnight completion zsh'\n")
    assert overnight("list", "--state", "zz").err.endswith("lists what there is\n")
    assert "'high' is not a whole number" in overnight("add", "-p", "high", "a", "--", "true").err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["config"], "'overnight config' needs one of its commands: schema, show; nothing was done\n  try: 'overnight"),
        (["completion"], "missing argument '{bash|zsh|fish}', one of bash, zsh, fish; nothing was done\n  try: 'overn"),
        (["add", "--call"], "option '--call' requires an argument; nothing was done\n  try: 'overnight add --help'"),
    ],
)
def test_a_call_that_is_cut_short_is_told_in_two_lines(words: list[str], said: str, overnight: Call) -> None:
    ended = overnight(*words)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 2)
    assert ended.err.startswith(f"overnight: {said}")


def test_a_bad_value_is_a_usage_error_in_our_three_parts(overnight: Call) -> None:
    said = overnight("add", "--timeout", "soon", "--", "true")
    assert said.status == 2
    assert said.err.startswith("overnight: ")
    assert "'soon' is no duration" in said.err
    assert "\n  try: " in said.err


def test_without_a_home_looking_says_so(overnight: Call) -> None:
    for words in ([], ["status"], ["list"], ["show", "1"], ["stop"], ["wait"]):
        said = overnight(*words)
        assert (said.status, said.out) == (4, "")
        assert "there is no home" in said.err


def test_a_home_that_is_named_and_not_there_is_made_by_what_the_hint_says(overnight: Call, place: Path) -> None:
    said = overnight("--home", str(place / "new"), "status")
    assert said.status == 4
    hint = said.err.splitlines()[1].split("'")[1]
    assert hint == f"overnight --home {place}/new run"
    assert overnight(*hint.split()[1:]).status == 0
    assert overnight("--home", str(place / "new"), "status").status == 0


def test_overnight_alone_is_status_and_home_may_stand_on_either_side(overnight: Call, place: Path) -> None:
    home = str(place / "elsewhere")
    assert overnight("--home", home, "add", "--", "true").status == 0
    alone = overnight("--home", home)
    assert alone == overnight("status", "--home", home)
    assert "1 task: 1 pending" in alone.out


def test_a_bug_of_ours_is_told_calmly_and_traced_only_when_asked(
    overnight: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr(wiring, "find_home", broken)
    said = overnight("status")
    assert said.status == 1
    assert said.err.startswith("overnight: unexpected KeyError: 'x'; this is a bug")
    assert "Traceback" not in said.err
    monkeypatch.setenv("OVERNIGHT_DEBUG", "1")
    assert "Traceback" in overnight("status").err


# -- add -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.EROFS, "--home DIR"),
        (errno.ENOSPC, "df -h '/srv/a b'"),
        (errno.EACCES, "ls -ld"),
        (errno.EIO, "OVERNIGHT_DEBUG=1"),
    ],
)
def test_what_the_machine_refuses_comes_with_what_mends_it(
    overnight: Call, monkeypatch: pytest.MonkeyPatch, number: int, mend: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), "/srv/a b/.overnight")

    monkeypatch.setattr("overnight.wiring.find_home", refuse)
    said = overnight("status")
    assert (said.status, os.strerror(number) in said.err) == (1, True)
    assert mend in said.err.partition("try: ")[2]


def test_add_prints_the_ids_and_the_tasks_are_there(overnight: Call) -> None:
    said = overnight("add", "a", "b c", "--", "gzip", "{}")
    assert said == (0, "1\n2\n", "")
    assert [json.loads(line)["input"] for line in overnight("list", "--json").lines] == ["b c", "a"]


def test_the_three_ways_of_naming_inputs_make_the_same_tasks(overnight: Call, place: Path) -> None:
    (place / "list").write_bytes(b"a\nb\n")
    (place / "list0").write_bytes(b"a\0b\0")
    ways = [
        ["a", "b", "--", "gzip"],
        ["--", "gzip", ":::", "a", "b"],
        ["-a", "list", "--", "gzip"],
        ["--", "gzip", "::::", "list"],
        ["-0", "-a", "list0", "--", "gzip"],
    ]
    assert overnight("add", *ways[0]).status == 0
    for way in ways:
        assert overnight("add", "--unique", "--json", *way).json == {"added": 0, "known": 2, "duplicates": 0, "ids": []}


def test_what_goes_with_a_task_is_recorded(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEVEL", "3")
    monkeypatch.setenv("API_TOKEN", "hush")
    (place / "a.txt").write_bytes(b"12345")
    (place / "sub").mkdir()
    overnight("add", "--env", "LEVEL", "--env", "API_TOKEN", "--timeout", "0", "--retries", "1", "a.txt", "--", "gzip")
    overnight("add", "--cwd", "sub", "--at-most-once", "-p", "5", "-q", "slow", "--title", "t", "--call", "m:f", "x")
    with the_store() as store:
        first, second = store.get(1), store.get(2)
        actions = store.actions({first.action_id, second.action_id})
    one, two = actions[first.action_id], actions[second.action_id]
    assert one.env[b"LEVEL"] == b"3"
    assert b"hush" not in repr(one).encode()
    assert one.env_names == (b"API_TOKEN",)
    assert (one.timeout, one.retries, one.cwd) == (None, 1, os.fsencode(place))
    assert first.stamp == f"5:{(place / 'a.txt').stat().st_mtime_ns}"
    assert (two.cwd, two.call, two.at_most_once) == (os.fsencode(place / "sub"), "m:f", True)
    assert (second.priority, second.queue, second.title) == (5, "slow", "t")


def test_a_later_time_makes_a_task_wait(overnight: Call) -> None:
    overnight("add", "--in", "1h", "--", "true")
    overnight("add", "--at", "2099-01-01", "--", "true")
    assert overnight("status", "--json").json["counts"]["waiting"] == 2


@pytest.mark.parametrize("verb", ["run", "add"])
def test_a_file_that_looks_like_an_option_is_named_with_what_is_to_be_typed(
    overnight: Call, place: Path, verb: str
) -> None:
    (place / "-dash.txt").write_text("x")
    said = overnight(verb, "-dash.txt", "a.txt", "--", "cat")
    assert said.status == 2
    assert "the input '-dash.txt' looks like an option (-d); nothing was done\n  try: ./-dash.txt" in said.err
    assert "no such option" in overnight(verb, "-other.txt", "--", "cat").err


def test_an_input_that_names_a_file_is_not_taken_for_an_option(overnight: Call, place: Path) -> None:
    (place / "-rf").touch()
    overnight("add", "--", "rm", ":::", "-rf", "-x")
    with the_store() as store:
        assert [store.get(1).input, store.get(2).input] == [b"./-rf", b"-x"]


@pytest.mark.parametrize("name", [b"a b", b"new\nline", b"caf\xe9", b"\xff\xfe", b"'\"$(x)", "日本".encode()])
def test_every_name_comes_back_as_it_was_given(overnight: Call, name: bytes) -> None:
    assert overnight("add", "--", "gzip", ":::", name).status == 0
    shown = overnight("show", "1", "--json").json
    exact = base64.b64decode(shown["input_b64"]) if "input_b64" in shown else shown["input"].encode()
    assert exact == name
    for text in (overnight("list").out, overnight("show", "1").out, overnight("status").out):
        assert all(ord(character) >= 0x20 or character == "\n" for character in text)
        text.encode()


def test_a_command_without_inputs_is_one_task(overnight: Call) -> None:
    assert overnight("add", "--", "make", "all").out == "1\n"
    assert "make all" in overnight("list").out


def test_a_dry_run_shows_what_would_be_run_and_changes_nothing(overnight: Call, place: Path) -> None:
    said = overnight("add", "--dry-run", "a b.jpg", "--", "convert", "{}", "{.}.png")
    assert said.out == "convert 'a b.jpg' 'a b.png'\n"
    assert overnight("add", "--dry-run", "--call", "m:f", "x y").out == "m:f 'x y'\n"
    assert not (place / ".overnight").exists()


def test_columns_are_shown_and_kept(overnight: Call) -> None:
    overnight("add", "--", "x", "{2}", "{1}", ":::", "a", "b", ":::+", "1", "2")
    assert "a 1" in overnight("list").out
    assert overnight("show", "1", "--json").json["input"] == "a\0001"


def test_a_program_that_is_not_there_is_a_warning_and_no_error(overnight: Call) -> None:
    said = overnight("add", "a", "b", "--", "no-such-program")
    assert (said.status, said.out) == (0, "1\n2\n")
    assert said.err.count("no program 'no-such-program'") == 1


def test_the_home_is_named_when_it_is_not_here(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert overnight("add", "--", "true").err == ""
    (place / "below").mkdir()
    monkeypatch.chdir(place / "below")
    assert "the home is" in overnight("add", "--", "true").err
    assert not (place / "below" / ".overnight").exists()


def test_a_large_add_is_all_there(overnight: Call, place: Path) -> None:
    (place / "list").write_text("".join(f"{n}\n" for n in range(12_345)))
    said = overnight("add", "-a", "list", "--", "true")
    assert len(said.lines) == 12_345
    assert overnight("status", "--json").json["counts"]["pending"] == 12_345


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "neither an input nor a command"),
        (["-a", "missing", "--", "x"], "'missing' cannot be read (no such file"),
        (["-a", ".", "--", "x"], "'.' cannot be read (is a directory)"),
        (["a", "--"], "no command after '--'"),
        (["", "--", "x"], "one of the inputs is empty"),
        (["y" * 131_072, "--", "x"], "131,072 bytes long"),
        (["-a", "nul", "--", "x"], "contains a NUL byte"),
        (["--call", "nonsense", "a"], "'nonsense' is none"),
        (["--call", "m:f"], "has no input"),
        (["--call", "m:f", "a", "--", "x"], "a task does one thing"),
        (["--shell", "a", "--", "x", "y"], "one word"),
        (["--cwd", "missing", "--", "x"], "does not exist"),
        (["--env", "NOT_SET_HERE", "--", "x"], "is not set"),
        (["--at", "06:00", "--in", "1h", "--", "x"], "--at and --in"),
        (["-q", "a/b", "--", "x"], "cannot be the name of a queue"),
        (["--", "x", ":::", "a", ":::+", "1", "2"], "1 and 2 inputs"),
        (["--title", "x" * 4097, "--", "x"], "longer than"),
    ],
)
def test_a_bad_call_is_refused_in_three_parts_and_adds_nothing(
    overnight: Call, place: Path, words: list[str], part: str
) -> None:
    (place / "nul").write_bytes(b"a\0b\n")
    said = overnight("add", *words)
    assert (said.status, said.out) == (2, "")
    what, hint = said.err.splitlines()
    assert part in what
    assert what.startswith("overnight: ")
    assert what.endswith("; nothing was added")
    assert hint.startswith("  try: ")
    assert not (place / ".overnight").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_list_is_refused(overnight: Call, place: Path) -> None:
    (place / "list").touch(mode=0)
    said = overnight("add", "-a", "list", "--", "x")
    assert said.status == 2
    assert "permission denied" in said.err


# -- settings --------------------------------------------------------------------------------


def test_the_file_and_the_environment_say_what_the_call_does_not(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "overnight.toml").write_text(
        '[defaults]\ntimeout = "9s"\nretries = 7\nbackoff = "1s, x3, max 9s"\nenv = ["LEVEL", "UNSET"]\n'
    )
    monkeypatch.setenv("LEVEL", "3")
    monkeypatch.setenv("OVERNIGHT_RETRIES", "1")
    overnight("add", "a", "--", "true")
    overnight("add", "--timeout", "2s", "b", "--", "true")
    with the_store() as store:
        one, two = (store.actions({store.get(number).action_id})[store.get(number).action_id] for number in (1, 2))
    assert (one.timeout, one.retries, one.backoff.factor, one.env[b"LEVEL"]) == (9.0, 1, 3.0, b"3")
    assert two.timeout == 2.0


def test_a_broken_configuration_adds_nothing_and_shows_where(overnight: Call, place: Path) -> None:
    (place / "overnight.toml").write_text("[defaults]\nretires = 7\n")
    for words in (["add", "a", "--", "true"], ["config", "show"]):
        said = overnight(*words)
        assert (said.status, said.out) == (2, "")
        assert "retires" in said.err
        assert "retries" in said.err
    assert not (place / ".overnight").exists()


def test_config_show_says_where_each_value_comes_from(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "overnight.toml").write_text('[defaults]\ntimeout = "9s"\n[resources]\ngpu = ["0", "1"]\n')
    monkeypatch.setenv("OVERNIGHT_RETRIES", "1")
    shape = overnight("config", "show", "--json").json
    assert shape["settings"]["timeout"]["value"] == "9s"
    assert shape["settings"]["timeout"]["where"].endswith("overnight.toml:2")
    assert shape["settings"]["retries"] == {"value": "1", "origin": "environment", "where": "OVERNIGHT_RETRIES"}
    assert shape["settings"]["kill_grace"]["origin"] == "default"
    assert shape["resources"]["gpu"] == {"amount": 2.0, "ids": ["0", "1"]}
    assert "resource gpu: 2 (0, 1)" in overnight("config", "show").out


# -- looking ---------------------------------------------------------------------------------


def test_list_chooses_by_state_and_queue_newest_first(overnight: Call) -> None:
    overnight("add", "a", "b", "c", "--", "true")
    overnight("add", "-q", "other", "d", "--", "true")
    overnight("cancel", "2")
    assert [line.split()[0] for line in overnight("list").lines] == ["4", "3", "2", "1"]
    assert [line.split()[0] for line in overnight("list", "--state", "cancelled").lines] == ["2"]
    assert [line.split()[0] for line in overnight("list", "-q", "other").lines] == ["4"]
    assert [line.split()[0] for line in overnight("list", "-n", "2").lines] == ["4", "3"]


def test_list_json_has_one_object_a_line_with_the_promised_names(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    assert set(overnight("list", "--json").json) >= {
        "id",
        "title",
        "description",
        "state",
        "reason",
        "input",
        "command",
        "call",
        "workflow",
        "step",
        "parent_id",
        "queue",
        "priority",
        "attempt",
        "added_at",
        "started_at",
        "finished_at",
        "error_class",
        "error",
    }


def test_show_tells_every_attempt(overnight: Call) -> None:
    overnight("add", "a", "--", "false")
    outcome(TaskState.FAILED, 1)
    shape = overnight("show", "1", "--json").json
    assert (shape["state"], shape["reason"], shape["error"]) == ("failed", "error", "exit 1")
    attempt = shape["attempts"][0]
    assert set(attempt) >= {
        "number",
        "outcome",
        "reason",
        "started_at",
        "finished_at",
        "exit_code",
        "signal",
        "error",
        "output_bytes",
        "cpu_seconds",
        "peak_memory_bytes",
    }
    assert (attempt["number"], attempt["outcome"], attempt["exit_code"]) == (1, "failed", 1)
    text = overnight("show", "1").out
    assert "failed (error)" in text
    assert "exit 1" in text


def test_status_counts_every_state_and_says_what_to_type_next(overnight: Call) -> None:
    overnight("add", "a", "b", "c", "--", "true")
    outcome(TaskState.FAILED, 1)
    with the_store() as store:
        end(store, claim(store), TaskState.COMPLETED, 2)
    shape = overnight("status", "--json").json
    assert set(shape) >= {"engine", "counts", "rate_per_second", "seconds_left", "running", "health", "steps"}
    names = ("pid", "uptime_seconds", "last_heartbeat", "workers", "workers_active", "slots", "containment")
    assert shape["engine"] == {"state": "stopped", "gates": [], **dict.fromkeys((*names, "supervisor"))}
    assert (shape["counts"]["failed"], shape["counts"]["completed"], shape["counts"]["total"]) == (1, 1, 3)
    assert [one["id"] for one in shape["running"]] == [3]
    text = overnight("status").out
    assert "3 tasks: 1 completed, 1 failed, 1 interrupted" in text
    assert "overnight retry-failed" in text
    assert overnight("status", "--format", "json").json["counts"] == shape["counts"]


def test_status_check_is_for_scripts(overnight: Call) -> None:
    overnight("add", "--", "true")
    assert overnight("status").status == 0
    assert overnight("status", "--check").status == 3
    with held():
        assert overnight("status", "--check").status == 0


@pytest.mark.parametrize("words", [["show", "7"], ["log", "7"], ["cancel", "7"], ["wait", "7"], ["clean", "7"]])
def test_a_task_that_does_not_exist_is_exit_4(overnight: Call, words: list[str]) -> None:
    overnight("add", "--", "true")
    said = overnight(*words)
    assert said.status == 4
    assert "there is no task 7" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["list", "-q", "nope"],
        ["list", "-w", "nope"],
        ["list", "--cause", "nope"],
        ["list", "--of", "7"],
        ["why", "--queue", "nope"],
        ["pause", "-w", "nope"],
    ],
)
def test_what_is_not_there_is_exit_4_for_who_only_looks(overnight: Call, words: list[str]) -> None:
    overnight("add", "--", "true")
    said = overnight(*words)
    assert (said.status, said.out) == (4, "")
    assert "; nothing was " in said.err
    assert "\n  try: " in said.err


@pytest.mark.parametrize("words", [["list"], ["hold"], ["wait"], ["pause"]])
def test_a_workflow_that_is_listed_is_there_before_its_first_task(overnight: Call, words: list[str]) -> None:
    overnight("add", "--", "true")
    assert "wf-ingest" in overnight("workflow", "list").out
    assert overnight(*words, "-w", "wf-ingest").status == 0


def test_a_log_before_the_first_attempt_has_ended_says_so(overnight: Call) -> None:
    overnight("add", "--", "true")
    said = overnight("log", "1")
    assert said.status == 4
    assert "there is no output yet" in said.err


# -- acting ----------------------------------------------------------------------------------


def test_people_act_on_what_waits(overnight: Call) -> None:
    overnight("add", "a", "b", "c", "--", "true")
    assert overnight("hold", "1", "2").out == "2 tasks held\n"
    assert overnight("release", "1").out == "1 task released\n"
    assert overnight("cancel", "--state", "held").out == "1 task cancelled\n"
    assert overnight("retry", "2").out == "1 task queued once more\n"
    assert overnight("cancel", "--all").out == "3 tasks cancelled\n"


def test_what_runs_is_asked_for(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    with the_store() as store:
        claim(store)
    assert "1 interrupted task will be cancelled" in overnight("cancel", "1").out
    with the_store() as store:
        assert [(one.verb, one.task_id) for one in store.orders().controls] == [("cancel", 1)]


def test_doing_it_twice_is_fine_and_doing_the_impossible_is_not(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    assert overnight("cancel", "1").status == 0
    assert overnight("cancel", "1") == (0, "0 tasks cancelled\n", "")
    said = overnight("hold", "1")
    assert said.status == 1
    assert "task 1 is cancelled and cannot be held; it stays as it is\n  try: 'overnight retry 1' queues" in said.err
    overnight("add", "b", "--", "true")
    overnight("hold", "2")
    assert "task 2 is held and cannot be queued once more; it stays as it is\n  try: 'overnight release 2'" in (
        overnight("retry", "2").err
    )


def test_a_named_task_that_is_not_forgotten_is_told_with_its_reason(overnight: Call) -> None:
    overnight("add", "a", "b", "--", "true")
    overnight("cancel", "1")
    said = overnight("clean", "--yes", "1", "2")
    assert (said.status, said.out) == (1, "1 task removed\n")
    assert said.err == (
        "overnight: task 2 is pending, and what has not finished is never forgotten\n"
        "  try: 'overnight cancel 2', then 'overnight clean 2'\n"
    )
    overnight("hold", "2")
    assert overnight("clean", "--yes").out == "0 tasks removed\n"
    assert overnight("clean", "--yes", "--state", "held").out == "1 task removed\n"


@pytest.mark.parametrize("verb", ["cancel", "hold", "release", "retry"])
def test_nothing_named_never_means_everything(overnight: Call, verb: str) -> None:
    overnight("add", "a", "--", "true")
    said = overnight(verb)
    assert said.status == 2
    assert "no task is named; nothing was changed" in said.err


@pytest.mark.parametrize("verb", ["retry", "cancel", "hold", "release", "clean", "edit"])
@pytest.mark.parametrize("words", [("--cause", "zzz"), ("-q", "zzz"), ("-w", "zzz"), ("99",)])
def test_what_was_never_there_is_exit_4(overnight: Call, verb: str, words: tuple[str, ...]) -> None:
    overnight("add", "a", "--", "true")
    said = overnight(verb, *words, *(["--priority", "1"] if verb == "edit" else ["--yes"] if verb == "clean" else []))
    assert (said.status, said.out, "try:" in said.err) == (4, "", True)


def test_a_task_without_an_input_is_called_by_its_command(overnight: Call) -> None:
    assert "task 1 (false) failed after 1 attempt" in overnight("run", "--retries", "0", "--", "false").err


def test_a_cause_that_was_met_once_may_be_retried_again(overnight: Call) -> None:
    overnight("run", "--quiet", "--retries", "0", "a", "--", "false")
    cause = overnight("report", "--json").json["failed"][0]["cause"]
    for number in (1, 0):
        said = overnight("retry", "--cause", cause)
        assert (said.status, said.out.split()[0]) == (0, str(number))


def test_retry_all_takes_what_failed_and_leaves_what_is_done(overnight: Call) -> None:
    overnight("add", "a", "b", "--", "true")
    with the_store() as store:
        fence = claim(store)
        end(store, fence, TaskState.FAILED, 1)
        end(store, fence, TaskState.COMPLETED, 2)
    assert overnight("retry-failed").out == "1 task queued once more\n"
    with the_store() as store:
        assert (store.get(1).state, store.get(2).state) == (TaskState.PENDING, TaskState.COMPLETED)
        end(store, claim(store), TaskState.FAILED, 1)
    assert overnight("retry", "--all").out == "1 task queued once more\n"


def test_clean_asks_and_forgets_only_what_is_finished(overnight: Call) -> None:
    overnight("add", "a", "b", "--", "true")
    overnight("cancel", "1")
    with Path(os.devnull).open() as nobody, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", nobody)
        said = overnight("clean")
    assert (said.status, said.out) == (2, "")
    assert "nothing was changed" in said.err
    assert overnight("clean", "--yes").out == "1 task removed\n"
    counts = overnight("status", "--json").json
    assert (counts["counts"]["total"], counts["removed"]) == (1, 1)


# -- queues ----------------------------------------------------------------------------------


def test_a_queue_keeps_what_is_not_said(overnight: Call) -> None:
    overnight("queue", "set", "gpu", "--slots", "2", "--rate", "10/s")
    assert overnight("queue", "set", "gpu", "--slots", "none").out == "queue gpu: 10 starts a second\n"
    shape = overnight("queue", "names", "--json").json
    assert (shape["name"], shape["slots"], shape["rate"]) == ("gpu", None, 10.0)
    assert overnight("queue", "set", "gpu").status == 2
    assert overnight("queue", "set", "gpu", "--slots", "many").status == 2


def test_the_short_forms_are_about_the_default_queue(overnight: Call) -> None:
    overnight("queue", "add", "a.txt", "7", "--", "true")
    overnight("add", "-q", "other", "b", "--", "true")
    assert overnight("queue", "size").out == "1\n"
    assert overnight("queue", "list").lines[0].split() == ["1", "pending", "7", "true", "a.txt"]
    assert overnight("queue", "clear", "--yes").out == "1 task removed\n"
    assert overnight("queue", "size").out == "0\n"


# -- waiting and stopping --------------------------------------------------------------------


@contextmanager
def held(**info: object) -> Iterator[None]:
    """Hold the home as an engine would that says this about itself."""
    lock = HomeLock(wiring.find_home().lock)
    lock.acquire(info)
    try:
        yield
    finally:
        lock.release()


def test_wait_returns_when_all_is_done_and_says_how_it_went(overnight: Call) -> None:
    overnight("add", "a", "b", "c", "--", "true")
    with the_store() as store:
        fence = claim(store)
        end(store, fence, TaskState.COMPLETED, 1)
        end(store, fence, TaskState.FAILED, 2)
        end(store, fence, TaskState.HELD, 3)
    assert [overnight("wait", *words).status for words in (["1"], ["2"], ["3"], ["1", "2"], [])] == [0, 1, 1, 1, 1]


@pytest.mark.parametrize("words", [["1"], ["-q", "default"], ["--all"], []])
def test_wait_counts_what_was_cancelled_however_it_is_named(overnight: Call, words: list[str]) -> None:
    overnight("add", "a", "--", "true")
    overnight("cancel", "1")
    assert overnight("wait", *words).status == 1


def test_wait_gives_up_when_its_time_is_over(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    with held():
        assert overnight("wait", "--timeout", "50ms").status == 124


def test_wait_without_an_engine_does_not_wait_for_ever(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wait_command, "_PATIENCE", 0.0)
    overnight("add", "a", "--", "true")
    said = overnight("wait")
    assert said.status == 3
    assert "no engine runs" in said.err


def test_wait_sees_the_task_end(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    looked = threading.Event()

    def finish() -> None:
        looked.wait(10)
        outcome(TaskState.COMPLETED, 1)

    worker = threading.Thread(target=finish)
    worker.start()
    with held(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", lambda _: looked.set())
        assert overnight("wait", "--timeout", "30").status == 0
    worker.join()


def test_ctrl_c_is_quiet(overnight: Call) -> None:
    overnight("add", "a", "--", "true")

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with held(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", interrupt)
        said = overnight("wait")
    assert (said.status, said.out, said.err.strip()) == (130, "", "")


@pytest.mark.parametrize("how", [(), ("--now",), ("--grace", "5")])
def test_stop_without_an_engine_says_so_at_once_and_lays_nothing(overnight: Call, how: tuple[str, ...]) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("stop", *how)
    assert (said.status, said.out) == (3, "")
    assert "no engine runs here; nothing was stopped" in said.err
    assert not wiring.find_home().stop.exists()
    with the_store() as store:
        assert store.orders().controls == []


def test_stop_asks_and_returns_when_the_lock_is_free(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    overnight("add", "a", "--", "true")
    home = wiring.find_home()
    lock = HomeLock(home.lock)
    lock.acquire({"pid": os.getpid()})
    asked: list[tuple[str, str]] = []

    def engine_leaves(_: float) -> None:
        assert home.stop.exists()
        with the_store() as store:
            asked.extend((one.verb, one.argument) for one in store.orders().controls)
        lock.release()

    monkeypatch.setattr("time.sleep", engine_leaves)
    assert overnight("stop", "--grace", "2m").out == "stopped\n"
    assert asked == [("stop", "120.0")]
    assert not home.stop.exists()


@pytest.mark.parametrize(
    "said", [{}, {"pid": 1}, {"pid": os.getpid()}, {"pid": os.getpid(), "start": 1, "boot_id": "x"}]
)
def test_stop_now_does_not_kill_what_it_cannot_name(
    overnight: Call, monkeypatch: pytest.MonkeyPatch, said: dict[str, object]
) -> None:
    """The number in the lock alone could be anybody's by now."""
    monkeypatch.setattr(ending, "DEAF_PATIENCE", -1.0)
    monkeypatch.setattr(ending, "SUPERVISOR_PATIENCE", -1.0)
    monkeypatch.setattr("signal.pidfd_send_signal", lambda *_: pytest.fail("killed by number"))
    overnight("add", "a", "--", "true")
    with held(**said):
        ended = overnight("stop", "--now")
    assert ended.status == 3
    assert "it was not killed" in ended.err


_HANGS = """
import os, sys
from pathlib import Path
from overnight.host.lock import HomeLock
from overnight.host.processes import identity
who = identity(os.getpid())
HomeLock(Path(sys.argv[1])).acquire({"pid": who.pid, "start": who.ticks, "boot_id": who.boot})
print("holds", flush=True)
sys.stdin.read()
"""


def test_stop_now_goes_past_an_engine_that_hangs(overnight: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "DEAF_PATIENCE", -1.0)
    overnight("add", "a", "--", "true")
    words = [sys.executable, "-c", _HANGS, str(wiring.find_home().lock)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdout
        assert engine.stdout.readline() == b"holds\n"
        said = overnight("stop", "--now")
        assert (said.status, said.out) == (0, "stopped\n")
        assert engine.wait(10) == -signal.SIGKILL
    assert "does not answer and is killed" in said.err
