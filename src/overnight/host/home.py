"""The directory of one installation: where it is, what lies in it, and whether it can be trusted.

A home belongs to one user on one machine. One that somebody else can write to, that is really
somewhere else (a symbolic link), on a network file system, or that a newer version has written, is
refused before anything in it is opened, and nothing is changed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shlex
import stat
from pathlib import Path

import msgspec

from overnight.core.errors import DiskFullError, HomeUnusableError, UsageError
from overnight.core.version import VERSION
from overnight.host.files import sync_directory, write_aside, write_atomically
from overnight.host.filesystem import file_system_type, is_network
from overnight.host.layout import Layout

DIRECTORY = ".overnight"
#: The layout of a home. Raised when an older program could not use it any more.
FORMAT = 1
#: What may lie in a directory that becomes a home: a new file system has the first one.
_NOTHING = ("lost+found", ".home.json.", ".gitignore")
#: What only a home has in it: where there is nothing else, it was one.
_OURS = frozenset(
    {"engine.json", "engine.log", "heartbeat.log", "lock", "marks", "monitor.json", "monitor.lock"}
    | {"output", "reserve", "results", "spool", "work"}
)
#: What to do where others have a right to be; to close /tmp to them would break the machine.
_ANOTHER = "name another directory, which may not be there yet: --home DIR, or OVERNIGHT_HOME"
_IGNORE = "# Nothing of what overnight keeps here belongs into a repository.\n*\n"


class _Card(msgspec.Struct, omit_defaults=True):
    """What ``home.json`` says. Later versions may add to it."""

    format: int
    id: str
    created_by: str
    #: The newest version that has changed the layout, or the schema of the store.
    written_by: str = ""
    #: There has been a store: one that is missing was lost, and must not be begun anew.
    has_store: bool = False
    #: Where the store is when it is no file of this home, for people: without secrets.
    elsewhere: str = ""
    #: And which one it is, wherever that is reached.
    elsewhere_id: str = ""
    #: Rises whenever the store is set back.
    epoch: int = 0
    #: Events that a rollback has undone: (last one before, last one of them).
    undone: list[tuple[int, int]] = []
    #: Name of the directory in which the store to be put in place lies ready; empty when none does.
    ready: str = ""
    #: Where this home was when it was made or an engine last worked in it, and where before that, links resolved.
    place: str = ""
    place_before: str = ""


class Home(Layout, frozen=True):
    """One home: its paths, and who it is. A value: making it touches nothing."""

    @property
    def id(self) -> str:
        """16 hexadecimal digits, the same for ever; read from the disk.

        Raises:
            HomeUnusableError: ``home.json`` is missing or damaged.
        """
        return _card(self).id

    def cookie(self) -> str:
        """``id:device:inode``, which every process of this home carries in its environment.

        The directory's own numbers are in it, so that a copy of a home does not take the processes
        of the original for its own and kill them.
        """
        place = self.path.stat()
        return f"{self.id}:{place.st_dev}:{place.st_ino}"


def find(start: Path, override: Path | None = None) -> Home | None:
    """The home that applies in a directory.

    Args:
        start: Where to begin; each directory above is looked at in turn.
        override: The home itself, as somebody named it; nothing else is looked at then.

    Returns:
        None when there is none. What is found has not been checked.
    """
    if override is not None:
        path = _absolute(override)
        return Home(path) if os.path.lexists(path) else None
    here = _absolute(start)
    for directory in (here, *here.parents):
        if os.path.lexists(directory / DIRECTORY):
            return Home(directory / DIRECTORY)
    return None


def create(path: Path, *, random: bytes | None = None) -> Home:
    """Have a home there: made when it is missing, left as it is when it is there. Does not check it.

    Several processes may do this at once; all get the same home. One that is killed on the way
    leaves a directory that the next call completes.

    Args:
        path: The home itself, usually called ``.overnight``.
        random: 8 bytes to make the id of.

    Raises:
        HomeUnusableError: It cannot be made there, or what is there is something else.
        DiskFullError: There is no room for it.
    """
    home = Home(_absolute(path))
    try:
        if home.home_json.exists():
            return home
        home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_directory(home.path)  # somebody else's is not written to
        _refuse_if_occupied(home)
        _keep_from_git(home)
        number = (random or os.urandom(8)).hex()
        _write_card(home, _Card(FORMAT, number, created_by=VERSION, written_by=VERSION, place=_place(home)))
    except OSError as error:
        if os.path.lexists(home.path):
            _check_directory(home.path)  # what is wrong with it, if that is the reason
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(
                f"no room is left on the disk for a home at {home.path}; nothing was added", hint="make room, try again"
            ) from error
        raise HomeUnusableError(
            f"a home cannot be made at {home.path}: {error.strerror}; nothing was added",
            hint="cd to a directory of yours, or name one with --home DIR",
        ) from error
    return home


def has_store(home: Home) -> bool:
    """Whether a store was made in this home, be it still there or not."""
    return _card(home).has_store


def remember_store(home: Home) -> None:
    """Note in ``home.json`` that this home has a store. To be called when one is there; does it once.

    Raises:
        OSError: It could not be written; the next call will do.
    """
    card = _card(home)
    if not card.has_store:
        write_atomically(home.home_json, _encoded(msgspec.structs.replace(card, has_store=True)))


def elsewhere(home: Home) -> str:
    """Where the store of this home is when it is no file in it, for people; empty when it is one."""
    return _card(home).elsewhere


def elsewhere_id(home: Home) -> str:
    """Which store that is, wherever it is reached; empty when it is a file of the home."""
    return _card(home).elsewhere_id


def remember_elsewhere(home: Home, shown: str, which: str) -> None:
    """Note in ``home.json`` that the store of this home is there, and which one it is. Does it once for each place.

    Raises:
        OSError: It could not be written; the next call will do.
    """
    card = _card(home)
    if (card.elsewhere, card.elsewhere_id) != (shown, which):
        changed = msgspec.structs.replace(card, elsewhere=shown, elsewhere_id=which)
        write_atomically(home.home_json, _encoded(changed))


def has_tasks(home: Home) -> bool:
    """Whether there is a store in which there may be tasks, in this home or elsewhere."""
    return home.store.exists() or bool(elsewhere(home))


def need_file(home: Home, what: str) -> None:
    """Refuse what can be done to a file only, and not to a database on a server. `what`: "no checkpoint is made".

    Raises:
        UsageError: The store is elsewhere.
    """
    if place := elsewhere(home):
        raise UsageError(
            f"the tasks of {home.path} are at {place}, and of a database on a server {what} here; nothing was done",
            hint="pg_dump, or the backups and the point-in-time recovery of your server",
        )


def written_by(home: Home) -> str:
    """The newest version of the program that has changed what an older one may not understand; empty if unknown."""
    try:
        card = _card(home)
    except HomeUnusableError:
        return ""
    return card.written_by or card.created_by


def remember_version(home: Home) -> None:
    """Note in ``home.json`` that this version is needed from now on. To be called before it changes anything.

    Raises:
        OSError: It could not be written.
    """
    card = _card(home)
    if card.written_by != VERSION:
        write_atomically(home.home_json, _encoded(msgspec.structs.replace(card, written_by=VERSION)))


def arrive(home: Home) -> Path | None:
    """Note where the home is. Returns where it was, if it has been moved or is a copy and nobody has noted that yet.

    To be called by the holder of the lock. What cannot be written is noted by the next call.
    """
    card, place = _card(home), _place(home)
    _keep_from_git(home)  # older homes, and those out of a backup
    if card.place == place:
        return None
    card = msgspec.structs.replace(card, place=place, place_before=card.place or card.place_before)
    with contextlib.suppress(OSError):
        write_atomically(home.home_json, _encoded(card))
    return Path(card.place_before) if card.place_before else None


def place_before(home: Home) -> Path | None:
    """Where the home was before it was moved or copied to where it is; None when it was nowhere else."""
    card = _card(home)
    before = card.place_before if card.place == _place(home) else card.place
    return Path(before) if before else None


def _place(home: Home) -> str:
    """Where it is, links resolved. Empty where JSON cannot say it: nothing is known of such a place."""
    place = os.path.realpath(home.path)
    try:
        place.encode()
    except UnicodeEncodeError:
        return ""
    return place


class Past(msgspec.Struct, frozen=True):
    """How often the store was set back, and what of the journal is undone by that."""

    epoch: int
    #: Numbers of events: (last one before, last one of them), in the order in which they were undone.
    undone: tuple[tuple[int, int], ...] = ()

    def holds(self, event: int) -> bool:
        """Whether the event of this number counts, as does a copy of the store with it as the last one."""
        return not any(before < event <= last for before, last in self.undone)


def past(home: Home) -> Past:
    """What ``home.json`` says of rollbacks. It lies outside the store, and so is never set back itself."""
    card = _card(home)
    return Past(card.epoch, tuple(card.undone))


def promise_restore(home: Home, ready: str, *, undone: tuple[int, int] | None = None) -> None:
    """Note that the store is about to be set back; from here on it will be, whoever dies. Raises the epoch.

    Args:
        home: The home; the caller holds its lock.
        ready: Name of the directory in which the other store lies, whole and on the disk.
        undone: What a rollback undoes: the last event before, and the last one of all.

    Raises:
        OSError: It could not be written; then the store must stay as it is.
    """
    card = _card(home)
    gone = card.undone
    if undone is not None:
        # Whoever goes back into a time that was undone has it back, up to there.
        gone = [*(one for one in gone if one[1] < undone[0]), *([undone] if undone[0] < undone[1] else [])]
    card = msgspec.structs.replace(card, epoch=card.epoch + 1, undone=gone, ready=ready, has_store=True)
    write_atomically(home.home_json, _encoded(card))


def promised_restore(home: Home) -> Path | None:
    """The directory of a store that must be put in place; None when there is none."""
    ready = _card(home).ready
    return home.path / ready if ready else None


def restore_kept(home: Home) -> None:
    """The promised store is in place."""
    write_atomically(home.home_json, _encoded(msgspec.structs.replace(_card(home), ready="")))


def check(home: Home) -> None:
    """Refuse a home that cannot be trusted, before anything in it is opened.

    Raises:
        HomeUnusableError: It is a symbolic link or no directory; another user owns it or may write
            to it; it is on a network file system; a newer version wrote it; it was never finished.
    """
    _check_directory(home.path)
    kind = file_system_type(home.path)
    if is_network(kind):
        raise HomeUnusableError(
            f"{home.path} is on a network file system ({kind}), where locks do not hold; nothing was changed",
            hint="use a directory on a local disk: --home DIR, or OVERNIGHT_HOME",
        )
    card = _card(home)
    if card.format > FORMAT:
        newer = card.written_by or card.created_by
        raise HomeUnusableError(
            f"{home.path} was written by overnight {newer}, and this is {VERSION}; nothing was changed",
            hint=f"pip install 'overnight>={newer}'",
        )


def _check_directory(path: Path) -> None:
    try:
        seen = path.lstat()
    except OSError as error:
        raise HomeUnusableError(f"{path} cannot be used as a home: {error.strerror}; nothing was changed") from error
    if stat.S_ISLNK(seen.st_mode):
        raise HomeUnusableError(
            f"{path} is a symbolic link, and a home must not be; nothing was changed",
            hint=f"--home {os.path.realpath(path)}",
        )
    if not stat.S_ISDIR(seen.st_mode):
        raise HomeUnusableError(
            f"{path} is not a directory and cannot be a home; nothing was changed", hint="move it away, or --home DIR"
        )
    is_home = os.path.lexists(Home(path).home_json) and not seen.st_mode & stat.S_ISVTX
    if seen.st_uid != os.geteuid():
        owner, me = _user(seen.st_uid), _user(os.geteuid())
        raise HomeUnusableError(
            f"{path} belongs to {owner}, and you are {me}; nothing was changed",
            hint=f"work as {owner}, or in a home of your own: --home DIR" if is_home else _ANOTHER,
        )
    if seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HomeUnusableError(
            f"{path} can be written to by other users (mode {stat.S_IMODE(seen.st_mode):04o}), "
            "who could make it run their programs; nothing was changed",
            hint=f"chmod 700 {path}" if is_home else _ANOTHER,
        )


def _card(home: Home) -> _Card:
    try:
        return msgspec.json.decode(home.home_json.read_bytes(), type=_Card)
    except FileNotFoundError:
        missing = f"{home.home_json} is missing"
        if os.path.lexists(home.store):
            raise HomeUnusableError(
                f"{missing}, though there are tasks; nothing was changed",
                hint="put it back from a copy of this home",
            ) from None
        _refuse_if_occupied(home)
        raise HomeUnusableError(
            f"{missing}: this home was never finished; there are no tasks in it", hint="'overnight add' completes it"
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise HomeUnusableError(
            f"{home.home_json} cannot be read ({error}); nothing was changed",
            hint="put it back from a copy of this home",
        ) from error


def _refuse_if_occupied(home: Home) -> None:
    """Somebody's directory does not become a home by mistake; nor does a home that has lost its card."""
    others = sorted(entry.name for entry in home.path.iterdir() if not entry.name.startswith(_NOTHING))
    # Another process may have made the home since we looked; then the files are its own.
    if others and not home.home_json.exists():
        if _OURS.issuperset(others):
            raise HomeUnusableError(
                f"{home.path} has no home.json: it is what is left of a home that was removed; nothing was changed",
                hint=f"look whether you want anything of it, then: rm -r {shlex.quote(os.fspath(home.path))}",
            )
        inside = home.path / DIRECTORY
        raise HomeUnusableError(
            f"{home.path} is not empty ({others[0]!r} is in it) and has no home.json; nothing was changed",
            hint=f"--home {inside}"
            if inside.exists()
            else "name a home, or a directory that is empty or does not exist yet",
        )


def _write_card(home: Home, card: _Card) -> None:
    """Put ``home.json`` there unless somebody was faster: a link, unlike a rename, replaces nothing."""
    aside = write_aside(home.home_json, _encoded(card))
    try:
        home.home_json.hardlink_to(aside)
    except FileExistsError:
        return
    finally:
        aside.unlink()
    sync_directory(home.path)
    sync_directory(home.path.parent)


def _encoded(card: _Card) -> bytes:
    return msgspec.json.format(msgspec.json.encode(card)) + b"\n"


def _keep_from_git(home: Home) -> None:
    """Have git pass over the home, unless somebody has said there what it is to do. It does no harm to do without."""
    with contextlib.suppress(OSError), (home.path / ".gitignore").open("x") as file:
        file.write(_IGNORE)


def _absolute(path: Path) -> Path:
    """Without resolving links: a home that is one is to be seen as such."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps "..", and resolve follows links


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
