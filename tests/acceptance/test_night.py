"""The main job, as a new user meets it: real files, real commands, real kills."""

from __future__ import annotations

import functools
import itertools
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

#: Appends one line when it begins and one when it ends; the ledger that knows nothing of our records.
WORK = """#!/bin/sh
printf 'begin %s\\n' "$1" >>ledger
printf 'end %s\\n' "$1" >>ledger
"""


def script(directory: Path, content: str, name: str = "work") -> str:
    path = directory / name
    path.write_text(content)
    path.chmod(0o755)
    return f"./{name}"


def ledger(directory: Path) -> Counter[str]:
    path = directory / "ledger"
    return Counter(path.read_text().splitlines() if path.exists() else ())


def files(directory: Path, count: int) -> list[str]:
    folder = directory / "in"
    folder.mkdir()
    names = [f"in/{number:04d}.txt" for number in range(count)]
    for name in names:
        (directory / name).write_text(name)
    return names


def reached(directory: Path, process: subprocess.Popen[bytes], files_done: int) -> bool:
    return process.poll() is not None or ledger(directory).total() >= 2 * files_done


def test_every_file_is_processed_and_accounted_for(terminal: Terminal) -> None:
    names = files(terminal.cwd, 30)
    terminal.run("run", *names, "--", script(terminal.cwd, WORK))
    assert ledger(terminal.cwd) == Counter(f"{word} {name}" for name in names for word in ("begin", "end"))
    assert terminal.counts()["completed"] == 30
    terminal.verify()


def test_outputs_are_printed_to_their_own_streams(terminal: Terminal) -> None:
    done = terminal.complete(
        "run", "--keep-order", "a", "b", "--", "sh", "-c", 'echo "out $1"; echo "err $1" >&2', "sh"
    )
    assert done.returncode == 0
    assert done.stdout == b"out a\nout b\n"
    assert b"err a\nerr b\n" in done.stderr


def test_kill_9_of_everything_and_the_same_line_again_completes_every_file_once(
    terminal: Terminal, until: Until
) -> None:
    """Three times in one run of 500 files: only what was interrupted runs again."""
    names, slots, kills = files(terminal.cwd, 500), 4, 3
    line = ("run", "-j", str(slots), *names, "--", script(terminal.cwd, WORK))
    dice = random.Random(4711)  # noqa: S311 - dice, not a secret
    for kill in range(kills):
        process = terminal.start(*line)
        goal = 60 + kill * 140 + dice.randrange(60)
        until(functools.partial(reached, terminal.cwd, process, goal))
        assert process.poll() is None, process.communicate()
        terminal.kill_everything(process)

    terminal.run(*line)

    written = ledger(terminal.cwd)
    assert all(written[f"end {name}"] >= 1 for name in names)
    again = [name for name in names if written[f"begin {name}"] > 1]
    assert len(again) <= kills * slots
    tasks = terminal.tasks()
    assert Counter(task["state"] for task in tasks) == {"completed": 500}
    assert {task["input"] for task in tasks} == set(names)
    for task in tasks:
        attempts = terminal.json("show", str(task["id"]), "--json")["attempts"] if task["attempt"] > 1 else []
        assert sum(attempt["outcome"] == "completed" for attempt in attempts) in (0, 1)
        began = sum(attempt["outcome"] != "recalled" for attempt in attempts) or 1
        assert written[f"begin {task['input']}"] <= began
    terminal.verify()
    assert terminal.cookies() == []


def test_a_failing_file_is_tried_four_times_with_its_waits_while_others_go_on(terminal: Terminal) -> None:
    content = '#!/bin/sh\ndate +%s.%N >>"times-$1"\n[ "$1" != bad ]\n'
    terminal.run("run", "-j", "1", "bad", "good1", "good2", "--", script(terminal.cwd, content), code=1)
    times = [float(line) for line in (terminal.cwd / "times-bad").read_text().split()]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(waits) == 3
    assert min(waits[i] - (2, 4, 8)[i] for i in range(3)) > -0.05
    good = float((terminal.cwd / "times-good2").read_text())
    assert good < times[1]
    (bad,) = [task for task in terminal.tasks() if task["input"] == "bad"]
    assert (bad["state"], bad["reason"], bad["attempt"]) == ("failed", "error", 4)


def test_a_time_limit_ends_a_command_that_ignores_term_and_its_children(terminal: Terminal) -> None:
    """Limit 1 s, then TERM, 5 s of grace, KILL: dead long before it would have ended, and so is what it started."""
    content = "#!/bin/sh\ntrap '' TERM\n(trap '' TERM; sleep 1000) &\nsleep 1000 & wait; sleep 1000\n"
    terminal.run("run", "--timeout", "1", "--retries", "0", "x", "--", script(terminal.cwd, content), code=1)
    (task,) = terminal.tasks()
    assert (task["state"], task["reason"]) == ("failed", "timeout")
    assert terminal.cookies() == []


def test_of_forty_starts_one_works_and_the_others_say_who(terminal: Terminal, until: Until) -> None:
    terminal.run("add", "x", "--", "sh", "-c", "until test -e go; do sleep 0.05; done")
    starts = [terminal.start("run") for _ in range(40)]
    until(lambda: sum(start.poll() is not None for start in starts) >= 39)
    (terminal.cwd / "go").touch()
    results = [(*start.communicate(), start.returncode) for start in starts]
    assert Counter(code for _, _, code in results) == {5: 39, 0: 1}
    refusals = [err.decode() for _, err, code in results if code == 5]
    assert all("home is locked by process" in refusal and "try: " in refusal for refusal in refusals)
    assert terminal.counts()["completed"] == 1


def test_a_second_run_with_inputs_adds_to_the_engine_at_work_and_follows(terminal: Terminal, until: Until) -> None:
    first = terminal.start("run", "slow", "--", "sh", "-c", "touch begun; until test -e go; do sleep 0.05; done")
    until((terminal.cwd / "begun").exists)
    second = terminal.start("run", "-j", "1", "quick", "--", "echo", "hello")
    out, err = second.communicate(timeout=20)
    assert second.returncode == 0, err
    assert out == b"hello quick\n"
    assert first.poll() is None
    (terminal.cwd / "go").touch()
    assert first.wait(20) == 0


def test_a_follower_takes_over_when_the_engine_it_follows_is_killed(terminal: Terminal, until: Until) -> None:
    first = terminal.start(
        "run", "-j", "1", "slow", "--", "sh", "-c", "touch begun; until test -e go; do sleep 0.05; done"
    )
    until((terminal.cwd / "begun").exists)
    second = terminal.start("run", "-j", "1", "quick", "--", "echo", "hello")
    until(lambda: terminal.counts()["total"] == 2)
    terminal.kill_everything(first)
    (terminal.cwd / "go").touch()
    out, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert b"hello quick" in out


def test_a_follower_does_not_work_on_when_somebody_stops_the_engine(terminal: Terminal, until: Until) -> None:
    script = "touch begun-$1; until test -e go; do sleep 0.05; done"
    first = terminal.start("run", "-j", "1", "a", "--", "sh", "-c", script, "sh")
    until((terminal.cwd / "begun-a").exists)
    second = terminal.start("run", "-j", "1", "b", "--", "sh", "-c", script, "sh")
    until(lambda: terminal.counts()["total"] == 2)
    stop = terminal.start("stop")
    until((terminal.cwd / ".overnight" / "STOP").exists)
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopping")
    (terminal.cwd / "go").touch()
    assert (stop.wait(30), first.wait(30)) == (0, 0)
    second.communicate(timeout=30)
    assert second.returncode == 7
    assert not (terminal.cwd / "begun-b").exists()


def test_the_same_line_again_skips_what_is_done_and_runs_what_failed(terminal: Terminal) -> None:
    content = '#!/bin/sh\nprintf "%s\\n" "$1" >>ledger\n[ "$1" != bad ] || [ -e mended ]\n'
    line = ("run", "--retries", "0", "a", "bad", "b", "--", script(terminal.cwd, content))
    terminal.run(*line, code=1)
    (terminal.cwd / "mended").touch()
    done = terminal.complete(*line)
    assert done.returncode == 0
    assert b"2 inputs completed before and skipped" in done.stderr
    assert ledger(terminal.cwd) == {"a": 1, "b": 1, "bad": 2}
    assert terminal.counts()["total"] == 3


def test_a_changed_file_is_named_and_run_again_on_request(terminal: Terminal) -> None:
    (name,) = files(terminal.cwd, 1)
    line = ("run", name, "--", script(terminal.cwd, WORK))
    terminal.run(*line)
    (terminal.cwd / name).write_text("something longer than before")
    named = terminal.complete(*line)
    assert name.encode() in named.stderr
    assert b"--changed" in named.stderr
    assert ledger(terminal.cwd)[f"end {name}"] == 1
    terminal.run(line[0], "--changed", *line[1:])
    assert ledger(terminal.cwd)[f"end {name}"] == 2


def test_ctrl_c_lets_running_tasks_finish_and_a_second_one_ends_them(terminal: Terminal, until: Until) -> None:
    content = "touch begun-$1; until test -e go-$1; do sleep 0.05; done"
    process = terminal.start("run", "-j", "1", "a", "b", "--", "sh", "-c", content, "sh")
    until((terminal.cwd / "begun-a").exists)
    process.send_signal(signal.SIGINT)
    (terminal.cwd / "go-a").touch()
    _, err = process.communicate(timeout=20)
    assert process.returncode == 7, err
    assert terminal.counts() | {"completed": 1, "pending": 1} == terminal.counts()

    process = terminal.start("run", "-j", "1")
    until((terminal.cwd / "begun-b").exists)
    process.send_signal(signal.SIGINT)
    until(lambda: terminal.json("status", "--json")["engine"]["state"] == "stopping")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    (task,) = [task for task in terminal.tasks() if task["input"] == "b"]
    assert task["state"] == "pending"
    assert terminal.cookies() == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_sigterm_and_sighup_end_at_once_and_put_the_task_back(
    terminal: Terminal, until: Until, number: signal.Signals, code: int
) -> None:
    process = terminal.start("run", "a", "--", "sh", "-c", "touch begun; sleep 1000")
    until((terminal.cwd / "begun").exists)
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == code
    (task,) = terminal.tasks()
    shown = terminal.json("show", str(task["id"]), "--json")
    assert task["state"] == "pending"
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["interrupted"]
    assert terminal.cookies() == []


def test_a_python_function_runs_with_each_input_and_its_result_is_kept(terminal: Terminal) -> None:
    (terminal.cwd / "job.py").write_text("def double(word):\n    print('got', word)\n    return word * 2\n")
    assert terminal.run("run", "--call", "job:double", "ab") == "got ab\n"
    (task,) = terminal.tasks()
    assert terminal.json("show", str(task["id"]), "--json")["result"] == "abab"


def test_names_with_every_byte_round_trip(terminal: Terminal) -> None:
    names = [b"with space", b"new\nline", b"-dash", b"caf\xe9", b"tab\t", b"quote'\"$(x)", b"\xff\xfe"]
    names += [bytes([byte]) for byte in range(1, 256) if byte not in b"\n/."]
    content = '#!/bin/sh\nprintf "%s\\0" "$1" >>seen\n'
    terminal.run("run", "-0", "-a", "-", "--", script(terminal.cwd, content), stdin=b"\0".join(names))
    seen = (terminal.cwd / "seen").read_bytes().split(b"\0")[:-1]
    assert sorted(seen) == sorted(set(names))


def test_exit_99_stops_the_queue_with_work_left(terminal: Terminal) -> None:
    terminal.run("run", "-j", "1", "a", "b", "--", "sh", "-c", "exit 99", code=7)
    assert terminal.counts()["completed"] == 1
    assert terminal.counts()["pending"] == 1


def test_a_background_leftover_dies_with_its_task(terminal: Terminal) -> None:
    terminal.run("run", "x", "--", "sh", "-c", "setsid sleep 1000 & (sleep 1000 &) ; exit 0")
    assert terminal.cookies() == []


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["run", "a"], 2, "put a command after '--'"),
        (["run", "--call", "nonsense", "a"], 2, "MODULE:FUNCTION"),
        (["run", "-a", "missing.txt", "--", "true"], 2, "missing.txt"),
        (["run", "--timeout", "soon", "a", "--", "true"], 2, "soon"),
        (["show", "99"], 4, "99"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_bad_words_are_answered_in_three_parts(terminal: Terminal, words: list[str], code: int, hint: str) -> None:
    terminal.run("add", "x", "--", "true")
    done = terminal.complete(*words)
    assert done.returncode == code
    assert hint.encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert terminal.counts()["total"] == 1


def test_a_program_that_is_not_there_fails_its_task_once_and_says_so(terminal: Terminal) -> None:
    done = terminal.complete("run", "x", "--", "no-such-program")
    assert done.returncode == 1
    (task,) = terminal.tasks()
    assert (task["state"], task["error_class"], task["attempt"]) == ("failed", "permanent", 1)
    assert "no-such-program" in task["error"]


def test_a_function_that_cannot_be_imported_fails_its_task_once_and_says_so(terminal: Terminal) -> None:
    terminal.run("run", "--call", "nowhere:f", "x", code=1)
    (task,) = terminal.tasks()
    assert (task["state"], task["error_class"], task["attempt"]) == ("failed", "permanent", 1)
    assert "nowhere" in task["error"]


def test_a_function_that_kills_its_worker_is_held_and_the_others_complete(terminal: Terminal) -> None:
    content = "import os\ndef work(name):\n    if name == 'poison': os.kill(os.getpid(), 9)\n    return name\n"
    (terminal.cwd / "job.py").write_text(content)
    terminal.run("run", "--call", "job:work", "poison", *"abcdefghij", code=1)
    states = {task["input"]: (task["state"], task["reason"]) for task in terminal.tasks()}
    assert states.pop("poison") == ("held", "poison")
    assert set(states.values()) == {("completed", None)}
