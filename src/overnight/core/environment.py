"""Which part of an environment goes with a task.

A task may run hours later, from an engine that was started elsewhere, so it takes along what it
needs from where it was added: a short list of names that programs rely on, and the names that were
asked for. Not everything: an environment is full of sockets and sessions of the moment.

Values are written to the disk, so a name that looks like a secret is remembered by name alone and
looked up where the task runs. Guessing too often costs a lookup; guessing too seldom costs a leak.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from overnight.core.durations import quoted
from overnight.core.errors import UsageError
from overnight.core.task import text

#: Characters of a name in a hint.
MOST_SHOWN = 64
#: Taken along when they are set. ``LC_*`` too.
ALLOWED = frozenset({b"PATH", b"HOME", b"LANG", b"TZ", b"USER", b"SHELL", b"TMPDIR", b"VIRTUAL_ENV"})

#: Names of environment variables that a task sees, without ``OVERNIGHT_``.
TOLD_TO_TASKS = frozenset(
    {
        *("TASK_ID", "ATTEMPT", "ATTEMPT_ID", "MAX_ATTEMPTS", "INPUT", "QUEUE", "WORKFLOW", "STEP", "SLOT", "DEADLINE"),
        *("WORK_DIR", "HOME", "CONTROL", "COOKIE"),
    }
)

#: Anywhere in a name, in upper case.
_SECRET_WORDS = (b"TOKEN", b"PASSW", b"PASSPHRASE", b"SECRET", b"CREDENTIAL", b"APIKEY", b"COOKIE")
#: As one of the parts between underscores; the last part may also end in KEY.
_SECRET_PARTS = frozenset({b"KEY", b"KEYS", b"AUTH", b"PASS", b"DSN"})


def looks_secret(name: bytes, value: bytes = b"") -> bool:
    """Whether a variable should not be written to the disk."""
    upper = name.upper()
    first, *others = upper.split(b"_")
    last = others[-1] if others else first
    return (
        any(word in upper for word in _SECRET_WORDS)
        or not _SECRET_PARTS.isdisjoint((first, *others))
        or last.endswith(b"KEY")
        or (bool(others) and last == b"PWD")
        or _holds_password(value)
    )


def _holds_password(value: bytes) -> bool:
    """Whether a value is a URL with a password in it, as in ``postgres://me:hush@host/db``."""
    _, scheme, rest = value.partition(b"://")
    user, at, _ = rest.partition(b"/")[0].rpartition(b"@")
    return bool(scheme and at and user.partition(b":")[2])


def split(
    environ: Mapping[bytes, bytes], names: Collection[bytes] = ()
) -> tuple[dict[bytes, bytes], tuple[bytes, ...]]:
    """The variables that a task takes along by value, and the names it looks up when it runs.

    Args:
        environ: The environment where the task is added.
        names: Further names that were asked for.

    Raises:
        UsageError: A name cannot be one, or it is not set and is no secret that may be set later.
    """
    for name in names:
        _check(name, environ)
    wanted = {name for name in environ if name in ALLOWED or name.startswith(b"LC_")} | set(names)
    secret = {name for name in wanted if looks_secret(name, environ.get(name, b""))}
    by_value = {name: environ[name] for name in sorted(wanted - secret)}
    return by_value, tuple(sorted(secret))


def _check(name: bytes, environ: Mapping[bytes, bytes]) -> None:
    if not name or b"\0" in name:
        raise UsageError("the name of an environment variable is empty; nothing was added", hint="--env NAME")
    if b"=" in name:
        bare = text(name.partition(b"=")[0])
        raise UsageError(
            f"--env takes the name of a variable and no value, and {bare!r} has one; nothing was added",
            hint=f"set {bare} in front of the command and use '--env {bare}'",
        )
    if name not in environ and not looks_secret(name):
        raise UsageError(
            f"the environment variable {quoted(text(name))} is not set; nothing was added",
            hint=f"export {text(name)[:MOST_SHOWN]}, or leave out '--env {text(name)[:MOST_SHOWN]}'",
        )
