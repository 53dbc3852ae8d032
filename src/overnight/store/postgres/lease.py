"""The engine's lease: which of several engines on one store may run, and for how long without asking again.

The fence keeps a late engine from writing; it cannot keep its attempts from running. So an engine that has had no word
from the server for `GIVE_UP` of its lease ends, and its workers end what they run; only when the lease is over does
another one begin, and what is between is the time for that. All instants are the server's clock, read there.

What runs on other machines does not end with the engine but a while after it. An engine that has some there asks for so
much more each time, and goes on believing in the rest only; so whoever comes next begins when that is over, too, and
has to know nothing about it.

While somebody stands by a lease is short, so that he takes over within seconds; while nobody does it is long, so that a
server that restarts ends no work.
"""

from __future__ import annotations

import select

from overnight.store.postgres.connection import Database

#: Seconds of a lease while somebody stands by, and while nobody does; and between two renewals.
SHORT, LONG = 8.0, 60.0
RENEW_EVERY = 1.5
#: Share of a lease after which its holder gives up, when it could not be renewed.
GIVE_UP = 0.65
#: Share after which a holder that has not even given up is ended from outside.
ENDED = 0.75
#: Seconds for which somebody who has asked is believed to stand by.
_WANTED_FOR = 10.0
#: Seconds that an answer may take.
_PATIENCE = 3.0

_TAKE = """
UPDATE lease SET token = token + 1, holder = ?1, home = ?2,
       until = clock_timestamp() + make_interval(secs => ?3::float8)
 WHERE until <= clock_timestamp() OR home = ?2 RETURNING token
"""
_WANT = "UPDATE lease SET wanted_at = clock_timestamp() RETURNING holder"
_RENEW = """
UPDATE lease SET until = clock_timestamp() + make_interval(secs => ?2::float8)
 WHERE token = ?1 AND until > clock_timestamp()
RETURNING wanted_at > clock_timestamp() - make_interval(secs => ?3::float8)
"""
_RELEASE = "UPDATE lease SET until = '-infinity' WHERE token = ?"
_LEAVE = "UPDATE lease SET until = clock_timestamp() + make_interval(secs => ?2::float8) WHERE token = ?1"
HOLDER = "SELECT holder FROM lease WHERE until > clock_timestamp()"
#: Rung by every write of others; its name has the store in it.
CHANNEL = "SELECT 'overnight_' || 'meta'::regclass::oid"


class Lease:
    """The lease of one engine, on a connection of its own; for one thread at a time.

    Args:
        address: Of the store, which is there.
        holder: Who asks, for people.
        home: Whose engine it is: an earlier one of the same home is known to be dead.
        linger: Seconds for which something of this engine, or of an earlier one of the same home, may go on elsewhere
            when it has ended.

    Raises:
        StoreAwayError: The server does not answer; here and in `take`, `renew` and `release`.
    """

    def __init__(self, address: str, *, holder: str, home: str, linger: float = 0.0) -> None:
        # Two seconds are the least that libpq waits for a server to let it in.
        mark = "&" if "?" in address else "?"
        self._database = Database(f"{address}{mark}connect_timeout=2", older=True, patience=0.0, answers=_PATIENCE)
        self._holder = holder
        self._home = home
        self._linger = linger
        self._token = 0
        #: Seconds of which `renew` has spoken last.
        self.asked_for = LONG
        self._listens = False

    def take(self) -> str:
        """Take it if nobody has it. Returns who has it; nothing when it is ours now."""
        self._reach()
        link = self._database.connection
        token = link.execute(_TAKE, (self._holder, self._home, SHORT + self._linger)).get
        if token is None:
            return str(link.execute(_WANT).get) or "another engine"
        self._token = int(token)
        return ""

    def renew(self) -> float | None:
        """Hold it for longer. Returns for how many seconds; None when another one has it, or it is over.

        Whether it is to be short is said by us and not decided there: else an answer that is lost could have made it
        shorter than we believe. When this raises, it may be over after `asked_for`.
        """
        while True:
            self._reach()
            seconds = self.asked_for + self._linger
            wanted = self._database.connection.execute(_RENEW, (self._token, seconds, _WANTED_FOR)).get
            if wanted is None:
                return None
            seconds = SHORT if wanted else LONG
            if seconds == self.asked_for:
                return seconds
            self.asked_for = seconds

    def release(self, linger: float = 0.0) -> None:
        """Let go: everything that this engine has begun is at rest, or will be in so many seconds."""
        self._reach()
        link = self._database.connection
        (link.execute(_LEAVE, (self._token, linger)) if linger else link.execute(_RELEASE, (self._token,))).fetchall()

    def listen(self, seconds: float) -> bool:
        """Wait so long for somebody who changes the store, at most; whether there was one."""
        self._reach()
        link = self._database.connection
        if not self._listens:
            link.execute(f"LISTEN {link.execute(CHANNEL).get}").fetchall()
            self._listens = True
        if link.heard():
            return True
        return bool(select.select([link.socket], [], [], seconds)[0]) and link.heard()

    def _reach(self) -> None:
        if self._database.connection.is_lost:
            self._database.reopen()
            self._listens = False

    def close(self) -> None:
        """End the connection; the lease stays until its time is over, or it is released before."""
        self._database.close()
