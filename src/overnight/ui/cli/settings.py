"""All settings as one call has them: flags, environment, ``overnight.toml``, built-in values."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.errors import NotFoundError
from overnight.core.settings import Settings, resolve
from overnight.host.home import DIRECTORY, Home
from overnight.ui.cli import printing
from overnight.ui.cli.group import home_option, log_level
from overnight.ui.cli.task_options import too_much
from overnight.wiring.configuration import read


def in_use(**flags: object) -> tuple[Settings, Configuration]:
    """The settings, and the file that some of them come from. `flags`: what a command's own flags said, by setting.

    Raises:
        ConfigurationError: The file makes no sense.
        UsageError: A variable of the environment makes none.
    """
    configured = read(home_in_use())
    said = {"home": home_option(), "log_level": log_level(), **flags}
    return resolve(flags=said, environ=os.environ, configured=configured.settings), configured


def home_in_use() -> Home:
    """The home of this call, or where it would be made."""
    try:
        return wiring.find_home(home_option())
    except NotFoundError:
        named = home_option() or os.environ.get("OVERNIGHT_HOME")
        return Home(Path(named) if named else Path.cwd() / DIRECTORY)


def warn_of_needs(needs: Iterable[tuple[str, float]]) -> None:
    """Whoever adds may do so before the machine is set up; but waiting for ever is not done in silence."""
    settings, configured = in_use()
    there = {name: resource.amount for name, resource in configured.resources.items()}
    if wanting := too_much(needs, there, settings.on):
        what, cure = wanting
        printing.note(f"overnight: warning: {what}; it waits until that changes\n  try: {cure}")
