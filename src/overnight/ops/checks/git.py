"""Whether the project's work is safe in its repository."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from overnight.core.durations import format_count
from overnight.core.findings import Finding
from overnight.host.home import Home
from overnight.ops.asking import answer_of
from overnight.ops.checks.contract import Check, Scene, by_hand, ok, unknown, warn

_ID = "git"
_COMMIT = by_hand("commit", "Commit what has changed", "git status; git add -A && git commit")
_PUSH = by_hand("push", "Push what is only here", "git push")
_PULL = by_hand("pull", "Take in what is only there", "git pull")


def _run(scene: Scene) -> Iterator[Finding]:
    top = next((above for above in (scene.project, *scene.project.parents) if (above / ".git").exists()), None)
    if top is None:
        return
    # For programs; it neither takes the lock of the index nor asks the network.
    argv = ["git", "status", "--porcelain=v2", "--branch", *_without_home(top, scene.home)]
    answer = answer_of(argv, cwd=scene.project, seconds=CHECK.timeout, env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})
    if answer is None or answer[0]:
        how = "does not answer in time" if answer is None else f"ends with exit status {answer[0]}"
        yield unknown(_ID, f"git {how}", by_hand("git", "See why", "git status"))
        return
    lines = answer[1].splitlines()
    changed = sum(not line.startswith("#") for line in lines)
    ahead, behind = _distance(lines)
    if changed:
        words = format_count(
            changed, "file has changed and is not committed", "files have changed and are not committed"
        )
        yield warn(_ID, words, _COMMIT, value=changed, unit="count")
    if ahead:
        yield warn(
            _ID, format_count(ahead, "commit is not pushed", "commits are not pushed"), _PUSH, value=ahead, unit="count"
        )
    if behind:
        words = format_count(
            behind, "commit of the other side is missing here", "commits of the other side are missing here"
        )
        yield warn(_ID, words, _PULL, value=behind, unit="count")
    if not (changed or ahead or behind):
        yield ok(_ID, "everything is committed", value=0, unit="count")


def _without_home(top: Path, home: Home | None) -> list[str]:
    """What git is to look at: all but the home, which is nobody's work."""
    if home is None or not home.path.is_relative_to(top):
        return []
    return ["--", ":/", f":(top,exclude,literal){home.path.relative_to(top)}"]


def _distance(lines: list[str]) -> tuple[int, int]:
    """Commits that only we have, and that only the other side has. Source: git-status(1), porcelain version 2."""
    for line in lines:
        if line.startswith("# branch.ab "):
            ahead, behind = line.split()[2:4]
            return int(ahead), -int(behind)
    return 0, 0


CHECK = Check(_ID, "git repository", _run, every=300.0)
