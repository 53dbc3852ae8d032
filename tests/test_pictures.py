"""The pictures of the front page are what the program shows, drawn by a script, and small."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SHOWN = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text("utf-8"))
#: Bytes of one picture: nobody waits for them, and every copy of the repository has them.
MOST = 300_000


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "scripts" / "pictures" / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_has_somebody_who_draws_it_and_is_shown(draw: ModuleType) -> None:
    there = {path.name for path in draw.PICTURES.iterdir()}
    assert there == set(draw.DRAWERS)
    assert {ROOT / name for name in SHOWN} == {draw.PICTURES / name for name in draw.DRAWERS}


@pytest.mark.parametrize("name", SHOWN)
def test_they_are_small_and_fetch_nothing(name: str) -> None:
    content = (ROOT / name).read_bytes()
    assert len(content) < MOST
    if name.endswith(".svg"):
        addresses = set(re.findall(rb"https?://[^\s\"')]+", content))
        assert addresses <= {b"http://www.w3.org/2000/svg", b"https://www.textualize.io"}
        assert b"@font-face" not in content


def test_a_terminal_is_drawn_line_by_line(draw: ModuleType) -> None:
    svg = draw.drawn(["Running well: [4] of 9", "  a \\ <b>"], "overnight status")
    words = re.sub(r"&#160;", " ", " ".join(re.findall(r"<text[^>]*>([^<]*)</text>", svg)))
    assert "Running well: [4] of 9" in words
    assert "a \\ &lt;b&gt;" in words
