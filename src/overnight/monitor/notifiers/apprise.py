"""Whatever ``apprise`` knows: some hundred services by address. An extra, imported when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from overnight.core.alert_messages import Message
from overnight.core.events import printable
from overnight.monitor.notifiers.contract import DeliveryError


class Apprise:
    """Hands it to the library, which says no more than whether it was taken.

    Args:
        values: ``apprise``: the address.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._address = values["apprise"]

    def send(self, message: Message) -> None:
        try:
            library = import_module("apprise")
        except ImportError:
            raise DeliveryError(
                "the library apprise is not there; nothing was sent", hint="pip install 'overnight[notify]'"
            ) from None
        service = library.Apprise()
        if not service.add(self._address):
            raise DeliveryError("apprise does not know what kind of address this is; nothing was sent")
        if not service.notify(title=printable(message.subject), body=printable(message.body)):
            raise DeliveryError("apprise could not hand the message over")
