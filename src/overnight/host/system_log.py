"""The log of the system: the journal of systemd with fields of our own, or the older syslog with words alone.

Both are datagrams to a socket. Nothing is kept here: who cannot send tries again later.

Source: systemd.io/JOURNAL_NATIVE_PROTOCOL, and RFC 3164 as /dev/log takes it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

#: Where they listen.
JOURNALD, SYSLOG = Path("/run/systemd/journal/socket"), Path("/dev/log")
IDENTIFIER = "overnight"
#: What a service says. Source: syslog(3).
_DAEMON = 3 << 3
#: Seconds in which one message must be taken.
_PATIENCE = 2.0


class SystemLog:
    """One of the two.

    Args:
        kind: ``journald`` or ``syslog``.
        path: Its socket; None for the usual one.
    """

    def __init__(self, kind: str, path: Path | None = None) -> None:
        self._is_journal = kind == "journald"
        self.path = path or (JOURNALD if self._is_journal else SYSLOG)

    def send(self, messages: Iterable[tuple[float, int, str, Mapping[str, str]]]) -> None:
        """Send messages, in order.

        Args:
            messages: When (POSIX seconds), the priority of syslog(3), words, and fields.

        Raises:
            OSError: It is not there, or does not listen; what came before the one that failed was sent.
        """
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as caller:
            caller.settimeout(_PATIENCE)
            caller.connect(os.fsencode(self.path))
            for at, priority, words, fields in messages:
                caller.send(
                    _for_journal(priority, words, fields) if self._is_journal else _for_syslog(at, priority, words)
                )


def _for_journal(priority: int, words: str, fields: Mapping[str, str]) -> bytes:
    own = {"MESSAGE": words, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": IDENTIFIER}
    return b"".join(_field(name, value) for name, value in {**fields, **own}.items())


def _field(name: str, value: str) -> bytes:
    """One line, or for a value of several lines its name, its length and the bytes."""
    content = value.encode("utf-8", "backslashreplace")
    if b"\n" not in content:
        return b"%s=%s\n" % (name.encode(), content)
    return b"%s\n%s%s\n" % (name.encode(), len(content).to_bytes(8, "little"), content)


def _for_syslog(at: float, priority: int, words: str) -> bytes:
    moment = time.strftime("%b %e %H:%M:%S", time.localtime(at))
    line = " ".join(words.splitlines()).encode("utf-8", "backslashreplace")
    return b"<%d>%s %s[%d]: %s" % (_DAEMON | priority, moment.encode(), IDENTIFIER.encode(), os.getpid(), line)
