"""What lies there and does nothing: the parts of a project, what is known of each, and when one is dormant.

A part is whatever could run or tell somebody and was laid down for that: in ``overnight.toml``, by a decorator, as a
script. Only what ran counts as a sign of life, never that somebody looked. "Has it ever succeeded?" tells what is
broken from what was merely forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What a part is."""

    WORKFLOW = "workflow"
    SCHEDULE = "schedule"
    ALERT = "alert"
    TARGET = "target"
    CHECK = "check"
    QUEUE = "queue"
    FUNCTION = "function"
    SCRIPT = "script"


#: Parts that lie in files of the project, of which nothing is said in ``overnight.toml``.
LYING = frozenset({Kind.FUNCTION, Kind.SCRIPT})


class Dormancy(StrEnum):
    """In which way a part does nothing. In this order it is asked."""

    #: A module or a program that it needs is not there, or it cannot be read.
    UNLOADABLE = "unloadable"
    #: Nothing names it.
    UNREFERENCED = "unreferenced"
    DISABLED = "disabled"
    #: A target that no message has reached.
    UNTESTED = "untested"
    #: Laid down, and never run.
    NEVER = "never"
    #: It ran, and never succeeded.
    BROKEN = "broken"
    QUIET = "quiet"


#: What each means, for people.
MEANS: Mapping[Dormancy, str] = {
    Dormancy.UNLOADABLE: "cannot be loaded",
    Dormancy.UNREFERENCED: "nothing names it",
    Dormancy.DISABLED: "turned off",
    Dormancy.UNTESTED: "no message has reached it",
    Dormancy.NEVER: "has never run",
    Dormancy.BROKEN: "ran, and never succeeded",
    Dormancy.QUIET: "has gone quiet",
}


class Past(msgspec.Struct, frozen=True):
    """What is known of its runs. Instants are POSIX seconds."""

    has_run: bool = False
    has_succeeded: bool = False
    #: None where it is not known any more.
    last_run: float | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part, and everything by which it is judged."""

    kind: Kind
    #: Of a script its path, of a function ``module:function``.
    name: str
    #: Where it stands, below the project, and the line (0: the whole file).
    file: str = ""
    line: int = 0
    #: Bytes of what lies in a file; steps of a workflow.
    size_bytes: int | None = None
    steps: int | None = None
    #: When it was laid down or last changed, POSIX seconds.
    since: float | None = None
    #: Packages and programs that it needs, and why it could not be loaded here.
    needs: tuple[str, ...] = ()
    missing: str = ""
    #: What would be installed for that; "" where it is nothing to be installed.
    package: str = ""
    #: Why it is turned off, and the command that turns it on; empty when it is on.
    disabled: str = ""
    switch: tuple[str, ...] = ()
    #: It works on something that has to be named.
    takes_input: bool = False
    #: It does its work as soon as it is loaded, or is no Python: only a trial tells how much can be seen of it.
    is_blind: bool = False
    is_named: bool = True
    #: None: it is nothing that is reached by messages.
    is_tested: bool | None = None
    #: None: whether it ran is not known, and is not asked.
    past: Past | None = None
    #: The time has passed at which it should have run.
    is_overdue: bool = False
    #: The reason for which it may be dormant; empty when none is given.
    permanent: str = ""

    @property
    def key(self) -> str:
        """Its name among all parts: ``script:jobs/resize.py``."""
        return f"{self.kind}:{self.name}"


class Found(msgspec.Struct, frozen=True):
    """A part, and in which way it is dormant; None: it is not."""

    part: Part
    dormancy: Dormancy | None


def judge(part: Part, *, now: float, quiet: float) -> Dormancy | None:
    """In which way a part is dormant; None when it is not.

    Args:
        part: What is known of it. A reason for which it may be dormant is not looked at.
        now: POSIX seconds.
        quiet: Seconds without a run after which it has gone quiet.
    """
    past = part.past
    asked = [
        (bool(part.missing), Dormancy.UNLOADABLE),
        (not part.is_named, Dormancy.UNREFERENCED),
        (bool(part.disabled), Dormancy.DISABLED),
        (part.is_tested is False, Dormancy.UNTESTED),
    ]
    if past is not None:
        is_long_ago = past.last_run is not None and now - past.last_run > quiet
        asked += [
            (not past.has_run, Dormancy.NEVER),
            (not past.has_succeeded, Dormancy.BROKEN),
            (is_long_ago or part.is_overdue, Dormancy.QUIET),
        ]
    return next((dormancy for holds, dormancy in asked if holds), None)


def is_urgent(found: Found, *, now: float, grace: float, asked: bool) -> bool:
    """Whether a part that is dormant is worth a warning, and not only a line in a list.

    Args:
        found: The part.
        now: POSIX seconds.
        grace: Seconds for which something new may wait for its first run.
        asked: Somebody has said which files of the project are to be looked at.
    """
    part = found.part
    if found.dormancy in (None, Dormancy.DISABLED):
        return False  # somebody has turned it off, and knows
    if part.kind in LYING:
        return asked
    is_new = part.since is not None and now - part.since < grace
    return not (is_new and found.dormancy in (Dormancy.NEVER, Dormancy.UNTESTED))


def activation(found: Found) -> tuple[tuple[str, ...], str]:
    """What wakes a part: a command, or words where a person has to decide something."""
    part, name = found.part, found.part.name
    words = {
        (Dormancy.UNREFERENCED, Kind.TARGET): f"name it in the targets of an alert, or remove [targets.{name}]",
        (Dormancy.BROKEN, Kind.WORKFLOW): f"overnight list --state failed -w {name}; then overnight retry -w {name}",
        (Dormancy.NEVER, Kind.QUEUE): f"overnight add -q {name} ..., or remove [queue.{name}]",
    }
    if found.dormancy is Dormancy.UNLOADABLE:
        if not part.package:
            return (), f"mend it: {part.missing}"
        # Words and no command: an import need not be called like its package, and a wrong one is a stranger's.
        return (), f"install the package that has what it imports; it may be called otherwise than {part.package!r}"
    if found.dormancy is Dormancy.DISABLED:
        return part.switch, "" if part.switch else part.disabled
    if said := words.get((found.dormancy or Dormancy.NEVER, part.kind)):
        return (), said
    if part.is_blind and part.kind in LYING:
        return ("overnight", "dormant", "test", name), ""
    given = ("--input", "INPUT") if part.takes_input else ()
    written = ("--write",) if part.kind in LYING else ()
    return (*_COMMANDS.get(part.kind, ("overnight", "dormant", "activate")), name, *written, *given), ""


_COMMANDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.SCHEDULE: ("overnight", "schedule", "run"),
    Kind.TARGET: ("overnight", "alerts", "test"),
}
