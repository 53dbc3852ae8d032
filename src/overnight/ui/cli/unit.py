"""A unit for the user's systemd, and what to type to make use of it."""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from overnight.core.errors import HomeUnusableError
from overnight.core.supervision import CLEAN, GAVE_UP, REFUSED
from overnight.host.files import write_atomically
from overnight.host.home import Home
from overnight.ui.cli import printing

#: Who is allowed to stay when he has logged out. Source: logind.
LINGER = Path("/var/lib/systemd/linger")
#: There only where systemd runs the machine. Source: sd_booted(3).
SYSTEMD = Path("/run/systemd/system")

_UNIT = """\
# Written by 'overnight start --install'.
[Unit]
Description=Overnight in {place}

[Service]
Type=notify
NotifyAccess=main
WorkingDirectory={directory}
ExecStart={command}
# Running tasks are ended and go back to the queue; 'overnight stop' lets them finish instead.
KillMode=mixed
TimeoutStopSec=30
# A large store that is migrated or checked takes its time; the watch says whether anybody is alive.
TimeoutStartSec=infinity
# Workers have control groups of their own: nothing that they start gets out of them, or past its limits.
Delegate=memory pids
DelegateSubgroup=main
WatchdogSec=60
# The supervisor restarts a crashed engine by itself; this is for the supervisor.
Restart=on-failure
RestartSec=10
# Stopped with work left, by SIGHUP, SIGINT, SIGTERM.
SuccessExitStatus={wanted}
# Configuration, not found, another engine, a damaged store, crashes in a row: a restart would not mend them.
RestartPreventExitStatus={hopeless}

[Install]
WantedBy=default.target
"""


def unit_of(home: Home, jobs: int | str | None, *, dashboard: bool = False) -> str:
    """The content of the unit."""
    words = [*program(), "--home", os.fspath(home.path), "start", "--foreground"]
    words += [] if jobs is None else ["--jobs", str(jobs)]
    words += ["--dashboard"] if dashboard else []
    place = os.fspath(home.path.parent)
    return _UNIT.format(
        place=_plain(place),
        directory=_plain(place),
        command=" ".join(_quoted(word) for word in words),
        wanted=_listed(CLEAN - {0}),
        hopeless=_listed(REFUSED | {GAVE_UP}),
    )


def _listed(statuses: Iterable[int]) -> str:
    return " ".join(map(str, sorted(statuses)))


def program() -> list[str]:
    """How this program is called from anywhere."""
    installed = Path(sys.executable).with_name("overnight")
    if os.access(installed, os.X_OK):
        return [os.fspath(installed)]
    return [sys.executable, "-P", "-c", "from overnight.ui.program import main; main()"]


def unit_name(home: Home) -> str:
    """``overnight-PROJECT-ID.service``: readable, and another one for each home."""
    project = re.sub("[^A-Za-z0-9]+", "-", home.path.parent.name).strip("-").lower()[:40]
    return "-".join(["overnight", *([project] if project else []), home.id[:8]]) + ".service"


def _plain(words: str) -> str:
    """A value that is not split into words. Source: systemd.unit(5), specifiers."""
    return words.replace("%", "%%")


def _quoted(word: str) -> str:
    """One word of a command line. Source: systemd.service(5), command lines."""
    if re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("%", "%%")
    return f'"{escaped}"'


def install_unit(home: Home, jobs: int | str | None, *, dashboard: bool, dry_run: bool) -> None:
    """Write the unit, and say what to type next.

    Raises:
        HomeUnusableError: The path cannot stand in a unit.
    """
    if not os.fspath(home.path).isprintable():
        raise HomeUnusableError(
            f"{home.path} has characters that a unit cannot hold; nothing was written",
            hint="move the project to a plainer path",
        )
    content = unit_of(home, jobs, dashboard=dashboard)
    if dry_run:
        printing.say(content.rstrip("\n"))
        return
    name = unit_name(home)
    directory = _directory(os.environ)
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / name, content.encode())
    printing.say(f"wrote {printing.place(os.fspath(directory / name))}")
    for line in advice(name):
        printing.note(line)


def _directory(environ: os._Environ[str] | dict[str, str]) -> Path:
    """Where the user's systemd looks. Source: systemd.unit(5)."""
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")  # noqa: PTH111, PTH118 - one path
    return Path(config) / "systemd" / "user"


def advice(name: str) -> Sequence[str]:
    """What to type next, on this machine."""
    lines = [f"  try: systemctl --user daemon-reload && systemctl --user enable --now {name}"]
    if not SYSTEMD.is_dir():
        return ["overnight: systemd does not run this machine; the unit is of use where it does", *lines]
    user = getpass.getuser()
    if not (LINGER / user).exists():
        lines += [
            f"overnight: {user}'s services end at logout, and this one with them; to let them stay:",
            "  try: loginctl enable-linger",
        ]
    return lines
