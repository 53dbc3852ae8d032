"""``docs/cli.md`` and the manual page are what the commands say about themselves."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
MANUAL = PROJECT / "docs" / "overnight.1"


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(PROJECT / "scripts" / "cli_reference.py"))


def test_the_page_of_commands_says_what_the_program_says(script: dict[str, Any]) -> None:
    """After a change: make docs."""
    assert (PROJECT / "docs" / "cli.md").read_text("utf-8") == script["page"]()


def test_the_manual_page_says_what_the_program_says(script: dict[str, Any]) -> None:
    """After a change: make docs."""
    assert MANUAL.read_text("utf-8") == script["manual"]()


def test_no_line_of_the_manual_page_is_taken_for_a_macro(script: dict[str, Any]) -> None:
    assert script["_roff"]("a-b\n.overnight\n'overnight run'\n\\n") == "a\\-b\n\\&.overnight\n\\&'overnight run'\n\\en"


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_the_manual_page_is_set_without_a_complaint() -> None:
    ended = subprocess.run(
        ["groff", "-man", "-ww", "-Tutf8", str(MANUAL)], capture_output=True, check=False, encoding="utf-8"
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "overnight run" in ended.stdout
