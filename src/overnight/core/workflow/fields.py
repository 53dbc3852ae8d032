"""The keys of a definition: what may be written, how it is read, and how an editor is told of it.

The reader of ``overnight.toml``, the decorators, the JSON Schema for editors and the page of reference come
from these lists, so a key is added here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from overnight.core import kinds
from overnight.core.durations import DURATIONS
from overnight.core.task import MOST_RETRIES
from overnight.core.workflow.model import STEP_NAME, Input, OnFailure
from overnight.core.workflow.values import (
    MEMORY,
    REASONS,
    choice,
    command,
    condition,
    duration,
    environment,
    function,
    limit,
    names,
    patterns,
    phases,
    resources,
    retries,
    step_name,
    text,
    yes_or_no,
)

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}


class Field(NamedTuple):
    """One key. `name`: where the model has it; several keys can come out of one (`retries`)."""

    key: str
    read: Callable[[Any], Mapping[str, Any]]
    schema: Schema
    help: str
    required: bool = False


def _one(name: str, read: Callable[[Any], Any]) -> Callable[[Any], Mapping[str, Any]]:
    return lambda written: {name: read(written)}


_DURATION: Schema = {
    "type": ["string", "number"],
    "pattern": "^(none|[0-9.]+ *(d|h|m|min|s|ms)?( *[0-9.]+ *(h|m|min|s|ms))*)$",
    "description": DURATIONS,
}

_WORK = (
    Field("run", _one("run", command), {**_TEXTS, "minItems": 1}, "the words of a command; no shell splits them"),
    Field(
        "call",
        _one("call", function),
        {"type": "string", "pattern": "^[\\w.]+:[\\w.]+$"},
        "a Python function, `package.module:function`, called as `function(input, context)`",
    ),
    Field("timeout", _one("timeout", limit), _DURATION, "how long one attempt may take; `none` for no limit"),
    Field(
        "retries",
        retries,
        {
            "oneOf": [
                {"type": "integer", "minimum": 0, "maximum": MOST_RETRIES},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "max": {"type": "integer", "minimum": 0, "maximum": MOST_RETRIES},
                        "on": {
                            "type": "array",
                            "items": {"anyOf": [{"enum": list(REASONS)}, {"pattern": "^exit:[0-9]{1,3}$"}]},
                        },
                        "backoff": _TEXT,
                    },
                },
            ]
        },
        'further attempts after a failed one: a number, or `{ max = 5, on = ["timeout", "exit:75"] }`',
    ),
    Field("backoff", _one("backoff", kinds.BACKOFF.read), _TEXT, "how long retries wait: `2s, x2, max 60s`"),
    Field(
        "resources",
        resources,
        {
            "type": "object",
            "properties": {MEMORY: {"type": ["string", "integer"]}},
            "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
        },
        "what it takes of named resources while it runs, and a limit of `memory`",
    ),
    Field(
        "env",
        _one("env", environment),
        {"type": "object", "additionalProperties": _TEXT},
        "variables of the environment, besides those of the task",
    ),
    Field(
        "keep_children",
        _one("keep_children", yes_or_no),
        {"type": "boolean"},
        "what its command leaves running goes on when that has ended well",
    ),
    Field("title", _one("title", text), _TEXT, "what people call it"),
)
_IF = Field("if", _one("condition", condition), _TEXT, "a condition on outputs of other steps; false: it is skipped")
_NEEDS = Field("needs", _one("needs", names), {**_TEXTS, "uniqueItems": True}, "the steps that it waits for")
_ON_FAILURE = Field(
    "on_failure",
    _one("on_failure", choice(OnFailure)),
    {"enum": [one.value for one in OnFailure]},
    "`stop`: what comes after it does not run, and the task fails; `continue`: the task completes with a warning",
)

#: The keys of ``[[workflow.NAME.step]]``.
STEP = (
    Field(
        "id",
        _one("id", step_name),
        {"type": "string", "pattern": f"^{STEP_NAME.pattern}$"},
        "its name, which placeholders use: `{probe.duration}`",
        required=True,
    ),
    Field("phase", _one("phase", text), _TEXT, "the phase that it belongs to"),
    _NEEDS,
    _IF,
    *_WORK,
    _ON_FAILURE,
    Field("writes", _one("writes", patterns), _TEXTS, "the files that it writes, as templates; `check` compares them"),
)
#: The keys of ``[[workflow.NAME.gate]]``.
GATE = (
    Field("after", _one("phase", text), _TEXT, "the phase that ends with this check", required=True),
    Field(
        "id",
        _one("id", step_name),
        {"type": "string", "pattern": f"^{STEP_NAME.pattern}$"},
        "its name; `PHASE-gate` if nothing is said",
    ),
    _NEEDS,
    _IF,
    *_WORK,
    _ON_FAILURE,
)
#: The keys of ``[workflow.NAME]``, besides `step` and `gate`.
WORKFLOW = (
    Field("title", _one("title", text), _TEXT, "what people call it"),
    Field(
        "input",
        _one("input", choice(Input)),
        {"enum": [one.value for one in Input]},
        "what it works on: any text, a file that is looked at when the first steps run, or JSON",
    ),
    Field("match", _one("match", patterns), {"oneOf": [_TEXT, _TEXTS]}, "patterns of the inputs that it takes"),
    Field(
        "phases",
        _one("phases", phases),
        {**_TEXTS, "uniqueItems": True},
        "barriers, in order: a phase begins when the one before has ended",
    ),
    Field("deadline", _one("deadline", duration), _DURATION, "how long a whole task may take, from its first step on"),
)
