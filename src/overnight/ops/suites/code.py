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
from collections.abc import Iterator
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
        _place_in(project, _git(project, "rev-parse", "--git-path", what)) for what in ("index", "objects")
    )
    patterns = [".", *_excluded(top, without)]
    new = _git(top, "ls-files", "--others", "--exclude-standard", "-z", "--", *patterns).split(b"\0")[:-1]
    _want_room(len(new), sum(os.lstat(os.path.join(os.fsencode(top), one)).st_size for one in new))  # noqa: PTH118 - bytes
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
        options = ("-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false", "-c", "core.fsmonitor=false")
        _git(top, *options, "add", "--all", "--", *patterns, **environ)
        listed = _git(top, "ls-files", "--stage", "-z", **environ)
        tree = _git(top, "write-tree", **environ).decode("ascii").strip()
    entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
    return Code(f"git:{tree}", {path: about for about, _, path in entries})


def _place_in(project: Path, path: bytes) -> Path:
    return project / os.fsdecode(path[:-1])


def _excluded(top: Path, without: frozenset[Path]) -> Iterator[str]:
    """What is not to be added, as patterns of git."""
    yield from (f":(exclude,glob)**/{folder}/**" for folder in _MADE_FOLDERS)
    yield from (f":(exclude,glob)**/*{ending}" for ending in _MADE)
    yield from (f":(exclude,literal){path.relative_to(top)}" for path in without if path.is_relative_to(top))


def _git(cwd: Path, *words: str, **environ: str) -> bytes:
    """What git says.

    Raises:
        OSError: There is no git.
        subprocess.SubprocessError: It did not end well, or not in time.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *words],
        cwd=cwd,
        env={**ours, **environ, "GIT_OPTIONAL_LOCKS": "0"},
        stdin=subprocess.DEVNULL,
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
