"""An address that takes a message as JSON by POST. Its key stands in ``Idempotency-Key`` as well."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import msgspec

from overnight.core.alert_messages import Message, in_one
from overnight.core.durations import iso
from overnight.core.version import VERSION
from overnight.monitor.notifiers.contract import PATIENCE, DeliveryError

_ELSEWHERE = range(300, 400)


class _Stays(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: there the message would be asked for as a page, and with it would go what is secret."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


class Webhook:
    """Posts it; an answer of 2xx means that it was taken. An address that points elsewhere has not taken it.

    Args:
        values: ``webhook``: the address; ``headers``: further ones.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._address = values["webhook"]
        self._headers = dict(values.get("headers") or {})

    def send(self, message: Message) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": f"overnight/{VERSION}", **self._headers}
        request = urllib.request.Request(  # noqa: S310 - the reader of the file has seen to the scheme
            self._address, data=as_json(message), headers={**headers, "Idempotency-Key": message.key}, method="POST"
        )
        try:
            with urllib.request.build_opener(_Stays).open(request, timeout=PATIENCE):
                return
        except urllib.error.HTTPError as error:
            more = " and points elsewhere; name that address" if error.code in _ELSEWHERE else ""
            with error:
                raise DeliveryError(f"it answered with status {error.code}{more}") from None


def as_json(message: Message) -> bytes:
    """The message for programs. ``text`` is what chat services of most makes show."""
    return msgspec.json.encode(
        {
            "key": message.key,
            "at": iso(message.at),
            "subject": message.subject,
            "text": in_one(message),
            "alerts": [
                {
                    "alert": one.alert,
                    "state": one.tells,
                    "at": iso(one.at),
                    "words": one.words,
                    "times": one.times,
                }
                for one in message.notices
            ],
        }
    )
