"""One rule, whichever door somebody comes through: command line, configuration or Python."""

from __future__ import annotations

import pytest
from terminal import Terminal
from work_for_workers import fail, record, shout

import overnight
from overnight import AutonomousProcessor, Overnight
from overnight.api.arguments import ArgumentTypeError, ArgumentValueError

MOST = 1_000_000


@pytest.fixture
def night(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Overnight:
    monkeypatch.chdir(terminal.cwd)
    return Overnight(terminal.cwd / ".overnight")


@pytest.mark.parametrize(("name", "taken"), [("a.b_C-9", True), ("-a", False), (".a", False), ("a b", False)])
def test_a_queue_is_called_the_same_everywhere(terminal: Terminal, night: Overnight, name: str, *, taken: bool) -> None:
    code = 0 if taken else 2
    terminal.run("add", f"--queue={name}", "--", "true", code=code)
    terminal.run("queue", "set", "--slots=3", "--", name, code=code)
    (terminal.cwd / "overnight.toml").write_text(f'[queue."{name}"]\nslots = 3\n')
    terminal.run("config", "show", code=code)
    (terminal.cwd / "overnight.toml").unlink()
    try:
        night.add(["true"], queue=name)
    except ArgumentValueError:
        assert not taken
    else:
        assert taken


def test_as_many_retries_can_be_asked_for_everywhere(terminal: Terminal, night: Overnight) -> None:
    for retries, code in ((MOST, 0), (MOST + 1, 2)):
        terminal.run("add", "--retries", str(retries), "--", "true", code=code)
    night.add(["true"], retries=MOST)
    with pytest.raises(ArgumentValueError):
        night.add(["true"], retries=MOST + 1)


def test_a_variable_that_is_not_set_is_refused_everywhere(terminal: Terminal, night: Overnight) -> None:
    assert b"'NOPE' is not set; nothing was added" in terminal.complete("add", "--env", "NOPE", "--", "true").stderr
    with pytest.raises(ArgumentValueError, match="'NOPE' is not set; nothing was added") as caught:
        night.add(["true"], env=["NOPE"])
    assert "os.environ" in caught.value.hint
    assert night.list() == []


def test_a_handler_brings_along_what_its_decorator_says(night: Overnight) -> None:
    """`shout` has a limit of a minute and no retries."""
    assert AutonomousProcessor(handler=record).timeout_seconds == 300
    assert AutonomousProcessor(handler=shout).timeout_seconds == 60
    careful = overnight.task(retries=0, timeout=None)(fail)
    processor = AutonomousProcessor(handler=careful)
    assert processor.timeout_seconds is None
    processor.queue.add("a")
    assert processor.run()["failed"] == 1
    assert night.get(1).attempt == 1


def test_an_interval_that_is_none_is_refused_when_it_is_said(night: Overnight) -> None:
    processor = AutonomousProcessor()
    with pytest.raises(ArgumentTypeError, match="checkpoint_interval is 'x', and a whole number is wanted; nothing"):
        processor.checkpoint_interval = "x"  # type: ignore[assignment]  # the point
    assert processor.checkpoint_interval == 5
    assert night.list() == []
