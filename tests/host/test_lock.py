from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import IO

import pytest

from overnight.core.errors import AlreadyRunningError, HomeUnusableError
from overnight.host import lock
from overnight.host.clock import SystemClock
from overnight.host.lock import HomeLock, Owner, read_owner

ME = {"pid": os.getpid(), "started_at": 1000.0, "start": 7, "boot_id": "b", "home": "h", "version": "1"}

HOLDER = """
    import os, sys
    from pathlib import Path
    from overnight.host.lock import HomeLock
    from overnight.core.errors import AlreadyRunningError
    lock = HomeLock(Path(sys.argv[1]))
    sys.stdin.readline()
    try:
        lock.acquire({"pid": os.getpid()})
    except AlreadyRunningError:
        print("lost", flush=True)
    else:
        print("won", flush=True)
    sys.stdin.readline()
"""


def descriptors() -> set[str]:
    """Which descriptors this process has open."""
    return {entry.name for entry in Path("/dev/fd").iterdir()}


class Starter:
    """A process that tries for the lock when told, and stays until it is told again."""

    source = HOLDER

    def __init__(self, path: Path) -> None:
        words = f"import sys; sys.path[:] = {sys.path!r}\n" + textwrap.dedent(self.source)
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", words, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    @property
    def ears(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def go(self) -> None:
        self.ears.write("\n")
        self.ears.flush()

    def result(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate()


#: The lock that it is not: whoever finds no living process of the number in the file writes its own.
NUMBER = """
    import json, os, sys
    from pathlib import Path
    from overnight.host.processes import identity
    path = Path(sys.argv[1])
    written = json.loads(path.read_text())
    holder = identity(written["pid"])
    free = holder is None or (CAREFUL and holder.ticks != written.get("start"))
    print("looked", flush=True)
    sys.stdin.readline()
    if free:
        me = identity(os.getpid())
        path.write_text(json.dumps({"pid": me.pid, "start": me.ticks}))
    print("won" if free else "lost", flush=True)
    sys.stdin.readline()
"""


class Looking(Starter):
    """Has looked at the number in the file before the next one looks; it writes its own when told."""

    source = NUMBER.replace("CAREFUL", "True")

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        assert self.result() == "looked"


class LookingAtTheNumberAlone(Looking):
    """Takes any process of that number for the holder."""

    source = NUMBER.replace("CAREFUL", "False")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


def race(path: Path, count: int, kind: type[Starter] = Starter) -> None:
    """Many start at once, on top of what an earlier holder left, while somebody watches the status all the time."""
    path.write_text('{"pid": 1, "started_at": 5.0}')
    starters = [kind(path) for _ in range(count)]
    try:
        for starter in starters:
            starter.go()
        for _ in range(count * 25):
            read_owner(path)
        results = [starter.result() for starter in starters]
        assert sorted(results) == ["lost"] * (count - 1) + ["won"]
        assert read_owner(path) == Owner(pid=starters[results.index("won")].process.pid)
    finally:
        for starter in starters:
            starter.end()
    assert read_owner(path) is None


def test_one_of_many_concurrent_starts_wins_whatever_an_earlier_one_left(path: Path) -> None:
    race(path, 12)


@pytest.mark.prove
@pytest.mark.parametrize("_round", range(20))
def test_one_of_100_concurrent_starts_wins(path: Path, _round: int) -> None:
    race(path, 100)


@pytest.mark.parametrize(("kind", "results"), [(Looking, ["won"] * 3), (LookingAtTheNumberAlone, ["lost"] * 3)])
def test_a_number_in_a_file_lets_all_win_or_none(path: Path, kind: type[Starter], results: list[str]) -> None:
    """The control: all look before one writes; a stale number that lives again as another process blocks for ever."""
    with pytest.raises(AssertionError, match=re.escape(f"assert {results} == ")):
        race(path, 3, kind)


def test_a_killed_holder_frees_the_lock_and_is_nobody_from_then_on(path: Path) -> None:
    starter = Starter(path)
    starter.go()
    assert starter.result() == "won"
    starter.end(signal.SIGKILL)

    assert path.read_text() != ""
    assert read_owner(path) is None
    with HomeLock(path) as mine:
        mine.acquire(ME)
        assert read_owner(path) == Owner(os.getpid(), 1000.0, 7, "b", "h", "1")


def test_a_shorter_name_leaves_nothing_of_a_longer_one(path: Path) -> None:
    path.write_text(json.dumps({"pid": 1, "home": "x" * 1000}))
    with HomeLock(path) as mine:
        mine.acquire({"pid": 2})
        assert json.loads(path.read_text()) == {"pid": 2}


def test_whoever_reads_while_the_holder_changes_its_name_reads_one_of_both(path: Path) -> None:
    long, short = ME | {"home": "x" * 500}, {"pid": os.getpid()}
    with HomeLock(path) as mine:
        mine.acquire(long)
        reader = subprocess.Popen(
            [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n" + textwrap.dedent(READER), path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for _ in range(20_000):
            mine.rewrite(short)
            mine.rewrite(long)
        out, _ = reader.communicate("\n")
        assert out == "0\n"


READER = """
    import select, sys
    from pathlib import Path
    from overnight.host.lock import Owner, read_owner
    print("reading", flush=True)
    nameless = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        nameless += read_owner(Path(sys.argv[1])) == Owner()
    print(nameless)
"""


def test_the_second_is_told_who_and_since_when_and_what_to_type(path: Path) -> None:
    with HomeLock(path) as mine:
        mine.acquire({"pid": 4711, "started_at": SystemClock().now()})

        with pytest.raises(AlreadyRunningError) as caught:
            HomeLock(path).acquire(ME)

    assert caught.value.message.startswith("home is locked by process 4711 (started ")
    assert caught.value.message.endswith("); nothing was started")
    assert len(caught.value.message) == len("home is locked by process 4711 (started 02:13); nothing was started")
    assert caught.value.hint == "'overnight status' to watch it, 'overnight stop' to end it"
    assert caught.value.exit_code == 5


def test_a_start_on_another_day_is_told_with_its_day(path: Path) -> None:
    with HomeLock(path) as mine:
        mine.acquire({"pid": 4711, "started_at": 1000.0})

        with pytest.raises(AlreadyRunningError, match=r"started 19(69|70)-\d\d-\d\d \d\d:\d\d\)"):
            HomeLock(path).acquire(ME)


@pytest.mark.parametrize("half", [b"", b'{"pid": 47', b"\0\0\0", b"[]", b'{"pid": "x"}', b"null", b"\xff"])
def test_a_half_written_name_still_locks(path: Path, half: bytes) -> None:
    with HomeLock(path) as mine:
        mine.acquire(ME)
        path.write_bytes(half)

        assert read_owner(path) == Owner()
        with pytest.raises(AlreadyRunningError, match="locked by another process; nothing was started"):
            HomeLock(path).acquire(ME)


def test_a_reader_at_the_wrong_moment_does_not_make_a_start_lose(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its shared lock is in the way of the exclusive one. Without another try, 100 starts could have no winner."""
    path.touch()
    reader = os.open(path, os.O_RDONLY)
    fcntl.flock(reader, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: os.close(reader))

    with HomeLock(path) as mine:
        mine.acquire(ME)
        assert read_owner(path) == Owner(os.getpid(), 1000.0, 7, "b", "h", "1")


def test_a_deleted_file_is_not_a_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removes the file between our open and our lock; a second process would lock a new one."""
    open_ = lock._open

    def open_and_lose(where: Path) -> int:
        descriptor = open_(where)
        monkeypatch.setattr(lock, "_open", open_)
        where.unlink()
        return descriptor

    monkeypatch.setattr(lock, "_open", open_and_lose)
    with HomeLock(path) as mine:
        mine.acquire(ME)
        with pytest.raises(AlreadyRunningError):
            HomeLock(path).acquire(ME)


def test_a_released_lock_can_be_taken_again_and_the_file_stays(path: Path) -> None:
    mine = HomeLock(path)
    mine.release()
    mine.acquire(ME)
    inode = path.stat().st_ino
    mine.release()
    mine.release()

    assert read_owner(path) is None
    assert path.read_bytes() == b""
    assert path.stat().st_ino == inode
    HomeLock(path).acquire(ME)


def test_a_started_program_does_not_inherit_the_lock(path: Path) -> None:
    with HomeLock(path) as mine:
        mine.acquire(ME)
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    try:
        assert read_owner(path) is None
    finally:
        child.communicate()


CHILD = """
    import os, sys
    from pathlib import Path
    from overnight.host.lock import HomeLock
    lock = HomeLock(Path(sys.argv[1]))
    lock.adopt(int(sys.argv[2]), {"pid": os.getpid(), "supervisor": os.getppid()})
    print(os.get_inheritable(int(sys.argv[2])), flush=True)
    sys.stdin.readline()
    lock.release()
    sys.stdin.readline()
"""


def handed_down(path: Path, descriptor: int) -> subprocess.Popen[str]:
    words = f"import sys; sys.path[:] = {sys.path!r}\n" + textwrap.dedent(CHILD)
    return subprocess.Popen(
        [sys.executable, "-S", "-c", words, path, str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_lock_that_is_handed_down_is_held_until_both_have_let_go(path: Path) -> None:
    """Nobody else gets in between two engines of one supervisor, nor beside one whose supervisor was killed."""
    mine = HomeLock(path)
    mine.acquire(ME)
    child = handed_down(path, mine.fileno())
    assert child.stdout is not None
    assert child.stdout.readline() == "False\n"
    assert read_owner(path) == Owner(pid=child.pid, supervisor=os.getpid())

    mine.release()
    assert read_owner(path) is not None
    child.communicate()
    assert read_owner(path) is None


def test_a_child_that_lets_go_leaves_the_lock_to_its_parent(path: Path) -> None:
    with HomeLock(path) as mine:
        mine.acquire(ME)
        child = handed_down(path, mine.fileno())
        child.communicate("\n\n")
        assert read_owner(path) == Owner(pid=child.pid, supervisor=os.getpid())
        mine.rewrite({"pid": 5, "start": 6, "boot_id": "b", "supervisor": 5, "supervisor_start": 6})
        owner = read_owner(path)
        assert owner is not None
        assert owner.is_supervisor
        assert owner.who() == owner.who_supervises() == (5, 6, "b")
    assert read_owner(path) is None


def test_what_is_handed_down_must_be_the_lock(path: Path, tmp_path: Path) -> None:
    with HomeLock(path) as mine:
        mine.acquire(ME)
        other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
        again = os.open(path, os.O_RDWR)
        for descriptor in (other, again):
            with pytest.raises(AlreadyRunningError):
                HomeLock(path).adopt(descriptor, ME)
            os.close(descriptor)
        assert read_owner(path) == Owner(os.getpid(), 1000.0, 7, "b", "h", "1")


def test_a_holder_that_has_not_said_enough_cannot_be_named() -> None:
    assert Owner().who() is None
    assert Owner(pid=1).who() is None
    assert Owner(pid=1, start=2, boot_id="b").who_supervises() is None
    assert not Owner().is_supervisor


def test_nobody_holds_a_lock_that_was_never_made(path: Path) -> None:
    assert read_owner(path) is None
    assert not path.exists()


def test_a_link_is_refused(path: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    path.symlink_to("target")

    with pytest.raises(HomeUnusableError, match=r"cannot be locked: .*; nothing was started"):
        HomeLock(path).acquire(ME)
    assert (tmp_path / "target").read_text() == "precious"


def test_a_refused_start_leaves_no_descriptor(path: Path) -> None:
    with HomeLock(path) as mine:
        mine.acquire(ME)
        before = descriptors()
        with pytest.raises(AlreadyRunningError):
            HomeLock(path).acquire(ME)
        read_owner(path)
        assert descriptors() == before


def test_who_was_killed_while_holding_it_is_known_to_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = HomeLock(path)
    first.acquire(ME)
    assert first.left_by is None
    first.release()
    second = HomeLock(path)
    second.acquire(ME)
    assert second.left_by is None
    os.close(second.fileno())  # as the kernel does it for one that is killed
    third = HomeLock(path)
    third.acquire(ME)
    assert third.left_by is not None
    assert third.left_by.pid == os.getpid()
    third.release()
