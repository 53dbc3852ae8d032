"""Other programs that keep backups: how they refuse, what of theirs is believed, and that no password is shown."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from backing_up import Site
from damaging import flip
from keeping_backups import ALL, PASSWORD, Depot, depot

from overnight.core.backups import File
from overnight.core.checkpoints import Keeping
from overnight.core.errors import NotNowError, StoreDamagedError
from overnight.core.settings import resolve
from overnight.ops.backups.by_program import ByProgram
from overnight.ops.backups.contract import Made, Wanted
from overnight.ops.backups.pieces import DamagedError
from overnight.ops.backups.place import BackupPlace
from overnight.ops.backups.programs import PROGRAMS, borg, repositories, restic
from overnight.ops.backups.programs.contract import ProgramError, Refusal, Snapshot
from overnight.ops.backups.programs.running import Advice, Running, shown
from overnight.ops.backups.repository import Repository
from overnight.ops.backups.tree import Tree

_ADVICE = Advice("install", "password", "init", "unlock")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "project")
    yield made
    made.kept.store.close()


@pytest.fixture(params=ALL, scope="module")
def there(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Depot:
    """One for all."""
    return depot(request.param, tmp_path_factory.mktemp("there"))


@contextmanager
def damaged(path: Path) -> Iterator[None]:
    """Bytes in the middle of a file are others for a while."""
    content = path.read_bytes()
    path.chmod(0o600)
    flip(path, len(content) // 2, 64)
    yield
    path.write_bytes(content)


def back_up(site: Site, *places: Repository) -> Made:
    site.kept.clock.advance(60)
    return ByProgram(places).create(site.home, Wanted(("data",)), clock=site.kept.clock)


# -- real repositories ------------------------------------------------------------------------


@pytest.mark.prove  # some seconds of the programs
def test_damage_in_a_repository_is_found_and_refused(there: Depot, site: Site) -> None:
    place = there.of(site.home.backups, site.home.id)
    back_up(site, place)
    entry = place.entries()[0]
    with damaged(there.largest()):
        trial = place.prove(entry, now=site.now, quick=False)
        assert not trial.whole
        assert place.records.entry(entry.name).trial == trial
        with pytest.raises(StoreDamagedError, match="nothing was changed"), place.opened(entry):
            pass


@pytest.mark.prove  # some seconds of the programs
def test_the_second_repository_has_it_as_well_and_records_are_no_more_than_that(
    there: Depot, site: Site, tmp_path: Path
) -> None:
    """Whoever comes with nothing but the repository finds ours in it, and nothing of others."""
    (tmp_path / "two").mkdir()
    second = depot(there.program, tmp_path / "two")
    made = back_up(site, there.of(site.home.backups, site.home.id), second.of(site.home.backups, site.home.id))
    assert made.second_trouble == ""
    (site.project / "x").touch()
    second.call(*(("backup", "x") if there.program == "restic" else ("create", "::overnight-x", "x")), cwd=site.project)
    stranger = second.of(tmp_path / "elsewhere", None)
    (entry,) = stranger.entries()
    assert (entry.name, entry.manifest and entry.manifest.home) == (made.name, site.home.id)
    assert stranger.prove(entry, now=site.now, quick=True).whole
    assert second.of(tmp_path / "other", "0123456789abcdef").entries() == []


def test_what_it_refuses_is_said_with_what_to_type_and_without_a_password(there: Depot, site: Site) -> None:
    wrong = dict.fromkeys(("RESTIC_PASSWORD", "BORG_PASSPHRASE"), f"not-{PASSWORD}")
    with pytest.raises(ProgramError) as refused:
        back_up(site, there.of(site.home.backups, site.home.id, **wrong))
    assert (refused.value.why, refused.value.exit_code, PASSWORD in refused.value.message) == (
        Refusal.PASSWORD,
        2,
        False,
    )
    gone = Depot(there.program, there.path / "nothing" / "here", there.environ)
    with pytest.raises(ProgramError) as refused:
        back_up(site, gone.of(site.home.backups, site.home.id))
    assert (refused.value.why, refused.value.exit_code, "init" in refused.value.hint) == (
        Refusal.NO_REPOSITORY,
        4,
        True,
    )


@pytest.mark.prove  # some seconds of the programs
def test_a_repository_that_somebody_works_on_is_waited_for_by_a_person(there: Depot, site: Site) -> None:
    """A program that holds it as long as it has something to read."""
    place = there.of(site.home.backups, site.home.id)
    holding = ("backup", "--stdin") if there.program == "restic" else ("with-lock", "::", "cat")
    environ = {**there.environ, "RESTIC_REPOSITORY": str(there.path), "BORG_REPO": str(there.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([there.program, *holding], env=environ, **pipes) as holder:  # type: ignore[call-overload]
        while not (any((there.path / "locks").glob("*")) or (there.path / "lock.exclusive").exists()):
            assert holder.poll() is None
        with pytest.raises(ProgramError) as refused:
            place.program.check()
        holder.communicate(b"done")
    assert (refused.value.why, refused.value.exit_code) == (Refusal.LOCKED, 69)


# -- without them -----------------------------------------------------------------------------

_BORG = '{"type": "log_message", "message": "It said so.", "levelname": "ERROR", "msgid": "%s"}'


@pytest.mark.parametrize(
    ("status", "complaints", "why"),
    [
        (12, "Fatal: whatever", Refusal.PASSWORD),
        (1, "Fatal: wrong password or no key found", Refusal.PASSWORD),
        (1, "Resolving password failed: exit status 1", Refusal.PASSWORD),
        (1, "reading repository password from stdin\nFatal: an empty password is not a password", Refusal.PASSWORD),
        (11, "Fatal: whatever", Refusal.LOCKED),
        (1, "Fatal: unable to create lock in backend: repository is already locked by PID 7", Refusal.LOCKED),
        (10, "Fatal: whatever", Refusal.NO_REPOSITORY),
        (1, "Fatal: unable to open config file: stat /x/config: no such file or directory", Refusal.NO_REPOSITORY),
        (1, "Fatal: unable to open config file: Head: dial tcp\nIs there a repository at the following", Refusal.AWAY),
        (1, "Fatal: repository contains errors", Refusal.OTHER),
        (3, "", Refusal.OTHER),
    ],
)
def test_what_restic_means(status: int, complaints: str, why: Refusal) -> None:
    assert restic._judge(status, complaints)[0] is why


@pytest.mark.parametrize(
    ("msgid", "why"),
    [
        ("PassphraseWrong", Refusal.PASSWORD),
        ("NoPassphraseFailure", Refusal.PASSWORD),
        ("LockTimeout", Refusal.LOCKED),
        ("Repository.DoesNotExist", Refusal.NO_REPOSITORY),
        ("ConnectionClosedWithHint", Refusal.AWAY),
        ("Something.Else", Refusal.OTHER),
    ],
)
def test_what_borg_means(msgid: str, why: Refusal) -> None:
    assert borg._judge(2, "Enter passphrase: " + _BORG % msgid) == (why, "It said so.")


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "BORG_PASSPHRASE": PASSWORD}
    with pytest.raises(ProgramError, match="no task is concerned") as refused:
        Running("overnight-has-no-such", "x", environ, restic._judge, _ADVICE)("list")
    assert (refused.value.exit_code, "own" in refused.value.hint) == (2, True)


def test_what_it_says_is_passed_on_without_passwords() -> None:
    """Whatever it has of its environment in it, and of an address."""
    environ = {"PATH": "/usr/bin:/bin", "RESTIC_PASSWORD": PASSWORD}
    run = Running("sh", "x", environ, restic._judge, _ADVICE)
    with pytest.raises(ProgramError) as refused:
        run("-c", 'echo "Fatal: $RESTIC_PASSWORD at rest:http://me:word@host/x" >&2; exit 1')
    assert refused.value.words == "Fatal: ${RESTIC_PASSWORD} at rest:http://me:***@host/x"
    assert shown("ssh://me@host/x") == "ssh://me@host/x"


def test_it_holds_the_lock_as_long_as_it_works(tmp_path: Path) -> None:
    """Killed while it works we leave it at work, and what it reads must stay."""
    records = BackupPlace(tmp_path / "records", None)
    run = Running("sh", "x", {"PATH": "/usr/bin:/bin"}, restic._judge, _ADVICE)
    with records.alone() as held:
        run("-c", f"test -e /dev/fd/{held}", held=(held,))
        with pytest.raises(ProgramError):
            run("-c", f"test -e /dev/fd/{held}")
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=(held,))
    with pytest.raises(NotNowError), records.alone():
        pass
    child.communicate(b"")
    with records.alone():
        pass


@pytest.mark.parametrize("program", ALL)
def test_the_environment_wins_over_the_command(program: str) -> None:
    names = {
        "restic": ("RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"),
        "borg": ("BORG_PASSPHRASE", "BORG_PASSCOMMAND"),
    }
    said, command = names[program]

    def seen(made: restic.Restic | borg.Borg) -> dict[str, str]:
        return (made._run if isinstance(made, restic.Restic) else made._program)._environ

    assert seen(PROGRAMS[program]("x", {}, "show it"))[command] == "show it"
    assert command not in seen(PROGRAMS[program]("x", {said: "mine"}, "show it"))


def test_where_repositories_are(tmp_path: Path) -> None:
    def located(first: str, second: str, environ: dict[str, str]) -> list[str]:
        said = {"backup_engine": "restic", "backup_repository": first or None, "backup_second": second or None}
        return repositories(resolve(flags=said, environ={}, configured={}), environ, tmp_path)

    assert located("local:repo", "sftp:me@host:/x", {}) == [f"{tmp_path}/repo", "sftp:me@host:/x"]
    assert located("", "", {"RESTIC_REPOSITORY": "/from/there"}) == ["/from/there"]
    assert located("/mine", "", {"RESTIC_REPOSITORY": "/from/there"}) == ["/mine"]
    assert located("", "", {}) == []


class Faulty:
    """A program that keeps what it is handed, and then says that it has failed."""

    name = title = "faulty"

    def __init__(self) -> None:
        self.kept: list[Snapshot] = []

    def listed(self) -> list[Snapshot]:
        return list(self.kept)

    def put(self, stage: Path, name: str, home: str, held: Sequence[int]) -> int | None:
        assert (stage / "manifest.json").exists()
        assert held
        self.kept.append(Snapshot(name, home, name))
        raise ProgramError("it could not read all of it", hint="", why=Refusal.OTHER)

    def read(self, snapshot: Snapshot, file: str) -> bytes:
        raise NotImplementedError

    def fetch(self, snapshot: Snapshot, target: Path) -> None:  # noqa: ARG002 - of the contract
        (target / "manifest.json").symlink_to("/etc/passwd")

    def check(self) -> None:
        raise NotImplementedError

    def drop(self, snapshots: Sequence[Snapshot]) -> None:
        self.kept = [one for one in self.kept if one not in snapshots]


def test_a_backup_that_failed_half_way_is_none(site: Site) -> None:
    program = Faulty()
    place = Repository(program, BackupPlace(site.home.backups / ".faulty", site.home.id), site.home.id)
    with pytest.raises(ProgramError, match="could not read all"):
        back_up(site, place)
    assert (program.kept, place.entries(), list(place.directory.glob("[!.]*"))) == ([], [], [])
    assert place.prune(Keeping(0, 0, 0, 0), now=site.now).names == []
    assert not site.home.last_backup.exists()


def test_a_name_or_a_link_out_of_a_repository_is_not_followed(site: Site) -> None:
    program = Faulty()
    place = Repository(program, BackupPlace(site.home.backups / ".faulty", site.home.id), site.home.id)
    program.kept = [Snapshot("../../x", site.home.id, "1")]
    assert place.entries() == []
    name = site.back_up().name
    entry = site.newest()
    program.kept, place._listed = [Snapshot(name, site.home.id, "2")], None
    with pytest.raises(StoreDamagedError, match="neither a file nor a folder"), place.opened(entry):
        pass


@pytest.mark.parametrize("what", ["changed", "longer", "cut", "gone", "link"])
def test_a_file_that_comes_back_as_another_is_found(tmp_path: Path, what: str) -> None:
    tree, path = Tree(tmp_path), tmp_path / "home" / "home.json"
    stored = tree.store(io.BytesIO(b"content and more"), 7, b"home/home.json")
    file = File(path="home/home.json", size_bytes=stored.size_bytes, pieces=stored.pieces)
    assert b"".join(tree.content(file)) == b"content"
    path.unlink()
    if what == "link":
        (tmp_path / "other").write_bytes(b"content")
        path.symlink_to("../other")
    elif what != "gone":
        path.write_bytes({"changed": b"contend", "longer": b"content!", "cut": b"conten"}[what])
    with pytest.raises(DamagedError):
        list(tree.content(file))
