"""Which part of an environment goes with a task.

A task may run hours later, from an engine that was started elsewhere, so it takes along what it
needs from where it was added: a short list of names that programs rely on, and the names that were
asked for. Not everything: an environment is full of sockets and sessions of the moment.

Values are written to the disk, so a name that looks like a secret is remembered by name alone and
looked up where the task runs. Guessing too often costs a lookup; guessing too seldom costs a leak.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from overnight.core.errors import UsageError
from overnight.core.task import text

#: Taken along when they are set. ``LC_*`` too.
ALLOWED = frozenset({b"PATH", b"HOME", b"LANG", b"TZ", b"USER", b"SHELL", b"TMPDIR", b"VIRTUAL_ENV"})

_SECRET_NAME = re.compile(
    rb"TOKEN|PASSW|PASSPHRASE|SECRET|CREDENTIAL|APIKEY|COOKIE|(?:^|_)(?:KEY|KEYS|AUTH|PASS|DSN)(?:_|$)|_PWD$|[A-Z]KEY$",
    re.IGNORECASE,
)
#: A password inside of a URL.
_SECRET_VALUE = re.compile(rb"://[^/@\s]*:[^/@\s]+@")


def looks_secret(name: bytes, value: bytes = b"") -> bool:
    """Whether a variable should not be written to the disk."""
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.search(value))


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
            f"the environment variable {text(name)!r} is not set; nothing was added",
            hint=f"export {text(name)}, or leave out '--env {text(name)}'",
        )
