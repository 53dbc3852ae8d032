"""Telling a service manager how it goes, by the protocol of ``sd_notify``.

A datagram to the socket that NOTIFY_SOCKET names, ``READY=1`` and the like. The variables are taken out
of the environment, so that no program that we start speaks in our name.

Source: sd_notify(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

_WAIT = 1.0


class ServiceManager:
    """The service manager that has started this process; nobody, if none has.

    Args:
        environ: The environment; what the service manager has put there for us alone is removed.
        pid: This process.
    """

    def __init__(self, environ: MutableMapping[str, str] | None = None, *, pid: int | None = None) -> None:
        environ = os.environ if environ is None else environ
        self._address = _address(environ.pop("NOTIFY_SOCKET", ""))
        microseconds = environ.pop("WATCHDOG_USEC", "")
        meant = environ.pop("WATCHDOG_PID", "")
        #: Seconds within which it wants to hear `alive`; None when it does not watch.
        self.watches: float | None = None
        if microseconds.isdigit() and int(microseconds) and meant in ("", str(pid or os.getpid())):
            self.watches = int(microseconds) / 1e6

    def ready(self, status: str) -> None:
        """The service is up."""
        self._tell("READY=1", f"STATUS={status}")

    def status(self, status: str) -> None:
        """One line for people."""
        self._tell(f"STATUS={status}")

    def alive(self) -> None:
        """The watch may go on."""
        if self.watches is not None:
            self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is about to end."""
        self._tell("STOPPING=1")

    def _tell(self, *words: str) -> None:
        if self._address is None:
            return
        # It has ended, or does not listen: work goes on without it.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
            caller.settimeout(_WAIT)
            caller.sendto("\n".join(word.replace("\n", " ") for word in words).encode(), self._address)


def _address(name: str) -> bytes | None:
    """A path, or a name in the abstract namespace, which begins with ``@``."""
    if name.startswith("@"):
        return b"\0" + os.fsencode(name[1:])
    return os.fsencode(name) if name.startswith("/") else None
