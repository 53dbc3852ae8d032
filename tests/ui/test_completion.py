"""Completion in real shells: a person types a few letters and presses TAB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from keyboard import typing

#: How each shell starts without anybody's own files, and how it loads the script.
LOAD = {
    "bash": 'eval "$(overnight completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(overnight completion zsh)"',
}
START = {"bash": ("bash", "--norc", "--noprofile", "-i"), "zsh": ("zsh", "-f", "-i")}
CLEAR = b"\x15"  # Ctrl-U: the line is empty again

#: What is typed before TAB, and what stands there afterwards.
TYPED = [
    ("overnight sho", "overnight show "),
    ("overnight run --keep-o", "overnight run --keep-order "),
    ("overnight queue si", "overnight queue size "),
    ("overnight list --state comp", "overnight list --state completed "),
    ("overnight run the-f", "overnight run the-file.txt "),
    ("overnight run -a the-f", "overnight run -a the-file.txt "),
    ("overnight run x -- only-my-pro", "overnight run x -- only-my-program "),
    ("overnight run x -- cat the-f", "overnight run x -- cat the-file.txt "),
    ("overnight run --cwd the-d", "overnight run --cwd the-directory/"),
    ("overnight add -q spec", "overnight add -q special "),
    ("overnight run -w wf-p", "overnight run -w wf-pipeline-full "),
    ("overnight workflow graph wf-i", "overnight workflow graph wf-ingest "),
]


@pytest.fixture
def desk(place: Path) -> Path:
    """A directory with a home, a file, a directory and a program; ``overnight`` and it are on the PATH."""
    programs = place / "bin"
    programs.mkdir()
    for name, does in (("overnight", f'exec {sys.executable} -m overnight "$@"'), ("only-my-program", "true")):
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    (place / "the-file.txt").touch()
    (place / "the-directory").mkdir()
    add = [str(programs / "overnight"), "add", "-q", "special", "--title", "a task", "--", "true"]
    subprocess.run(add, cwd=place, stdin=subprocess.DEVNULL, check=True, capture_output=True)
    return place


def missing(shell: str) -> bool:
    return shutil.which(shell) is None


@pytest.mark.parametrize(
    "shell", [pytest.param(name, marks=pytest.mark.skipif(missing(name), reason="not here")) for name in LOAD]
)
def test_tab_completes_what_can_be_typed(desk: Path, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{desk / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("PS1", "> ")
    with typing(desk, *START[shell]) as keyboard:
        keyboard.press(f"{LOAD[shell]}; echo lo''aded\n".encode())
        keyboard.see(b"loaded")
        for before, after in TYPED:
            keyboard.seen = b""
            keyboard.press(before.encode() + b"\t")
            keyboard.see(after.encode())
            keyboard.press(CLEAR)
        keyboard.press(b"exit\n")
        assert keyboard.end() == 0


@pytest.mark.skipif(missing("fish"), reason="not here")
def test_fish_completes_what_can_be_typed(desk: Path) -> None:
    script = "overnight completion fish | source; for line in $argv; complete -C $line; end"
    ended = subprocess.run(
        ["fish", "--no-config", "-c", script, "--", *(before for before, _ in TYPED), "overnight show "],
        cwd=desk,
        env={**os.environ, "PATH": f"{desk / 'bin'}{os.pathsep}{os.environ['PATH']}", "HOME": str(desk)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    offered = [line.split("\t")[0] for line in ended.stdout.splitlines()]
    assert offered == [*(after.split()[-1] for _, after in TYPED), "1"]
    assert "1\tpending  true" in ended.stdout or "1\tpending  a task" in ended.stdout


def test_no_home_is_no_reason_to_say_anything(place: Path) -> None:
    for words in ("overnight show ", "overnight add -q "):
        env = {"_OVERNIGHT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()))}
        ended = subprocess.run(
            [sys.executable, "-m", "overnight"], cwd=place, env={**os.environ, **env}, capture_output=True, check=False
        )
        assert (ended.returncode, ended.stdout.strip(), ended.stderr) == (0, b"", b"")
