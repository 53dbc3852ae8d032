"""``docs/testing.md`` does what it says: its tests pass as pasted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from overnight import testing

PAGE = Path(__file__).parents[1] / "docs" / "testing.md"
PROGRAMS = dict(re.findall(r"```python\n# file: (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL))


def pasted(directory: Path, name: str, change: tuple[str, str] = ("", "")) -> subprocess.CompletedProcess[str]:
    """A file of the page, run by pytest in a directory of its own."""
    (directory / name).write_text(PROGRAMS[name].replace(*change))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("name", ["test_ingest.py", "test_crashes.py"])
def test_the_tests_of_the_page_pass_as_pasted(tmp_path: Path, name: str) -> None:
    done = pasted(tmp_path, name)
    assert done.returncode == 0, done.stdout


def test_a_workflow_that_gives_up_too_early_is_found_out(tmp_path: Path) -> None:
    """The control."""
    done = pasted(tmp_path, "test_ingest.py", ("retries = 3", "retries = 1"))
    assert done.returncode == 1


def test_every_program_of_the_page_is_tried() -> None:
    assert set(PROGRAMS) == {"test_ingest.py", "test_crashes.py"}


def test_the_page_names_everything_public() -> None:
    page = PAGE.read_text("utf-8")
    unsaid = {"START", "Deed", "Line", "Told"}
    assert {name for name in testing.__all__ if not re.search(rf"\b{name}\b", page)} == unsaid
