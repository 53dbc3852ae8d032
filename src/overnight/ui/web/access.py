"""Who may look: the token of a home, links that can be used once, and the cookie that stands for both.

The token lies in a file that only its owner can read, and is what programs send. A browser gets a link
with a code that is good for ten minutes and one use, in exchange for a cookie that no script can read.
Code and cookie are made from the token by a keyed hash, so there is nothing to remember: after a restart
of the dashboard an open page goes on, and a new token (delete the file) shuts everybody out.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from overnight.core.errors import HomeUnusableError

#: Seconds for which a link is good, and bytes of a token.
LINK_LIFE, TOKEN_BYTES = 600.0, 32
#: Codes that are remembered as used; older ones are no longer good anyway, unless somebody makes them by the thousand.
_MOST_USED = 10_000
_ONLY_MINE = 0o600


def token_of(path: Path) -> str:
    """The token in a file; made, and readable by its owner alone, where there is none.

    Raises:
        HomeUnusableError: The file is not ours alone, or is no token.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        return _make(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error


def _make(path: Path) -> str:
    """Whole or not at all, and the first of two who make one at the same time wins."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    aside = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, _ONLY_MINE)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        try:
            os.link(aside, path)
        except FileExistsError:
            return _read(path)
    finally:
        aside.unlink()
    return token


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        found = os.fstat(descriptor)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise _unusable(path, "others can read it")
        token = file.read(1000).strip()
    if len(token) < TOKEN_BYTES or not token.isascii() or not token.isprintable():
        raise _unusable(path, "it holds no token")
    return token


def _unusable(path: Path, why: str) -> HomeUnusableError:
    return HomeUnusableError(
        f"the token in {path} cannot be used: {why}; the dashboard was not started, and no task was touched",
        hint=f"'rm {path}': the next start makes a new one, and old links and cookies are worth nothing then",
    )


class Access:
    """Decides who may come in.

    Args:
        token: Of the home.
        home_id: Cookies are for a host and not for a port, so each home has one of its own name.
        now: The clock, POSIX seconds.
    """

    def __init__(self, token: str, home_id: str, now: Callable[[], float]) -> None:
        self._token = token
        self._now = now
        self._since = now()
        self._used: set[str] = set()
        self.cookie_name = f"overnight-{home_id[:8]}"
        self.cookie = self._made("cookie")

    def has_token(self, words: str) -> bool:
        """Whether these are the token, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(words.encode("utf-8", "replace"), self._token.encode())

    def has_cookie(self, words: str) -> bool:
        """The same of the cookie."""
        return hmac.compare_digest(words.encode("utf-8", "replace"), self.cookie.encode())

    def code(self) -> str:
        """A code for a link."""
        return new_code(self._token, self._now())

    def use(self, code: str) -> bool:
        """Whether the code is good; it is not any more afterwards.

        One from before this process began is none: which of those were used nobody knows.
        """
        at, _, rest = code.partition(".")
        nonce, _, seal = rest.partition(".")
        if not (at.isascii() and at.isdigit() and len(at) < 16):  # noqa: PLR2004 - digits of any instant
            return False
        if not hmac.compare_digest(seal.encode("utf-8", "replace"), _sealed(self._token, f"{at}.{nonce}").encode()):
            return False
        made = int(at) / 1000
        if code in self._used or not self._since - 1.0 <= made <= self._now() + 1.0 or self._now() - made > LINK_LIFE:
            return False
        if len(self._used) >= _MOST_USED:
            return False
        self._used.add(code)
        return True

    def _made(self, what: str) -> str:
        return _sealed(self._token, what)


def new_code(token: str, now: float) -> str:
    """A code that lets its bearer in once; made from the token, so that it can be made beside the dashboard."""
    words = f"{int(now * 1000)}.{secrets.token_urlsafe(9)}"
    return f"{words}.{_sealed(token, words)}"


def _sealed(token: str, words: str) -> str:
    return hmac.digest(token.encode(), words.encode(), "sha256").hex()


__all__ = ["LINK_LIFE", "Access", "new_code", "token_of"]
