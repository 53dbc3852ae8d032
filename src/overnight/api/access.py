"""A home and its store for one caller, whoever's thread and process it is at the moment.

A connection belongs to one thread and does not survive a fork, and callers know nothing of that. So
there is one for each thread, opened when it is first needed, and a child that was forked opens its
own. The parent's is left alone there: closing it would let go of locks that are the parent's.
"""

from __future__ import annotations

import os
import threading

from overnight import wiring
from overnight.api.arguments import ArgumentTypeError, ArgumentValueError
from overnight.core.configuration import Configuration
from overnight.core.durations import quoted
from overnight.core.errors import HomeUnusableError, StoreDamagedError
from overnight.core.settings import Settings, resolve
from overnight.host.home import Home, has_tasks
from overnight.store.contract import Store
from overnight.wiring.configuration import read

#: Where a home may be named: the directory itself, usually called ``.overnight``.
HomePath = str | os.PathLike[str] | None

#: Characters of a path (PATH_MAX).
_LONGEST_PATH = 4096

#: One thread at a time makes a store: what it makes on the way is named by the process alone.
_making = threading.Lock()
os.register_at_fork(before=_making.acquire, after_in_parent=_making.release, after_in_child=_making.release)

#: Connections of a process that we were forked from; kept, so that nothing closes them.
_inherited: list[Store] = []


class _Opened(threading.local):
    """This thread's connection."""

    store: Store | None = None
    pid: int = 0


class Access:
    """The way to one home.

    Args:
        home: The home itself; None for the one that the current directory belongs to
            (OVERNIGHT_HOME, else found upward, else made here).

    Raises:
        HomeUnusableError: It cannot be used.
    """

    def __init__(self, home: HomePath) -> None:
        try:
            self.home: Home = wiring.make_home(None if home is None else _path(home))
        except FileNotFoundError as error:
            raise HomeUnusableError(
                f"the current directory has been deleted, and no home is found from there ({error.strerror})",
                hint="os.chdir() to another one, or home='/path/to/.overnight'",
            ) from None
        self._opened = _Opened()
        self._id = self.home.id
        #: What ``home.json`` looked like when its id was last compared: inode and time.
        self._seen: tuple[int, int] | None = None

    @property
    def store(self) -> Store:
        """The store, made when there is none yet.

        Raises:
            HomeUnusableError: The home has been removed since, or replaced by another one.
            StoreDamagedError: The store has been removed since.
        """
        self.want_home()
        opened = self._opened
        if opened.store is not None and opened.pid != os.getpid():
            _inherited.append(opened.store)
            opened.store = None
        if opened.store is None:
            with _making:
                opened.store = wiring.open_store(self.home, create=True)
            opened.pid = os.getpid()
        else:
            self._follow(opened)
        return opened.store

    def _follow(self, opened: _Opened) -> None:
        """Open the store anew when another one has taken its place in the home, as going back to a checkpoint does."""
        assert opened.store is not None  # noqa: S101 - asked for only then
        try:
            opened.store.check_file()
        except StoreDamagedError:
            opened.store.close()
            opened.store = None
            opened.store = wiring.open_store(self.home, create=True)

    def has_store(self) -> bool:
        """Whether anything was ever added here."""
        self.want_home()
        return has_tasks(self.home)

    def want_home(self) -> None:
        """Make sure that the home is still the one that this was made for.

        Raises:
            HomeUnusableError: It has been removed since, or another one has taken its place.
        """
        try:
            found = os.stat(self.home.home_json)  # noqa: PTH116 - asked by every call, and half as long as pathlib's
        except OSError:
            raise HomeUnusableError(
                f"the home {self.home.path} has been removed since; its tasks are gone with it and nothing was changed",
                hint="put it back, or make a new object to begin with an empty one",
            ) from None
        seen = (found.st_ino, found.st_mtime_ns)
        if seen == self._seen:
            return
        if self.home.id != self._id:
            raise HomeUnusableError(
                f"the home {self.home.path} is another one now, with other tasks; nothing was changed",
                hint="make a new object to work with that one",
            )
        self._seen = seen

    def ring(self) -> None:
        """Tell the engine, if one runs, that the store has changed."""
        wiring.ring(self.home)

    def settings(self, **flags: object) -> Settings:
        """What flags, environment and ``overnight.toml`` say together."""
        return resolve(flags=flags, environ=os.environ, configured=self.configured().settings)

    def configured(self) -> Configuration:
        """What ``overnight.toml`` says."""
        return read(self.home)

    def close(self) -> None:
        """Let go of this thread's connection; the next use opens it again."""
        opened = self._opened
        if opened.store is not None and opened.pid == os.getpid():
            opened.store.close()
        opened.store = None


def _path(home: object) -> str:
    hint = "home='.overnight', or leave it out"
    if not isinstance(home, str | os.PathLike):
        raise ArgumentTypeError(
            f"home is a {type(home).__name__}, and a path is wanted; nothing was changed", hint=hint
        )
    path = os.fsdecode(home)
    if not path or "\0" in path or len(path) > _LONGEST_PATH:
        raise ArgumentValueError(f"home is {quoted(path)}, which is no path; nothing was changed", hint=hint)
    return path
