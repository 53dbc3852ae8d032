"""Stand-ins for the world, so that one thread can run a night in seconds, and faults to strike it with.

Each stand-in is a whole implementation of its contract and passes the same conformance test as the real
one. Time only passes when somebody waits: `FakeWaiter` moves the clock to whatever happens next. The
faults strike the real store and real engines: `CrashPoints` kills at a chosen COMMIT, `Disk` cuts the power
or fails at a chosen operation of the file system. ``docs/testing.md`` shows how to test one's own tasks.
"""

from __future__ import annotations

from overnight.core.endings import Ending
from overnight.core.states import TaskState
from overnight.testing.clock import START, FakeClock
from overnight.testing.crashing import CrashError, CrashPoints
from overnight.testing.disk import Disk
from overnight.testing.executor import FakeExecutor
from overnight.testing.ports import FakeBell, FakeMachine, FakeRoom, FakeStops, FakeWaiter, Recorder
from overnight.testing.simulation import Simulation, StuckError, Told
from overnight.testing.world import Deed, FakeWorld, Line, Play

__all__ = [
    "START",
    "CrashError",
    "CrashPoints",
    "Deed",
    "Disk",
    "Ending",
    "FakeBell",
    "FakeClock",
    "FakeExecutor",
    "FakeMachine",
    "FakeRoom",
    "FakeStops",
    "FakeWaiter",
    "FakeWorld",
    "Line",
    "Play",
    "Recorder",
    "Simulation",
    "StuckError",
    "TaskState",
    "Told",
]
