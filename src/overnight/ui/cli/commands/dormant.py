"""``dormant``: what lies in a project and does nothing: a list of it, whether it would work, and to wake it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from overnight import wiring
from overnight.core.dormancy import LYING, Dormancy, Found, Kind, Part
from overnight.core.errors import NotFoundError
from overnight.ops.dormant.keeping import remembered
from overnight.ops.dormant.survey import Ground, survey
from overnight.ops.dormant.trying import tried
from overnight.ui.cli import dormancy, printing
from overnight.ui.cli.group import SETTINGS, Verb, global_options
from overnight.ui.cli.settings import home_in_use, in_use
from overnight.ui.cli.values import Duration
from overnight.ui.cli.waking import Wish, all_the_same, definition, has_failed, ours, wake


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def dormant() -> None:
    """Find what lies in the project and does nothing, see whether it would work, and wake it.

    Looked at are workflows, schedules, alerts, targets, checks and queues of overnight.toml, decorated functions, and
    scripts that nothing in the project names. Nothing is imported to find them.
    """


@dormant.command("list", cls=Verb)
@click.option("--all", "everything", is_flag=True, help="Those that are not dormant, too, and those that may be.")
@click.option(
    "--state",
    type=click.Choice([one.value for one in Dormancy]),
    multiple=True,
    help="Only those in this state.",
)
@click.option("--kind", type=click.Choice([one.value for one in Kind]), multiple=True, help="Only parts of this kind.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, everything: bool, state: tuple[str, ...], kind: tuple[str, ...], as_json: bool) -> None:
    """List the parts that do nothing, each with what it needs and the command that wakes it."""
    whole = survey(_ground())
    shown = [
        one
        for one in whole.found
        if (everything or one.dormancy is not None)
        and (not state or one.dormancy in state)
        and (not kind or one.part.kind in kind)
    ]
    if as_json:
        for one in shown:
            printing.say(msgspec.json.encode(dormancy.shape(one)).decode())
        return
    for one in shown:
        for line in dormancy.lines(one):
            printing.say(line)
    asleep = sum(one.dormancy is not None for one in whole.found)
    looked = f"{printing.count(len(whole.found), 'part')} in {printing.count(whole.files, 'file')} and overnight.toml"
    printing.note(f"overnight: {asleep or 'nothing'} dormant of {looked}")
    if not whole.is_whole:
        printing.note("overnight: there is more here than was looked at; [dormant] scan says what is to be looked at")


@dormant.command("test", cls=Verb)
@click.argument("name", metavar="PART")
@click.option("--input", "value", default="INPUT", help="The input of the dry run.")
@click.option("--timeout", "seconds", type=Duration(), default="20s", show_default=True, help="How long it may take.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(name: str, *, value: str, seconds: float, as_json: bool) -> int:
    """Try a part without letting it do anything: import it where it can change nothing, and say what would run.

    That process is ended with all that it has started. What a script does behind its main guard is not run. What was
    stopped at its work, or could not be tried, is no passed test: exit status 1.
    """
    ground = _ground()
    part = _named(ground, survey(ground).found, name).part
    said = tried(ground.project, part, seconds=seconds)
    has_passed, failed = all(one.works for one in said), has_failed(said)
    would = "" if failed else _would_run(ground, part, value)
    if as_json:
        works = None if not (has_passed or failed) else has_passed
        told = {"part": part.key, "works": works, "says": [one.words for one in said], "would_run": would or None}
        printing.say(msgspec.json.encode(told).decode())
        return int(not has_passed)
    for one in said:
        printing.say(printing.clean(one.words))
    if would:
        printing.say(f"would run: {printing.clean(would)}")
    if not has_passed and not failed:
        given = value if value != "INPUT" or part.takes_input else None
        printing.note("overnight: that is no passed test: whether it works is not known; nothing was changed")
        again = shlex.join(all_the_same(part, Wish(value=given)))
        printing.note(f"  try: read it; '{again}' runs it all the same, harm included")
    return int(not has_passed)


def _would_run(ground: Ground, part: Part, value: str) -> str:
    """One run of it, for people."""
    if part.kind in LYING:
        return definition(ground, part, Wish()).once(value)
    if part.kind is not Kind.WORKFLOW:
        return ""
    done = ours(ground, "run", value, "-w", part.name, "--dry-run", quiet=True)
    return " ".join((done.stdout or done.stderr).split())


@dormant.command("activate", cls=Verb)
@click.argument("name", metavar="PART")
@click.option("--write", is_flag=True, help="Put it into overnight.toml, after what stands there, and run it once.")
@click.option("--input", "value", help="What it runs on the first time.")
@click.option("--as", "called", help="What it is to be called. [default: after its file]")
@click.option("--every", help="Make it a schedule that runs in this distance, as 1d.")
@click.option("--cron", help="Make it a schedule that runs by these words of cron.")
@click.option(
    "--timeout", "seconds", type=Duration(), default="20s", show_default=True, help="How long its test may take."
)
@click.option("--untested", is_flag=True, help="Without the test before it.")
def activate(
    name: str,
    *,
    write: bool,
    value: str | None,
    called: str | None,
    every: str | None,
    cron: str | None,
    seconds: float,
    untested: bool,
) -> int:
    """Wake a part: test it, lay it down as a workflow or a schedule, run it once and watch it.

    Without --write the text for overnight.toml is printed, and nothing is changed or run. With it, a first run that
    fails takes the text out again. A part of overnight.toml that has never run is run once.
    """
    ground = _ground()
    wish = Wish(write, value, called or "", every or "", cron or "", None if untested else seconds)
    return wake(ground, _named(ground, survey(ground).found, name), wish)


@dormant.command("report", cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def report(*, as_json: bool) -> None:
    """Say how much does nothing, what may do so and why, and what was woken when."""
    ground = _ground()
    whole = survey(ground)
    records = remembered(ground.home).records
    if as_json:
        printing.say(msgspec.json.encode(dormancy.summary(whole.found, records)).decode())
        return
    for line in dormancy.report(whole.found, records):
        printing.say(line)


def _ground() -> Ground:
    settings, configured = in_use()
    home = home_in_use()
    there = home if home.path.is_dir() else None
    return Ground(
        project=home.path.parent if there else Path.cwd(),
        home=there,
        settings=settings,
        configured=configured,
        open_store=lambda: wiring.open_store(home, readonly=True),
        environ=os.environ,
        now=wiring.clock.now(),
    )


def _named(ground: Ground, found: Sequence[Found], name: str) -> Found:
    """The part of this name, which may be said with its kind (``script:jobs/x.py``)."""
    plain = os.path.normpath(name) if "/" in name else name
    fitting = [one for one in found if name == one.part.key] or [one for one in found if one.part.name == plain]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        hint = " or ".join(repr(one.part.key) for one in fitting)
        raise NotFoundError(f"there are {len(fitting)} parts {name!r}; nothing was done", hint=f"say which: {hint}")
    if (ground.project / plain).is_file():
        wrong = f"{plain} is there, but nothing in it begins any work when it is run; nothing was done"
        hint = f"[dormant] scan = [{plain!r}] in overnight.toml has it looked at all the same"
        raise NotFoundError(wrong, hint=hint)
    from difflib import get_close_matches

    close = get_close_matches(name, [one.part.name for one in found], n=1)
    hint = f"did you mean {close[0]!r}?" if close else "'overnight dormant list --all' names them"
    raise NotFoundError(f"there is no part {name!r}; nothing was done", hint=hint)
