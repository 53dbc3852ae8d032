"""What goes wrong before any task does: each is one clear error, and nothing is lost by it."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminal import Terminal

HOME = Path(".overnight")


def refused(terminal: Terminal, *words: str, status: int) -> str:
    """What a call that ends with this status says; it must be an error of three parts."""
    said = terminal.complete(*words)
    error = said.stderr.decode()
    assert said.returncode == status, error
    assert "Traceback" not in error
    first, hint = error.rstrip("\n").rsplit("\n", 1)
    assert first.startswith("overnight: "), error
    assert "; " in first, error
    assert hint.startswith("  try: "), error
    return error


@pytest.mark.parametrize("what", [["queue.db"], ["queue.db", "queue.db-wal", "queue.db-shm"]], ids=["alone", "all"])
@pytest.mark.parametrize("verb", [["add", "x", "--", "true"], ["run"], ["run", "x", "--", "true"], ["status"]])
def test_a_store_that_has_vanished_is_never_replaced_by_an_empty_one(
    terminal: Terminal, what: list[str], verb: list[str]
) -> None:
    terminal.run("add", "a", "--", "true")
    for name in what:
        (terminal.cwd / HOME / name).unlink(missing_ok=True)

    assert "is gone" in refused(terminal, *verb, status=6)
    assert not (terminal.cwd / HOME / "queue.db").exists()
