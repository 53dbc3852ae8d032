"""Backups that restic keeps. Those of ours are known by their tags; what else is in the repository is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from overnight.ops.backups.programs.contract import Refusal, Snapshot
from overnight.ops.backups.programs.running import Advice, Running, shown

_OURS, _HOME, _NAME = "overnight", "overnight-home=", "overnight-backup="
#: Exit statuses since 0.17; before that every failure is 1. Source: restic manual, "Scripting".
_STATUS = {10: Refusal.NO_REPOSITORY, 11: Refusal.LOCKED, 12: Refusal.PASSWORD}
_ABSENT = ("no such file or directory", "does not exist")
_SAID = (
    (Refusal.PASSWORD, ("wrong password", "an empty password", "Resolving password failed")),
    (Refusal.LOCKED, ("already locked", "unable to create lock")),
    (Refusal.AWAY, ("Is there a repository at", "dial tcp", "connection refused", "no such host")),
)
_PASSWORDS = ("RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND")
#: Variables that name a repository where no setting does.
REPOSITORY = "RESTIC_REPOSITORY"


class _Snapshot(msgspec.Struct):
    id: str
    tags: list[str] = []


class _Summary(msgspec.Struct):
    message_type: str
    data_added: int | None = None


class Restic:
    """One repository of restic.

    Args:
        repository: As ``restic -r`` has it.
        environ: The environment; it has the password, or says how to find it.
        password_command: Prints the password, where the environment says nothing of it; empty: none.
    """

    name = "restic"

    def __init__(self, repository: str, environ: Mapping[str, str], password_command: str) -> None:
        self.title = shown(repository)
        seen = {name: value for name, value in environ.items() if name != "RESTIC_REPOSITORY_FILE"}
        seen[REPOSITORY] = repository  # not an argument: everybody can read those of others
        if password_command and not any(seen.get(name) for name in _PASSWORDS):
            seen["RESTIC_PASSWORD_COMMAND"] = password_command
        advice = Advice(
            install="apt install restic",
            password=f"set one of {', '.join(_PASSWORDS)}, or password_command in [backup], and type it again",
            init=f"see whether its disk is mounted; a new one: restic -r {self.title} init",
            unlock=f"wait for it, and type it again; if nobody is: restic -r {self.title} unlock",
        )
        self._run = Running(self.name, self.title, seen, _judge, advice)

    def listed(self) -> list[Snapshot]:
        said = self._run("snapshots", "--no-lock", "--json", "--tag", _OURS)
        found = msgspec.json.decode(said or b"null", type=list[_Snapshot] | None) or []
        return [Snapshot(_tagged(one, _NAME), _tagged(one, _HOME), one.id) for one in found]

    def put(self, stage: Path, name: str, home: str, held: Sequence[int]) -> int | None:
        tags = f"{_OURS},{_HOME}{home},{_NAME}{name}"
        said = self._run("backup", "--json", "--tag", tags, ".", cwd=stage, held=held)
        lines = [msgspec.json.decode(line, type=_Summary) for line in said.splitlines() if line.startswith(b"{")]
        return next((line.data_added for line in lines if line.message_type == "summary"), None)

    def read(self, snapshot: Snapshot, file: str) -> bytes:
        return self._run("dump", snapshot.id, f"/{file}")

    def fetch(self, snapshot: Snapshot, target: Path) -> None:
        self._run("restore", snapshot.id, "--target", str(target))

    def check(self) -> None:
        self._run("check")

    def drop(self, snapshots: Sequence[Snapshot]) -> None:
        self._run("forget", "--prune", *(snapshot.id for snapshot in snapshots))


def _tagged(snapshot: _Snapshot, prefix: str) -> str:
    return next((tag.removeprefix(prefix) for tag in snapshot.tags if tag.startswith(prefix)), "")


def _judge(status: int, complaints: str) -> tuple[Refusal, str]:
    lines = [line.strip() for line in complaints.splitlines() if line.strip()]
    told = [line for line in lines if line.lower().startswith(("fatal", "error", "resolving"))] or lines[-1:]
    return _why(status, complaints), "; ".join(dict.fromkeys(told)) or f"exit status {status}"


def _why(status: int, complaints: str) -> Refusal:
    if status in _STATUS:
        return _STATUS[status]
    if "unable to open config file" in complaints and any(words in complaints for words in _ABSENT):
        return Refusal.NO_REPOSITORY
    return next((why for why, words in _SAID if any(word in complaints for word in words)), Refusal.OTHER)
