from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from overnight.host import files


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was synced and renamed, in order."""
    seen: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        seen.append("sync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync file")
        fsync(descriptor)

    def watched_replace(self: Path, target: Path) -> Path:
        seen.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    return seen


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    files.write_atomically(path, b"a long first content")
    with path.open("rb") as old:
        files.write_atomically(path, b"second")

        assert old.read() == b"a long first content"
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_the_data_is_on_disk_before_its_name_and_the_name_before_the_return(tmp_path: Path, calls: list[str]) -> None:
    files.write_atomically(tmp_path / "a", b"x")

    assert calls == ["sync file", "rename", "sync directory"]


def test_what_need_not_be_durable_is_not_synced(tmp_path: Path, calls: list[str]) -> None:
    """A file that is replaced ten times a second must not cost ten syncs."""
    files.write_atomically(tmp_path / "a", b"x", durable=False)

    assert calls == ["rename"]


def test_what_is_written_is_for_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        files.write_atomically(tmp_path / "a", b"x")
        files.append(tmp_path / "b", b"x")
        files.allocate(tmp_path / "c", 1)
    finally:
        os.umask(old)

    assert {stat.S_IMODE(entry.stat().st_mode) for entry in tmp_path.iterdir()} == {0o600}


def test_a_symbolic_link_is_replaced_and_its_target_left_alone(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a").symlink_to("target")

    files.write_atomically(tmp_path / "a", b"x")

    assert (tmp_path / "target").read_bytes() == b"precious"
    assert not (tmp_path / "a").is_symlink()


@pytest.mark.parametrize("write", [files.append, lambda path, _: files.allocate(path, 10)])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, write: object) -> None:
    (tmp_path / "target").write_bytes(b"precious")
    (tmp_path / "a").symlink_to("target")

    with pytest.raises(OSError, match="symbolic links") as caught:
        write(tmp_path / "a", b"x")  # type: ignore[operator] # one of the two above

    assert caught.value.errno == errno.ELOOP
    assert (tmp_path / "target").read_bytes() == b"precious"


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    files.write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space"):
        files.write_atomically(path, b"new")

    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_directory_is_no_file_to_be_replaced(name: str) -> None:
    with pytest.raises(IsADirectoryError):
        files.write_atomically(Path(name), b"a")


def test_a_failed_write_is_told_of_the_file_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a"
    with pytest.raises(FileNotFoundError) as caught:
        files.write_atomically(path, b"a")
    assert caught.value.filename == str(path)


def test_a_failed_append_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next line would be glued to it."""
    path = tmp_path / "log"
    files.append(path, b"one\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]) if len(data) == 4 else full())

    with pytest.raises(OSError, match="No space"):
        files.append(path, b"two\n")

    monkeypatch.undo()
    files.append(path, b"three\n")
    assert path.read_bytes() == b"one\nthree\n"


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))

    files.write_atomically(tmp_path / "a", b"0123456789")

    assert (tmp_path / "a").read_bytes() == b"0123456789"


def test_a_new_log_is_known_to_its_directory(tmp_path: Path, calls: list[str]) -> None:
    files.append(tmp_path / "log", b"one\n")
    assert calls == ["sync file", "sync directory"]

    files.append(tmp_path / "log", b"two\n")
    assert calls == ["sync file", "sync directory", "sync file"]


def test_allocated_blocks_exist(tmp_path: Path) -> None:
    """A sparse page on a full disk would be a SIGBUS for whoever has the file mapped."""
    path = tmp_path / "marks"
    path.write_bytes(b"kept")
    files.allocate(path, 1024 * 1024)

    seen = path.stat()
    assert seen.st_size == 1024 * 1024
    assert seen.st_blocks * 512 >= seen.st_size
    assert path.read_bytes()[:5] == b"kept\0"


def test_where_the_system_cannot_allocate_zeros_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    test_allocated_blocks_exist(tmp_path)

    files.allocate(tmp_path / "marks", 10)
    assert (tmp_path / "marks").stat().st_size == 1024 * 1024


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_pipe_or_a_device_is_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(FileExistsError):
            files.write_atomically(tmp_path / name, b"new")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2
