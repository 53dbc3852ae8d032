"""A way to reach somebody: it hands one message over, once, or says why it could not.

A notifier is made with the values of its target, secrets filled in, used for one message and thrown away. It
runs in a process that is tried again when it fails, so it remembers nothing. The same message may therefore be
handed over a second time after a crash in the very moment between the receiver's answer and our note of it;
its key goes with it, so that the receiver can tell.
"""

from __future__ import annotations

from typing import Protocol

from overnight.core.alert_messages import Message
from overnight.core.errors import OvernightError

#: Seconds that a receiver may take to answer.
PATIENCE = 20.0


class DeliveryError(OvernightError):
    """The message was not taken. It is tried again; no secret is in the words."""


class Notifier(Protocol):
    """One way. Made from the values of a target, by its keys."""

    def send(self, message: Message) -> None:
        """Hand the message over; when this returns, the receiver has said that it has it.

        Raises:
            Exception: Of any kind: it has not. The words may hold secrets, and are masked by the caller.
        """
