"""A pipeline of real steps, as a new user meets it; and kill -9 to the engine and all below it in each of its steps.

The ledger is written by the steps themselves, and knows nothing of the books.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from terminal import Terminal

Until = Callable[[Callable[[], object]], None]

STEPS = ("probe", "extract", "summarise", "gate", "publish")

DEFINITION = """
[defaults]
backoff = "50ms, x1, max 50ms"

[workflow.flow]
input  = "file"
phases = ["look", "work", "out"]

[[workflow.flow.step]]
id    = "probe"
phase = "look"
run   = ["./step", "probe", "{input}"]

[[workflow.flow.step]]
id    = "extract"
phase = "work"
call  = "steps:extract"
needs = ["probe"]
if    = "{probe.size} > 0"

[[workflow.flow.step]]
id    = "summarise"
phase = "work"
run   = ["./step", "summarise", "{input}", "{extract.words}"]

[[workflow.flow.gate]]
id    = "gate"
after = "work"
run   = ["./step", "gate", "{input}"]

[[workflow.flow.step]]
id    = "publish"
phase = "out"
call  = "steps:publish"
needs = ["summarise"]
"""

#: Each step says when it begins and when it ends; the one that a file names waits for a word before its end.
SHELL = r"""#!/bin/sh
printf 'begin %s %s\n' "$1" "$2" >>ledger
if [ "$(cat "stop at" 2>/dev/null)" = "$1" ]; then
    n=0
    until [ -e go ] || [ $n -gt 600 ]; do n=$((n + 1)); sleep 0.05; done
fi
printf 'end %s %s\n' "$1" "$2" >>ledger
echo "{\"size\": $(wc -c <"$2"), \"given\": \"$3\"}"
"""

PYTHON = r"""
import os, time

def note(line):
    file = os.open("ledger", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(file, line.encode() + b"\n")
    os.close(file)

def work(step, path):
    note(f"begin {step} {path}")
    try:
        stop_at = open("stop at").read().strip()
    except OSError:
        stop_at = ""
    until = time.monotonic() + 30
    while stop_at == step and not os.path.exists("go") and time.monotonic() < until:
        time.sleep(0.02)
    note(f"end {step} {path}")

def extract(path, context):
    work("extract", path)
    assert context.outputs["probe"]["size"] == os.path.getsize(path)
    return {"words": len(open(path).read().split()), "all": open(path).read() * 20000}

def publish(path, context):
    work("publish", path)
    with open(path + ".out", "w") as file:
        file.write(context.outputs["summarise"]["given"])
"""


@pytest.fixture
def site(terminal: Terminal) -> Terminal:
    """A directory with the pipeline and two files."""
    (terminal.cwd / "overnight.toml").write_text(DEFINITION)
    (terminal.cwd / "steps.py").write_text(PYTHON)
    (terminal.cwd / "step").write_text(SHELL)
    (terminal.cwd / "step").chmod(0o755)
    (terminal.cwd / "a.txt").write_text("leave it running")
    (terminal.cwd / "b.txt").write_text("and sleep")
    return terminal


def ledger(directory: Path) -> Counter[str]:
    path = directory / "ledger"
    return Counter(path.read_text().splitlines() if path.exists() else ())


def test_a_pipeline_runs_and_show_tells_all_of_it(site: Terminal) -> None:
    site.run("run", "-w", "flow", "a.txt", "b.txt", "-j", "2")
    assert (site.cwd / "a.txt.out").read_text() == "3"
    shown = site.json("show", "1", "--json")
    assert [(one["step"], one["state"], one["attempt"]) for one in shown["children"]] == [
        (name, "completed", 1) for name in ("probe", "extract", "summarise", "publish", "gate")
    ]
    assert shown["children"][0]["result"] == {"size": 16, "given": ""}
    assert all(one["seconds"] > 0 for one in shown["children"])
    assert shown["definition_is_current"]
    counts = site.json("status", "--json")
    assert (counts["counts"]["completed"], counts["steps"]) == (2, {"completed": 10})
    site.verify()


@pytest.mark.parametrize("step", STEPS)
def test_kill_9_in_any_step_runs_no_finished_step_again(site: Terminal, until: Until, step: str) -> None:
    (site.cwd / "stop at").write_text(step)
    engine = site.start("run", "-w", "flow", "a.txt", "b.txt", "-j", "2")
    until(lambda: ledger(site.cwd)[f"begin {step} a.txt"] or engine.poll() is not None)
    assert engine.poll() is None, engine.communicate()
    # What came before this step is on record, or it had not begun; the other file's may still be on the way.
    done = {line for line in ledger(site.cwd) if line.startswith("end ") and line.endswith(" a.txt")}
    site.kill_everything(engine)
    (site.cwd / "go").touch()

    site.run("run", "-w", "flow", "a.txt", "b.txt", "-j", "2")

    found = ledger(site.cwd)
    assert all(found[line] == 1 and found[line.replace("end", "begin")] == 1 for line in done)
    assert found[f"begin {step} a.txt"] == 2
    assert all(found[f"end {name} a.txt"] == 1 for name in STEPS)
    # One of the other file may have come to its end and not on record when everybody was killed.
    assert all(found[f"end {name} b.txt"] in (1, 2) for name in STEPS)
    assert sum(found[f"end {name} b.txt"] == 2 for name in STEPS) <= 1
    assert site.counts()["completed"] == 2
    site.verify()


def test_kill_9_of_the_engine_alone_ends_the_step_before_it_runs_again(site: Terminal, until: Until) -> None:
    """Its keepers clean up after it."""
    (site.cwd / "stop at").write_text("extract")
    engine = site.start("run", "-w", "flow", "a.txt")
    until(lambda: ledger(site.cwd)["begin extract a.txt"])
    os.kill(engine.pid, signal.SIGKILL)
    engine.communicate()
    (site.cwd / "stop at").unlink()
    site.run("run")
    assert ledger(site.cwd)["end extract a.txt"] == 1
    assert ledger(site.cwd)["begin probe a.txt"] == 1
    site.verify()


def test_the_definition_is_edited_while_tasks_run(site: Terminal, until: Until) -> None:
    """Who runs keeps the definition that it began with; who begins later has the new one; `show` says which."""
    (site.cwd / "stop at").write_text("probe")
    engine = site.start("run", "-w", "flow", "a.txt")
    until(lambda: ledger(site.cwd)["begin probe a.txt"])
    old = site.json("show", "1", "--json")["definition"]

    edited = DEFINITION.replace('call  = "steps:publish"', 'run = ["sh", "-c", "echo anew >b.txt.out"]')
    (site.cwd / "overnight.toml").write_text(edited)
    (later,) = site.run("add", "-w", "flow", "b.txt").split()
    assert not site.json("show", "1", "--json")["definition_is_current"]
    (site.cwd / "go").touch()
    assert engine.wait(60) == 0
    site.run("run")

    assert (site.cwd / "a.txt.out").read_text() == "3"
    assert (site.cwd / "b.txt.out").read_text() == "anew\n"
    first, second = site.json("show", "1", "--json"), site.json("show", later, "--json")
    assert (first["definition"], second["definition_is_current"]) == (old, True)
    assert second["definition"] != old
    assert f"new tasks begin by {second['definition']}" in site.run("show", "1")


def test_a_step_is_repaired_and_only_what_comes_after_it_runs(site: Terminal) -> None:
    (site.cwd / "steps.py").write_text(PYTHON.replace("def publish(path,", "def publish(path, more,"))
    site.run("run", "-w", "flow", "a.txt", code=1)
    assert "cannot be called as a step" in site.json("show", "1", "--json")["error"]
    (site.cwd / "steps.py").write_text(PYTHON)
    site.run("retry", "1")
    site.run("run")
    site.run("retry", "1", "--from", "summarise")
    site.run("run")
    found = ledger(site.cwd)
    assert {name: found[f"end {name} a.txt"] for name in STEPS} == {
        "probe": 1, "extract": 1, "summarise": 2, "gate": 2, "publish": 2,
    }  # fmt: skip
    site.verify()


def test_status_says_which_step_runs_and_how_far_it_is(terminal: Terminal, until: Until) -> None:
    (terminal.cwd / "overnight.toml").write_text('[[workflow.flow.step]]\nid = "slow"\ncall = "steps:slow"\n')
    (terminal.cwd / "steps.py").write_text(
        "import os, time, overnight\n"
        "def slow(name):\n"
        "    overnight.progress(0.4, 'page 4 of 10')\n"
        "    open('told', 'w').close()\n"
        "    until = time.monotonic() + 30\n"
        "    while not os.path.exists('go') and time.monotonic() < until: time.sleep(0.02)\n"
    )
    engine = terminal.start("run", "-w", "flow", "one")
    until((terminal.cwd / "told").exists)
    (running,) = terminal.json("status", "--json")["running"]
    assert (running["steps"], running["progress"], running["message"]) == (["slow"], 0.4, "page 4 of 10")
    assert "flow  one  [slow] 40% page 4 of 10" in terminal.run("status")
    assert "0 of 1 steps are done, 'slow' runs" in terminal.run("why", "1")
    (terminal.cwd / "go").touch()
    assert engine.wait(60) == 0


def test_an_output_that_is_too_large_for_the_store_reaches_the_steps_after_it(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text(
        """
        [[workflow.flow.step]]
        id = "large"
        call = "steps:large"
        [[workflow.flow.step]]
        id = "function"
        call = "steps:count"
        needs = ["large"]
        [[workflow.flow.step]]
        id = "command"
        run = ["printf", "%s", "{large.name}"]
        """
    )
    (terminal.cwd / "steps.py").write_text(
        "def large(name): return {'name': name, 'text': 'x' * 3_000_000}\n"
        "def count(name, context): return len(context.outputs['large']['text'])\n"
    )
    terminal.run("run", "-w", "flow", "one")
    large, function, command = terminal.json("show", "1", "--json")["children"]
    assert large["result"] is None
    assert terminal.json("show", str(large["id"]), "--json")["result"]["name"] == "one"
    assert function["result"] == 3_000_000
    assert terminal.run("log", str(command["id"])) == "one"


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_added(terminal: Terminal) -> None:
    (terminal.cwd / "overnight.toml").write_text(
        '[[workflow.flow.step]]\nid = "a"\nrun = ["true"]\nretires = 3\nneeds = ["b"]\n'
        '[[workflow.flow.step]]\nid = "b"\nrun = ["cat", "{c.path}"]\nneeds = ["a"]\n'
    )
    done = terminal.complete("add", "-w", "flow", "x")
    assert done.returncode == 2
    words = done.stderr.decode()
    assert ":4:1: error: unknown key 'retires'\n    retires = 3\n    ^\n    did you mean 'retries'?" in words
    assert ":8:15: error: 'b' needs 'c', which is no step of workflow 'flow'" in words
    assert ":5:10: error: steps wait for each other: a needs b needs a" in words
    assert json.loads(terminal.complete("workflow", "check", "--json").stdout)["mistakes"]
    assert not (terminal.cwd / ".overnight" / "queue.db").exists()
