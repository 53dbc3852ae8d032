"""A directory of one's own, and the command line in it: in this process for speed, or as a real program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overnight.ui import cli


class Said(NamedTuple):
    """What a command line ended with and said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object it printed."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Call = Callable[..., Said]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, empty; no home above it, nothing piped in."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("OVERNIGHT_HOME", raising=False)
    monkeypatch.delenv("OVERNIGHT_DEBUG", raising=False)
    monkeypatch.setattr("overnight.ui.cli.input_lists._piped", lambda: None)
    return here


@pytest.fixture
def overnight(place: Path, capsys: pytest.CaptureFixture[str]) -> Call:  # noqa: ARG001 - for its effect
    """Run a command line in this process."""

    def call(*words: str | bytes) -> Said:
        capsys.readouterr()
        status = cli.run([os.fsdecode(word) for word in words])
        out, err = capsys.readouterr()
        return Said(status, out, err)

    return call


@pytest.fixture
def program(place: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """Run a command line as a program of its own."""

    def call(
        *words: str | bytes, stdin: bytes | None = None, env: dict[str, str] | None = None, python: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[bytes]:
        clean = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        pipe: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run(
            [sys.executable, *python, "-m", "overnight", *words],
            cwd=place,
            env=clean | (env or {}),
            capture_output=True,
            timeout=120,
            check=False,
            **pipe,
        )

    return call
