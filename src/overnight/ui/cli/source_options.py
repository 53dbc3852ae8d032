"""The options that say where tasks come from, besides the words of the call: lists and watched folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click
import msgspec

from overnight.core.errors import UsageError
from overnight.ui.cli.task_options import Request
from overnight.ui.cli.values import Duration, Offered

#: Seconds for which a file must have been the same when nothing is said.
SETTLE = 2.0
_FILE, _DIRECTORY = Offered("files"), Offered("directories")


class Sources(msgspec.Struct, frozen=True):
    """What was typed."""

    #: A task list.
    from_file: str | None = None
    allow_run: bool = False
    write_back: bool = False
    #: A folder whose files are taken as they come.
    watch: str | None = None
    match: tuple[str, ...] = ()
    #: Seconds.
    settle: float | None = None


_OPTIONS: Sequence[Callable[[Callable[..., object]], Callable[..., object]]] = (
    click.option(
        "--from",
        "from_file",
        type=_FILE,
        metavar="FILE",
        help="Tasks from a list: task-queue.md, Task Master's tasks.json, or .jsonl.",
    ),
    click.option("--allow-run", is_flag=True, help="Run commands that stand in a Markdown list."),
    click.option("--write-back", is_flag=True, help="Tick the boxes of the Markdown list as its tasks end."),
    click.option("--watch", type=_DIRECTORY, metavar="DIR", help="Take the files of a folder, now and as they come."),
    click.option("--match", multiple=True, metavar="PATTERN", help="With --watch: only files like '*.wav'."),
    click.option(
        "--settle", type=Duration(), help="With --watch: how long a file must have been the same. [default: 2s]"
    ),
)


def source_options(function: Callable[..., object]) -> Callable[..., object]:
    """Give a command these options; it receives `sources`."""

    @wraps(function)
    def with_sources(*args: object, **options: object) -> object:
        fields: dict[str, Any] = {name: options.pop(name) for name in Sources.__struct_fields__ if name in options}
        return function(*args, sources=Sources(**fields), **options)

    for decorate in reversed(_OPTIONS):
        with_sources = decorate(with_sources)
    return with_sources


def want_sense(request: Request, sources: Sources, *, again: bool = False) -> None:
    """Refuse words that do not go together.

    Args:
        request: What was typed about tasks.
        sources: What was typed about where they come from.
        again: Everything is to be run anew.

    Raises:
        UsageError: Some do not.
    """
    if sources.from_file is not None:
        _want_list_alone(request, sources)
        return
    for name, given in (("--allow-run", sources.allow_run), ("--write-back", sources.write_back)):
        if given:
            raise UsageError(f"{name} is about a list, and none is named; nothing was added", hint="--from FILE")
    if sources.watch is not None:
        _want_folder_alone(request, again=again)
        return
    for name, said in (("--match", sources.match), ("--settle", sources.settle)):
        if said:
            raise UsageError(f"{name} is about a folder, and none is named; nothing was added", hint="--watch DIR")


def _want_list_alone(request: Request, sources: Sources) -> None:
    others = {
        "inputs": request.inputs,
        "-a": request.arg_file,
        "--watch": sources.watch,
        "-n": request.max_args,
        "--title": request.title,
        "--description": request.description,
    }
    for name, value in others.items():
        if value:
            raise UsageError(
                f"--from and {name} were given, and a list says itself what its tasks are; nothing was added",
                hint="leave out one of them",
            )


def _want_folder_alone(request: Request, *, again: bool) -> None:
    if again:
        raise UsageError(
            "--again would take every file of the folder anew at each start; nothing was added",
            hint="--changed takes those that have changed; 'overnight clean' forgets what was done",
        )
    if request.inputs or request.arg_file or request.max_args:
        raise UsageError(
            "--watch takes the files of a folder one by one, and inputs were given as well; nothing was added",
            hint="add those in a call of their own",
        )
