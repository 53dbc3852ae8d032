"""A directory of one's own for each test, and ways to wait."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_machine import ROOM


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: empty, but for settings that make retries quick."""
    for name in [name for name in os.environ if name.startswith("OVERNIGHT_")]:
        monkeypatch.delenv(name)
    for name, value in ROOM.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "overnight.toml").write_text('[defaults]\nbackoff = "100ms"\n')
    return tmp_path


@pytest.fixture
def python(here: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start another Python in this directory with a few lines; it and what it started are ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=here,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def ledger(here: Path) -> Callable[[], Counter[str]]:
    """How often each path was worked on, by what the work itself wrote down."""

    def read() -> Counter[str]:
        path = here / "ledger"
        return Counter(path.read_text("utf-8").splitlines() if path.exists() else ())

    return read
