"""``execute``: another way of typing ``run --from``, unattended and supervised."""

from __future__ import annotations

import os
from collections.abc import Callable

import click

from overnight import wiring
from overnight.core.durations import spell_duration
from overnight.host.home import Home
from overnight.ui.cli import printing
from overnight.ui.cli.commands.run import manner_of, need_resources
from overnight.ui.cli.commands.start import begin
from overnight.ui.cli.commands.stop import tell
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.ending import conclude
from overnight.ui.cli.group import TaskVerb, home_option, marked_words
from overnight.ui.cli.listed import collect_list
from overnight.ui.cli.running_lists import run_list
from overnight.ui.cli.source_options import Sources
from overnight.ui.cli.task_options import Request, warn
from overnight.ui.cli.values import Duration, Offered, Slots

#: Read by the engine that a supervisor starts.
_INTERVAL = "OVERNIGHT_CHECKPOINT_INTERVAL"


@click.command(cls=TaskVerb)
@click.option("--queue", "queue_file", required=True, type=Offered("files"), metavar="FILE", help="The task list.")
@click.option("--monitor", is_flag=True, help="Show how it goes: the progress line, on a terminal.")
@click.option("--checkpoint-interval", type=Duration(), help="The longest time between two checkpoints. [default: 5m]")
@click.option("--resume-on-failure", is_flag=True, help="Go on after a crash of the engine.")
@click.option("--autonomous-mode", is_flag=True, help="Ask nothing, and be supervised until nothing is left.")
@click.option("-w", "--workflow", metavar="NAME", help="What is done where the list does not say it.")
@click.option("--call", metavar="MODULE:FUNCTION", help="The same, as a Python function.")
@click.option("--allow-run", is_flag=True, help="Run commands that stand in a Markdown list.")
@click.option("--write-back", is_flag=True, help="Tick the boxes of the Markdown list as its tasks end.")
@click.option("-j", "--jobs", type=Slots(), metavar="N", help="Slots: 4, 50% of the CPUs, auto. [default: auto]")
@click.option("--dry-run", is_flag=True, help="Print what would be run, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="End with one JSON object.")
def execute(
    *,
    queue_file: str,
    monitor: bool,
    checkpoint_interval: float | None,
    resume_on_failure: bool,
    autonomous_mode: bool,
    workflow: str | None,
    call: str | None,
    allow_run: bool,
    write_back: bool,
    jobs: int | str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Work on the tasks of a list until all of them are done.

    The same as 'overnight run --from FILE'. With --resume-on-failure or --autonomous-mode the work is
    done by a supervised engine in the background, which goes on when this call or the terminal ends.

    \b
    overnight execute --queue task-queue.md --autonomous-mode --checkpoint-interval 5m
    overnight execute --queue tasks.json -- ./agent.sh {}
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    started = wiring.clock.monotonic()
    request = Request(marked=tuple(marked_words()), workflow=workflow, call=call, dry_run=dry_run)
    sources = Sources(from_file=queue_file, allow_run=allow_run, write_back=write_back)
    work = collect_list(request, sources, now=wiring.clock.now(), defaults=task_defaults())
    if dry_run:
        for preview in work.previews():
            printing.say(preview)
        return
    if checkpoint_interval is not None:
        os.environ[_INTERVAL] = spell_duration(checkpoint_interval)
    manner = manner_of(jobs)._replace(quiet=as_json)
    need_resources(work.request, manner)
    warn(work.actions)
    if monitor:
        printing.note("overnight: there is no screen of its own yet; --monitor shows the progress line instead")
    home = wiring.make_home(home_option())
    supervised = resume_on_failure or autonomous_mode
    ending, skipped = run_list(
        home, work, manner, write_back=write_back, start=_starter(home, jobs) if supervised else None
    )
    conclude(ending, skipped, wiring.clock.monotonic() - started, as_json=as_json)


def _starter(home: Home, jobs: int | str | None) -> Callable[[], None]:
    """Starts an engine with a supervisor, which ends when nothing is left."""

    def start() -> None:
        pid = begin(home, jobs, until_empty=True).wait(tell)
        printing.note(f"overnight: a supervised engine works (process {pid}) until nothing is left; this follows")

    return start
