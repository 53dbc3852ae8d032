"""Watching a folder: beside an engine of somebody else, or by the engine of this call."""

from __future__ import annotations

import contextlib
import select
import sys
from collections import Counter

import msgspec

from overnight import wiring
from overnight.core.errors import AlreadyRunningError, OvernightError
from overnight.core.stopping import StoppedBy
from overnight.core.watching import LOOK_AT_LEAST_EVERY, LOOK_EVERY
from overnight.host.folder import Nudges
from overnight.host.home import Home
from overnight.host.signals import SignalWatch
from overnight.monitor.tail import JournalTail, last_seq
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.defaults import task_defaults
from overnight.ui.cli.elsewhere import Elsewhere, meant_by
from overnight.ui.cli.ending import Ending
from overnight.ui.cli.foreground import Manner, run_queue
from overnight.ui.cli.session import made, say_where
from overnight.ui.cli.source_options import Sources
from overnight.ui.cli.task_options import Request, warn
from overnight.ui.cli.watched import Watch, Watching, collect_watch
from overnight.wiring.files import UNBOUND


def put_watched(request: Request, sources: Sources, *, changed: bool, as_json: bool) -> None:
    """Add the files of a folder as they come, until a signal says that it is enough. Ends with its status."""
    work = collect_watch(
        request, sources, now=wiring.clock.now(), defaults=task_defaults(), otherwise=UNBOUND
    )  # files without a command get the work of the processor that runs them
    if request.dry_run:
        for preview in work.previews():
            printing.say(preview)
        return
    warn([work.work.action])
    with made() as session:
        say_where(session.home)
        work.begin(session.store)
        status = _add_for_ever(session.home, session.store, work, changed=changed, as_json=as_json)
    sys.exit(status)


def run_watch(home: Home, watch: Watch, manner: Manner, *, changed: bool) -> Ending:
    """Work on the files of a folder as they come, until somebody says stop."""
    warn([watch.work.action])
    store = wiring.open_store(home, create=True)
    try:
        watch.begin(store)
        observers = (*manner.observers, Watching(home, store, watch, changed=changed))
        while True:
            beside = _Beside(home, store)
            try:
                return run_queue(home, manner._replace(observers=observers), endless=True)
            except AlreadyRunningError:
                printing.note("overnight: an engine is at work in this home; it does these, and this adds them")
            number = _add_for_ever(home, store, watch, changed=changed, as_json=False, beside=beside)
            if number is not None:
                return Ending(StoppedBy.SIGNAL, number, Counter(), 0)
            if (by := beside.engine.stopped_by) is not None:
                return Ending(by, None, Counter(), store.counts().unfinished)
            printing.note("overnight: that engine has ended; this one goes on with the files")
    finally:
        store.close()


class _Beside:
    """The engine that does what is added here; made before it is known whether there is one."""

    def __init__(self, home: Home, store: Store) -> None:
        self.engine = Elsewhere(home, store)
        self._tail = JournalTail(home.journal, after=last_seq(home.journal))
        self.is_gone = False

    def look(self) -> bool:
        """Whether it has gone; then `engine` knows why."""
        self.is_gone = self.engine.look()
        for line in self._tail.lines():
            if b'"processor_stopped"' in line:  # one of very many
                with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):  # damaged
                    self.engine.heard(meant_by(msgspec.json.decode(line)))
        self.engine.heard(None)
        return self.is_gone


def _add_for_ever(
    home: Home, store: Store, watch: Watch, *, changed: bool, as_json: bool, beside: _Beside | None = None
) -> int | None:
    """Look, add, wait. Returns 128 plus the number of the signal that ended it; None: `beside` has gone."""
    nudges = None if beside else Nudges(watch.directory)  # its threads could not come along into an engine
    with SignalWatch() as signals:
        while True:
            if beside and beside.is_gone:
                return None
            before = watch.late
            if added := watch.look_or_later(home, store, changed=changed):
                wiring.ring(home)
                _report(added, as_json=as_json)
            if watch.late is not None and before is None:
                _say_late(watch.late)
            _wait(watch, nudges, signals, beside)
            if taken := signals.take():
                return 128 + taken[0]


def _say_late(error: OvernightError) -> None:
    advice = f"\n  try: {printing.clean(error.hint)}" if error.hint else ""
    printing.note(f"overnight: {printing.clean(str(error))}; it is tried again each minute{advice}")


def _wait(watch: Watch, nudges: Nudges | None, signals: SignalWatch, beside: _Beside | None) -> None:
    """Until it is time to look again, or a signal comes. Where changes are told, nobody looks without need.

    Ends as well when the engine that we add for has gone.
    """
    told = nudges is not None and nudges.begin()
    moment = wiring.clock.monotonic()
    until = watch.next_look if watch.unsettled or not told else moment + LOOK_AT_LEAST_EVERY
    while not (beside and beside.look()) and (left := until - wiring.clock.monotonic()) > 0:
        ready, _, _ = select.select([signals], [], [], 0 if told else min(left, LOOK_EVERY))
        if ready:
            return
        if told and nudges and nudges.changed():
            until = watch.next_look


def _report(added: list[int], *, as_json: bool) -> None:
    if as_json:
        printing.say(msgspec.json.encode({"added": len(added), "ids": added}).decode())
    else:
        printing.say("\n".join(map(str, added)))
    sys.stdout.flush()
