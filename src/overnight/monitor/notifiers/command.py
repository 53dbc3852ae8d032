"""A program of the user's, which gets the message as its standard input."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO, Any

from overnight.core.alert_messages import Message
from overnight.core.events import printable
from overnight.monitor.notifiers.contract import PATIENCE, DeliveryError

#: Bytes at the end of what it says that are looked at.
_SHOWN = 4096


class Command:
    """Runs it; an exit status other than 0 means that it has not taken the message.

    Args:
        values: ``command``: its words.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._words = list(values["command"])

    def send(self, message: Message) -> None:
        environ = {**os.environ, "OVERNIGHT_ALERT_KEY": message.key, "OVERNIGHT_ALERT_SUBJECT": message.subject}
        environ |= {"OVERNIGHT_REPORT_PAGE": message.page} if message.page else {}
        # A file and no pipe: the end of a pipe is waited for as long as whatever it leaves running has it.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                self._words,
                input=printable(message.body).encode(),
                env=environ,
                stdout=subprocess.DEVNULL,
                stderr=said,
                timeout=PATIENCE,
                check=False,
            )
            if done.returncode:
                raise DeliveryError(f"{self._words[0]} ended with status {done.returncode}{_last(said)}")


def _last(said: IO[bytes]) -> str:
    """The last line."""
    said.seek(max(0, said.seek(0, os.SEEK_END) - _SHOWN))
    lines = said.read().decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1]}" if lines else ""
