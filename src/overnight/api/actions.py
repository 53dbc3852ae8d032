"""What to do with an input, made of what a caller said and of what the settings say."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from overnight.api.arguments import ArgumentTypeError, ArgumentValueError
from overnight.api.naming import name_of
from overnight.api.options import Options
from overnight.api.workflows import Workflow
from overnight.core import environment
from overnight.core.durations import quoted
from overnight.core.errors import UsageError
from overnight.core.settings import Settings
from overnight.core.task import LIMITS, Action, ActionKind
from overnight.wiring.files import UNBOUND

#: Directories of what was installed, by their last name; Debian has one of its own.
_PACKAGES = ("site-packages", "dist-packages")


def for_files(settings: Settings) -> Action:
    """The action of a file added without a word about what to do with it."""
    return for_call(settings, UNBOUND)


def for_call(settings: Settings, call: str) -> Action:
    """The action of a function by its name, ``module:function``."""
    return _base(settings, ActionKind.CALL, Options(), call=call)


def for_workflow(settings: Settings, name: str) -> Action:
    """The action of a task of a workflow."""
    return _base(settings, ActionKind.WORKFLOW, Options(), call=name)


def of(work: object, settings: Settings, options: Options) -> Action:
    """The action of a function or of a command.

    Args:
        work: A function that a worker can find, or the words of a command, as ``["convert", "{}", "{.}.png"]``.
        settings: What holds where `options` say nothing.
        options: What was said.
    """
    if isinstance(work, Workflow):
        return _with_roots(_base(settings, ActionKind.WORKFLOW, options, call=work.name), work.roots)
    if isinstance(work, str | bytes):
        raise ArgumentTypeError(
            f"{quoted(work)} is text, and a function or a list of words is wanted; nothing was added",
            hint='night.add(function, "input"), or night.add(["convert", "{}", "{.}.png"], "input")',
        )
    if isinstance(work, Sequence):
        return _base(settings, ActionKind.COMMAND, options, argv=_argv(work))
    named = name_of(work)
    return _with_roots(_base(settings, ActionKind.CALL, options, call=named.call), [named.root])


def _argv(command: Sequence[object]) -> tuple[bytes, ...]:
    argv = []
    for word in command:
        if not isinstance(word, str | bytes | os.PathLike):
            raise ArgumentTypeError(
                f"a word of the command is a {type(word).__name__}, and a str is wanted; nothing was added",
                hint="str(value) for each word",
            )
        argv.append(os.fsencode(word))
    if not argv or not argv[0] or any(b"\0" in word for word in argv):
        raise ArgumentValueError(
            f"{quoted(command)} is no command that could be started; nothing was added",
            hint='["convert", "{}", "{.}.png"]',
        )
    return tuple(argv)


def _base(
    settings: Settings, kind: ActionKind, options: Options, *, argv: tuple[bytes, ...] = (), call: str = ""
) -> Action:
    if options.keep_children and kind is not ActionKind.COMMAND:
        raise ArgumentValueError(
            "keep_children is about what a command leaves running, and this is none; nothing was added",
            hint="leave it out; a step that runs a command takes it itself",
        )
    env, env_names = _environment(settings.env, options.env)
    return Action(
        kind=kind,
        cwd=os.fsencode(here()),
        argv=argv,
        call=call,
        env=env,
        env_names=env_names,
        timeout=settings.timeout if options.timeout is UNSET else options.timeout,
        **_limits(settings, options),
        retries=settings.retries if options.retries is UNSET else options.retries,
        backoff=settings.backoff,
        kill_grace=settings.kill_grace,
        at_most_once=options.at_most_once,
        keep_children=options.keep_children,
        keep_output=settings.keep_output,
        inline_result=settings.inline_result,
    )


def _limits(settings: Settings, options: Options) -> dict[str, Any]:
    said = {name: getattr(options, name) for name in LIMITS}
    return {name: getattr(settings, name) if value is UNSET else value for name, value in said.items()}


def _environment(wished: Sequence[str], asked: Sequence[str]) -> tuple[dict[bytes, bytes], tuple[bytes, ...]]:
    """What a task takes along: of the settings what is there, and all that was asked for here."""
    there = [name for name in map(os.fsencode, wished) if name in os.environb or environment.looks_secret(name)]
    try:
        return environment.split(os.environb, [*there, *map(os.fsencode, asked)])
    except UsageError as error:
        raise ArgumentValueError(error.message, hint="set it in os.environ, or leave it out of env=[...]") from None


def here() -> str:
    """The current directory.

    Raises:
        UsageError: It has been deleted.
    """
    try:
        return os.getcwd()  # noqa: PTH109 - as tasks and sys.path have it
    except FileNotFoundError:
        raise UsageError(
            "the current directory has been deleted; nothing was changed", hint="os.chdir() to another one"
        ) from None


def _with_roots(action: Action, roots: Sequence[str]) -> Action:
    """Let a worker of any later engine import the modules, too: it looks into the directory of the task first."""
    further = [root for root in roots if root and os.fsencode(root) != action.cwd and not _is_installed(root)]
    if not further:
        return action
    places = [*further, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    path = os.fsencode(os.pathsep.join(dict.fromkeys(places)))
    return msgspec.structs.replace(action, env={**action.env, b"PYTHONPATH": path})


def _is_installed(root: str) -> bool:
    """Whether this interpreter has it anyway: its library, and what was installed for it.

    A project may lie below its prefix as well: ``/usr/src/app`` does where that is ``/usr``.
    """
    library, last = str(Path(os.__file__).parent), Path(root).name
    if root == library or root.startswith(library + os.sep):
        return True
    return root.startswith((sys.prefix + os.sep, sys.base_prefix + os.sep)) and last in _PACKAGES
