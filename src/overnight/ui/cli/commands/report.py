"""``report``: what the night was like, and what to do about it."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from overnight import wiring
from overnight.core.alert_settings import Target
from overnight.core.durations import parse_past
from overnight.core.errors import NotFoundError, OvernightError, UsageError
from overnight.host.clock import LocalZone
from overnight.host.files import is_special, write_atomically
from overnight.monitor.report.gathering import MorningReport, gather
from overnight.monitor.snapshot import take
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.session import opened
from overnight.ui.cli.settings import in_use

LAST = "last"


@click.command(cls=Verb)
@click.option(
    "--since", default=LAST, metavar="TIME", help="How far back: 8h, 06:00, a date, or last: since the last run began."
)
@click.option("--html", "page", metavar="FILE", type=click.Path(path_type=Path), help="Write a page to this file.")
@click.option("--md", "markdown", is_flag=True, help="Print Markdown.")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
@click.option("--send", "is_sent", is_flag=True, help="Send it, with its page, to the targets of [report].")
@click.option("--to", "names", multiple=True, metavar="TARGET", help="Send it to this target instead; repeatable.")
def report(
    *, since: str, page: Path | None, markdown: bool, as_object: bool, is_sent: bool, names: tuple[str, ...]
) -> None:
    """Say what the night was like: done, failed by cause, held, slowest, crashes, and what to type next.

    The page that --html writes stands alone: no script, nothing from the network, fit to be printed or mailed.
    """
    if markdown and as_object:
        raise UsageError("--md and --json were given; nothing was printed", hint="leave out one of them")
    is_sent = is_sent or bool(names)
    targets = _targets(names) if is_sent else {}
    told = gathered(since)
    if is_sent:
        _send(told, targets)
    if page is not None:
        from overnight.ui.report.as_html import as_html

        _write(page, as_html(told))
    if as_object:
        from overnight.ui.report.as_json import as_json

        printing.say(shapes.line(as_json(told)))
    elif markdown or (page is None and not is_sent):
        for line in _lines(told, markdown=markdown):
            printing.say(line)


def _lines(told: MorningReport, *, markdown: bool) -> list[str]:
    if markdown:
        from overnight.ui.report.as_markdown import as_markdown

        return as_markdown(told)
    from overnight.ui.report.as_text import as_text

    return as_text(told, columns=printing.width())


def gathered(since: str) -> MorningReport:
    """The report of this call's home.

    Args:
        since: A moment as `parse_past` reads it, or `LAST`.

    Raises:
        UsageError: It is neither.
    """
    now = wiring.clock.now()
    try:
        begin = None if since == LAST else parse_past(since, now=now, zone=LocalZone())
    except ValueError as error:
        raise UsageError(f"--since: {error}; nothing was printed", hint="overnight report --since 8h") from error
    with opened(readonly=True) as session:
        return gather(session.store, session.home.path, take(session.store, session.home.path, now=now), since=begin)


def _targets(names: Sequence[str]) -> dict[str, Target]:
    """Those that were named, or those of the configuration."""
    settings, configured = in_use()
    there, wanted = configured.targets, names or settings.report_targets
    if not wanted:
        raise UsageError(
            "nobody is named whom the report is for; nothing was sent",
            hint="--to TARGET, or [report] targets in overnight.toml" if there else "[targets.NAME] in overnight.toml",
        )
    for name in wanted:
        if name not in there:
            known = f"there are: {', '.join(there)}" if there else "write [targets.NAME] into overnight.toml"
            raise NotFoundError(f"there is no target {name!r}; nothing was sent", hint=known)
    return {name: there[name] for name in wanted}


def _send(told: MorningReport, targets: Mapping[str, Target]) -> None:
    """Hand it on to each, and say by which task it goes."""
    from overnight.ui.report.as_html import as_html
    from overnight.ui.report.as_text import as_text
    from overnight.wiring.reporting import Letter, send

    home, task_id = wiring.find_home(home_option()), os.environ.get("OVERNIGHT_TASK_ID", "")
    letter = Letter(
        # A task sends one report, however often it is tried.
        f"report-task{task_id}" if task_id.isdecimal() else f"report-{secrets.token_hex(4)}",
        f"overnight ({printing.clean(home.path.parent.name)}): {printing.clean(told.sentence.words)}",
        "\n".join([*as_text(told), "", printing.clean(os.fspath(home.path.parent))]) + "\n",
        as_html(told),
    )
    for name, task in send(home, letter, list(targets), targets).items():
        printing.note(f"overnight: the report goes to {name}; 'overnight show {task}' says whether it has arrived")


def _write(path: Path, page: str) -> None:
    """Replace the file as a whole; ``-`` is stdout, and a device or a pipe is written into."""
    if str(path) == "-":
        sys.stdout.write(page)
        return
    try:
        if is_special(path):
            path.write_text(page, "utf-8")
            return
        write_atomically(path, page.encode("utf-8"), durable=False)
    except OSError as error:
        raise OvernightError(
            f"{path} could not be written ({error.strerror}); no task was touched", hint="overnight report --html FILE"
        ) from error
    printing.note(f"overnight: the report is in {printing.place(str(path.resolve()))}")
