"""Calling the functions of steps: with the input as the workflow has it, and with what the steps before have given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.step_context import Context
from overnight.core.task import Action, text
from overnight.core.workflow.model import Input
from overnight.executors.contract import Spec
from overnight.executors.local.command import RefusedError
from overnight.host import results
from overnight.host.home import Home


def adapted(function: Callable[..., object], action: Action, work: bytes, home: str) -> Callable[[Spec], object]:
    """A step's function, to be called with an attempt.

    Args:
        function: Takes the input, and the context if it wants it.
        action: What it is a step of.
        work: Directory of the tasks' own directories.
        home: The home of this engine, where large results lie.

    Raises:
        RefusedError: It can be called with neither.
    """
    read = _json if action.expects == Input.JSON else _text
    if not _wants_context(function, action.call):
        return lambda spec: function(read(spec.input))
    return lambda spec: function(read(spec.input), _context(spec, work, home))


def outputs_for(spec: Spec, home: str) -> dict[str, Any]:
    """The outputs of other steps that an attempt is given.

    Raises:
        RefusedError: One of them lay in a file that is not whole any more.
    """
    if not spec.given:
        return {}
    try:
        return results.given(Home(Path(home)).results, spec.given)
    except OvernightError as error:
        raise RefusedError(error.message) from None


def _wants_context(function: Callable[..., object], call: str) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False  # written in C; only the call can tell
    for arguments in ((None, None), (None,)):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments) > 1
    raise RefusedError(f"{call}{signature} cannot be called as a step; write it as def step(input, context)")


def _text(raw_input: bytes) -> str:
    return text(raw_input)


def _json(raw_input: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return msgspec.json.decode(raw_input)
    except msgspec.DecodeError as error:
        raise RefusedError(f"the input is no JSON, as its workflow wants it ({error})") from None


def _context(spec: Spec, work: bytes, home: str) -> Context:
    return Context(
        task_id=spec.task_id,
        attempt=spec.begun + 1,
        workflow=spec.workflow,
        step=spec.step,
        outputs=outputs_for(spec, home),
        work_dir=text(work + b"/%d" % spec.task_id),
    )
