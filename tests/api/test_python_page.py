"""``docs/python.md`` does what it says: its programs run as pasted, and it names what there is."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import overnight

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
PROGRAMS = dict(re.findall(r"```python\n# file: (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


def pasted(here: Path, name: str) -> list[str]:
    """What a program of the page prints, by lines."""
    (here / name).write_text(PROGRAMS[name])
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, name], cwd=here, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_queue_of_files_runs_as_pasted(here: Path) -> None:
    (here / "texts").mkdir()
    for name in ("a", "b", "urgent"):
        (here / f"texts/{name}.txt").write_text("one two three")
    (said,) = pasted(here, "nightly.py")
    assert said == str({"success": True, "processed": 4, "failed": 0, "stopped_by": "queue_empty"})
    assert overnight.Overnight().result(1) == 3


def test_the_work_by_hand_runs_as_pasted(here: Path) -> None:
    assert pasted(here, "by_hand.py") == [f"working on {name}.txt" for name in "abc"]
    assert overnight.FileQueue().is_empty()


def test_functions_and_commands_run_as_pasted(here: Path) -> None:
    said = pasted(here, "letters.py")
    assert said[0] == "A PLAIN CALL"
    assert sorted(said[1:-1]) == [f"done: {number}" for number in range(1, 6)]
    assert said[-1] == "5 queue_empty HELLO"


def test_every_program_of_the_page_is_tried() -> None:
    assert set(PROGRAMS) == {"nightly.py", "by_hand.py", "letters.py"}


@pytest.mark.parametrize("kind", [overnight.FileQueue, overnight.AutonomousProcessor, overnight.Overnight])
def test_the_page_names_every_public_method(kind: type[Any]) -> None:
    page = PAGE.read_text("utf-8")
    methods = {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")} - {"close"}
    assert {name for name in methods if not re.search(rf"\b{name}\b", page)} == set()
