"""The engine of somebody else, for whoever leaves the work to it: whether it is there, and why it has gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overnight import wiring
from overnight.core.stopping import StoppedBy
from overnight.host.home import Home
from overnight.host.stop_file import StopFile
from overnight.store.contract import Store
from overnight.wiring.stores import nobody_works

#: Seconds for which the word of somebody who is about to take over is believed; he repeats it many times a second.
EXPECTED_FOR = 10.0
#: Why an engine has stopped when somebody meant that nothing more is to be started.
MEANT = frozenset({StoppedBy.STOP_SIGNAL, StoppedBy.HALT})


def meant_by(event: Mapping[str, Any]) -> StoppedBy | None:
    """Why an engine has stopped, if this event of the journal says so and somebody meant it."""
    meant = event["event"] == "processor_stopped" and event["why"] in MEANT
    return StoppedBy(event["why"]) if meant else None


class Elsewhere:
    """The engine of a home, seen from outside. Look, then tell it what the journal says, again and again.

    Args:
        home: In which another process is the engine.
        store: Of its tasks.
    """

    def __init__(self, home: Home, store: Store) -> None:
        self._home = home
        self._store = store
        self._stop_file = StopFile(home.stop)
        self._meant: StoppedBy | None = None
        self._asked = self._expected = self._is_another = False

    def look(self) -> bool:
        """Whether it is gone, and nobody is about to take over from it."""
        before = self._expected
        self._expected = self._is_expected()  # before the lock, which is taken before the word is removed
        gone = nobody_works(self._home, self._store) and not self._expected
        if not gone:  # an engine that had to be killed to stop it leaves no other word
            self._asked = self._asked or self._stop_file.touched() is not None  # it goes a moment before the engine
        self._is_another = before and not self._expected and not gone
        return gone

    def heard(self, meant: StoppedBy | None) -> None:
        """What the journal has said since the last look, by `meant_by`."""
        self._meant = self._meant or meant
        if self._is_another:
            self._meant, self._asked = None, False  # the stop was for the engine before this one

    @property
    def stopped_by(self) -> StoppedBy | None:
        """Why it has gone, if somebody meant it."""
        return self._meant or (StoppedBy.STOP_SIGNAL if self._asked else None)

    def _is_expected(self) -> bool:
        """Whether somebody is about to take over from an engine that was asked to stop."""
        try:
            return wiring.clock.now() - self._home.coming.stat().st_mtime < EXPECTED_FOR
        except OSError:
            return False
