"""``overnight run``: work on inputs until all of them are done, or on the queue until it is empty."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.halting import Halt
from overnight.core.node_settings import HERE, RAY
from overnight.ui.cli import printing
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.ending import Ending, conclude
from overnight.ui.cli.foreground import Manner, enter, run_queue, run_work
from overnight.ui.cli.group import TaskVerb, home_option
from overnight.ui.cli.listed import ListWork, collect_list
from overnight.ui.cli.running_lists import run_list
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.source_options import Sources, source_options, want_sense
from overnight.ui.cli.task_options import Request, Work, collect, task_options, too_much, warn
from overnight.ui.cli.values import HaltRule, Offered, Slots
from overnight.ui.cli.watch_loop import run_watch
from overnight.ui.cli.watched import Watch, collect_watch

_DIRECTORY = Offered("directories")


@click.command(cls=TaskVerb)
@task_options
@source_options
@click.option(
    "-j",
    "-P",
    "--jobs",
    "--max-procs",
    type=Slots(),
    metavar="N",
    help="Slots: 4, 50% of the CPUs, +1 or -1 (than CPUs), auto. [default: auto]",
)
@click.option(
    "--halt",
    type=HaltRule(),
    metavar="WHEN",
    help="Stop when so many have failed for good: 10%, soon,fail=3; now,fail=1 also ends what runs.",
)
@click.option("--checkpoint", type=click.IntRange(0), metavar="N", help="Finished tasks between two checkpoints.")
@click.option("--changed", is_flag=True, help="Run again what was completed with another size or time of its file.")
@click.option("--again", is_flag=True, help="Run everything anew.")
@click.option(
    "--on", type=click.Choice([HERE, RAY]), help="Where attempts run: here, or on the nodes of a Ray cluster."
)
@click.option("--ray-address", metavar="HOST:PORT", help="Where that cluster is. [default: the one of this machine]")
@click.option(
    "--ship", is_flag=True, help="Send files that inputs name to nodes, and bring back what is written beside."
)
@click.option("-k", "--keep-order", is_flag=True, help="Print outputs in the order of the inputs.")
@click.option("--tag", is_flag=True, help="Print the input and a TAB before each line of output.")
@click.option("--tagstring", metavar="WORDS", help="Print these words, filled in, and a TAB instead.")
@click.option("--results", type=_DIRECTORY, metavar="DIR", help="Write what each task printed to files below DIR.")
@click.option("--quiet", is_flag=True, help="Print no outputs and no progress.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
def run(
    request: Request,
    sources: Sources,
    *,
    jobs: int | str | None,
    halt: Halt | None,
    checkpoint: int | None,
    changed: bool,
    again: bool,
    on: str | None,
    ray_address: str | None,
    ship: bool,
    keep_order: bool,
    tag: bool,
    tagstring: str | None,
    results: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Work on inputs until all of them are done.

    The same line again goes on where it ended: completed inputs are skipped, whatever crashed in
    between. Without inputs: work until the queue is empty.

    \b
    overnight run *.jpg -- convert {} {.}.png
    find . -name '*.log' -print0 | overnight run -0 -- gzip -9
    overnight run -k --tag -- ping -c 1 {} ::: host1 host2
    overnight run --from task-queue.md --write-back
    overnight run --watch inbox -- convert {} {.}.png

    What is the same as in GNU parallel and xargs, and what is not, stands in docs/parallel.md.
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    started = wiring.clock.monotonic()
    want_sense(request, sources, again=again)
    work = _wanted(request, sources)
    if request.dry_run:
        for line in work.previews() if work else ():
            printing.say(line)
        return
    manner = manner_of(jobs, checkpoint_tasks=checkpoint, on=on, ray_address=ray_address, ship=ship or None)._replace(
        quiet=quiet or as_json,
        keep_order=keep_order,
        halt=halt,
        tag=_tag(tagstring, tag=tag),
        results=b"" if results is None else made(results),
    )
    _need_nodes(manner.settings.on, {"--ship": ship, "--ray-address": ray_address is not None})
    ending, skipped = _run(work, sources, manner, changed=changed, again=again)
    conclude(ending, skipped, wiring.clock.monotonic() - started, as_json=as_json)


def _wanted(request: Request, sources: Sources) -> Work | ListWork | Watch | None:
    """What was typed, as work; None for whatever is in the queue."""
    now, defaults = wiring.clock.now(), task_defaults()
    if sources.from_file is not None:
        return collect_list(request, sources, now=now, defaults=defaults)
    if sources.watch is not None:
        return collect_watch(request, sources, now=now, defaults=defaults)
    return collect(request, now=now, defaults=defaults, distinct=True)


def _run(
    work: Work | ListWork | Watch | None, sources: Sources, manner: Manner, *, changed: bool, again: bool
) -> tuple[Ending, int]:
    """How it ended, and how many inputs were completed before."""
    if work is None:
        return run_queue(wiring.make_home(home_option()), manner), 0
    if isinstance(work, Work):
        need_resources(work.request, manner)
        warn([work.action])
        home = wiring.make_home(home_option())
        return run_work(home, partial(enter, work=work, changed=changed, again=again), manner)
    need_resources(work.request, manner)
    if isinstance(work, Watch):
        return run_watch(wiring.make_home(home_option()), work, manner, changed=changed), 0
    warn(work.actions)
    home = wiring.make_home(home_option())
    return run_list(home, work, manner, write_back=sources.write_back, changed=changed, again=again)


def manner_of(jobs: int | str | None, **flags: object) -> Manner:
    """What flags (for slots, and others by the name of their setting), environment and configuration say together."""
    settings, configured = in_use(slots=jobs, **flags)
    return Manner(settings, configured)


def _need_nodes(on: str, said: Mapping[str, bool]) -> None:
    """Refuse what is about nodes where nothing runs on any.

    Raises:
        UsageError: One of these was said, and attempts run on this machine.
    """
    flags = " and ".join(flag for flag, is_said in said.items() if is_said)
    if flags and on == HERE:
        raise UsageError(
            f"{flags}: that is about nodes, and attempts would run on this machine; nothing was added or started",
            hint=f"add --on ray (or OVERNIGHT_ON=ray), or leave {flags} away",
        )


def _tag(words: str | None, *, tag: bool) -> bytes | None:
    """The template of what stands before each line."""
    if words is not None:
        return os.fsencode(words)
    return b"{}" if tag else None


def made(directory: str) -> bytes:
    """The absolute directory for results, made when it is not there.

    Raises:
        UsageError: It cannot be made.
    """
    path = os.path.abspath(os.fsencode(directory))  # noqa: PTH100 - bytes
    try:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103 - bytes
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise UsageError(
            f"the directory {directory!r} of --results cannot be made ({why}); nothing was added",
            hint="name one in a directory of yours",
        ) from None
    return path


def need_resources(request: Request, manner: Manner) -> None:
    """Refuse work that would wait for ever.

    Raises:
        UsageError: A task takes more of a resource than there is.
    """
    there = {name: resource.amount for name, resource in manner.configured.resources.items()}
    if wanting := too_much(request.needs, there, manner.settings.on):
        what, cure = wanting
        raise UsageError(f"{what}, so it would wait for ever; nothing was added", hint=cure)
