"""The first page as one file."""

from __future__ import annotations

import queue
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from dashboards import NOON, drain, fail, store_of

from overnight.core.workflow.model import Step, Workflow, packed
from overnight.host.home import Home
from overnight.ui.web import graphs, still
from overnight.ui.web.drawing import drawing
from overnight.ui.web.task_answers import GraphView

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


class Tags(HTMLParser):
    """Every tag and attribute of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.fixture
def page(home: Home) -> str:
    with store_of(home) as store:
        fail(store, HOSTILE, "hostile", HOSTILE)
    drain(home)
    with still.looking(home) as desk:
        return still.page(still.look(desk, still.PastTimes(desk)), every=None)


def test_it_says_what_the_first_page_says(page: str) -> None:
    assert "Nothing moves: no engine runs; 7 of 13 tasks left; 4 of 13 failed; nothing lost." in page
    assert "overnight retry --cause disk" in page
    assert "<b>2</b> completed" in page


def test_it_has_no_script_and_asks_nobody(page: str) -> None:
    found = Tags()
    found.feed(page)
    assert not {"script", "img", "link", "iframe", "object", "form", "a"} & set(found.tags)
    assert not [name for name, _ in found.attributes if name.startswith("on") or name in ("src", "href", "style")]
    assert not re.search(r"url\(|@import|https?:", page)
    assert "&lt;img src=x" in page


def test_it_looks_at_itself_again_only_when_asked(home: Home) -> None:
    with still.looking(home) as desk:
        seen = still.look(desk, still.PastTimes(desk))
    assert 'http-equiv="refresh"' not in still.page(seen, every=None)
    assert '<meta http-equiv="refresh" content="5">' in still.page(seen, every=5.0)


def test_the_command_writes_it_without_the_extra(home: Home, tmp_path: Path) -> None:
    """What serves is never imported for a file."""
    blocked = "import sys; sys.modules.update(fastapi=None, uvicorn=None, starlette=None)"
    words = ["dashboard", "--html", "night.html"]
    ended = subprocess.run(
        [sys.executable, "-c", f"{blocked}; from overnight.ui.cli import run; sys.exit(run({words!r}))"],
        cwd=home.path.parent,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert "7 of 12 tasks left" in (tmp_path / "night.html").read_text("utf-8")


def test_a_graph_is_drawn_with_the_names_of_strangers_as_text(home: Home) -> None:
    steps = (Step(id="a", run=("true",)), Step(id="b", run=("true",), needs=("a",)))
    flow = drawing(_graph_of(home, Workflow(name="cut", steps=steps)))
    assert flow.count("<rect") == 2
    assert flow.count("M") == 1
    named = msgspec.structs.replace(_graph_of(home, Workflow(name="cut", steps=steps)), name="<script>")
    assert "<script>" not in drawing(named)


def test_a_graph_that_would_be_a_texture_is_told_in_words(home: Home) -> None:
    steps = tuple(Step(id=f"s{n}", run=("true",)) for n in range(400))
    assert "400 steps" in drawing(_graph_of(home, Workflow(name="large", steps=steps)))


def test_a_large_graph_is_laid_out_before_it_is_opened(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each definition, by whoever lists the workflows."""
    laid_out: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    monkeypatch.setattr(graphs, "_laid_out", laid_out.put)
    large = Workflow(name="large", steps=tuple(Step(id=f"s{n}", run=("true",)) for n in range(1000)))
    small = Workflow(name="small", steps=large.steps[:400])
    with store_of(home) as store:
        store.define([large, small], source="test", now=NOON, by="test")
        for _ in range(2):
            assert len(graphs.flows(store, NOON).workflows) == 2
    assert laid_out.get(timeout=60) == packed(large)
    assert laid_out.empty()


def _graph_of(home: Home, flow: Workflow) -> GraphView:
    with store_of(home) as store:
        store.define([flow], source="test", now=NOON, by="test")
        return graphs.of_workflow(store, flow.name)
