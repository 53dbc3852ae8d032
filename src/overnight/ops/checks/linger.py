"""Whether an engine that systemd starts for this user lives on when the user logs out."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from pathlib import Path

from overnight.core.findings import Finding, Fix
from overnight.ops.checks.contract import Check, Scene, ok, warn

_ID = "linger"
_UNITS = Path(".config/systemd/user")
_LINGERING = Path("/var/lib/systemd/linger")


def _run(scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - a question about the user, not the project
    if not any((Path.home() / _UNITS).glob("overnight*.service")):
        return
    user = getpass.getuser()
    if (_LINGERING / user).exists():
        yield ok(_ID, f"services of {user} go on after the logout")
    else:
        stay = Fix("linger", "Let services go on after the logout", ("loginctl", "enable-linger", user))
        yield warn(_ID, f"services of {user} are ended at the logout, the engine with them", stay)


CHECK = Check(_ID, "logout", _run)
