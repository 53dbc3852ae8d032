"""``docs/cli.md`` is what the commands say about themselves."""

from __future__ import annotations

import runpy
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_the_page_of_commands_says_what_the_program_says() -> None:
    """After a change: make docs."""
    page: str = runpy.run_path(str(PROJECT / "scripts" / "cli_reference.py"))["page"]()
    assert (PROJECT / "docs" / "cli.md").read_text("utf-8") == page
