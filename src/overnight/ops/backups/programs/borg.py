"""Backups that borg keeps. Those of ours are known by their names; what else is in the repository is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.ops.backups.programs.contract import Refusal, Snapshot
from overnight.ops.backups.programs.running import Advice, Running, shown

_OURS = "overnight-"
#: What borg calls its errors. Source: borg manual, "All about JSON", message ids.
_WHY = {
    "PassphraseWrong": Refusal.PASSWORD,
    "PasscommandFailure": Refusal.PASSWORD,
    "NoPassphraseFailure": Refusal.PASSWORD,
    "LockTimeout": Refusal.LOCKED,
    "Repository.DoesNotExist": Refusal.NO_REPOSITORY,
    "Repository.InvalidRepository": Refusal.NO_REPOSITORY,
    "Repository.ParentPathDoesNotExist": Refusal.NO_REPOSITORY,
    "ConnectionClosed": Refusal.AWAY,
    "ConnectionClosedWithHint": Refusal.AWAY,
    "ConnectionBrokenWithHint": Refusal.AWAY,
}
_PASSWORDS = ("BORG_PASSPHRASE", "BORG_PASSCOMMAND")
#: The variable that names a repository where no setting does.
REPOSITORY = "BORG_REPO"


class _Archive(msgspec.Struct):
    name: str


class _Listed(msgspec.Struct):
    archives: list[_Archive]


class _Stats(msgspec.Struct):
    deduplicated_size: int | None = None


class _New(msgspec.Struct):
    stats: _Stats


class _Created(msgspec.Struct):
    archive: _New


class _Line(msgspec.Struct):
    """One line of its log."""

    message: str = ""
    levelname: str = ""
    msgid: str = ""


class Borg:
    """One repository of borg.

    Args:
        repository: As ``BORG_REPO`` has it.
        environ: The environment; it has the passphrase, or says how to find it.
        password_command: Prints the passphrase, where the environment says nothing of it; empty: none.
    """

    name = "borg"

    def __init__(self, repository: str, environ: Mapping[str, str], password_command: str) -> None:
        self.title = shown(repository)
        seen = {**environ, REPOSITORY: repository}
        if password_command and not any(name in seen for name in _PASSWORDS):
            seen["BORG_PASSCOMMAND"] = password_command
        advice = Advice(
            install="apt install borgbackup",
            password=f"set {' or '.join(_PASSWORDS)}, or password_command in [backup], and type it again",
            init=f"see whether its disk is mounted; a new one: borg init -e repokey-blake2 {self.title}",
            unlock=f"wait for it, and type it again; if nobody is: borg break-lock {self.title}",
        )
        self._program = Running(self.name, self.title, seen, _judge, advice)

    def _run(self, *words: str, cwd: Path | None = None, held: Sequence[int] = ()) -> bytes:
        return self._program("--log-json", *words, cwd=cwd, held=held)

    def listed(self) -> list[Snapshot]:
        found = msgspec.json.decode(self._run("list", "--json", "--glob-archives", f"{_OURS}*"), type=_Listed)
        named = [(archive.name, *archive.name.removeprefix(_OURS).partition("-")) for archive in found.archives]
        return [Snapshot(name, home, archive) for archive, home, _, name in named]

    def put(self, stage: Path, name: str, home: str, held: Sequence[int]) -> int | None:
        archive = f"::{_OURS}{home}-{name}"
        # Each time the files are others, so to remember them is of no use.
        said = self._run("create", "--json", "--files-cache", "disabled", archive, ".", cwd=stage, held=held)
        return msgspec.json.decode(said, type=_Created).archive.stats.deduplicated_size

    def read(self, snapshot: Snapshot, file: str) -> bytes:
        return self._run("extract", "--stdout", f"::{snapshot.id}", file)

    def fetch(self, snapshot: Snapshot, target: Path) -> None:
        self._run("extract", f"::{snapshot.id}", cwd=target)

    def check(self) -> None:
        self._run("check")

    def drop(self, snapshots: Sequence[Snapshot]) -> None:
        self._run("delete", f"::{snapshots[0].id}", *(snapshot.id for snapshot in snapshots[1:]))
        self._run("compact")


def _judge(status: int, complaints: str) -> tuple[Refusal, str]:
    lines = [line for line in map(_line, complaints.splitlines()) if line.message]
    told = [line.message.strip() for line in lines if line.levelname in ("ERROR", "CRITICAL")]
    words = "; ".join(dict.fromkeys(told or [line.message.strip() for line in lines[-1:]]))
    why = next((_WHY[line.msgid] for line in lines if line.msgid in _WHY), Refusal.OTHER)
    return why, words.replace("\n", " ") or f"exit status {status}"


def _line(words: str) -> _Line:
    try:
        return msgspec.json.decode(words[words.find("{") :], type=_Line)
    except msgspec.DecodeError:
        return _Line(words)
