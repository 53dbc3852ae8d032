"""An action as the journal holds it, and back: the part of a redo record that several tasks share."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import msgspec

from overnight.core.task import Action


def action_record(action: Action) -> tuple[dict[str, object] | None, str | None]:
    """An action as readable JSON, or, when any part of it is not UTF-8, as base64 of its msgpack."""
    plain = Action(kind=action.kind, cwd=action.cwd)
    parts = {
        name: value
        for name, value in msgspec.structs.asdict(action).items()
        if name in _ALWAYS or value != getattr(plain, name)
    }
    try:
        return {name: _readable(value) for name, value in parts.items()}, None
    except UnicodeDecodeError:
        return None, base64.b64encode(msgspec.msgpack.encode(action)).decode()


def action_from(definition: Mapping[str, object] | None, definition_b64: str | None) -> Action:
    """The action that `action_record` has written down."""
    if definition_b64 is not None:
        return msgspec.msgpack.decode(base64.b64decode(definition_b64), type=Action)
    if definition is None:
        raise ValueError("an added task says neither definition nor definition_b64")
    parts = {name: _raw(value) if name in _BYTES else value for name, value in definition.items()}
    return msgspec.convert(parts, Action)


#: The parts of an action that are bytes; they stand in the journal as text.
_BYTES = frozenset({"cwd", "argv", "env", "env_names", "python"})
_ALWAYS = frozenset({"kind", "cwd"})


def _readable(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, tuple):
        return [_readable(part) for part in value]
    if isinstance(value, dict):
        return {_readable(key): _readable(part) for key, part in value.items()}
    return value


def _raw(value: object) -> object:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, list):
        return tuple(_raw(part) for part in value)
    if isinstance(value, dict):
        return {_raw(key): _raw(part) for key, part in value.items()}
    return value
