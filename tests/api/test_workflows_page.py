"""``docs/workflows.md`` does what it says: its files, its shell lines and its program run as pasted, in its order."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from pasting import pasted

from overnight.core.workflow.fields import GATE, STEP, WORKFLOW

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workflows.md").read_text("utf-8")
BLOCKS: list[tuple[str, str, str, str]] = re.findall(r"```(\w+)\n# (file|in): (\S+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of the page, and a copy of the examples."""
    made = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "examples", made / "examples", ignore=shutil.ignore_patterns(".overnight", "published"))
    for _, kind, name, text in BLOCKS:
        target = made / name
        (target.parent if kind == "file" else target).mkdir(parents=True, exist_ok=True)
        if kind == "file":
            target.write_text(text)
    return made


def lines_in(name: str) -> str:
    (found,) = [text for _, kind, where, text in BLOCKS if (kind, where) == ("in", name)]
    return found


def test_the_first_workflow(site: Path) -> None:
    said = pasted(site / "first", "sh", "-e", "-c", lines_in("first"))
    assert said[0].startswith("count: 2 steps, nothing wrong; longest way: words > long")
    assert [line for line in said if line.endswith(" words")] == ["tale.txt: 7 words"]


def test_the_pipeline(site: Path) -> None:
    said = pasted(site / "examples" / "pipeline", "sh", "-e", "-c", lines_in("examples/pipeline"))
    assert said[0].startswith("pipeline: 6 steps, nothing wrong")
    published = {path.name for path in (site / "examples" / "pipeline" / "published").iterdir()}
    files = {path.name for path in (site / "examples" / "demo").iterdir() if path.is_file()}
    assert published == files | {f"{name}.json" for name in files}


def test_a_built_in_workflow(site: Path) -> None:
    said = pasted(site / "built-in", "sh", "-e", "-c", lines_in("built-in"))
    assert '  "summary": "letter.txt: text/plain, 17 bytes, 1 line, 3 words",' in said


def test_the_program(site: Path) -> None:
    said = pasted(site / "python", sys.executable, "flow.py")
    assert "processed=1" in said[0]
    assert said[1:] == [
        "probe completed {'size': 16}",
        "report completed a.txt has 16 bytes",
        "backup completed None",
    ]
    assert (site / "python" / "a.bak").read_text() == "leave it running"


def test_every_block_is_tried() -> None:
    assert len(re.findall(r"^```\w", PAGE, re.MULTILINE)) == len(BLOCKS)
    assert {where for _, kind, where, _ in BLOCKS if kind == "in"} == {"first", "examples/pipeline", "built-in"}


def test_every_key_is_named() -> None:
    for field in (*WORKFLOW, *STEP, *GATE):
        assert f"`{field.key}`" in PAGE or f"`{field.key} =" in PAGE or f"`{field.key}`," in PAGE, field.key
