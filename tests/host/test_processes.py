"""Signals for one process, and never for another that has its number by now."""

from __future__ import annotations

import signal
import subprocess

from overnight.host.processes import Identity, identity, send


def test_a_process_is_signalled_as_long_as_it_is_the_one() -> None:
    with subprocess.Popen(["sleep", "100"]) as sleeper:
        who = identity(sleeper.pid)
        assert who is not None
        assert not send(who._replace(ticks=who.ticks + 1), signal.SIGKILL)
        assert not send(who._replace(boot="another"), signal.SIGKILL)
        assert sleeper.poll() is None
        assert send(who, signal.SIGKILL)
        assert sleeper.wait(20) == -signal.SIGKILL
        assert not send(who, signal.SIGKILL)


def test_nobody_is_signalled_where_nobody_is() -> None:
    assert not send(Identity(2**22 + 1, 1, "boot"), signal.SIGKILL)
