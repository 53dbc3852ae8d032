"""The command line's frame: which commands there are, and how one is found without loading the rest.

A command that adds one task must be over before anybody notices, so a command's module is imported
when it is called and not before. The one-line help stands in the list for the same reason: the
page that lists everything needs to import nothing. A test compares both.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click

from overnight.core import inputs
from overnight.core.errors import UsageError
from overnight.core.version import VERSION
from overnight.ui.cli.values import Offered

SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 80}
LOG_LEVELS = ("debug", "info", "warning", "error")
_HOME = "overnight.home"
_LOG_LEVEL = "overnight.log_level"
_MARKED = "overnight.marked"


class Entry(NamedTuple):
    """Where a command is, and what it does in one line."""

    where: str
    help: str


#: Every command, in the order of the help page.
COMMANDS: dict[str, Entry] = {
    "run": Entry("overnight.ui.cli.commands.run:run", "Work on inputs until all of them are done."),
    "add": Entry("overnight.ui.cli.commands.add:add", "Put tasks into the queue."),
    "status": Entry("overnight.ui.cli.commands.status:status", "Say how it goes."),
    "monitor": Entry("overnight.ui.cli.commands.monitor:monitor", "Show a live screen of how it goes."),
    "report": Entry("overnight.ui.cli.commands.report:report", "Say what the night was like, and what to do."),
    "list": Entry("overnight.ui.cli.commands.list:list_", "List tasks, newest first."),
    "show": Entry("overnight.ui.cli.commands.show:show", "Show all about one task."),
    "why": Entry("overnight.ui.cli.commands.why:why_", "Say why a task is where it is."),
    "log": Entry("overnight.ui.cli.commands.log:log", "Print what a task printed."),
    "wait": Entry("overnight.ui.cli.commands.wait:wait", "Wait until tasks are finished."),
    "start": Entry("overnight.ui.cli.commands.start:start", "Work in the background on everything in the queue."),
    "stop": Entry("overnight.ui.cli.commands.stop:stop", "End the engine and leave the queue exact."),
    "restart": Entry("overnight.ui.cli.commands.restart:restart", "Go on in the background with a new engine."),
    "retry": Entry("overnight.ui.cli.commands.retry:retry", "Queue finished tasks once more."),
    "retry-failed": Entry("overnight.ui.cli.commands.retry:retry_failed", "Queue all failed tasks once more."),
    "cancel": Entry("overnight.ui.cli.commands.cancel:cancel", "Cancel tasks, running ones included."),
    "pause": Entry("overnight.ui.cli.commands.pause:pause", "Let nothing more start."),
    "unpause": Entry("overnight.ui.cli.commands.pause:unpause", "Let it go on."),
    "hold": Entry("overnight.ui.cli.commands.hold:hold", "Hold tasks back until they are released."),
    "release": Entry("overnight.ui.cli.commands.release:release", "Let held tasks go on."),
    "edit": Entry("overnight.ui.cli.commands.edit:edit", "Change tasks that are still to run."),
    "relocate": Entry("overnight.ui.cli.commands.relocate:relocate", "Say that a directory was moved."),
    "clean": Entry("overnight.ui.cli.commands.clean:clean", "Forget finished tasks."),
    "monitor-init": Entry(
        "overnight.ui.cli.commands.monitor_init:monitor_init", "Keep a page in a file up to date while work goes on."
    ),
    "execute": Entry("overnight.ui.cli.commands.execute:execute", "Work on a task list, unattended."),
    "queue": Entry("overnight.ui.cli.commands.queue:queue", "Look at queues and set their limits."),
    "nodes": Entry("overnight.ui.cli.commands.nodes:nodes", "Look at the machines that work, and close one."),
    "workflow": Entry("overnight.ui.cli.commands.workflow:workflow", "Look at workflows, check them, draw them."),
    "schedule": Entry("overnight.ui.cli.commands.schedule:schedule", "Look at what runs by the clock, and run it now."),
    "checkpoint": Entry("overnight.ui.cli.commands.checkpoint:checkpoint", "Copy the store, and go back to a copy."),
    "backup": Entry("overnight.ui.cli.commands.backup:backup", "Keep home and project elsewhere, and prove it."),
    "migrate": Entry("overnight.ui.cli.commands.migrate:migrate", "Bring the schema of your database up to date."),
    "prune": Entry("overnight.ui.cli.commands.prune:prune", "Let old checkpoints, backups and logs go."),
    "resume": Entry("overnight.ui.cli.commands.resume:resume", "Go on, from here or from a checkpoint."),
    "metrics": Entry("overnight.ui.cli.commands.metrics:metrics", "Measure, and compare two times with each other."),
    "alerts": Entry("overnight.ui.cli.commands.alerts:alerts", "Be told of what happens, and look whether that works."),
    "dashboard": Entry("overnight.ui.cli.commands.dashboard:dashboard", "Serve the web page."),
    "doctor": Entry("overnight.ui.cli.commands.doctor:doctor", "Examine everything, and say what mends it."),
    "health": Entry("overnight.ui.cli.commands.health:health", "Examine again and again, and keep what was found."),
    "logs": Entry("overnight.ui.cli.commands.logs:logs", "Look at errors, words and trends in logs."),
    "test": Entry("overnight.ui.cli.commands.test:test", "Run tests, and know which are new, flaky or slow."),
    "dormant": Entry("overnight.ui.cli.commands.dormant:dormant", "Find what does nothing here, and wake it."),
    "verify": Entry("overnight.ui.cli.commands.verify:verify", "Prove that the books balance."),
    "chaos": Entry("overnight.ui.cli.commands.chaos:chaos", "Strike this program with faults, and judge it."),
    "config": Entry("overnight.ui.cli.commands.config:config", "Show the settings in use, and the schema of the file."),
    "completion": Entry("overnight.ui.cli.commands.completion:completion", "Print the completion script for a shell."),
}

#: The short forms for files, which the help page shows as well.
SHORT_FORMS = {
    "queue add FILE [PRIORITY]": "Put a file into the default queue.",
    "queue list": "List what it has still to do.",
    "queue size": "Print how many that are.",
    "queue clear": "Empty it.",
}

#: The short forms about checkpoints, which it shows, too.
CHECKPOINT_FORMS = {
    "checkpoint show": "Show what the newest one holds.",
    "checkpoint clear": "Remove all of them.",
    "run --timeout=300 --checkpoint=5": "Work with a limit, and a checkpoint every 5 tasks.",
}


class Verb(click.Command):
    """One command. Takes the global options too, so that they may stand on either side of its name."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*super().get_params(ctx), *global_options(hidden=True)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # an option without its value does not say of which command it is
            raise

    def invoke(self, ctx: click.Context) -> object:
        # What was imported stays; from here on there may be something to collect.
        gc.freeze()
        gc.enable()
        return super().invoke(ctx)


class TaskVerb(Verb):
    """A command whose words may hold ``--`` and ``:::``: what follows the first of them is no option of ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = inputs.cut(args)
        ctx.meta[_MARKED] = args[end:]
        words = list(args[:end])  # what is read is taken out of the list
        try:
            return super().parse_args(ctx, args[:end])
        except click.NoSuchOption as error:
            if (name := _file_among(words)) is None:
                raise
            raise UsageError(
                f"the input {name!r} looks like an option ({error.option_name}); nothing was done",
                hint=f"./{name} for that one, ./*.txt and the like for several; or put them behind ':::'",
            ) from error


def _file_among(words: Sequence[str]) -> str | None:
    """The first of these that begins with a dash and is the name of a file."""
    return next((word for word in words if word.startswith("-") and os.path.lexists(word)), None)


class Lazy(click.Group):
    """The group of all commands; imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name == "help" and not ctx.resilient_parsing:
            return super().resolve_command(ctx, _asked(ctx, args[1:]))
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise UsageError(f"there is no command {name!r}; nothing was done", hint=_meant(name))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])
        with formatter.section("Files of the default queue"):
            formatter.write_dl(list(SHORT_FORMS.items()))
        with formatter.section("Checkpoints"):
            formatter.write_dl(list(CHECKPOINT_FORMS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        names = [
            CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


def _asked(ctx: click.Context, words: Sequence[str]) -> list[str]:
    """``help WORDS`` is ``WORDS --help``; alone it is the page that lists everything, and the end."""
    if not words:
        click.echo(ctx.get_help())
        ctx.exit()
    return [*words, "--help"] if words[0] in COMMANDS else list(words)


def load(name: str) -> click.Command:
    """Import one command."""
    module, _, attribute = COMMANDS[name].where.partition(":")
    command = getattr(import_module(module), attribute)
    if not isinstance(command, click.Command):
        raise TypeError(f"{COMMANDS[name].where} is no command")
    return command


def _meant(name: str) -> str:
    """What to type instead of a name that is no command."""
    from difflib import get_close_matches

    close = get_close_matches(name, COMMANDS, n=1)
    return f"'overnight {close[0]}'" if close else "'overnight --help' lists the commands"


def global_options(*, hidden: bool = False) -> list[click.Option]:
    """The options that every command takes."""
    return [
        click.Option(
            ["--home"],
            type=Offered("directories"),
            metavar="DIR",
            hidden=hidden,
            expose_value=False,
            callback=_keep(_HOME),
            help="Directory of the installation, instead of the nearest .overnight upwards.",
        ),
        click.Option(
            ["--log-level"],
            type=click.Choice(LOG_LEVELS),
            hidden=hidden,
            expose_value=False,
            callback=_keep(_LOG_LEVEL),
            help="How much the engine says on stderr.",
        ),
    ]


def _keep(key: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    """Remember an option's value for whoever asks; the one nearest to the command's words wins."""

    def callback(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta[key] = value

    return callback


def home_option() -> str | None:
    """What ``--home`` said in this call."""
    value: str | None = click.get_current_context().meta.get(_HOME)
    return value


def log_level() -> str | None:
    """What ``--log-level`` said in this call."""
    value: str | None = click.get_current_context().meta.get(_LOG_LEVEL)
    return value


def marked_words() -> Sequence[str]:
    """The words of this call from the first ``--`` or ``:::`` on."""
    value: list[str] = click.get_current_context().meta.get(_MARKED, [])
    return value


@click.group(
    cls=Lazy,
    invoke_without_command=True,
    context_settings=SETTINGS,
    params=global_options(),
    epilog="Without a command: status. 'overnight COMMAND --help' says more.",
)
@click.version_option(VERSION, "-V", "--version", message="%(prog)s %(version)s")
@click.pass_context
def overnight(ctx: click.Context) -> object:
    """Leave it running: queue files or tasks, walk away, find every one of them accounted for."""
    if ctx.invoked_subcommand is not None:
        return None
    command = load("status")
    with command.make_context("status", [], parent=ctx) as inner:
        return command.invoke(inner)
