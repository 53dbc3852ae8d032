"""One message to one target: secrets filled in at the last moment, and out of every word that is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from overnight.core.alert_messages import Message
from overnight.core.alert_settings import Target
from overnight.core.secrets import MissingVariableError, filled, masked, names_in, shown_address
from overnight.monitor.notifiers import NOTIFIERS
from overnight.monitor.notifiers.contract import DeliveryError, Notifier


def send(target: Target, message: Message, environ: Mapping[str, str]) -> None:
    """Hand a message over.

    Args:
        target: Whom to.
        message: What.
        environ: Where the values of secrets are.

    Raises:
        DeliveryError: It was not taken. No secret is in the words, and none in the traceback.
        MissingVariableError: A secret is not there.
    """
    try:
        values = {key: _filled(value, environ) for key, value in target.values.items()}
        _notifier(target.kind, values).send(message)
    except MissingVariableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library raises, what it says may hold a secret
        hint = error.hint if isinstance(error, DeliveryError) else ""
        raise DeliveryError(f"{target.name}: {_said(error, target, environ)}", hint=hint) from None


def _notifier(kind: str, values: Mapping[str, Any]) -> Notifier:
    module, _, name = NOTIFIERS[kind].partition(":")
    made: Notifier = getattr(import_module(module), name)(values)
    return made


def _filled(value: object, environ: Mapping[str, str]) -> Any:  # noqa: ANN401 - as it was
    if isinstance(value, Mapping):
        return {key: filled(str(one), environ) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [filled(str(one), environ) for one in value]
    return filled(str(value), environ)


def _said(error: Exception, target: Target, environ: Mapping[str, str]) -> str:
    """What went wrong, in one line without secrets. Addresses written out in the file are shortened as well."""
    values = {name: environ.get(name, "") for text in target.texts() for name in names_in(text)}
    words = masked(str(error) or type(error).__name__, values)
    for text in target.texts():
        if (shown := shown_address(text)) != text:
            words = words.replace(text, shown)
    return " ".join(words.split())
