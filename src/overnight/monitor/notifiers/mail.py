"""A letter by SMTP. Its Message-ID is made of the key, so that a second copy of it is the same letter."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from overnight.core.alert_messages import Message
from overnight.core.events import instant, printable
from overnight.monitor.notifiers.contract import PATIENCE

#: The port at which everything is encrypted from the beginning, and the one that is meant when none is said.
_TLS_PORT, _USUAL_PORT = 465, 25
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Mail:
    """Sends it. Encrypted, but to this machine itself, or where the configuration says otherwise.

    Args:
        values: ``mail``: one address or several with commas; ``smtp``: host:port; ``from``, ``user``,
            ``password``; ``tls``: starttls, tls or none.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._to = [one.strip() for one in values["mail"].split(",") if one.strip()]
        self._host, self._port = _place(values["smtp"])
        self._from = values.get("from") or self._to[0]
        self._user, self._password = values.get("user"), values.get("password")
        usual = "none" if self._host in _HERE else "tls" if self._port == _TLS_PORT else "starttls"
        self._tls = values.get("tls") or usual

    def send(self, message: Message) -> None:
        letter = self._letter(message)
        with self._server() as server:
            if self._tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if self._user:
                server.login(self._user, self._password or "")
            server.send_message(letter, self._from, self._to)

    def _server(self) -> smtplib.SMTP:
        if self._tls == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(self._host, self._port, timeout=PATIENCE, context=context)
        return smtplib.SMTP(self._host, self._port, timeout=PATIENCE)

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"] = " ".join(printable(message.subject).split())
        letter["From"] = Address("Overnight", addr_spec=self._from)
        letter["To"] = ", ".join(self._to)
        letter["Date"] = format_datetime(instant(message.at))
        letter["Message-ID"] = f"<{message.key}@overnight>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(printable(message.body))
        if message.page:
            with contextlib.suppress(OSError, UnicodeDecodeError):  # the words are what matters
                page = Path(message.page).read_text("utf-8")
                letter.add_attachment(page, subtype="html", filename=Path(message.page).name)
        return letter


def _place(words: str) -> tuple[str, int]:
    host, colon, port = words.rpartition(":")
    if not colon or not port.isdigit():
        return words, _USUAL_PORT
    return host.strip("[]"), int(port)
