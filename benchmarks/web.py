"""The dashboard in a real browser: how soon a change is seen, how soon a page is there, what it costs.

Run by ``make bench-web``. The server is a process of its own, the writer is this one, the browser is headless
Chromium. Latency is from the end of a commit to the words on the page, by the clock of the machine.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
from measuring import OVERNIGHT, Row, directory
from playwright.sync_api import Browser

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from browsing import Tab, browser, why_not
from dashboards import NOON, fail, finish, home_in, new, store_of

from overnight.core.workflow.layers import lay_out
from overnight.host.home import Home

#: Commits a second of the writer, and how many of them are watched; tasks of the large store.
RATE, PROBES, MANY = 12, 150, 1_000_000
_WATCH = r"""
() => {
  window.seen = [];
  const look = () => {
    const found = document.body.innerText.match(/= ([\d,]+)\s+tasks/);
    const total = found ? Number(found[1].replaceAll(',', '')) : 0;
    if (!total || total === window.last) return;
    window.last = total;
    window.seen.push([total, performance.timeOrigin + performance.now()]);
  };
  look();
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
}
"""


class Server:
    """``overnight dashboard`` as a process."""

    def __init__(self, home: Home) -> None:
        words = [*OVERNIGHT, "--home", str(home.path), "dashboard", "--port", "0"]
        self.process = subprocess.Popen(
            words, cwd=home.path.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.link = self.process.stdout.readline().strip()
        self.base = self.link.partition("/enter")[0]
        self.token = home.token.read_text().strip()
        self.home = home

    def get(self, path: str) -> None:
        """Ask the API, and take the whole answer apart."""
        request = urllib.request.Request(self.base + path, headers={"Authorization": f"Bearer {self.token}"})  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - ours
            json.load(answer)

    def another_link(self) -> str:
        """For another browser."""
        port = self.base.rpartition(":")[2]
        words = [*OVERNIGHT, "--home", str(self.home.path), "dashboard", "--link", "--port", port]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@contextlib.contextmanager
def served(home: Home) -> Iterator[Server]:
    """A server, ended at the end."""
    server = Server(home)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(30)


def filled(place: Path, tasks: int) -> Home:
    """A home with so many tasks; a thousand of them failed of ten causes, and a thousand are done."""
    home = home_in(place)
    with store_of(home) as store:
        for number in range(1000):
            fail(store, f"bad {number}", f"cause {number % 10}")
            finish(store, f"good {number}")
        for begin in range(0, tasks - 2000, 20_000):
            names = range(begin, min(begin + 20_000, tasks - 2000))
            store.add([new(f"file {n}.wav", queue=("default", "gpu")[n % 50 == 0]) for n in names], now=NOON)
    return home


def latency(chrome: Browser, home: Home, windows: int) -> tuple[list[float], float, float, float, list[str]]:
    """Milliseconds from commit to page; CPU share and megabytes of the server; growth of the page; complaints."""
    with served(home) as server:
        # A context each: tabs behind others are drawn once a second, whoever asks them to.
        contexts = [chrome.new_context(viewport={"width": 1200, "height": 800}) for _ in range(windows)]
        tabs = [Tab(context.new_page()) for context in contexts]
        for tab in tabs:
            tab.page.goto(server.another_link())
            tab.page.get_by_text("all accounted for").first.wait_for()
            tab.page.evaluate(_WATCH)
        tabs[0].page.wait_for_timeout(3000)
        meter = psutil.Process(server.process.pid)
        told: dict[int, float] = {}
        heap = _heap(tabs[0])
        before, began = sum(meter.cpu_times()[:2]), time.perf_counter()
        writer = threading.Thread(target=_write, args=(home, told))
        writer.start()
        while writer.is_alive():
            tabs[0].page.wait_for_timeout(200)
        spent = (sum(meter.cpu_times()[:2]) - before) / (time.perf_counter() - began)
        tabs[0].page.wait_for_timeout(1000)
        grown = _heap(tabs[0]) - heap
        found = [took for tab in tabs for took in _waits(told, tab.page.evaluate("window.seen"))]
        size = meter.memory_info().rss / 1e6
        wrong = [words for tab in tabs for words in [*tab.strangers, *tab.complaints]]
        for context in contexts:
            context.close()
    return found, spent, size, grown, wrong


def _waits(told: dict[int, float], seen: list[tuple[int, float]]) -> Iterator[float]:
    """How long each change waited until a page showed it, or a later one."""
    for total, at in told.items():
        yield min(when for shown, when in seen if shown >= total) - at


def _write(home: Home, told: dict[int, float]) -> None:
    """So many commits a second; when each was there, in milliseconds."""
    with store_of(home) as store:
        total = store.counts().total
        for number in range(PROBES):
            store.add([new(f"probe {number} {random.random()}")], now=time.time())  # noqa: S311 - a name
            told[total + number + 1] = time.time() * 1000
            time.sleep(1 / RATE)


def _heap(tab: Tab) -> float:
    session = tab.page.context.new_cdp_session(tab.page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    session.detach()
    return float(used)


def first_paint(chrome: Browser, home: Home) -> tuple[float, float]:
    """Milliseconds to the first contentful paint (median of seven), and kilobytes of a first visit."""
    paints, sizes = [], []
    with served(home) as server:
        for _ in range(7):
            context = chrome.new_context()
            page = context.new_page()
            page.goto(server.another_link())
            page.get_by_text("all accounted for").first.wait_for()
            paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
            script = (
                "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
                ".filter((e) => !e.name.includes('/api/')).reduce((a, e) => a + e.transferSize, 0)"
            )
            sizes.append(page.evaluate(script) / 1000)
            context.close()
    return statistics.median(paints), max(sizes)


def questions(home: Home) -> dict[str, float]:
    """Milliseconds of each page of the list, whole request; median of nine."""
    with served(home) as server:
        middle = MANY // 2
        asked = {
            "newest page": "/api/v1/tasks",
            "a page in the middle": f"/api/v1/tasks?before={middle}",
            "failed": "/api/v1/tasks?state=failed",
            "one cause": "/api/v1/tasks?state=failed&cause=cause%203",
            "pending of a queue": "/api/v1/tasks?state=pending&queue=gpu",
            "completed, behind all others": "/api/v1/tasks?state=completed",
            "words that nothing has": "/api/v1/tasks?search=nothing-has-this",
            "the first page": "/api/v1/overview",
        }
        return {name: _median(server, path) for name, path in asked.items()}


def _median(server: Server, path: str) -> float:
    server.get(path)
    took = []
    for _ in range(9):
        began = time.perf_counter()
        server.get(path)
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def layout_ms(nodes: int) -> float:
    """Milliseconds of a CPU to lay out a graph of so many nodes, median of three."""
    dice = random.Random(7)  # noqa: S311 - a graph
    needs = [sorted({dice.randrange(max(0, n - 60), n) for _ in range(2)}) if n else [] for n in range(nodes)]
    took = []
    for _ in range(3):
        began = time.process_time()
        lay_out(needs, range(nodes))
        took.append(1000 * (time.process_time() - began))
    return statistics.median(took)


def measure(tasks: int = MANY) -> Iterator[Row]:
    """Everything."""
    with browser() as chrome, directory() as place:
        small = filled(_made(place / "small"), 10_000)
        paint, size = first_paint(chrome, small)
        yield Row("first contentful paint", f"{paint:.0f} ms", "median of 7 new visitors", "< 200 ms", paint < 200)
        yield Row("page over the wire, first visit", f"{size:.0f} kB", "", "< 80 kB", size < 80)
        for windows in (1, 5):
            yield from _latency_rows(chrome, small, windows)
        large = filled(_made(place / "large"), tasks)
        for name, took in questions(large).items():
            yield Row(f"{tasks:,} tasks: {name}", f"{took:.0f} ms", "whole request", "< 50 ms", took < 50)
    for nodes in (500, 5000):
        took = layout_ms(nodes)
        yield Row(f"layout of {nodes:,} nodes", f"{took:.0f} ms of a CPU", "", "< 100 ms", took < 100)


def _latency_rows(chrome: Browser, home: Home, windows: int) -> Iterator[Row]:
    found, spent, size, grown, wrong = latency(chrome, home, windows)
    found.sort()
    slow = found[int(len(found) * 0.99)]
    open_in = f"{windows} window{'s' if windows > 1 else ''}"
    beside = f"median {statistics.median(found):.0f} ms, {len(found)} changes, waits included"
    yield Row(f"commit to page, p99, {open_in}", f"{slow:.0f} ms", beside, "< 250 ms", slow < 250)
    yield Row(f"server, {open_in}, {RATE} commits/s", f"{spent:.1%} of a CPU", "", "< 3 %", spent < 0.03)
    yield Row(f"memory of the server, {open_in}", f"{size:.0f} MB", "", "< 70 MB", size < 70)
    yield Row(f"script heap after {PROBES} changes, {open_in}", f"{grown:+.1f} MB", "", "< 5 MB", grown < 5)
    yield Row(f"complaints, and requests to other machines, {open_in}", str(len(wrong)), "", "0", not wrong)


def _made(place: Path) -> Path:
    place.mkdir()
    return place


def main() -> None:
    """Print the table."""
    if why_not():
        print(why_not())
        return
    print("| what | figure | beside | goal | met |\n|---|---|---|---|---|")
    quick = re.fullmatch(r"\d+", sys.argv[1]) if len(sys.argv) > 1 else None
    for row in measure(int(quick[0]) if quick else MANY):
        met = "" if row.met is None else "yes" if row.met else "no"
        print(f"| {row.what} | {row.figure} | {row.beside} | {row.must} | {met} |", flush=True)


if __name__ == "__main__":
    main()
