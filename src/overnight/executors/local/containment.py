"""What holds the processes of a worker together, and what this machine can promise about it.

Four layers stand everywhere on Linux: orphans come back to their worker, which ends all below it (purge);
a worker learns of its engine's death by the end of a pipe and does the same; an engine purges below a
worker that has died; and the next engine sweeps for the cookie in the environment. One case is left:
everybody who could purge is killed at the same instant, and a task's daemon has emptied its environment. A
control group closes it at the next start, a pid namespace at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from overnight.core.errors import OvernightError
from overnight.host import cgroups, namespaces
from overnight.host.cgroups import Group
from overnight.host.processes import LINUX

#: Seconds for what is left in the groups of an earlier engine to be gone.
GONE_WITHIN = 5.0
#: Beside the home: where the groups of its workers are.
RECORD = "cgroup"


class Isolation(StrEnum):
    """How the processes of a worker are held together, besides being its children."""

    NONE = "none"
    CGROUP = "cgroup"
    PIDNS = "pidns"


class IsolationError(OvernightError):
    """The isolation that is asked for is not to be had here."""

    exit_code = 2

    def __init__(self, wanted: str, why: str) -> None:
        super().__init__(
            f"isolation = {wanted!r} is asked for, and this machine does not give it ({why}); nothing was started",
            hint="isolation = \"auto\" takes what there is; 'overnight status --detailed' says what that is",
        )


class Containment:
    """The isolation of one engine's workers.

    Args:
        wanted: "none", "cgroup", "pidns" or "auto", which takes a group where one can be made.
        cookie: Of the home.
        record: File in which is written where the groups are: the next engine may be started elsewhere.
    """

    def __init__(self, wanted: str, cookie: str, record: Path) -> None:
        self._wanted = wanted
        self._record = record
        self._name = cgroups.PREFIX + hashlib.blake2b(cookie.encode(), digest_size=8).hexdigest()
        self._home: Group | None = None
        self.isolation = Isolation.NONE
        #: Controllers that the groups of workers have.
        self.controllers: frozenset[str] = frozenset()

    def end_left(self) -> list[int]:
        """End everybody in the groups of an earlier engine, whose numbers nobody has; who cannot be seen dead."""
        left: list[int] = []
        for home in self._recorded():
            for group in home.below():
                # What was left on purpose goes on; where it was, only its groups are tidied away.
                left += group.end(seconds=GONE_WITHIN) if group.path.name != cgroups.KEPT else []
            home.remove()
        return left

    def _recorded(self) -> list[Group]:
        """Where groups of ours may be: only what is called as ours is touched."""
        with contextlib.suppress(OSError, ValueError):
            path = Path(self._record.read_text("utf-8"))
            if path.name == self._name and path.is_dir():
                return [Group(path)]
        return []

    def open(self) -> None:
        """Have what is wanted.

        Raises:
            IsolationError: It is not to be had.
        """
        if self._wanted == Isolation.PIDNS:
            self._require(namespaces.refusal())
            self.isolation = Isolation.PIDNS
        elif self._wanted != Isolation.NONE:
            why = self._open_group()
            if self._wanted == Isolation.CGROUP:
                self._require(why)

    def _require(self, why_not: str) -> None:
        if why_not:
            raise IsolationError(self._wanted, why_not)

    def _open_group(self) -> str:
        """Make a group for this home; why not, or nothing."""
        parent = cgroups.usable()
        if parent is None:
            return _why_no_group()
        cgroups.tidy(parent)
        home = Group(parent / self._name)
        try:
            # Before it is there: a group that nobody finds again could not be cleared.
            self._record.write_text(str(home.path), "utf-8")
            home.make()
            _try(home)
        except OSError as error:
            home.remove()
            return error.strerror or str(error)
        if "memory" in Group(parent).control() or "pids" in Group(parent).control():
            self.controllers = home.control()
        self._home, self.isolation = home, Isolation.CGROUP
        return ""

    def walls(self, slot: int) -> str:
        """The directory of a slot's group, where that can have walls; else nothing."""
        return str(self._slot(slot).path) if self._home is not None and self.controllers else ""

    def group(self, slot: int) -> Group | None:
        """The group of a slot's worker; None when it has none."""
        if self._home is None:
            return None
        group = self._slot(slot)
        try:
            group.make()
        except FileNotFoundError:  # somebody has tidied it away
            self._home.make()
            group.make()
        return group

    def _slot(self, slot: int) -> Group:
        assert self._home is not None  # noqa: S101 - see where this is called
        return Group(self._home.path / f"slot-{slot}")

    def close(self) -> None:
        """All workers are gone: so go the groups."""
        if self._home is not None and self._home.remove():
            self._record.unlink(missing_ok=True)


class Layer(NamedTuple):
    """One thing that holds processes together."""

    name: str
    holds: bool
    words: str


def containment(wanted: str = "auto") -> list[Layer]:
    """What this machine gives, layer by layer, and last what may be left behind all the same.

    Args:
        wanted: The isolation that the settings ask for.
    """
    group_refusal = "" if cgroups.usable() else _why_no_group()
    namespace_refusal = namespaces.refusal()
    chosen = _chosen(wanted, group_refusal)
    return [
        Layer("purge", LINUX, _PURGE if LINUX else _PURGE_ELSEWHERE),
        Layer(
            "death pipe", holds=True, words="a worker ends everything below it when its engine goes, however it goes"
        ),
        Layer("sweep", holds=True, words="what an earlier engine left is found by the cookie in its environment"),
        Layer("cgroup", not group_refusal, _group_words(group_refusal)),
        Layer("pid namespace", not namespace_refusal, namespace_refusal or "possible; on request: isolation = 'pidns'"),
        Layer("may be left", chosen is Isolation.PIDNS, _LEFT[chosen]),
    ]


def in_short(wanted: str) -> str:
    """What holds the processes of workers together here, and what may be left all the same, in one line."""
    group_refusal = "" if wanted in (Isolation.NONE, Isolation.PIDNS) or cgroups.usable() else _why_no_group()
    chosen = _chosen(wanted, group_refusal)
    return f"{_HELD_BY[chosen]}; may be left: {_LEFT[chosen]}"


def need_isolation(wanted: str) -> None:
    """Make sure of the isolation that is asked for, without making anything.

    Raises:
        IsolationError: It is not to be had.
    """
    if wanted == Isolation.PIDNS:
        why = namespaces.refusal()
    else:
        why = _why_no_group() if wanted == Isolation.CGROUP and not cgroups.usable() else ""
    if why:
        raise IsolationError(wanted, why)


def _try(home: Group) -> None:
    """Put somebody into a group below, for what may be written may still not be allowed."""
    group = Group(home.path / "trial")
    group.make()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            group.enter(process.pid)
        finally:
            process.kill()
    group.remove()


def _chosen(wanted: str, group_refusal: str) -> Isolation:
    if wanted == Isolation.PIDNS:
        return Isolation.PIDNS
    return Isolation.NONE if wanted == Isolation.NONE or group_refusal else Isolation.CGROUP


_PURGE = "orphans come back to their worker, which ends all of them with the task"
_PURGE_ELSEWHERE = "this system does not hand orphans over: the process group, and the cookie, must do"
_DAEMON = "a daemon that emptied its environment, if engine, worker and task were killed in one instant"
_HELD_BY = {
    Isolation.NONE: "purge, death pipe and sweep",
    Isolation.CGROUP: "purge, death pipe, sweep and a control group for each worker",
    Isolation.PIDNS: "a pid namespace for each worker, besides purge, death pipe and sweep",
}
_LEFT = {
    Isolation.NONE: _DAEMON,
    Isolation.CGROUP: f"until the next start, {_DAEMON}",
    Isolation.PIDNS: "nothing",
}


def _group_words(refusal: str) -> str:
    if refusal:
        return refusal
    delegated = cgroups.usable()
    assert delegated is not None  # noqa: S101 - there is no refusal
    walls = "walls for memory and processes" if cgroups.is_delegated(delegated) else "limits are kept by looking"
    return f"workers have groups of their own below {delegated}; {walls}"


def _why_no_group() -> str:
    here = cgroups.own()
    if here is None:
        return "no control groups (version 2) here" if LINUX else "only Linux has them"
    return f"{here} is not ours to write to; 'systemd-run --user --scope -p Delegate=yes' gives one that is"
