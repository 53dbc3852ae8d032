"""The front page does what it says: its code runs as pasted, in an empty directory."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

import pytest
from pasting import pasted

README = Path(__file__).parents[1] / "README.md"
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
#: What is no program.
DATA = {"toml"}


def block(language: str) -> str:
    """The one block in this language."""
    (found,) = [words for name, words in BLOCKS if name == language]
    return found


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    made = tmp_path / "empty"
    made.mkdir()
    return made


def test_the_shell_lines_run_as_pasted(empty: Path) -> None:
    said = pasted(empty, "sh", "-e", "-c", block("sh"))
    assert len(list(empty.glob("letter-*.txt.gz"))) == 5
    assert "The books balance: 5 tasks, each accounted for." in said
    assert "overnight: 5 inputs completed before and skipped" in said


def test_the_python_program_runs_as_pasted_and_again(empty: Path) -> None:
    program = block("python")
    name = program.splitlines()[0].removeprefix("# ")
    (empty / name).write_text(program)
    for _ in range(2):
        *_, summary, results = [line for line in pasted(empty, "python", name) if line]
        assert "processed=5" in summary
        assert results == "[3, 6, 9, 12, 15]"


def test_both_run_in_the_same_directory(empty: Path) -> None:
    """Whoever tries one tries the other."""
    test_the_shell_lines_run_as_pasted(empty)
    test_the_python_program_runs_as_pasted_and_again(empty)


def test_the_pipeline_runs_as_pasted_and_again(empty: Path) -> None:
    ignored = shutil.ignore_patterns(".overnight", "published", "__pycache__")
    shutil.copytree(README.parent / "examples", empty / "examples", ignore=ignored)
    said = pasted(empty, "sh", "-e", "-c", block("bash"))
    steps = [line.split()[1:3] for line in said if re.match(r" *[0-9]+  ", line)]
    assert [name for name, state in steps if state == "completed"] == [
        "probe", "extract", "copy", "summarise", "publish", "work-gate",
    ]  # fmt: skip
    published = sorted(path.name for path in (empty / "examples/pipeline/published").iterdir())
    names = [path.name for path in (empty / "examples/demo").iterdir() if path.is_file()]
    assert published == sorted([*names, *(f"{name}.json" for name in names)])
    again = pasted(empty, "sh", "-e", "-c", block("bash"))
    assert f"overnight: {len(names)} inputs completed before and skipped" in again


def test_the_lines_of_the_pipeline_are_those_of_the_example() -> None:
    shown = next(words for name, words in BLOCKS if name == "toml" and "[[workflow" in words)
    there = tomllib.loads((README.parent / "examples/pipeline/overnight.toml").read_text("utf-8"))
    (step,) = tomllib.loads(shown)["workflow"]["pipeline"]["step"]
    assert step in there["workflow"]["pipeline"]["step"]


def test_every_block_is_tried_or_is_no_program() -> None:
    assert sorted({name for name, _ in BLOCKS} - DATA) == ["bash", "python", "sh"]
