"""Whether something lies in the project and does nothing.

What somebody has laid down, or has asked to have looked at, is a warning; what merely lies in the tree is told of, and
is none: a check that warns of what nobody wants to act on is soon read by nobody.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence

from overnight.core.configuration import parse
from overnight.core.dormancy import Found, is_urgent
from overnight.core.durations import format_count
from overnight.core.errors import ConfigurationError
from overnight.core.findings import Finding, Fix
from overnight.ops.checks.contract import Check, Cost, Scene, ok, warn
from overnight.ops.dormant.survey import Effort, Ground, Survey, survey

_ID = "dormant"
_LOOK = Fix("dormant-list", "Look at them", ("overnight", "dormant", "list"))
#: What a list reads once and keeps, a check would read each time; and a home may lie above very much.
_EFFORT = Effort(keep=False, files=200, entries=20_000)
_NAMED = 3


def _run(scene: Scene) -> Iterator[Finding]:
    ground = _ground(scene)
    if ground is None:
        return
    whole = survey(ground, _EFFORT)
    asleep = [one for one in whole.found if one.dormancy is not None]
    if not whole.found and not whole.left:
        return
    asked, grace = bool(ground.settings.dormant_scan), ground.settings.dormant_grace
    urgent = [one for one in asleep if is_urgent(one, now=ground.now, grace=grace, asked=asked)]
    if urgent:
        names = ", ".join(f"{one.part.kind} {one.part.name} ({one.dormancy})" for one in urgent[:_NAMED])
        more = f" and {len(urgent) - _NAMED} more" if len(urgent) > _NAMED else ""
        yield warn(_ID, f"{names}{more}", _LOOK, value=len(asleep), unit="count")
    else:
        yield ok(_ID, _told(whole, asleep), value=len(asleep), unit="count")


def _told(whole: Survey, asleep: Sequence[Found]) -> str:
    states = Counter(str(one.dormancy) for one in asleep)
    counted = ", ".join(f"{number} {state}" for state, number in states.items()) or "none dormant"
    unread = f" and reads {whole.left:,} files that are new" if whole.left else ""
    names = f": 'overnight dormant list' names them{unread}" if asleep or whole.left else ""
    return f"{counted}, of {format_count(len(whole.found), 'part')}{names}"


def _ground(scene: Scene) -> Ground | None:
    """What is looked at; None where the configuration makes no sense, which others say."""
    project = scene.home.config.parent if scene.home else scene.project
    config = project / "overnight.toml"
    try:
        configured = parse(config.read_text("utf-8") if config.is_file() else "", str(config))
    except (OSError, UnicodeDecodeError, ConfigurationError):
        return None
    now = scene.clock.now()
    return Ground(project, scene.home, scene.settings, configured, scene.open_store, os.environ, now)


CHECK = Check(_ID, "parts that do nothing", _run, cost=Cost.SLOW, timeout=10.0)
