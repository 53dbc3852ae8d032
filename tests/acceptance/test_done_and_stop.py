"""Exit 99: done, and stop the queue, however short the commands are that were handed out ahead."""

from __future__ import annotations

import pytest
from terminal import Terminal


@pytest.mark.parametrize("last", [3, 60])
def test_nothing_begins_after_the_one_that_stops_the_queue(terminal: Terminal, last: int) -> None:
    inputs = [str(number) for number in range(1, 201)]
    script = f'test "$1" = {last} && exit 99; exit 0'
    line = ("run", "-j", "1", "--", "sh", "-c", script, "sh", ":::", *inputs)
    done = terminal.complete(*line)
    counts = terminal.counts()
    assert (done.returncode, counts["completed"], counts["pending"]) == (7, last, 200 - last)
    assert terminal.run(*line) == ""
    assert terminal.counts()["completed"] == 200
