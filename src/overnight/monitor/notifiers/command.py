"""A program of the user's, which gets the message as its standard input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

from overnight.core.alert_messages import Message
from overnight.core.events import printable
from overnight.monitor.notifiers.contract import PATIENCE, DeliveryError


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
        done = subprocess.run(
            self._words,
            input=printable(message.body).encode(),
            env=environ,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            raise DeliveryError(": ".join([f"{self._words[0]} ended with status {done.returncode}", *last]))
