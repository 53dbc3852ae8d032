"""The keeper's loop by itself, in a process of its own because it purges at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
from pathlib import Path
from overnight.executors.local.keeper import Keeper
from overnight.executors.local.marks import MarksFile
from overnight.executors.local.place import Place
from overnight.executors.local.wire import pair
root = sys.argv[1].encode()
marks = MarksFile(Path(sys.argv[1]) / "marks")
marks.grow(1)
pairs = [pair() for _ in range(3)]
numbers = [os.dup(theirs.fileno()) for _, theirs in pairs]
keeper = Keeper(Place(0, 1, *numbers, marks.descriptor, root, root, root, root, "cookie", []))
(first, first_writer), (second, second_writer) = os.pipe(), os.pipe()
called = []
def one():
    called.append("one")
    # What a handler does when a runner is followed by the next: what was ready is gone, its number is another's.
    keeper.unwatch(second)
    os.read(second, 1)
    keeper.watch(second, lambda: called.append("stale"))
    keeper._closing = True
keeper.watch(first, one)
keeper.watch(second, lambda: called.append("two"))
os.write(first_writer, b"!")
os.write(second_writer, b"!")
keeper.serve()
print(called)
"""


def test_readiness_of_what_a_handler_has_replaced_is_passed_over(tmp_path: Path) -> None:
    """Both were ready at the same moment; the keeper once waited so for a runner that had just begun."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "['one']\n"
