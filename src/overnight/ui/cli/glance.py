"""The system at a glance: what every check finds, as ``status --detailed`` and the dashboard's page of health show it.

Asked by ``doctor`` in a process of its own, which ends whatever becomes of a check that hangs. Which checks there are
is known to their list alone, so what has one is shown here from the day on which it has it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterable

import msgspec

from overnight.core.configuration import Configuration
from overnight.core.errors import UsageError
from overnight.core.findings import Status
from overnight.host.home import Home
from overnight.host.interpreter import python_for
from overnight.ops.plugins import catalogue
from overnight.ui.cli import printing

#: Takes seconds whatever it finds, and changes only when somebody installs something: `doctor` asks it.
_LEFT_OUT = frozenset({"dependencies"})
#: Seconds that an examination may take.
PATIENCE = 60.0


class Remedy(msgspec.Struct):
    """What mends a finding: a command, or words."""

    title: str = ""
    argv: list[str] | None = None
    text: str | None = None

    def words(self) -> str:
        """As somebody would type it."""
        return shlex.join(self.argv) if self.argv else f"{self.title}: {self.text or ''}"


class Answer(msgspec.Struct):
    """One finding of one check."""

    id: str
    status: str
    summary: str
    fixes: list[Remedy] = []


class Glance(msgspec.Struct):
    """All findings, the worst first, and one word for them. `trouble`: why they could not be had."""

    overall: str
    checks: list[Answer]
    trouble: str = ""


def words_of(configured: Configuration) -> list[str]:
    """The command line of an examination.

    Raises:
        UsageError: Two checks have one name.
    """
    return ["doctor", *(name for name in catalogue(configured.checks) if name not in _LEFT_OUT), "--json"]


def glance(home: Home, configured: Configuration) -> Glance:
    """Ask all of them. What goes wrong with that is told, and never raised."""
    try:
        words = [*python_for("overnight.ui.program"), "--home", os.fspath(home.path), *words_of(configured)]
        done = subprocess.run(
            words, cwd=home.path.parent, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
        )
        return msgspec.json.decode(done.stdout, type=Glance)
    except UsageError as error:
        return Glance(Status.UNKNOWN.name, [], error.message)
    except (OSError, subprocess.TimeoutExpired, msgspec.DecodeError) as error:
        return Glance(Status.UNKNOWN.name, [], f"'overnight doctor' did not answer: {error}")


def lines_of(found: Glance) -> list[str]:
    """For people."""
    lines = [f"health: {found.overall}" + (f" ({printing.clean(found.trouble)})" if found.trouble else "")]
    width = max((len(one.id) for one in found.checks), default=0)
    for one in found.checks:
        lines.append(f"  {one.status.upper():<7} {one.id:<{width}}  {printing.clean(one.summary)}")
        lines += [f"{'':<{width + 12}}→ {printing.clean(words)}" for words in advice(one)]
    return lines


def failing(found: Glance) -> list[str]:
    """What must be told first, a line each: what fails, and that nothing could be found out. Safe to print."""
    lines = [f"the checks gave no answer: {printing.clean(found.trouble)}"] if found.trouble else []
    bad = (one for one in found.checks if one.status == Status.FAIL.name.lower())
    return lines + [f"check {one.id} fails: {printing.clean(one.summary)}" for one in bad]


def advice(one: Answer) -> Iterable[str]:
    """What mends it, where it wants mending."""
    return [fix.words() for fix in one.fixes] if one.status != Status.OK.name.lower() else []
