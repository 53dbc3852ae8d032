"""Which code a run of tests had before it, as one word that is the same for the same code alone.

In a repository of git that is the hash of the tree that would be committed now, changes and new files included, so a
run before a commit and one after it can be compared. Git computes it in an index and a store of objects
of their own: nothing of the repository is touched. Elsewhere it is a checksum of all files that are not hidden.
What git ignores, or running programs make, is no code. A tree that is too large to be looked at is not known, and
a run of it is compared with no other.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from overnight.host.files import open_regular

#: Seconds that git may take.
_PATIENCE = 60.0
#: Of files that git does not have; of a tree with more of them the code is not known.
MOST_FILES, MOST_BYTES = 50_000, 256 * 1024**2
_BLOCK = 1024 * 1024
#: What programs make as they run, wherever it lies.
_MADE_FOLDERS = ("__pycache__", "node_modules")
_MADE = (".pyc",)


class Code(msgspec.Struct, frozen=True):
    """A state of a tree. `word`: empty where it is not known. `files`: each file with a word for what is in it."""

    word: str
    files: dict[bytes, bytes] = {}

    def changed(self, before: Code) -> list[bytes]:
        """The files that differ, in the order of their names."""
        names = self.files.keys() | before.files.keys()
        return sorted(name for name in names if self.files.get(name) != before.files.get(name))


UNKNOWN = Code("")


class _TooLargeError(Exception):
    """Nobody would wait for it."""


def look(project: Path, *, without: frozenset[Path] = frozenset()) -> Code:
    """The code of a project.

    Args:
        project: The directory in which its tests run.
        without: Files and directories that are none, absolute and resolved: reports of runs, for instance.
    """
    place = project.resolve()
    try:
        try:
            return _by_git(place, without)
        except (OSError, subprocess.SubprocessError):
            return _by_checksum(place, without)
    except (OSError, _TooLargeError):
        return UNKNOWN


# -- by git ----------------------------------------------------------------------------------


def _by_git(project: Path, without: frozenset[Path]) -> Code:
    """The tree of the whole repository, as it would be committed now."""
    top = Path(os.fsdecode(_git(project, "rev-parse", "--show-toplevel")[:-1]))
    index, objects = (
        project / os.fsdecode(_git(project, "rev-parse", "--git-path", what)[:-1]) for what in ("index", "objects")
    )
    with TemporaryDirectory(prefix="overnight-code-") as name:
        aside = Path(name)
        if index.exists():
            shutil.copyfile(index, aside / "index")
        (aside / "objects").mkdir()
        environ = {
            "GIT_INDEX_FILE": str(aside / "index"),
            "GIT_OBJECT_DIRECTORY": str(aside / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
        }
        listed = _git(top, "ls-files", "--others", "--modified", "--exclude-standard", "-z", environ=environ)
        changed = [one for one in set(listed.split(b"\0")) if _counts(top, one, without)]
        _want_room(len(changed), sum(_size(top, one) for one in changed))
        _git(top, "update-index", "--add", "--remove", "-z", "--stdin", stdin=b"\0".join(changed), environ=environ)
        entries = _git(top, "ls-files", "--stage", "-z", environ=environ).split(b"\0")
        tree = _git(top, "write-tree", environ=environ).decode("ascii").strip()
    about = (entry.partition(b"\t") for entry in entries if entry)
    return Code(f"git:{tree}", {path: what for what, _, path in about})


def _counts(top: Path, name: bytes, without: frozenset[Path]) -> bool:
    """Whether what has changed is code. A name that ends so is another repository."""
    if not name or name.endswith(b"/"):
        return False
    path = top / os.fsdecode(name)
    made = any(part in _MADE_FOLDERS for part in path.relative_to(top).parts) or path.name.endswith(_MADE)
    return not made and without.isdisjoint((path, *path.parents))


def _size(top: Path, name: bytes) -> int:
    try:
        return os.lstat(os.path.join(os.fsencode(top), name)).st_size  # noqa: PTH118 - bytes
    except OSError:  # it was removed
        return 0


def _git(cwd: Path, *words: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None) -> bytes:
    """What git says.

    Raises:
        OSError: There is no git.
        subprocess.SubprocessError: It did not end well, or not in time.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-c", "core.safecrlf=false", "-c", "core.fsmonitor=false", *words],
        cwd=cwd,
        env={**ours, **(environ or {}), "GIT_OPTIONAL_LOCKS": "0"},
        input=stdin,
        capture_output=True,
        timeout=_PATIENCE,
        check=True,
    )
    return done.stdout


# -- without it ------------------------------------------------------------------------------


def _by_checksum(project: Path, without: frozenset[Path]) -> Code:
    """Of all files."""
    files: dict[bytes, bytes] = {}
    total = 0
    for path in _files(project, without):
        digest, size = _digest(path)
        total += size
        files[os.fsencode(path.relative_to(project))] = digest
        _want_room(len(files), total)
    whole = hashlib.blake2b(digest_size=20)
    for name in sorted(files):
        whole.update(b"%d:%s%s" % (len(name), name, files[name]))
    return Code(f"files:{whole.hexdigest()}", files)


def _want_room(files: int, size_bytes: int) -> None:
    if files > MOST_FILES or size_bytes > MOST_BYTES:
        raise _TooLargeError


def _files(project: Path, without: frozenset[Path]) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(project, onerror=fail):
        here = Path(folder)
        folders[:] = [name for name in folders if _is_code(here / name, without) and name not in _MADE_FOLDERS]
        yield from (here / name for name in names if _is_code(here / name, without) and not name.endswith(_MADE))


def _is_code(path: Path, without: frozenset[Path]) -> bool:
    return not path.name.startswith(".") and path not in without and not (path / "pyvenv.cfg").exists()


def _digest(path: Path) -> tuple[bytes, int]:
    """Of what is in a file, or of where a link leads, and how many bytes that are."""
    digest = hashlib.blake2b(digest_size=16)
    if not path.is_symlink() and path.is_file():
        digest.update(b"x" if os.access(path, os.X_OK) else b"-")
        with open_regular(path) as file:
            while content := file.read(_BLOCK):
                digest.update(content)
            return digest.digest(), file.tell()
    digest.update(b"l" + os.fsencode(path.readlink()) if path.is_symlink() else b"?")
    return digest.digest(), 0
