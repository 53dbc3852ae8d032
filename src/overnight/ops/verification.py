"""Everything that can be counted again about a home: its books, its journal, its copies, its results.

Each trouble is a sentence, with what to type. Reads only. Damage is no discrepancy: a store that cannot be
believed is told as such, by an error, before anything is counted in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec

from overnight.core import results
from overnight.core.errors import OvernightError, StoreDamagedError, UsageError
from overnight.core.events import printable
from overnight.core.states import FINAL
from overnight.core.task import Task
from overnight.host import results as result_files
from overnight.host.home import Home, elsewhere, elsewhere_id, past
from overnight.monitor import agreement, books, shared_journal
from overnight.store.contract import Counts, Discrepancy, Store
from overnight.store.copies.manifest import NAME as MANIFEST
from overnight.store.copies.shelf import Entry, Shelf, troubles
from overnight.store.sqlite.examining import examine

#: What to type about each kind of trouble; any other is one of the store's own books.
_TRY = {
    shared_journal.KIND: "'overnight verify --with HOME' for each other host, or for a copy made now; else keep the"
    " homes of all hosts as they are and report this with 'overnight verify --json'",
    books.KIND: "'overnight checkpoint save': a copy made now does not need the part of the journal before it",
    agreement.KIND: "'overnight show ID' shows what the store has, 'overnight log ID' what the task has printed",
    "edges": "'overnight why ID' shows what it waits for; 'overnight release ID' lets it go without",
    "checkpoint": "'overnight checkpoint save' makes a whole one; this one is passed over when one is needed",
    "result": "'overnight retry ID' makes it anew",
    "orphan": "'overnight clean' removes it with the next tasks that it forgets",
}
_TRY_BOOKS = (
    "keep the home as it is and report this with 'overnight verify --json';"
    " 'overnight resume --from-checkpoint latest --dry-run' says what going back would mean"
)


class Trouble(msgspec.Struct, frozen=True):
    """Something that is not as it must be: what, in a sentence, and what to type."""

    kind: str
    sentence: str
    what: str
    expected: str
    found: str
    hint: str


class Verified(msgspec.Struct, frozen=True):
    """What was counted, and what was wrong. `removed`: tasks that were forgotten and stay counted.

    `not_seen`: events of a store of many hosts that stand in journals of other homes than those that were read.
    """

    tasks: int
    steps: int
    removed: int
    events: int
    checkpoints: int
    troubles: list[Trouble]
    not_seen: int = 0


def check_pages(home: Home) -> None:
    """Read every page of the store for its checksum; some 2 s a GB. On a server there are none that we could read.

    Raises:
        StoreDamagedError: One does not fit.
    """
    if elsewhere(home):
        return
    if found := examine(home.store, deep=False):
        raise StoreDamagedError(
            f"{home.store} is damaged ({found[0]}); nothing was counted and nothing was changed",
            hint="'overnight resume --from-checkpoint latest' sets it aside and goes on from the newest checkpoint",
        )


def verify(home: Home, store: Store, shelves: Sequence[Shelf], others: Sequence[Home] = ()) -> Verified:
    """Count everything again. An engine may work meanwhile.

    Args:
        home: Whose.
        store: Its store.
        shelves: Where its checkpoints lie.
        others: Homes of all other hosts that have the same store; none: an event that is missing is only counted.

    Raises:
        StoreDamagedError: The store cannot be believed.
        UsageError: One of the others has another store.
    """
    _want_the_same_store(home, others)
    counts = store.counts()
    audited, not_seen = _audited(home, store, others)
    found = [of_books(one) for one in audited]
    entries = [entry for shelf in shelves for entry in shelf.entries()]
    found += [trouble for entry in entries for trouble in _checkpoint(entry)]
    found += _results(home, store)
    return Verified(counts.total, _steps(counts), counts.removed, store.journal_seq(), len(entries), found, not_seen)


def _audited(home: Home, store: Store, others: Sequence[Home]) -> tuple[list[Discrepancy], int]:
    """What does not balance, and how many events were not to be seen."""
    if not elsewhere(home):
        return books.audit(store, home.journal, holds=past(home).holds), 0
    found, not_seen = shared_journal.audit(store, [one.journal for one in (home, *others)])
    if others and not_seen:
        found = [*found, shared_journal.lacking(not_seen)]
    return [*store.recount(), *found], not_seen


def _want_the_same_store(home: Home, others: Sequence[Home]) -> None:
    for other in others:
        if not elsewhere(home) or elsewhere_id(other) != elsewhere_id(home):
            raise UsageError(
                f"{other.path} is no home of another host with the same store; nothing was counted",
                hint="'--with' takes the directory '.overnight' of each other host, or a copy of it",
            )


def _steps(counts: Counts) -> int:
    return sum(n for state, n in counts.steps.items() if state != "removed")


def of_books(one: Discrepancy) -> Trouble:
    """What somebody can read of a discrepancy."""
    return _trouble(one.kind, one.what, one.expected, one.found)


def _trouble(kind: str, what: str, expected: str, found: str) -> Trouble:
    what, expected, found = printable(what), printable(expected), printable(found)
    sentence = f"{what} should be {expected}, and is {found}"
    return Trouble(kind, sentence, what, expected, found, _TRY.get(kind, _TRY_BOOKS))


def _checkpoint(entry: Entry) -> Iterator[Trouble]:
    words = troubles(entry)
    if words and not _is_being_removed(entry):
        yield _trouble("checkpoint", f"checkpoint {entry.name}", "whole", words[0])


def _is_being_removed(entry: Entry) -> bool:
    """An engine at work lets old ones go: first their manifest."""
    return entry.manifest is not None and not (entry.path / MANIFEST).exists()


def _results(home: Home, store: Store) -> Iterator[Trouble]:
    """Results in files of their own that are gone or not what was written, and files of tasks that are no more."""
    for task in agreement.everything(store):
        if task.state in FINAL and results.spilled(task.result) is not None:
            found = list(_result(home, task))
            if found and task.id in store.states([task.id]):  # else it was removed meanwhile
                yield from found
    for name in _orphans(home, store):
        yield _trouble("orphan", f"file {name} among the results", "of a task", "of none that there is")


def _result(home: Home, task: Task) -> Iterator[Trouble]:
    try:
        result_files.read(home.results, task.result)
    except OvernightError as error:
        yield _trouble("result", f"result of task {task.id}", "as it was written", error.message)


def _orphans(home: Home, store: Store) -> list[str]:
    names: Collection[str] = [path.name for path in home.results.iterdir()] if home.results.is_dir() else ()
    owners = {name: owner for name in names if (owner := results.task_of(name)) is not None}
    there = store.states(set(owners.values()))
    return sorted(name for name, owner in owners.items() if owner not in there)
