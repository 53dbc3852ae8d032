"""A sign of life to somebody elsewhere, who raises the alarm when none comes: a machine that is off tells nobody.

It is given while an engine works and answers, so that one that hangs is silent as well. A thread of its own
gives it: a name server that does not answer must not keep anybody from watching. One that has not come
back is waited for, so there is never more than one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from overnight.core.secrets import filled, masked, names_in, shown_address
from overnight.core.version import VERSION
from overnight.monitor.snapshot import EngineState, Snapshot

#: Seconds that an answer may take.
PATIENCE = 10.0
#: What an engine does that is no longer there or does not answer.
_NO_LIFE = frozenset({EngineState.STOPPED, EngineState.RESTARTING, EngineState.SILENT})


class Pinger:
    """Gives signs of life.

    Args:
        address: Asked for by GET; ``${NAME}`` in it is looked up each time.
        environ: Where.
        told: Is told once that it fails, and once that it works again. No secret is in the words.
    """

    def __init__(self, address: str, environ: Mapping[str, str], told: Callable[[str], None]) -> None:
        self._address = address
        self._environ = environ
        self._told = told
        self._thread: threading.Thread | None = None
        self._trouble = self._is_told = ""

    def ping(self, picture: Snapshot) -> None:
        """Give one, unless there is no life or the last one is still on its way. Never waits."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._say()
        if picture.engine.state not in _NO_LIFE:
            self._thread = threading.Thread(target=self._give, daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Let the one that is on its way come back."""
        if self._thread is not None:
            self._thread.join(PATIENCE)
        self._say()

    def _give(self) -> None:
        import urllib.request  # 14 ms, for those who want it

        try:
            address = filled(self._address, self._environ)
            request = urllib.request.Request(address, headers={"User-Agent": f"overnight/{VERSION}"})  # noqa: S310 - see below
            # The address is the user's own, and what it answers is thrown away.
            with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310 - as above
                self._trouble = ""
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no more than a sign that did not arrive
            self._trouble = str(error) or type(error).__name__

    def _say(self) -> None:
        if bool(self._trouble) == bool(self._is_told):
            return
        self._is_told = self._trouble
        values = {name: self._environ.get(name, "") for name in names_in(self._address)}
        words = masked(self._trouble, values).replace(self._address, shown_address(self._address))
        self._told(f"ping: {words}; it is tried again" if words else "ping: it arrives again")
