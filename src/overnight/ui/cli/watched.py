"""Taking the files of a folder as they come: look, wait until a file has settled, add it once.

What was taken stays taken whatever dies in between: a file is found again in the store by its identity, which
is the work, its path and the directory. The size and time that it had then say whether it is another one now.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import msgspec

from overnight import wiring
from overnight.core import inputs, watching
from overnight.core.errors import DiskFullError, OvernightError, StoreBusyError, StoreDamagedError, UsageError
from overnight.core.gates import Hold
from overnight.core.inputs import check, shown
from overnight.core.stopping import Stopping
from overnight.core.task import text
from overnight.core.verdict import Settlement
from overnight.core.watching import Seen
from overnight.core.workflow.matching import takes
from overnight.core.workflow.model import Workflow
from overnight.engine.attempts import Running
from overnight.host.folder import files_of
from overnight.host.home import Home
from overnight.host.lock import read_owner
from overnight.store.contract import Counts, Store
from overnight.ui.cli import printing
from overnight.ui.cli.source_options import SETTLE, Sources
from overnight.ui.cli.submit import resume
from overnight.ui.cli.task_options import Defaults, Request, Work, action_of, instant_of
from overnight.wiring.adding import this_process
from overnight.wiring.workflows import lay_down

#: Files that are named one by one.
_NAMED = 5


def collect_watch(
    request: Request,
    sources: Sources,
    *,
    now: float,
    defaults: Defaults,
    otherwise: str = "",
    environ: Mapping[bytes, bytes] | None = None,
) -> Watch:
    """Make a watch of what was typed.

    Args:
        request: What was typed about tasks.
        sources: Which folder.
        now: POSIX seconds.
        defaults: What holds where the request says nothing.
        otherwise: The function for files about which nothing else is said; empty: that is an error.
        environ: Instead of the environment of this process.

    Raises:
        UsageError: There is no such folder, or the work could never be done.
    """
    directory = os.path.normpath(os.fsencode(sources.watch or ""))
    if not os.path.isdir(directory):  # noqa: PTH112 - bytes
        raise UsageError(
            f"there is no folder {text(directory)!r} to watch; nothing was added",
            hint=f"mkdir -p {printing.shell_word(text(directory))}",
        )
    parsed = inputs.parse((), [os.fsencode(word) for word in request.marked])
    if parsed.lists:
        raise UsageError("--watch and ':::' were given; nothing was added", hint="leave out one of them")
    if parsed.command is None and request.call is None and request.workflow is None:
        if not (defaults.workflow or otherwise):
            raise UsageError(
                "nothing is said about what to do with the files; nothing was added",
                hint="overnight run --watch inbox -- convert {} {.}.png",
            )
        request = (
            msgspec.structs.replace(request, workflow=defaults.workflow)
            if defaults.workflow
            else msgspec.structs.replace(request, call=otherwise)
        )
    action = action_of(request, parsed.command, defaults, os.environb if environ is None else environ)
    work = Work(action, [], 0, request, instant_of(request, now), defaults.workflows)
    return Watch(directory, work, sources)


class Watch:
    """One watched folder, and what is done with its files.

    Args:
        directory: The folder, as it is named in the inputs of the tasks.
        work: What is done; its inputs are not looked at.
        sources: Which files, and how long they must have been the same.
    """

    def __init__(self, directory: bytes, work: Work, sources: Sources) -> None:
        self.directory = directory
        self.work = work
        self._match = sources.match
        self._settle = SETTLE if sources.settle is None else sources.settle
        self._workflow: Workflow | None = work.workflows.get(work.action.call)
        self._seen: dict[bytes, Seen] = {}
        self._gone = False
        self._named: set[bytes] = set()
        self.unsettled = True
        self.next_look = 0.0
        #: Why what is ready could not be added when it was looked last.
        self.late: OvernightError | None = None

    @property
    def request(self) -> Request:
        """What was typed about the tasks."""
        return self.work.request

    def begin(self, store: Store) -> None:
        """Make sure that the tasks could be added."""
        lay_down(store, self.work.action, self.work.workflows)
        printing.note(f"overnight: watching {printing.place(text(self.directory))}; Ctrl-C ends it")

    def look(self, store: Store, *, changed: bool = False) -> list[int]:
        """Look once, and add what is ready. Returns the new ids.

        Args:
            store: Where the tasks are.
            changed: Take a file once more that has another size or time than when it was taken.
        """
        began = wiring.clock.monotonic()
        found = files_of(self.directory, self._wanted)
        self._say_gone(gone=found is None)
        judged = watching.judge(self._seen, found or {}, moment=began, settle=self._settle)
        added = self._add(store, judged.ready, changed=changed) if judged.ready else []
        self._seen, self.unsettled = judged.seen, judged.unsettled or found is None
        moment = wiring.clock.monotonic()
        self.next_look = moment + watching.wait_after(moment - began)
        return added

    def look_or_later(self, home: Home, store: Store, *, changed: bool) -> list[int]:
        """As `look`; what is ready and cannot be added now is so later, and `late` says why.

        A store that another program holds, or that the engine of the home is about to mend, is no reason to end.
        """
        wiring.keep_up(store)
        try:
            added = self.look(store, changed=changed)
        except (DiskFullError, StoreBusyError, StoreDamagedError) as error:
            if isinstance(error, StoreDamagedError) and read_owner(home.lock) is None:
                raise
            self.late = error
            self.next_look = wiring.clock.monotonic() + watching.LOOK_AT_LEAST_EVERY
            return []
        self.late = None
        return added

    def previews(self) -> list[str]:
        """What would be run now, one line for each file."""
        names = sorted(files_of(self.directory, self._wanted) or {})
        return msgspec.structs.replace(self.work, inputs=[_below(self.directory, one) for one in names]).previews()

    def _wanted(self, name: bytes) -> bool:
        words = text(name)
        return watching.is_wanted(words, self._match) and (self._workflow is None or takes(self._workflow, words))

    def _say_gone(self, *, gone: bool) -> None:
        if gone != self._gone:
            where = printing.place(text(self.directory))
            what = f"the folder {where} is gone; waiting for it" if gone else f"the folder {where} is back"
            printing.note(f"overnight: {what}")
        self._gone = gone

    def _add(self, store: Store, names: Sequence[bytes], *, changed: bool) -> list[int]:
        ready = [check(_below(self.directory, name)) for name in names]
        work = msgspec.structs.replace(self.work, inputs=ready)
        resumed = resume(store, work, this_process(), changed=changed, revive_all=False)
        if not changed and (other := [one for one in resumed.changed if one not in self._named]):
            self._named.update(other)
            more = f" and {len(other) - _NAMED:,} more" if len(other) > _NAMED else ""
            names_of = ", ".join(printing.clean(shown(one)) for one in other[:_NAMED])
            printing.note(f"overnight: changed since they were done: {names_of}{more}; --changed takes them again")
        return resumed.added


def _below(directory: bytes, name: bytes) -> bytes:
    """A file as a shell would name it: ``inbox/*``; without an option's dash in front."""
    path = os.path.join(directory, name)  # noqa: PTH118 - bytes
    return b"./" + path if path.startswith(b"-") else path


class Watching:
    """An observer by which an engine looks after a folder while it works.

    It has a connection of its own: what it adds is seen by the engine like what anybody else adds.

    Args:
        home: Where the tasks go.
        store: A connection for this alone.
        watch: The folder.
        changed: Take changed files once more.
    """

    def __init__(self, home: Home, store: Store, watch: Watch, *, changed: bool) -> None:
        self._home = home
        self._store = store
        self._watch = watch
        self._changed = changed
        self._over = False

    def settled(self, running: Running | None, settlement: Settlement) -> None:
        """It makes no difference."""

    def stopping(self, stopping: Stopping, still_running: int) -> None:  # noqa: ARG002 - contract
        self._over = True

    def limits(self, holds: Sequence[Hold], slots: int) -> None:
        """It makes no difference."""

    def ticked(self, counts: Counts, running: list[Running]) -> None:  # noqa: ARG002 - contract
        if self._over or wiring.clock.monotonic() < self._watch.next_look:
            return
        if self._watch.look_or_later(self._home, self._store, changed=self._changed):
            wiring.ring(self._home)  # why nothing could be added is said by the engine itself
