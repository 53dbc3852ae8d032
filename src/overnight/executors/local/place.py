"""Where a worker stands: what the engine tells a keeper at its start, and the keeper its runner."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

import overnight.core

#: A runner that must be followed by another one (context, source or size changed) ends with this status.
EXIT_HANDOVER = 93
#: The interpreter cannot run a runner; why stands on its stderr.
EXIT_UNUSABLE = 94
#: The runner was asked not to begin anything more, and has not.
EXIT_HALTED = 95
#: Processes of an attempt could not be ended in time.
EXIT_STUCK = 96
#: Seconds for what was killed to be gone; then it is stuck in the kernel.
STUCK_AFTER = 10.0
#: Seconds between TERM and KILL when the executor closes, at most.
CLOSE_GRACE = 5.0

_ISOLATED = (sys.executable, "-I", "-S", "-c")


class Place(msgspec.Struct, frozen=True):
    """One slot. Paths are bytes; numbers of descriptors are the same in parent and child."""

    slot: int
    #: Counts the keepers of this slot.
    serial: int
    control: int
    commands: int
    calls: int
    #: The open file of marks.
    marks: int
    spool: bytes
    output: bytes
    work: bytes
    home: bytes
    cookie: str
    #: Where the engine imports from.
    paths: list[bytes]
    #: What tasks see as NOTIFY_SOCKET; the keeper fills it in.
    notify: bytes = b""
    #: Whether its children live in a pid namespace of their own, whose first process it is.
    first_of_namespace: bool = False
    #: Its control group, where that can have walls.
    walls: str = ""
    #: Seconds after which what was killed is not waited for any more.
    stuck_after: float = STUCK_AFTER
    #: Seconds to wait before doing anything, because the last keeper died at once.
    pause: float = 0.0

    def in_spool(self, name: str) -> bytes:
        """The path of a file in the spool."""
        return self.spool + b"/" + name.encode("ascii")


class Handover(msgspec.Struct, frozen=True):
    """What a new runner begins with.

    A runner removes the file as soon as it has read it. So it is there when a runner could not begin,
    or has left its next frame in it, and never when the user's code ended the process with a status
    that happens to mean something here.
    """

    #: A packed `Run`.
    frame: bytes
    #: See `Spool.state`; None for a worker without a past.
    spool: list[int] | None


class RunnerPlace(msgspec.Struct, frozen=True):
    """What only a runner needs to know."""

    place: Place
    #: Path of its spool without the ending.
    prefix: bytes
    handover: bytes
    #: Digest of the context in which it was started.
    context: bytes
    cwd: bytes
    #: Reading ends of its own stdout and stderr.
    stdout: int
    stderr: int


def import_paths() -> list[bytes]:
    """What a keeper needs on its path: as the engine has it, and never the current directory."""
    house = str(Path(overnight.core.__file__).parents[2])
    return [os.fsencode(path) for path in dict.fromkeys([*sys.path, house]) if path]


def keeper_argv(place: Place) -> list[str]:
    """The command that becomes a keeper: isolated, and without `site`, which takes half of its start."""
    boot = f"{_paths_of(place)}; from overnight.executors.local.keeper import main; main()"
    return [*_ISOLATED, boot, msgspec.json.encode(place).decode("ascii")]


def warden_argv(place: Place, errand: int) -> list[bytes]:
    """The command that becomes a warden, in the same way.

    Args:
        place: Of its keeper.
        errand: Descriptor of what it is to do.
    """
    boot = f"{_paths_of(place)}; from overnight.executors.local.warden import main; main()"
    return [os.fsencode(word) for word in (*_ISOLATED, boot, str(errand))]


def _paths_of(place: Place) -> str:
    return f"import sys; sys.path[:] = {[os.fsdecode(path) for path in place.paths]!r}"


_RUNNER_BOOT = """\
import sys
sys.path[:] = [path for path in sys.path if path]
def unusable(words):
    import os
    os.write(2, words.encode())
    os._exit({unusable})
if sys.version_info < (3, 11):
    unusable("it is Python %d.%d, and 3.11 is needed" % sys.version_info[:2])
sys.path += [path for path in {paths!r} if path not in sys.path]
try:
    import msgspec
except ImportError as error:
    unusable("it has no msgspec (%s)" % error)
from importlib import util
spec = util.spec_from_file_location("overnight", {init!r}, submodule_search_locations=[{house!r}])
sys.modules["overnight"] = module = util.module_from_spec(spec)
spec.loader.exec_module(module)
from overnight.executors.local.runner import main
main()
"""


def runner_argv(python: bytes, runner: RunnerPlace) -> list[bytes]:
    """The command that becomes a runner.

    Args:
        python: The interpreter; empty for the one that runs this. Another one finds only this
            package with us, nothing else of what we are installed with, and needs a msgspec of its own.
        runner: Where it stands.
    """
    house = Path(overnight.core.__file__).parents[1]
    paths = [] if python else [os.fsdecode(path) for path in runner.place.paths]
    boot = _RUNNER_BOOT.format(unusable=EXIT_UNUSABLE, paths=paths, init=str(house / "__init__.py"), house=str(house))
    return [python or os.fsencode(sys.executable), b"-c", os.fsencode(boot), msgspec.json.encode(runner)]
