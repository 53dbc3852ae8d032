"""What an error of PostgreSQL means for the tasks, by its SQLSTATE.

Source: PostgreSQL, appendix A, "PostgreSQL Error Codes".
"""

from __future__ import annotations

from overnight.core.errors import (
    DiskFullError,
    HomeUnusableError,
    OvernightError,
    StoreAwayError,
    StoreBusyError,
    StoreDamagedError,
    StoreUnavailableError,
)

#: The server ends the connection, or takes none: a restart, or one that has died.
_AWAY = ("08", "57P")
_BUSY = ("55P03", "40P01", "40001")
#: No right to it, a wrong name or password, no such database, read-only.
_UNUSABLE = ("42501", "28", "3D", "25006", "0A")
#: The disk; and all else that there can be too little of.
_FULL, _SCARCE = "53100", "53"
_DAMAGE = ("XX001", "XX002")


class StatementError(Exception):
    """PostgreSQL refuses a statement of ours: a broken constraint, or a bug."""


def meaning(state: str, words: str, shown: str) -> Exception:
    """What an error before COMMIT means.

    Args:
        state: SQLSTATE; empty when there is no connection any more.
        words: What the server says of it.
        shown: The store, without secrets.
    """
    said = " ".join(words.split()).removeprefix("ERROR: ").removeprefix("FATAL: ").strip()
    if not state or state.startswith(_AWAY):
        return away(shown, said)
    return _refused(state, said, shown) or StatementError(f"{state}: {said}")


def away(shown: str, said: str) -> StoreAwayError:
    """The server does not answer."""
    return StoreAwayError(
        f"the store at {shown} does not answer ({said or 'the connection was closed'}); nothing was changed",
        hint="an engine waits for it and goes on; else try again when the server is there",
    )


def _refused(state: str, said: str, shown: str) -> OvernightError | None:
    if state.startswith(_BUSY):
        return StoreBusyError(
            f"the store at {shown} was busy for too long; nothing was changed",
            hint="try again; 'overnight status' shows who works on it",
        )
    if state == _FULL:
        return DiskFullError(
            f"no room is left on the disk of {shown}; nothing of this is recorded",
            hint="make room on the server and try again; what was recorded before is safe",
        )
    if state.startswith(_SCARCE):
        return StoreUnavailableError(
            f"the server of {shown} has too little left ({said}); nothing was changed",
            hint="look at max_connections and the memory of the server",
        )
    if state.startswith(_UNUSABLE):
        return HomeUnusableError(
            f"the store at {shown} cannot be used ({said}); nothing was changed",
            hint="look at the address in OVERNIGHT_STORE, and at what its user may do",
        )
    if state.startswith(_DAMAGE):
        return StoreDamagedError(
            f"the store at {shown} is damaged ({said}); nothing was changed",
            hint="restore the database from a backup of the server; 'overnight verify' tells what is wrong",
        )
    return None
