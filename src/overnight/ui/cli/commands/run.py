"""``overnight run``: work on inputs until all of them are done, or on the queue until it is empty."""

from __future__ import annotations

import os

import click

from overnight import wiring
from overnight.core.errors import UsageError
from overnight.core.halting import Halt
from overnight.ui.cli import printing
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.ending import conclude
from overnight.ui.cli.foreground import Manner, run_queue, run_work
from overnight.ui.cli.group import TaskVerb, home_option
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.task_options import Request, Work, collect, task_options, too_much, warn
from overnight.ui.cli.values import HaltRule, Offered, Slots

_DIRECTORY = Offered("directories")


@click.command(cls=TaskVerb)
@task_options
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
@click.option("-k", "--keep-order", is_flag=True, help="Print outputs in the order of the inputs.")
@click.option("--tag", is_flag=True, help="Print the input and a TAB before each line of output.")
@click.option("--tagstring", metavar="WORDS", help="Print these words, filled in, and a TAB instead.")
@click.option("--results", type=_DIRECTORY, metavar="DIR", help="Write what each task printed to files below DIR.")
@click.option("--quiet", is_flag=True, help="Print no outputs and no progress.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
def run(
    request: Request,
    *,
    jobs: int | str | None,
    halt: Halt | None,
    checkpoint: int | None,
    changed: bool,
    again: bool,
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

    What is the same as in GNU parallel and xargs, and what is not, stands in docs/parallel.md.
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    started = wiring.clock.monotonic()
    work = collect(request, now=wiring.clock.now(), defaults=task_defaults(), distinct=True)
    if request.dry_run:
        for line in work.previews() if work else ():
            printing.say(line)
        return
    manner = manner_of(jobs, checkpoint)._replace(
        quiet=quiet or as_json,
        keep_order=keep_order,
        halt=halt,
        tag=_tag(tagstring, tag=tag),
        results=b"" if results is None else made(results),
    )
    if work is not None:
        need_resources(work, {name: resource.amount for name, resource in manner.configured.resources.items()})
    home = wiring.make_home(home_option())
    if work is None:
        ending, skipped = run_queue(home, manner), 0
    else:
        warn(work)
        ending, skipped = run_work(home, work, manner, changed=changed, again=again)
    conclude(ending, skipped, wiring.clock.monotonic() - started, as_json=as_json)


def manner_of(jobs: int | str | None, checkpoint: int | None = None) -> Manner:
    """What the flags for slots and checkpoints, the environment and the configuration say together."""
    settings, configured = in_use(slots=jobs, checkpoint_tasks=checkpoint)
    return Manner(settings, configured)


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


def need_resources(work: Work, resources: dict[str, float]) -> None:
    """Refuse work that would wait for ever.

    Raises:
        UsageError: A task takes more of a resource than there is.
    """
    if wanting := too_much(work, resources):
        what, cure = wanting
        raise UsageError(
            f"{what}, so it would wait for ever; nothing was added",
            hint=f"say in overnight.toml how much there is: {cure}",
        )
