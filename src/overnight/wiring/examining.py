"""What checks are given to look at."""

from __future__ import annotations

from pathlib import Path

from overnight import wiring
from overnight.core.configuration import Configuration
from overnight.core.errors import NotFoundError
from overnight.core.settings import Settings
from overnight.host.home import Home
from overnight.ops.checks.contract import Scene
from overnight.store.contract import Store


def scene_of(home: Home | None, project: Path, settings: Settings, configured: Configuration) -> Scene:
    """What is examined from here."""

    def open_store() -> Store:
        if home is None:
            raise NotFoundError("there is no home here; nothing was read")
        return wiring.open_store(home, readonly=True)

    return Scene(project, home, open_store, settings, wiring.clock, configured)
