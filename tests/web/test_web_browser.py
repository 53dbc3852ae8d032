"""The pages in a real browser: what a person sees, and that nothing leaves this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browsing import Tab, browser, why_not
from dashboards import NOON, Served, drain, fail, finish, home_in, new, serving, store_of

from overnight.core.nodes import Census, NodeRow
from overnight.core.workflow.model import Step, Workflow
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.ui.web.app import PAGES

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "there is a browser")

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
#: Where pictures of the pages are left for people to look at.
PICTURES = os.environ.get("OVERNIGHT_PICTURES", "")

Enter = Callable[..., Tab]


@pytest.fixture(scope="session")
def chrome() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def enter(chrome: Any) -> Iterator[Enter]:
    """Go into a dashboard by a link. Whatever the test sees, no page may complain or ask another machine."""
    contexts: list[Any] = []
    tabs: list[Tab] = []

    def go(served: Served, path: str = "/", **how: Any) -> Tab:
        context = chrome.new_context(**({"viewport": {"width": 1400, "height": 900}} | how))
        contexts.append(context)
        tab = Tab(context.new_page())
        tabs.append(tab)
        tab.page.goto(served.dashboard.link())
        if path != "/":
            tab.page.goto(f"http://{served.host}{path}")
        return tab

    yield go
    strangers = [url for tab in tabs for url in tab.strangers]
    # The dashboard may have ended under the page; what a page asks of others is seen above.
    complaints = [words for tab in tabs for words in tab.complaints if "net::ERR_" not in words]
    for context in contexts:
        context.close()
    assert strangers == []
    assert complaints == []


def test_the_first_page_tells_how_it_goes(enter: Enter, served: Served) -> None:
    tab = enter(served)
    tab.see("Nothing moves: no engine runs; 7 of 12 tasks left; 3 of 12 failed; nothing lost.")
    tab.see("tasks, all accounted for")
    rows = tab.page.get_by_role("table", name="Failures by cause").locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() == 2
    assert "disk" in rows.first.inner_text()


def test_nodes_have_a_table_where_there_are_any(enter: Enter, home: Home, own: Served) -> None:
    tab = enter(own)
    tab.see("tasks, all accounted for")
    nodes = tab.page.get_by_role("table", name="Nodes")
    assert not nodes.is_visible()
    now = SystemClock().now()
    home.engine_info.write_bytes(msgspec.json.encode({"pid": 1, "started_at": now - 60}))
    rows = [NodeRow("a", "up", slots=2, held=1, heard_at=now), NodeRow("b", "away", "not heard", slots=2, lost=3)]
    home.nodes.write_bytes(msgspec.json.encode(Census(now, rows)))
    nodes.wait_for(state="visible")
    told = [row.inner_text().split("\t") for row in nodes.locator("tbody tr").all()]
    assert [row[:3] for row in told] == [["a", "✓ up", "1 of 2"], ["b", "✕ lost", "0 of 2"]]
    assert told[1][4:] == ["3", "not heard"]


def test_failures_that_nobody_counted_are_not_none(enter: Enter, served: Served) -> None:
    """There is no history: what is said of it is a dash."""
    tab = enter(served)
    with tab.page.expect_response("**/api/v1/history*"):
        tab.page.reload()
    tab.see("3 of 12 failed")
    value = tab.page.locator(".chart", has=tab.page.get_by_label("Failed attempts over time")).locator(".value")
    assert value.inner_text() == "–"


def test_what_has_not_come_yet_is_not_known(enter: Enter, served: Served) -> None:
    """No word of the engine, none of the causes: nothing is green, none is not said, and no button does anything."""
    tab = enter(served)
    for kind in ("stream", "pulse", "overview"):
        tab.page.route(f"**/api/v1/{kind}", lambda _: None)
    tab.page.reload()
    tab.see("Connecting")
    stop = tab.page.get_by_role("button", name="Stop", exact=True)
    assert stop.is_disabled()
    assert tab.page.get_by_role("button", name="Pause", exact=True).is_disabled()
    assert tab.page.get_by_text("Nothing has failed.").is_hidden()
    drawn = "[...document.querySelectorAll('.dot, .sentence')].map(e => getComputedStyle(e))"
    inks = tab.page.evaluate(f"{drawn}.flatMap(s => [s.backgroundColor, s.borderLeftColor])")
    tab.page.evaluate("document.getElementById('age').style.color = 'var(--completed)'")
    assert tab.page.evaluate("getComputedStyle(document.getElementById('age')).color") not in inks
    tab.page.unroute("**/api/v1/stream")
    tab.page.reload()
    tab.see("3 of 12 failed")
    assert tab.page.get_by_text("Nothing has failed.").is_hidden()


def test_a_deed_that_nobody_answers_is_told_in_our_words(enter: Enter, home: Home) -> None:
    with serving(home) as served:
        tab = enter(served)
        tab.see("3 of 12 failed")
    tab.page.get_by_role("button", name="Pause", exact=True).click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    tab.see("the dashboard does not answer; whether it did what was asked is not known")


def test_a_state_that_does_not_exist_is_said_once(enter: Enter, served: Served) -> None:
    tab = enter(served, "/tasks?state=bogus")
    tab.page.locator("#main .empty").get_by_text("state: Input should be").wait_for()
    tab.page.get_by_role("link", name="All tasks").click()
    tab.page.get_by_role("table", name="Tasks").locator("tbody tr").first.wait_for()
    assert tab.page.locator(".toast").count() == 0
    tab.complaints.clear()  # the browser tells of every 422


def test_the_header_is_one_row_at_1280(enter: Enter, served: Served) -> None:
    tab = enter(served, viewport={"width": 1280, "height": 800})
    tab.page.locator('#live[data-age="live"]').wait_for()
    brand, save = tab.page.locator(".brand"), tab.page.get_by_role("button", name="Checkpoint")
    assert save.bounding_box()["y"] < brand.bounding_box()["y"] + brand.bounding_box()["height"]


def test_what_changes_in_the_store_changes_on_the_page(enter: Enter, own: Served) -> None:
    tab = enter(own)
    tab.see("7 of 12 tasks left")
    with store_of(own.home) as store:
        store.add([new("another")], now=NOON)
    tab.see("8 of 13 tasks left")


@pytest.mark.parametrize("page", ["", *PAGES, "tasks/1", "workflows/none", "nothing"])
def test_every_page_opens(page: str, enter: Enter, served: Served) -> None:
    if page == "nothing":
        assert served.ask("GET", "/nothing").headers["content-type"] == "application/problem+json"
    tab = enter(served, f"/{page}")
    tab.page.locator("#main h1, #main .empty").first.wait_for(state="attached")
    tab.page.locator('#live[data-age="live"]').wait_for()
    if page in ("workflows/none", "nothing"):
        tab.complaints.clear()  # the browser tells of every 404


def test_names_and_logs_of_strangers_are_only_text(enter: Enter, home: Home) -> None:
    with store_of(home) as store:
        store.add([new(HOSTILE), new("y", title=HOSTILE, description=HOSTILE)], now=NOON)
        fail(store, "z", "hostile", HOSTILE + "</script><script>document.title='owned'</script>")
    drain(home)
    with serving(home) as served:
        for path in ("/", "/tasks", "/tasks/14", "/tasks/15", "/errors", "/log"):
            tab = enter(served, path)
            tab.see("onerror=")
            assert tab.page.locator("img").count() == 0
            assert "owned" not in tab.page.title()


def test_a_cause_is_retried_from_the_page(enter: Enter, own: Served) -> None:
    """The question says how many, and what to type instead."""
    tab = enter(own)
    tab.page.get_by_role("button", name="Retry 2 tasks").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_text("overnight retry --state failed --cause disk").wait_for()
    dialog.get_by_role("button", name="Retry 2 tasks").click()
    tab.see("2 tasks queued once more")
    tab.see("1 of 12 failed")


def test_somebody_goes_back_to_a_checkpoint_from_the_page(enter: Enter, own: Served) -> None:
    """In two steps: what it would undo is shown, and its name is to be typed; Enter alone does nothing."""
    own.post("checkpoint")
    (made,) = own.get("checkpoints").json["checkpoints"]
    with store_of(own.home) as store:
        store.add([new("since")], now=NOON)
    drain(own.home)
    tab = enter(own, "/checkpoints")
    tab.page.get_by_role("button", name="Go back …").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_text("1 task added since would be gone").wait_for()
    agree = dialog.get_by_role("button", name="Go back")
    assert agree.is_disabled()
    field = dialog.get_by_role("textbox")
    field.press("Enter")
    assert dialog.is_visible()
    field.fill(made["name"])
    agree.click()
    tab.see("back at checkpoint")
    tab.page.goto(f"http://{own.host}/")
    tab.see("7 of 12 tasks left")


def test_a_priority_is_changed_on_the_page(enter: Enter, own: Served) -> None:
    tab = enter(own, "/tasks/12")
    tab.page.get_by_role("button", name="Edit", exact=True).click()
    tab.page.get_by_label("Priority").fill("9")
    tab.page.get_by_role("dialog").get_by_role("button", name="Change").click()
    tab.see("1 task changed")
    tab.see("priority 9")


def test_a_button_keeps_the_focus_while_its_task_runs(enter: Enter, own: Served) -> None:
    """The page of a running task is told anew each second; a button made anew would be lost to the keyboard."""
    with store_of(own.home) as store:
        popped = store.pop("gpu", owner="1:1:1", now=time.time(), by="test")
        assert popped is not None
    tab = enter(own, f"/tasks/{popped.task_id}")
    tab.page.get_by_role("button", name="Cancel", exact=True).focus()
    life = tab.page.locator(".life b")
    before = life.inner_text()
    tab.page.wait_for_function("before => document.querySelector('.life b').innerText !== before", arg=before)
    assert tab.page.evaluate("document.activeElement.innerText") == "Cancel"


def test_a_question_can_be_answered_with_no(enter: Enter, own: Served) -> None:
    tab = enter(own)
    tab.page.get_by_role("button", name="Pause", exact=True).click()
    tab.page.keyboard.press("Escape")
    assert own.get("pulse").json["engine"]["state"] == "stopped"
    with store_of(own.home) as store:
        assert not any(one.paused for one in store.queues())


def test_everything_is_reached_by_keys_alone(enter: Enter, own: Served) -> None:
    tab = enter(own)
    keys = tab.page.keyboard
    tab.see("Nothing moves")
    keys.press("f")
    tab.page.wait_for_url("**/tasks?state=failed")
    tab.page.get_by_role("table", name="Tasks").locator("tbody tr").nth(2).wait_for()
    keys.press("/")
    keys.type("b")
    tab.page.wait_for_url("**search=b")
    keys.press("Escape")  # out of the field
    keys.press("g")
    keys.press("e")
    tab.page.wait_for_url("**/errors")
    keys.press("?")
    tab.page.get_by_role("dialog").get_by_text("search tasks").wait_for()
    keys.press("Escape")
    keys.press("p")
    tab.page.get_by_role("dialog").get_by_text("overnight pause").wait_for()
    keys.press("Enter")
    tab.see("everything paused")


def test_a_list_is_paged_there_and_back(enter: Enter, home: Home) -> None:
    with store_of(home) as store:
        store.add([new(f"file {n}") for n in range(120)], now=NOON)
    with serving(home) as served:
        tab = enter(served, "/tasks")
        rows = tab.page.get_by_role("table", name="Tasks").locator("tbody tr")
        tab.page.get_by_role("link", name="132", exact=True).wait_for()
        assert rows.count() == 50
        tab.page.get_by_role("button", name="older").click()
        tab.page.get_by_role("link", name="82", exact=True).wait_for()
        tab.page.get_by_role("button", name="older").click()
        tab.page.get_by_role("link", name="32", exact=True).wait_for()
        assert rows.count() == 32
        tab.page.go_back()
        tab.page.get_by_role("link", name="82", exact=True).wait_for()


def test_a_filter_is_in_the_address(enter: Enter, served: Served) -> None:
    tab = enter(served, "/tasks?state=failed&cause=disk")
    tab.see("2 match")
    tab.page.reload()
    tab.see("2 match")


def test_an_open_page_outlives_the_dashboard(enter: Enter, home: Home) -> None:
    """Killed and started again at the same port: it says so meanwhile, and goes on by itself."""
    with serving(home) as first:
        tab = enter(first)
        tab.see("7 of 12 tasks left")
        port = first.port
    tab.page.locator('#live[data-age="old"], #live[data-age="dead"]').wait_for()
    with store_of(home) as store:
        store.add([new("meanwhile")], now=NOON)
    with serving(home, port=port):
        tab.see("8 of 13 tasks left")
        tab.page.locator('#live[data-age="live"]').wait_for()


def test_twelve_tabs_are_all_live(chrome: Any, own: Served) -> None:
    """A browser opens six connections to a host; tabs that nobody sees let go of theirs."""
    context = chrome.new_context()
    pages: list[Any] = []
    for number in range(12):
        page = context.new_page()
        page.goto(own.dashboard.link() if not number else f"http://{own.host}/")
        page.bring_to_front()
        # A headless browser shows all of its tabs; those behind are told what a real one tells them.
        for other in pages:
            _hide(other)
        page.get_by_text("7 of 12 tasks left").wait_for()
        pages.append(page)
    with store_of(own.home) as store:
        store.add([new("another")], now=NOON)
    for page in pages:
        for other in pages:
            _hide(other)
        _show(page)
        page.get_by_text("8 of 13 tasks left").wait_for()
    context.close()


def _hide(page: Any) -> None:
    _tell_seen(page, hidden=True)


def _show(page: Any) -> None:
    _tell_seen(page, hidden=False)


def _tell_seen(page: Any, *, hidden: bool) -> None:
    page.evaluate(
        "hidden => { if (document.hidden === hidden && document.told === hidden) return; document.told = hidden;"
        " Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


@pytest.mark.prove  # 25 s of a processor: hundreds of buttons, each of which Chromium describes for who cannot see
def test_a_large_graph_opens_by_its_phases(enter: Enter, home: Home) -> None:
    """Hundreds of nodes are a texture and no map; a phase is shown by itself, under an address of its own."""
    steps = tuple(Step(id=f"s{n}", phase=("look", "work")[n % 2], run=("true",)) for n in range(310))
    flow = Workflow(name="large", phases=("look", "work"), steps=steps)
    with store_of(home) as store:
        store.define([flow], source="test", now=NOON, by="test")
    with serving(home) as served:
        tab = enter(served, "/workflows/large")
        names = tab.page.get_by_role("list", name="Steps").get_by_role("button")
        tab.see("look (155)")
        assert names.count() == 2
        names.first.click()
        tab.page.wait_for_url("**/workflows/large?phase=look")
        tab.see("s308")
        assert names.count() == 155
        tab.page.get_by_label("Part of the graph").select_option("all steps")
        tab.see("s309")


@pytest.mark.prove
def test_a_million_tasks_are_at_hand(enter: Enter, tmp_path: Path) -> None:
    """The newest page is there at once; what lies behind all others is found part by part, and said meanwhile."""
    home = home_in(tmp_path)
    with store_of(home) as store:
        finish(store, "needle")
        for begin in range(0, 1_000_000, 20_000):
            store.add([new(f"file {n}") for n in range(begin, begin + 20_000)], now=NOON)
    with serving(home) as served:
        tab = enter(served, "/tasks")
        tab.page.get_by_role("link", name="1000001", exact=True).wait_for()
        for address in ("/tasks?search=needle", "/tasks?state=completed"):
            tab.page.goto(f"http://{served.host}{address}")
            tab.see("of 1,000,001 so far")
            tab.see("1 match")
            tab.page.get_by_role("link", name="1", exact=True).wait_for()
        tab.page.goto(f"http://{served.host}/")
        tab.see("1,000,000 of 1,000,001 tasks left")


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [("light", 1400, "light"), ("dark", 1400, "dark"), ("narrow", 390, "light")]
)
def test_nothing_is_cut_off(name: str, width: int, scheme: str, enter: Enter, served: Served, tmp_path: Path) -> None:
    """No page is wider than its window. The pictures are for people: OVERNIGHT_PICTURES names a folder for them."""
    folder = Path(PICTURES) if PICTURES else tmp_path
    tab = enter(served, viewport={"width": width, "height": 850}, color_scheme=scheme)
    for page in ("", "tasks", "tasks/1", "errors", "timeline", "checkpoints", "health", "log"):
        tab.page.goto(f"http://{served.host}/{page}")
        tab.page.locator('#live[data-age="live"]').wait_for()
        tab.page.locator("#main h1").first.wait_for(state="attached")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        tab.page.screenshot(path=folder / f"{name}-{page.replace('/', '-') or 'overview'}.png", full_page=True)
