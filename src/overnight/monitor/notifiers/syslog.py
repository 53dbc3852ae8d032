"""The log of the system: one line for each notice, to its socket or to a machine that takes them by UDP.

Source: RFC 3164, of which every daemon takes the short form.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from overnight.core.alert_messages import Message, line
from overnight.core.alerts import Tells
from overnight.core.events import printable
from overnight.monitor.notifiers.contract import PATIENCE

#: Facility "daemon"; severities "warning" and "notice".
_DAEMON, _WARNING, _NOTICE = 3 << 3, 4, 5
_GOOD = frozenset({Tells.RESOLVED, Tells.STEADY})
_USUAL_PORT = 514


class Syslog:
    """Writes it.

    Args:
        values: ``syslog``: the path of a socket, or host:port.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._place = str(values["syslog"])

    def send(self, message: Message) -> None:
        with self._socket() as sock:
            for notice in message.notices:
                severity = _NOTICE if notice.tells in _GOOD else _WARNING
                sock.send(f"<{_DAEMON | severity}>overnight: {printable(line(notice))} [{message.key}]".encode())
            if not message.notices:  # a report: its first sentence
                sock.send(f"<{_DAEMON | _NOTICE}>{printable(message.subject)} [{message.key}]".encode())

    def _socket(self) -> socket.socket:
        is_path = self._place.startswith("/")
        sock = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.settimeout(PATIENCE)
            host, _, port = self._place.partition(":")
            sock.connect(self._place if is_path else (host, int(port or _USUAL_PORT)))
        except BaseException:
            sock.close()
            raise
        return sock
