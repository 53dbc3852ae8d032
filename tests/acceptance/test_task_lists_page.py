"""Every example of ``docs/task-lists.md``: its files are written, its lines are typed into a real shell, in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from small_machine import ROOM

PAGE = (Path(__file__).parents[2] / "docs" / "task-lists.md").read_text("utf-8")
FILES: list[tuple[str, str]] = re.findall(r"^`([\w.-]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS: list[str] = re.findall(r"^```console\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def examples(block: str) -> list[tuple[str, str]]:
    """What is typed, and what it prints."""
    found = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    assert "".join(f"$ {line}\n{output}" for line, output in found) == block
    return found


def test_each_example_prints_what_the_page_says(tmp_path: Path) -> None:
    for name, content in FILES:
        (tmp_path / name).write_text(content)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "overnight").write_text(f'#!/bin/sh\nexec {sys.executable} -m overnight "$@"\n')
    (tmp_path / "bin" / "overnight").chmod(0o755)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")} | ROOM
    environ["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{environ['PATH']}"
    for line, output in [one for block in BLOCKS for one in examples(block)]:
        ended = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            text=True,
        )
        assert ended.stdout == output, f"{line}\n{ended.stderr}"


def test_every_example_is_found() -> None:
    assert [name for name, _ in FILES] == ["task-queue.md", "broken.md", "work.jsonl", "tasks.json"]
    assert len(BLOCKS) == PAGE.count("```console") == 5
