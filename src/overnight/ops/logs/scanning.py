"""One scan: what is new in the journal, in what tasks print and in log files, sorted into what belongs together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path

import msgspec

from overnight.core.events import printable
from overnight.core.log_lines import Reader, Said, suspects
from overnight.core.templates import Templates, mask_all
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.monitor.tail import JournalTail
from overnight.ops.logs.following import Part, Position, Trouble, blocks, matching, news
from overnight.ops.logs.journald import SECONDS, JournaldError, entries
from overnight.ops.logs.keeping import HOUR, MOST, Cluster, LogStore
from overnight.ops.logs.outputs import is_segment, pieces

#: Characters of a message that are kept.
_SHOWN = 500
#: Instants that lie further ahead are no instants, seconds.
_AHEAD = 86400.0
#: What is said of errors when there are too many kinds to keep them apart.
_OTHER = "errors of further kinds"
#: The source of what tasks print.
OUTPUT = "output"
JOURNAL = "journal"
#: What is said to be in trouble when the log of the system cannot be read.
JOURNALD = "journald"


class Failure(msgspec.Struct, frozen=True, gc=False):
    """What is wanted of an event that tells of a failed attempt; only an attempt has begun, and no workflow task."""

    at: datetime
    started_at: str | None = None
    id: int = 0
    parent: int = 0
    outcome: str | None = None
    reason: str | None = None
    error: str = ""
    fingerprint: str = ""
    step: str = ""


class Scanned(msgspec.Struct):
    """What one scan has read. `lines` tell of an error; `troubles` are files that could not be read, with why."""

    failures: int = 0
    lines: int = 0
    read_bytes: int = 0
    new: list[Cluster] = []
    troubles: list[tuple[str, str]] = []


class Scan:
    """A scan of the logs of one home.

    Args:
        store: What is known; None: nothing.
        zone: Of instants that say none.
        now: POSIX seconds: of what does not say when it was, and of what claims to be from the future.
        seconds: That the log of the system may take.
    """

    def __init__(self, store: LogStore | None, *, zone: tzinfo, now: float, seconds: float = SECONDS) -> None:
        # First, so that what is noted while the rest is read is not taken for known.
        self._saves = store.saves() if store else 0
        known = store.clusters() if store else []
        lines = [one for one in known if one.kind == "line" and not one.key]
        self._others = [one for one in known if one.kind == "line" and one.key]
        self._store = store
        self._now = now
        self._reader = Reader(zone)
        self._templates = Templates(one.template for one in lines)
        #: By the numbers of their templates, and by fingerprint.
        self._lines = dict(enumerate(lines))
        self._tasks = {one.key: one for one in known if one.kind == "task"}
        self._next = max((one.id for one in known), default=0) + 1
        self._changed: dict[int, Cluster] = {}
        self._hours: dict[tuple[int, int], int] = {}
        self._positions: list[Position] = []
        self._seq = store.journal_seq() if store else 0
        self._cursor, self._seconds = "", seconds
        self.scanned = Scanned()

    def run(self, home: Home, patterns: Sequence[str], units: Sequence[str] = ()) -> Scanned:
        """Read everything that is new: of the home, of the files that patterns name, of units of systemd."""
        self._journal(home.journal)
        if units:
            self._units(units)
        known = self._store.positions() if self._store else {}
        paths = [*sorted(home.output.glob("slot-*.seg")), *matching(patterns, home.config.parent)]
        for one in news(paths, known):
            if isinstance(one, Trouble):
                self._trouble(one)
            else:
                self._part(one)
        return self.scanned

    def save(self, store: LogStore) -> None:
        """Remember what was found and how far was read, unless somebody else has done so meanwhile.

        Raises:
            apsw.Error: Nothing was written.
        """
        for number, cluster in self._lines.items():
            cluster.template = self._templates.template(number)
        store.save(
            self._changed.values(),
            self._hours,
            self._positions,
            journal_seq=self._seq,
            now=self._now,
            saves=self._saves,
            cursor=self._cursor,
        )

    # -- tasks -------------------------------------------------------------------------------

    def _journal(self, journal: Path) -> None:
        tail, decode = JournalTail(journal, after=self._seq), msgspec.json.Decoder(Failure).decode
        for line in tail.lines():
            if b'"fingerprint":"' in line and b'"outcome":' in line:
                try:
                    self._failure(decode(line))
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue  # damaged: that is somebody else's question
        self._seq = tail.seq

    def _failure(self, one: Failure) -> None:
        if not one.fingerprint or one.outcome is None or one.started_at is None:
            return
        self.scanned.failures += 1
        message = _first_line(one.error) or one.reason or one.outcome
        cluster = self._tasks.get(one.fingerprint)
        if cluster is None:
            cluster = self._tasks[one.fingerprint] = self._new("task", mask_all(message), message, key=one.fingerprint)
        self._count(cluster, message, one.at.timestamp(), source=JOURNAL, task_id=one.parent or one.id)

    # -- lines -------------------------------------------------------------------------------

    def _part(self, part: Part) -> None:
        position = part.position
        try:
            for position in self._read(part):  # noqa: B007 - the last one is kept
                pass
        except OSError as error:
            self._trouble(Trouble(position.path, error.strerror or str(error)))
        self._positions.append(position)
        self.scanned.read_bytes += position.offset - part.begin

    def _read(self, part: Part) -> Iterator[Position]:
        """Read a part, and say after each piece how far that was."""
        before, replace = part.position, msgspec.structs.replace
        if is_segment(before.path):
            for piece in pieces(part):
                for line in suspects(piece.lines):
                    self._line(line, OUTPUT, when=piece.at, task_id=piece.task_id)
                yield replace(before, offset=piece.end, rest=piece.rest)
            return
        name = printable(before.path.decode("utf-8", "surrogateescape"))
        for block, end in blocks(part):
            for line in suspects(block):
                self._line(line, name, when=None, task_id=None)
            yield replace(before, offset=end)

    def _line(self, line: bytes, source: str, *, when: float | None, task_id: int | None) -> None:
        said = self._reader.read(line)
        if said is not None:
            self._found(said, source, when=when, task_id=task_id)

    def _found(self, said: Said, source: str, *, when: float | None, task_id: int | None) -> None:
        self.scanned.lines += 1
        cluster = self._cluster(said)
        at = said.at if said.at is not None else when
        self._count(cluster, said.message, self._now if at is None else at, source=source, task_id=task_id)

    def _cluster(self, said: Said) -> Cluster:
        number = self._templates.add(said.message)
        cluster = self._lines.get(number)
        if cluster is None:
            if len(self._lines) >= MOST:
                return self._other
            cluster = self._lines[number] = self._new("line", "", said.message)
        return cluster

    @cached_property
    def _other(self) -> Cluster:
        """Where a flood of errors goes that have nothing in common."""
        return self._others[0] if self._others else self._new("line", _OTHER, _OTHER, key=_OTHER)

    def _units(self, units: Sequence[str]) -> None:
        """What units tell the log of the system; the newest of it where it has forgotten how far that was read."""
        after = self._store.cursor() if self._store else ""
        try:
            try:
                self._entries(units, after)
            except JournaldError:
                if not after or self._cursor:
                    raise
                self._entries(units, "")
        except JournaldError as error:
            self.scanned.troubles.append((JOURNALD, str(error)))

    def _entries(self, units: Sequence[str], after: str) -> None:
        for entry in entries(units, after, SystemClock(), self._seconds):
            self._cursor = entry.cursor or self._cursor
            said = Said(_first_line(entry.line.decode()), entry.at) if entry.is_grave else self._reader.read(entry.line)
            if said is not None:
                self._found(said._replace(at=entry.at), printable(entry.unit), when=None, task_id=None)

    # -- both --------------------------------------------------------------------------------

    def _new(self, kind: str, template: str, message: str, *, key: str = "") -> Cluster:
        cluster = Cluster(
            id=self._next,
            kind=kind,
            key=key,
            template=template,
            sample=message[:_SHOWN],
            source="",
            first_seen=self._now,
            last_seen=0.0,
        )
        self._next += 1
        self.scanned.new.append(cluster)
        return cluster

    def _count(self, cluster: Cluster, message: str, at: float, *, source: str, task_id: int | None) -> None:
        at = at if 0 <= at <= self._now + _AHEAD else self._now
        if not cluster.n or at < cluster.first_seen:
            cluster.first_seen = at
        if at >= cluster.last_seen:
            cluster.last_seen, cluster.source, cluster.task_id = at, source, task_id
            cluster.sample = message[:_SHOWN]
        cluster.n += 1
        self._changed[cluster.id] = cluster
        key = cluster.id, int(at // HOUR)
        self._hours[key] = self._hours.get(key, 0) + 1

    def _trouble(self, one: Trouble) -> None:
        self.scanned.troubles.append((printable(one.path.decode("utf-8", "surrogateescape")), one.why))


def _first_line(words: str) -> str:
    return next((line.strip() for line in words.splitlines() if line.strip()), "")
