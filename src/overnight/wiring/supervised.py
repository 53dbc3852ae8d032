"""The engine of a supervisor: a process that goes on until it is stopped, and reports to the one that watches it."""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path

import msgspec

from overnight.core.errors import OvernightError
from overnight.core.events import printable
from overnight.core.settings import resolve
from overnight.core.stopping import StoppedBy
from overnight.core.supervision import Note, Pulse, Ready, Refused
from overnight.engine.goal import Goal, Never, QueueEmpty
from overnight.engine.pulse import Pulses
from overnight.engine.result import Result
from overnight.engine.voice import open_log
from overnight.engine.watched import Mission
from overnight.host.channel import Channel
from overnight.host.home import Home, check
from overnight.wiring.background import Options
from overnight.wiring.configuration import read
from overnight.wiring.engine import holding, run_engine

_WORK_LEFT = 7


def main() -> None:
    """Be the engine that the last two arguments describe."""
    options = msgspec.json.decode(sys.argv[-2], type=Options)
    mission = msgspec.json.decode(sys.argv[-1], type=Mission)
    channel = Channel.inherited(mission.channel)
    home = Home(Path(os.fsdecode(mission.home)))
    # The stacks of a frozen engine, which its supervisor aborts, go where they are found in the morning.
    faulthandler.enable(open_log(home))
    try:
        status = _work(home, options, mission, channel)
    except OvernightError as error:
        channel.send(msgspec.json.encode(Refused(error.exit_code, printable(error.message), printable(error.hint))))
        status = error.exit_code
    os._exit(status)


def _work(home: Home, options: Options, mission: Mission, channel: Channel) -> int:
    check(home)
    configured = read(home)
    settings = resolve(flags={"slots": options.slots}, environ=os.environ, configured=configured.settings)
    goal: Goal = QueueEmpty() if options.until_empty else Never()

    def told(words: str, hint: str) -> None:
        channel.send(msgspec.json.encode(Note(printable(f"{words}\n  try: {hint}"))))

    up = False

    def standing_by() -> None:
        nonlocal up
        if not up:
            up = True
            channel.send(msgspec.json.encode(Ready(os.getpid())))
        channel.send(msgspec.json.encode(Pulse(False)))  # noqa: FBT003  # as the loop says it

    with holding(home, mission, settings=settings, told=told, standing_by=standing_by) as store:
        result = run_engine(
            home,
            store,
            goal=goal,
            observer=Pulses(channel, os.getpid()),
            settings=settings,
            configured=configured,
            supervisor=mission.supervisor,
            jobs=options.slots,
        )
    return _status(result)


def _status(result: Result) -> int:
    """As the command line would end; what became of the tasks is told by ``status``."""
    if result.exit_code is not None:
        return result.exit_code
    return _WORK_LEFT if result.left and result.stopped_by is not StoppedBy.QUEUE_EMPTY else 0
