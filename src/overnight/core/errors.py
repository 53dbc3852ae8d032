"""The errors that people read, each in three parts: what happened, what it means, what to type.

Every error that Overnight raises on purpose is an `OvernightError`. The first line says what
happened and what it means for the tasks; `hint` says what to type next; `exit_code` is what the
command line ends with. Anything else that reaches the top is a bug of ours and says so.
"""

from __future__ import annotations


class OvernightError(Exception):
    """Something a person can act on.

    Args:
        message: What happened, and after a semicolon what it means for the tasks.
        hint: What to type next. Empty when there is nothing to type.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"try: {hint}")  # a traceback has the third part, too

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), self.args, vars(self))


def _again(kind: type[BaseException], args: tuple[object, ...], values: dict[str, object]) -> BaseException:
    """An error that came from another process: with its hint, and without that said twice."""
    error = kind.__new__(kind, *args)
    vars(error).update(values)
    return error


class UsageError(OvernightError):
    """The call's words are off; nothing was changed."""

    exit_code = 2


class ConfigurationError(OvernightError):
    """A configuration file cannot be used; a restart would not mend it."""

    exit_code = 2


class NotRunningError(OvernightError):
    """The command needs a running engine, and none holds this home."""

    exit_code = 3


class NotFoundError(OvernightError):
    """No such task, queue, checkpoint or home."""

    exit_code = 4


class AlreadyRunningError(OvernightError):
    """Another process owns this home; the caller must not touch it."""

    exit_code = 5


class StoreDamagedError(OvernightError):
    """The store cannot be read as it should; nothing was changed."""

    exit_code = 6


class HomeUnusableError(OvernightError):
    """The home cannot be used as it is: owner, permissions, file system, or a newer version wrote it."""

    exit_code = 2


class StoreOutdatedError(HomeUnusableError):
    """The tables on a server are those of an older program; who leads the store brings them forward.

    Args:
        message: See `OvernightError`.
        hint: See `OvernightError`.
        store_id: Which store it is.
    """

    def __init__(self, message: str, *, hint: str = "", store_id: str = "") -> None:
        super().__init__(message, hint=hint)
        self.store_id = store_id


class NotNowError(OvernightError):
    """A gate at the start is closed (disk, memory): the same call may work later."""

    exit_code = 75


class StaleEngineError(OvernightError):
    """A newer engine has taken this home; this one must stop without writing."""

    exit_code = 5


class StoreUnavailableError(OvernightError):
    """The store did not answer, or its answer to COMMIT is unknown; a fresh process must read again."""

    exit_code = 1


class StoreBusyError(StoreUnavailableError):
    """Another program has held the store for too long; nothing was changed, and it is waited for."""

    exit_code = 69


class StoreAwayError(StoreBusyError):
    """The server of the store does not answer; nothing was changed, and it is waited for."""

    exit_code = 69


class MendNeededError(StoreUnavailableError):
    """The store was found damaged while it was in use; whoever takes the home next rebuilds it first."""

    exit_code = 1


class DiskFullError(StoreUnavailableError):
    """There is no room to write; the transaction was rolled back and nothing of it is recorded."""

    exit_code = 75
