"""`overnight dormant`, as people type it: from forgotten scripts to nothing dormant by what the commands print."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
PRINTS = "import sys\n\nif __name__ == '__main__':\n    print('resized', sys.argv[1])\n"
FAILS = "#!/bin/sh\nexit 3\n"
WRITES = "import pathlib\npathlib.Path('tidied').write_text('x')\nprint('tidied')\n"


@pytest.fixture
def forgotten(overnight: Call, place: Path) -> Call:
    (place / "jobs").mkdir()
    (place / "jobs" / "resize.py").write_text(PRINTS)
    (place / "jobs" / "tidy.py").write_text(WRITES)
    return overnight


def states(overnight: Call, *words: str) -> dict[str, str]:
    found = [json.loads(line) for line in overnight("dormant", "list", "--json", *words).lines]
    return {one["name"]: one["state"] for one in found}


def advice(said: Any, name: str) -> list[str]:
    """What the line below a part says to type."""
    lines = said.lines
    at = next(number for number, line in enumerate(lines) if f" {name} " in line)
    words: str = lines[at + 1].partition("→ ")[2]
    return shlex.split(words)[1:]


def test_forgotten_scripts_are_woken_by_what_is_printed(forgotten: Call, place: Path) -> None:
    said = forgotten("dormant", "list")
    assert "2 dormant of 2 parts" in said.err
    tested = forgotten(*advice(said, "jobs/tidy.py"))
    assert (tested.status, tested.err.count("'overnight dormant activate")) == (1, 1)
    untested = shlex.split(tested.err.partition("'overnight ")[2].partition("'")[0])
    for words in (advice(said, "jobs/resize.py"), untested):
        woken = forgotten(*("a.png" if word == "INPUT" else word for word in words))
        assert woken.status == 0, woken
    assert "'overnight run --again first -w tidy' runs it" in woken.err
    assert forgotten("run", "--again", "first", "-w", "tidy").status == 0
    assert (place / "tidied").read_text() == "x"
    after = forgotten("dormant", "list")
    assert (after.out, "nothing dormant of 4 parts" in after.err) == ("", True)
    assert set(states(forgotten, "--all")) == {"resize", "tidy", "jobs/resize.py", "jobs/tidy.py"}
    told = forgotten("dormant", "report", "--json").json
    assert (told["dormant"], [one["outcome"] for one in told["records"]]) == (0, ["completed", "completed"])
    assert "woken and reached" in forgotten("dormant", "report").out


def test_without_write_nothing_is_changed_and_the_text_is_printed(forgotten: Call, place: Path) -> None:
    said = forgotten("dormant", "activate", "./jobs/tidy.py", "--as", "sweep", "--cron", "0 3 * * *")
    assert said.status == 0
    assert said.out.startswith('[schedules.sweep]\ncron = "0 3 * * *"\nrun = ["python')
    assert sorted(path.name for path in place.iterdir()) == ["jobs"]


def test_a_first_run_that_fails_leaves_the_file_as_it_was(forgotten: Call, place: Path) -> None:
    (place / "jobs" / "bad.sh").write_text(FAILS)
    config = place / "overnight.toml"
    config.write_text("# mine\n[defaults]\nretries = 0\n")
    said = forgotten("dormant", "activate", "jobs/bad.sh", "--write", "--untested")
    assert (said.status, "is as it was" in said.err) == (1, True)
    assert config.read_text() == "# mine\n[defaults]\nretries = 0\n"
    (record,) = forgotten("dormant", "report", "--json").json["records"]
    assert record["outcome"] == "exit status 1"
    assert states(forgotten)["jobs/bad.sh"] == "unreferenced"
    assert "'overnight clean ID'" in said.err
    [warned] = forgotten("doctor", "tasks", "--json").json["checks"]
    assert (warned["status"], "overnight clean ID" in warned["fixes"][0]["text"]) == ("warn", True)
    [failed] = [json.loads(line) for line in forgotten("list", "--state", "failed", "--json").lines]
    assert forgotten("clean", str(failed["id"]), "--yes").status == 0
    [mended] = forgotten("doctor", "tasks", "--json").json["checks"]
    assert mended["status"] == "ok"


def test_what_was_stopped_or_not_tried_has_passed_no_test_and_is_not_run(forgotten: Call, place: Path) -> None:
    (place / "kept").mkdir()
    (place / "jobs" / "old.py").write_text("import shutil\nshutil.rmtree('kept')\n")
    (place / "jobs" / "old.sh").write_text("#!/bin/sh\nrm -rf kept\n")
    wanted = {"jobs/old.py": f"line 2: it wants to change files {place / 'kept'}", "jobs/old.sh": "was not tried"}
    listed = forgotten("dormant", "list")
    for name, words in wanted.items():
        assert advice(listed, name) == ["dormant", "test", name]
        tested = forgotten("dormant", "test", name)
        assert (tested.status, words in tested.out, "no passed test" in tested.err) == (1, True, True)
        assert forgotten("dormant", "test", name, "--json").json["works"] is None
        said = forgotten("dormant", "activate", name, "--write", "--every", "1d")
        again = f"'overnight dormant activate {name} --write --every 1d --untested'"
        assert (said.status, words in said.err, again in said.err) == (1, True, True)
    assert ((place / "kept").is_dir(), (place / "overnight.toml").exists()) == (True, False)


def test_a_first_run_that_somebody_breaks_off_leaves_the_file_as_it_was(
    forgotten: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_words: object, **_how: object) -> None:
        assert "tidy.py" in (place / "overnight.toml").read_text()
        raise KeyboardInterrupt

    monkeypatch.setattr("overnight.ui.cli.waking.ours", interrupted)
    with contextlib.suppress(KeyboardInterrupt):
        forgotten("dormant", "activate", "jobs/tidy.py", "--write", "--untested")
    assert not (place / "overnight.toml").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_so_does_one_that_ends_with_its_terminal(
    forgotten: Call, place: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def told_to_end(*words: str, **_how: object) -> subprocess.CompletedProcess[str]:
        assert "tidy.py" in (place / "overnight.toml").read_text()
        os.kill(os.getpid(), number)
        return subprocess.CompletedProcess(words, 0)

    monkeypatch.setattr("overnight.ui.cli.waking.ours", told_to_end)
    before = signal.signal(number, lambda *_: None)  # that of the tests would end them
    try:
        assert forgotten("dormant", "activate", "jobs/tidy.py", "--write", "--untested").status == 128 + number
    finally:
        signal.signal(number, before)
    assert not (place / "overnight.toml").exists()


def test_a_part_that_fails_its_test_is_not_laid_down(forgotten: Call, place: Path) -> None:
    (place / "jobs" / "bad.py").write_text("1 / 0\n" + PRINTS)
    tested = forgotten("dormant", "test", "jobs/bad.py", "--json")
    assert (tested.status, tested.json["works"], "line 1" in tested.json["says"][0]) == (1, False, True)
    said = forgotten("dormant", "activate", "jobs/bad.py", "--write", "--input", "x")
    assert (said.status, "--untested" in said.err) == (1, True)
    assert not (place / "overnight.toml").exists()


@pytest.mark.parametrize("words", [("--every", "soon"), ("--cron", "x"), ("--as", "a b")])
def test_a_name_or_a_time_that_makes_no_sense_changes_nothing(forgotten: Call, place: Path, words: list[str]) -> None:
    said = forgotten("dormant", "activate", "jobs/tidy.py", "--write", *words)
    assert (said.status, "nothing was changed" in said.err) == (2, True)
    assert not (place / "overnight.toml").exists()


def test_a_test_says_what_one_run_would_be(forgotten: Call) -> None:
    said = forgotten("dormant", "test", "jobs/resize.py", "--input", "a b.png")
    assert (said.status, said.lines[-1].endswith("jobs/resize.py 'a b.png'")) == (0, True)


def test_parts_of_the_file_are_woken_by_their_own_commands(forgotten: Call, place: Path) -> None:
    (place / "overnight.toml").write_text(
        """
[workflow.say]
[[workflow.say.step]]
id = "a"
run = ["echo", "said"]
[schedules.nightly]
cron = "0 3 * * *"
run = ["true"]
[alerts.a]
on = "task_held"
targets = ["t"]
[targets.t]
command = ["true"]
""".replace("task_held", _a_trigger())
    )
    said = forgotten("dormant", "list", "--kind", "workflow", "--kind", "schedule", "--kind", "target")
    assert forgotten(*advice(said, "say")).status == 0
    assert forgotten(*advice(said, "nightly")).status == 0
    assert forgotten(*advice(said, "t")).status == 0
    again = states(forgotten, "--all")
    assert (again["say"], again["t"], again["nightly"]) == ("awake", "awake", "awake")
    wrong = forgotten("dormant", "activate", "say")
    assert (wrong.status, "is not dormant" in wrong.err) == (2, True)
    assert forgotten("pause", "-w", "say").status == 0
    assert states(forgotten, "--state", "disabled", "--kind", "workflow") == {"say": "disabled"}
    assert forgotten(*advice(forgotten("dormant", "list"), "say")).status == 0


def _a_trigger() -> str:
    from overnight.core.alert_conditions import TRIGGERS

    return next(iter(TRIGGERS))


def test_a_name_that_is_none_is_a_mistake_with_its_cure(forgotten: Call, place: Path) -> None:
    said = forgotten("dormant", "test", "jobs/resise.py")
    assert (said.status, "did you mean 'jobs/resize.py'" in said.err) == (4, True)
    (place / "jobs" / "lib.py").write_text("def f(): ...\n")
    said = forgotten("dormant", "test", "./jobs/lib.py")
    assert (said.status, "jobs/lib.py is there" in said.err, "[dormant] scan" in said.err) == (4, True, True)
    (place / "overnight.toml").write_text('[queue.x]\nslots = 1\n[check.x]\nfile = "x"\n')
    said = forgotten("dormant", "test", "x")
    assert (said.status, "'check:x' or 'queue:x'" in said.err) == (4, True)


def test_doctor_warns_of_what_was_laid_down_and_tells_of_what_lies_there(forgotten: Call, place: Path) -> None:
    [lies] = forgotten("doctor", "dormant", "--json").json["checks"]
    assert (lies["status"], lies["value"], "overnight dormant list" in lies["summary"]) == ("ok", 2, True)
    (place / "overnight.toml").write_text('[dormant]\nscan = ["jobs/*.py"]\n')
    [asked] = forgotten("doctor", "dormant", "--json").json["checks"]
    assert (asked["status"], asked["fixes"][0]["argv"]) == ("warn", ["overnight", "dormant", "list"])
    step = '\n[[workflow.w.step]]\nid = "a"\nrun = ["no-such-program-x"]\n'
    (place / "overnight.toml").write_text(f"[workflow.w]{step}")
    [broken] = forgotten("doctor", "dormant", "--json").json["checks"]
    assert (broken["status"], "workflow w (unloadable)" in broken["summary"]) == ("warn", True)
    assert not (place / ".overnight").exists(), "a check changes nothing"
