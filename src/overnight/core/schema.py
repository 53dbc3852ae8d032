"""The JSON Schema of ``overnight.toml``, for editors: made of the same lists by which the file is read.

An editor sees the shape of a file and the meaning of each key. What steps mean together (cycles, missing
steps, placeholders) takes the whole file, and is told by ``overnight workflow check``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from overnight.core import kinds
from overnight.core.alert_conditions import FIGURES, TRIGGERS
from overnight.core.alert_settings import KINDS
from overnight.core.check_tables import Asked
from overnight.core.schedule_tables import KEYS
from overnight.core.schedules import Missed, Overlap
from overnight.core.setting import Setting
from overnight.core.settings import SETTINGS
from overnight.core.workflow.fields import GATE, STEP, WORKFLOW, Field

Schema = dict[str, Any]

_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_NUMBER_OR_TEXT: Schema = {"type": ["number", "string"]}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
_OF_KIND: dict[str, Schema] = {
    kinds.COUNT.name: {"type": "integer"},
    kinds.DURATION.name: _NUMBER_OR_TEXT,
    kinds.LIMIT.name: _NUMBER_OR_TEXT,
    kinds.SIZE.name: {"type": ["integer", "string"]},
    kinds.NAMES.name: {"oneOf": [{"type": "string"}, _TEXTS]},
    kinds.PATTERNS.name: {"oneOf": [{"type": "string"}, _TEXTS]},
    kinds.COMMAND.name: {"oneOf": [{"type": "string"}, _TEXTS]},
    kinds.SWITCH.name: {"type": ["boolean", "string"]},
}
#: Numbers that may also be a word.
_WORDY = (kinds.COUNT_OR_AUTO, kinds.COUNT_LIMIT)


def _table(properties: Schema, required: Sequence[str] = (), **more: Any) -> Schema:  # noqa: ANN401 - further keywords
    found: Schema = {"type": "object", "additionalProperties": False, "properties": properties, **more}
    return found | ({"required": list(required)} if required else {})


def _setting(setting: Setting) -> Schema:
    found = dict(_OF_KIND.get(setting.kind.name, {"type": "string"}))
    if setting.kind in _WORDY:
        found = {"type": ["integer", "string"]}
    accepts = f"{setting.help} Accepts {setting.kind.accepts}."
    default = setting.default_words or setting.show(setting.default)
    return {**found, "description": f"{accepts} Default: {default}."}


def _settings() -> Schema:
    """The tables that hold settings; a key with two dots stands in a table of a table."""
    tables: Schema = {}
    for setting in SETTINGS:
        if not setting.key or setting.key.startswith("queue."):
            continue
        table, _, key = setting.key.rpartition(".")
        tables.setdefault(table, _table({}))["properties"][key] = _setting(setting)
    return tables


def _fields(fields: Sequence[Field], more: Schema) -> Schema:
    properties = {field.key: {**field.schema, "description": field.help} for field in fields} | more
    return _table(properties, [field.key for field in fields if field.required])


def _limits(what: str) -> Schema:
    return {
        "slots": {"type": ["integer", "string"], "description": f"how many {what} run at the same time"},
        "rate": {"type": "string", "description": f"how many {what} start in a time: 10/s, 30/m, 100/h"},
    }


def _alert() -> Schema:
    trigger: Schema = {"enum": list(TRIGGERS)}
    properties: Schema = {
        "on": {"oneOf": [trigger, {"type": "array", "items": trigger}], "description": "what happens"},
        "when": {
            "type": "string",
            "pattern": f"^ *({'|'.join(FIGURES)}) *[<>]=? *.+",
            "description": "a figure and its bound: disk_free < 2GB",
        },
        "for": {**_NUMBER_OR_TEXT, "description": "how long it holds before somebody is told"},
        "recover": {**_NUMBER_OR_TEXT, "description": "how long it holds no more before that is told"},
        "remind": {**_NUMBER_OR_TEXT, "description": "how often it is told again while it goes on; none for never"},
        "targets": {"oneOf": [{"type": "string"}, _TEXTS], "description": "names of targets"},
    }
    return _table(properties, ["targets"], oneOf=[{"required": ["on"]}, {"required": ["when"]}])


def _target() -> Schema:
    text: Schema = {"type": "string"}
    headers: Schema = {"type": "object", "additionalProperties": text}
    properties: Schema = {
        "command": {"oneOf": [text, _TEXTS], "description": "a program, which gets the message as its input"},
        "webhook": {**text, "description": "an address that gets the message as JSON by POST"},
        "headers": {**headers, "description": "further headers of a webhook"},
        "mail": {**text, "description": "whom to write to"},
        "smtp": {**text, "description": "the server that takes mail: host:port"},
        "from": {**text, "description": "who writes"},
        "user": {**text, "description": "at the server"},
        "password": {**text, "description": "at the server, as ${NAME}"},
        "tls": {"enum": ["starttls", "tls", "none"]},
        "syslog": {"type": ["string", "boolean"], "description": "true, a socket, or host:port"},
        "apprise": {**text, "description": "an address as apprise has them"},
        "group": {**_NUMBER_OR_TEXT, "description": "how long is waited for more that goes into one message"},
        "hourly": {"type": ["integer", "string"], "description": "messages an hour at the most; none for any number"},
    }
    return _table(properties, oneOf=[{"required": [kind]} for kind in KINDS])


def _workflow() -> Schema:
    does: Schema = {"oneOf": [{"required": ["run"]}, {"required": ["call"]}]}
    steps: Schema = {"type": "array", "minItems": 1, "items": {**_fields(STEP, {}), **does}}
    gates: Schema = {"type": "array", "items": {**_fields(GATE, {}), **does}}
    more = {**_limits("of its steps"), "step": steps, "gate": gates}
    return {**_fields(WORKFLOW, more), "required": ["step"]}


def _schedule() -> Schema:
    texts: Schema = {"oneOf": [{"type": "string"}, _TEXTS]}
    shapes: dict[str, Schema] = {
        **dict.fromkeys(("every", "grace", "timeout"), _NUMBER_OR_TEXT),
        **{key: {"type": "integer"} for key in ("priority", "retries")},
        "run": _TEXTS,
        "at": texts,
        "missed": {"enum": list(Missed)},
        "overlap": {"enum": list(Overlap)},
    }
    return _table({key: {**shapes.get(key, {"type": "string"}), "description": one.help} for key, one in KEYS.items()})


def _check() -> Schema:
    asked: Schema = {"oneOf": [{"required": [kind.value]} for kind in Asked]}
    text: Schema = {"type": "string"}
    properties: Schema = {
        "run": {"oneOf": [text, _TEXTS], "description": "a program in the manner of Nagios plugins"},
        "http": {**text, "description": "an address that must answer"},
        "tcp": {**text, "description": "a host and a port that must answer, as in localhost:5432"},
        "file": {**text, "description": "a file that must be there"},
        "systemd": {**text, "description": "a unit that must be active"},
        "timeout": {**_NUMBER_OR_TEXT, "description": "how long an answer may take"},
        "max_age": {**_NUMBER_OR_TEXT, "description": "of a file: how long ago it may have been written"},
        "every": {**_NUMBER_OR_TEXT, "description": "time between two askings of `overnight health`"},
    }
    return {**_table(properties), **asked}


_DORMANT: Schema = {
    "type": "string",
    "pattern": "^permanent: *\\S",
    "description": "why it may lie there unused, for overnight dormant: `permanent: used once a year`",
}


def _named(schema: Schema, description: str) -> Schema:
    """Tables by names that people choose."""
    schema = schema | {"properties": schema["properties"] | {"dormant": _DORMANT}}
    return {
        "type": "object",
        "patternProperties": {_NAME: schema},
        "additionalProperties": False,
        "description": description,
    }


SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "overnight.toml",
    **_table(
        {
            **_settings(),
            "queue": _named(_table(_limits("of this queue")), "limits of a queue"),
            "resources": {
                "type": "object",
                "description": "how much there is of something: a number, or a list of ids",
                "additionalProperties": {
                    "oneOf": [
                        {"type": "number", "minimum": 0},
                        {"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}},
                    ]
                },
            },
            "workflow": _named(_workflow(), "a recipe of steps"),
            "schedules": _named(_schedule(), "what runs by the clock"),
            "alerts": _named(_alert(), "somebody is told of something"),
            "targets": _named(_target(), "whom alerts reach"),
            "check": _named(_check(), "a check of overnight doctor"),
        }
    ),
}
