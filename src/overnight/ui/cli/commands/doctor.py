"""``doctor``: what is well, what is not, and the command that mends it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.durations import format_duration, iso
from overnight.core.errors import ConfigurationError, NotFoundError, UsageError
from overnight.core.findings import Finding, Fix, Status, by_urgency, exit_code, fixes, overall
from overnight.core.settings import Settings, resolve
from overnight.host.home import Home
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, fail
from overnight.ops.examination import Answer, examine
from overnight.ops.mending import mend
from overnight.ops.plugins import catalogue
from overnight.ui.cli import printing
from overnight.ui.cli.commands.clean import agreed
from overnight.ui.cli.group import Verb, home_option
from overnight.ui.cli.settings import in_use
from overnight.wiring.examining import scene_of

#: What is asked when the configuration makes no sense.
_CONFIGURATION = "configuration"
SCHEMA = "overnight.doctor/1"
_FAIL_ON = {"warn": Status.WARN, "fail": Status.FAIL}


class WrongCallError(UsageError):
    """The call's words are off, as monitoring plugins say it."""

    exit_code = int(Status.UNKNOWN)


class DoctorVerb(Verb):
    """A command whose exit status is that of a monitoring plugin: there 2 means that something is broken."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - click's signature
        with _wrong_call_is_unknown():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> object:
        with _wrong_call_is_unknown():
            return super().invoke(ctx)


@contextmanager
def _wrong_call_is_unknown() -> Iterator[None]:
    try:
        yield
    except click.UsageError as error:
        error.exit_code = int(Status.UNKNOWN)  # type: ignore[misc]  # read from the error, whoever set it
        raise
    except UsageError as error:
        raise WrongCallError(error.message, hint=error.hint) from None


@click.command(cls=DoctorVerb)
@click.argument("checks", nargs=-1, metavar="[CHECK]...")
@click.option("--quick", is_flag=True, help="Leave out the checks that take long.")
@click.option("--fix", "mending", is_flag=True, help="Ask for each fix that is a command, and run it.")
@click.option("--yes", is_flag=True, help="With --fix: do not ask.")
@click.option("--fail-on", type=click.Choice(list(_FAIL_ON)), default="warn", help="What is less bad exits with 0.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(checks: tuple[str, ...], *, quick: bool, mending: bool, yes: bool, fail_on: str, as_json: bool) -> None:
    """Examine everything, and say what mends what is not well.

    Changes nothing, unless --fix is given and agreed to. Exits with 0 when all is well, 1 after
    warnings, 2 after failures, 3 when something could not be found out, or there was nothing to examine.
    """
    if yes and not mending:
        raise UsageError("--yes without --fix agrees to nothing; nothing was examined", hint="overnight doctor --fix")
    chosen = _chosen(checks)
    scene = _scene()
    began = scene.clock.monotonic()
    answers = examine([check for check in chosen if not (quick and check.cost is Cost.SLOW)], scene)
    if mending:
        _tell(answers, scene.clock.monotonic() - began)
        if _mend(_found(answers), scene, yes=yes):
            again = [answer.check for answer in answers if any(one.status for one in answer.findings)]
            answers = [answer for answer in answers if answer.check not in again] + examine(again, scene)
            printing.say("\nafter that:")
    if as_json:
        _tell_json(answers, scene, scene.clock.monotonic() - began, quick=quick)
    else:
        _tell(answers, scene.clock.monotonic() - began)
    for answer in answers if checks else ():
        if not answer.findings:
            printing.note(f"overnight: {answer.check.id}: there is nothing here that it could examine")
    sys.exit(exit_code(_found(answers), fail_on=_FAIL_ON[fail_on]))


def _chosen(names: Sequence[str]) -> list[Check]:
    """The checks of these names, or all of them: ours, those of the configuration, those of installed packages."""
    _, configured, wrong = _configured()
    known = catalogue(configured.checks)
    if unknown := next((name for name in names if name not in known), None):
        raise UsageError(
            f"there is no check {unknown!r}; nothing was examined",
            hint=f"the checks are {', '.join(known)}" + (f"; {wrong.title}" if wrong else ""),
        )
    return [*([wrong] if wrong else []), *(known[name]() for name in names or known)]


def _configured() -> tuple[Settings, Configuration, Check | None]:
    """The settings in use. Of a file that makes no sense there are none, and a check that says so."""
    try:
        return *in_use(), None
    except ConfigurationError as error:
        words = [line for line in error.message.splitlines() if ": error: " in line] or [error.message]
        mending = by_hand("configuration", "Mend the file; the rest was examined without it", "overnight config show")
        found = [fail(_CONFIGURATION, line, mending) for line in words]
        wrong = Check(
            _CONFIGURATION, "those of overnight.toml cannot be read: 'overnight config show'", lambda _: found
        )
        return resolve(flags={}, environ=os.environ, configured={}), Configuration(), wrong


def _scene() -> Scene:
    try:
        home: Home | None = wiring.find_home(home_option())
    except NotFoundError:
        home = None
    settings, configured, _ = _configured()
    return scene_of(home, Path.cwd(), settings, configured)


def _found(answers: Sequence[Answer]) -> list[Finding]:
    return [finding for answer in answers for finding in answer.findings]


def _tell(answers: Sequence[Answer], seconds: float) -> None:
    """The worst first, each with what mends it, and one word about all of it."""
    findings = by_urgency(_found(answers))
    for finding in findings:
        printing.say(f"{finding.status.name:<7} {finding.check:<13} {printing.clean(finding.summary)}")
        if finding.status is not Status.OK:
            for fix in finding.fixes:
                printing.say(f"{'':<21} → {_spelled(fix)}")
    asked = printing.count(sum(bool(answer.findings) for answer in answers), "check")
    printing.say(f"{overall(findings)}: {asked} in {format_duration(seconds)}")


def _spelled(fix: Fix) -> str:
    return printing.clean(shlex.join(fix.argv) if fix.argv else f"{fix.title}: {fix.text}")


def _mend(findings: Sequence[Finding], scene: Scene, *, yes: bool) -> bool:
    """Carry out what is a command and agreed to; whether anything was carried out."""
    commands = [fix for fix in fixes(findings) if fix.argv]
    if not commands:
        printing.note("overnight: nothing here is mended by a command alone")
        return False
    if not yes and not sys.stdin.isatty():
        printing.note("overnight: nobody is there to be asked; nothing was run\n  try: add --yes")
        return False
    printing.note("overnight: what can be run:")
    for number, fix in enumerate(commands, 1):
        printing.note(f"  {number}. {_spelled(fix)}")
    home = scene.home.path if scene.home else None
    ran = False
    for fix in commands:
        if yes or agreed(f"{fix.title}: run '{_spelled(fix)}'?"):
            try:
                status = mend(fix, project=scene.project, home=home, program=(sys.executable, sys.argv[0]))
            except OSError as error:
                printing.note(f"overnight: '{_spelled(fix)}' cannot be started: {error.strerror}")
                continue
            printing.note(f"overnight: '{_spelled(fix)}' ended with exit status {status}")
            ran = True
    return ran


def _tell_json(answers: Sequence[Answer], scene: Scene, seconds: float, *, quick: bool) -> None:
    found = by_urgency(_found(answers))
    took = {answer.check.id: answer.seconds for answer in answers}
    words = {
        "schema": SCHEMA,
        "at": iso(scene.clock.now()),
        "overall": str(overall(found)),
        "exit_code": exit_code(found),
        "seconds": round(seconds, 3),
        "mode": "quick" if quick else "full",
        "checks": [_shape(finding, took[finding.check]) for finding in found],
    }
    printing.say(msgspec.json.encode(words).decode())


def _shape(finding: Finding, seconds: float) -> dict[str, object]:
    return {
        "id": finding.check,
        "status": finding.status.name.lower(),
        "summary": finding.summary,
        "value": finding.value,
        "unit": finding.unit or None,
        "seconds": round(seconds, 4),
        "fixes": [
            {"id": fix.id, "title": fix.title, "argv": list(fix.argv) or None, "text": fix.text or None}
            for fix in finding.fixes
        ],
    }
