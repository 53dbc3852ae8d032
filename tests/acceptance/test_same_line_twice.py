"""The same line, typed again: before the first one is through, and with other options."""

from __future__ import annotations

import pytest
from terminal import Terminal

#: More than one transaction takes, so that a look at the store can fall between two of them.
INPUTS = 5_500


@pytest.mark.parametrize(
    "words", [("run", "--quiet", "--call", "os.path:basename"), ("add", "--unique", "--call", "os.path:basename")]
)
def test_several_calls_at_the_same_time_are_one(terminal: Terminal, words: tuple[str, ...]) -> None:
    (terminal.cwd / "list").write_text("".join(f"input-{number}\n" for number in range(INPUTS)))
    terminal.run("add", "--", "true")  # so that the home is there
    calls = [terminal.start(*words, "-a", "list") for _ in range(3)]
    for call in calls:
        _, errors = call.communicate(timeout=120)
        assert call.returncode == 0, errors
    assert terminal.counts()["total"] == INPUTS + 1


def test_the_options_of_the_last_call_count_for_what_failed_and_for_what_waits(terminal: Terminal) -> None:
    words = ("--retries", "0", "--shell", "--", "test $(ulimit -n) -gt 100", ":::", "a", "b")
    terminal.run("run", "--quiet", "--open-files", "50", *words, code=1)
    terminal.run("add", "--open-files", "50", *words[:-2], "c")

    terminal.run("run", "--quiet", "--open-files", "500", "-q", "night", "-p", "7", *words, "c")

    assert [(one["state"], one["queue"], one["priority"]) for one in terminal.tasks()] == [
        ("completed", "night", 7)
    ] * 3
    terminal.verify()
