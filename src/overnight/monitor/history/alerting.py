"""What is known of alerts, kept in ``history.db``: read once, and written before anything is sent.

The messages of an alert lie here until a task delivers each of them. A process that dies between the two finds
them here, and a second task for the same message is refused by the queue, since its input is the same. So
a message is handed on once, whoever dies when.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import apsw
import msgspec

from overnight.core.alert_messages import Message, Outgoing
from overnight.core.alerts import Alert
from overnight.monitor.history.database import Database

#: Seconds that messages are kept for people to look at.
KEPT = 90 * 86400.0
R = TypeVar("R")
_SEQ, _BEGAN, _DEAD = "alerts_seq", "alerts_began", "dead target "


class Silence(NamedTuple):
    """Nothing is told of an alert until then (POSIX seconds)."""

    alert: str
    until: float
    reason: str
    by: str


class Sent(NamedTuple):
    """A message, and the task that delivers it; None while it is in no queue."""

    message: Message
    task: int | None


class Handed(NamedTuple):
    """A message by its key, its target, and the task that delivers it."""

    key: str
    target: str
    task: int


class Book(msgspec.Struct, frozen=True):
    """Everything as it was written last."""

    alerts: Mapping[str, Alert]
    outgoing: Mapping[str, Outgoing]
    #: The last event that was looked at; None when alerts have just been set up, or were lost.
    seq: int | None
    #: When this record began, POSIX seconds: messages of another one have other keys. None: not yet.
    began: int | None


class Alerting:
    """The alerts of a history.

    Args:
        database: The history; its owner closes it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Book:
        """All of it. A record that cannot be read counts as not there.

        Raises:
            apsw.Error: It cannot be read.
        """
        rows = self._database.read("SELECT name, value FROM facts WHERE name IN (?, ?)", (_SEQ, _BEGAN))
        facts = {str(name): value for name, value in rows}
        return Book(
            alerts=_records(self._database.read("SELECT name, record FROM alerts"), Alert),
            outgoing=_records(self._database.read("SELECT target, record FROM outgoing"), Outgoing),
            seq=_number(facts.get(_SEQ)),
            began=_number(facts.get(_BEGAN)),
        )

    def write(self, book: Book, messages: Sequence[Message], *, now: float) -> None:
        """All of it, and what is to be sent; at once, on the disk.

        Raises:
            apsw.Error: Nothing was written.
        """
        with self._database.write(durable=True) as connection:
            _replace(connection, "alerts", "name", book.alerts)
            _replace(connection, "outgoing", "target", book.outgoing)
            for name, value in ((_SEQ, book.seq), (_BEGAN, book.began)):
                connection.execute("DELETE FROM facts WHERE name = ?", (name,))
                if value is not None:
                    connection.execute("INSERT INTO facts (name, value) VALUES (?, ?)", (name, value))
            for one in messages:
                connection.execute(
                    "INSERT OR REPLACE INTO messages (key, at, target, content) VALUES (?, ?, ?, ?)",
                    (one.key, one.at, one.target, msgspec.json.encode(one).decode()),
                )
            connection.execute("DELETE FROM messages WHERE at < ? AND task IS NOT NULL", (now - KEPT,))

    def unsent(self) -> list[Message]:
        """The messages that are in no queue yet, the oldest first."""
        rows = self._database.read("SELECT content FROM messages WHERE task IS NULL ORDER BY at, key")
        return [msgspec.json.decode(str(row[0]), type=Message) for row in rows]

    def handed_on(self, tasks: Mapping[str, int]) -> None:
        """These messages, by their keys, are delivered by these tasks."""
        with self._database.write() as connection:
            for key, task in tasks.items():
                connection.execute("UPDATE messages SET task = ? WHERE key = ?", (task, key))

    def dead(self) -> dict[str, int]:
        """Targets of which people were told that they cannot be reached, and when that was (POSIX seconds)."""
        rows = self._database.read("SELECT name, value FROM facts WHERE name GLOB ?", (f"{_DEAD}*",))
        return {str(name).removeprefix(_DEAD): int(str(at)) for name, at in rows}

    def call_dead(self, target: str, at: float | None) -> None:
        """People are told now that it cannot be reached; None: that it can again."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM facts WHERE name = ?", (_DEAD + target,))
            if at is not None:
                connection.execute("INSERT INTO facts (name, value) VALUES (?, ?)", (_DEAD + target, int(at)))

    def since(self, at: float) -> list[Handed]:
        """The messages in the queue that are from this instant (POSIX seconds) or later, the oldest first."""
        rows = self._database.read(
            "SELECT key, target, task FROM messages WHERE at >= ? AND task IS NOT NULL ORDER BY at, key", (at,)
        )
        return [Handed(str(key), str(target), int(str(task))) for key, target, task in rows]

    def newest(self, limit: int) -> list[Sent]:
        """The newest messages first."""
        rows = self._database.read("SELECT content, task FROM messages ORDER BY at DESC, key DESC LIMIT ?", (limit,))
        return [_sent(*row) for row in rows]

    def silences(self, *, now: float) -> dict[str, Silence]:
        """Those that last, by their alerts."""
        rows = self._database.read("SELECT alert, until, reason, by FROM silences WHERE until > ?", (now,))
        found = [Silence(str(row[0]), float(str(row[1])), str(row[2]), str(row[3])) for row in rows]
        return {one.alert: one for one in found}

    def silence(self, silence: Silence) -> None:
        """Put one in the place of an older one; one that is over already ends that.

        Raises:
            apsw.Error: Nothing was written.
        """
        with self._database.write(durable=True) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO silences (alert, until, reason, by) VALUES (?, ?, ?, ?)", silence
            )


def _replace(connection: apsw.Connection, table: str, key: str, records: Mapping[str, object]) -> None:
    connection.execute(f"DELETE FROM {table}")  # noqa: S608 - a table of ours
    for name, record in records.items():
        connection.execute(
            f"INSERT INTO {table} ({key}, record) VALUES (?, ?)",  # noqa: S608 - as above
            (name, msgspec.json.encode(record).decode()),
        )


def _records(rows: list[tuple[object, ...]], kind: type[R]) -> dict[str, R]:
    found = {}
    for name, record in rows:
        try:
            found[str(name)] = msgspec.json.decode(str(record), type=kind)
        except msgspec.MsgspecError:
            continue  # of a later version: begun anew
    return found


def _sent(content: object, task: object) -> Sent:
    return Sent(msgspec.json.decode(str(content), type=Message), _number(task))


def _number(value: object) -> int | None:
    return None if value is None else int(str(value))
