"""Every example of ``docs/parallel.md``, typed into a real shell, and what the other program says if it is here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from small_machine import ROOM

PAGE = Path(__file__).parents[2] / "docs" / "parallel.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """What is typed, and what it prints."""

    ours: str
    #: The same for GNU parallel or xargs; empty where there is no such line.
    theirs: str
    output: str


def examples() -> list[Example]:
    found = []
    for block in _BLOCK.findall(PAGE.read_text("utf-8")):
        lines = block.splitlines()
        typed = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        output = "".join(f"{line}\n" for line in lines[len(typed) :])
        found.append(Example(typed[-1], typed[0] if len(typed) == 2 else "", output))
    return found


EXAMPLES = examples()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """The files that the page speaks of, and ``overnight`` on the PATH."""
    for name, letters in (("abc-file", "ABC"), ("def-file", "DEF")):
        (tmp_path / name).write_text("".join(f"{letter}\n" for letter in letters))
    (tmp_path / "abc0-file").write_bytes(b"A\0B\0C\0")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "overnight").write_text(f'#!/bin/sh\nexec {sys.executable} -m overnight "$@"\n')
    (tmp_path / "bin" / "overnight").chmod(0o755)
    (tmp_path / "bin" / "will-cite").touch()
    return tmp_path


def printed(line: str, desk: Path) -> str:
    """What a line prints to stdout."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")} | ROOM
    environ["PATH"] = f"{desk / 'bin'}{os.pathsep}{environ['PATH']}"
    environ["PARALLEL_HOME"] = str(desk / "bin")  # where it looks whether its notice was read
    ended = subprocess.run(
        ["bash", "-c", line],
        cwd=desk,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert b"Traceback" not in ended.stderr
    return ended.stdout.decode()


@pytest.mark.parametrize("example", [pytest.param(one, id=one.ours[:60]) for one in EXAMPLES])
def test_an_example_prints_what_the_page_says(example: Example, desk: Path) -> None:
    assert printed(example.ours, desk) == example.output


@pytest.mark.skipif(shutil.which("parallel") is None, reason="no GNU parallel here")
@pytest.mark.parametrize("example", [pytest.param(one, id=one.theirs[:60]) for one in EXAMPLES if one.theirs])
def test_the_other_program_prints_the_same(example: Example, desk: Path) -> None:
    assert printed(example.theirs, desk) == example.output


def test_every_example_of_the_page_is_found() -> None:
    assert len(EXAMPLES) == PAGE.read_text("utf-8").count("```console") >= 35
    assert all("overnight " in one.ours and one.output for one in EXAMPLES)
    assert all("parallel " in one.theirs or "xargs " in one.theirs for one in EXAMPLES if one.theirs)
