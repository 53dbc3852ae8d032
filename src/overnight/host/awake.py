"""Keeping the machine from going to sleep, where the system offers it: a program that holds a lock for us.

The lock belongs to a child of ours that reads from a pipe, so it goes when we go, however we go. Where
there is no such program, or it is refused, nothing is done: a machine that sleeps loses no task.

Source: systemd-inhibit(1), caffeinate(8).
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess

from overnight.host.purge import forget, spare

#: Programs that hold such a lock as long as the program that they start runs.
_HOLDERS = (
    ("systemd-inhibit", "--what=sleep:idle", "--who=overnight", "--why=tasks are running", "--mode=block"),
    ("caffeinate", "-i"),
)
#: Seconds until one that does not end by itself is killed.
_PATIENCE = 2.0


class Awake:
    """The wish that the machine stays awake. For a process with one thread.

    The child is announced to `purge`, which leaves it alone.
    """

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        self._refused = False

    def hold(self) -> None:
        """Wish for it from now on. May be called often; one that was refused is not asked again."""
        if self._child is not None and self._child.poll() is not None:
            self._refused = True
            self._let_go_of(self._child)
        if self._child is None and not self._refused:
            self._child = _start()
            self._refused = self._child is None

    def let_go(self) -> None:
        """Wish for it no longer. May be called often."""
        if self._child is not None:
            self._let_go_of(self._child)

    @property
    def is_held(self) -> bool:
        """Whether the machine stays awake, as far as is known."""
        return self._child is not None and self._child.poll() is None

    def _let_go_of(self, child: subprocess.Popen[bytes]) -> None:
        self._child = None
        if child.stdin is not None:
            with contextlib.suppress(OSError):
                child.stdin.close()
        try:
            child.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        forget(child.pid)


def _start() -> subprocess.Popen[bytes] | None:
    for program, *words in _HOLDERS:
        found = shutil.which(program)
        if found is None:
            continue
        with contextlib.suppress(OSError):
            child = subprocess.Popen(
                [found, *words, "cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            spare(child.pid)
            return child
    return None
