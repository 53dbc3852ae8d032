"""Draw the pictures of the README anew, from what the program really shows: ``make pictures``.

    python scripts/pictures/draw.py [NAME ...]

The report is that of the simulated night of the tests, with its known faults. The screen is looked at while an engine
works. Terminals are drawn as SVG; the page is looked at by a Chromium, and is left as it was where there is none.
"""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from overnight.monitor.report.gathering import MorningReport

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs" / "pictures"
OVERNIGHT = (sys.executable, "-m", "overnight")
#: Columns and rows of the terminals; the window of the page.
COLUMNS, ROWS = 92, 24
WINDOW = "1000,1250"
#: Seconds for which an engine works before it is looked at.
WARM = 25.0
JOB = """
import random
import time

import overnight


def transcribe(name):
    dice = random.Random(name)
    pages = dice.randint(3, 12)
    for page in range(pages):
        overnight.progress(page / pages, f"minute {page + 1} of {pages}")
        time.sleep(0.4)
        if dice.random() < 0.02:
            raise ValueError("bad header in block 7")
"""


def report() -> None:
    """``overnight report`` after the simulated night."""
    from overnight.ui.report.as_text import as_text

    save("report.svg", drawn(as_text(night(), columns=COLUMNS), "overnight report"))


def page() -> None:
    """The page of the same night."""
    from browsing import chromium

    from overnight.ui.report.as_html import as_html

    browser = chromium()
    if browser is None:
        print("no Chromium here: page.png stays as it is")
        return
    with tempfile.TemporaryDirectory() as place:
        written = Path(place) / "night.html"
        written.write_text(as_html(night()), "utf-8")
        shown = ("--hide-scrollbars", f"--window-size={WINDOW}", f"--screenshot={PICTURES / 'page.png'}")
        quiet = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
        nothing = subprocess.DEVNULL
        subprocess.run([browser, *quiet, *shown, written.as_uri()], check=True, timeout=120, stderr=nothing)


def monitor() -> None:
    """``overnight monitor`` beside an engine that works."""
    # Who watches writes its last word a moment after the engine has ended.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        directory = Path(place) / "interviews"
        directory.mkdir()
        (directory / "job.py").write_text(JOB)
        names = [f"interview-{number:03d}.wav" for number in range(240)]
        call(directory, "add", "--call", "job:transcribe", "--retries", "0", ":::", *names)
        call(directory, "start", "-j", "6")
        try:
            time.sleep(WARM)
            save("monitor.svg", asyncio.run(screen(directory / ".overnight")))
        finally:
            call(directory, "stop", "--now")


async def screen(home: Path) -> str:
    """The live screen, as it is a moment after it was opened."""
    from overnight.host.home import Home
    from overnight.ui.tui.looking import Watcher
    from overnight.ui.tui.screen import Monitor
    from overnight.wiring import clock, open_store

    async def act(_: Sequence[str]) -> tuple[int, str]:
        return 0, ""

    watcher = Watcher(home, lambda: open_store(Home(home), readonly=True), clock.now)
    app = Monitor(watcher, act)
    async with app.run_test(size=(COLUMNS, ROWS)) as pilot:
        await pilot.pause(2.0)
        return local(app.export_screenshot(title="overnight monitor"))


def night() -> MorningReport:
    """The report of the simulated night, lived once."""
    from simulated_night import SimulatedNight

    if not _lived:
        with tempfile.TemporaryDirectory() as place:
            simulated = SimulatedNight(Path(place))
            simulated.live()
            _lived.append(simulated.report())
    return _lived[0]


_lived: list[MorningReport] = []


def drawn(lines: Sequence[str], title: str) -> str:
    """Lines as a terminal shows them."""
    from rich.console import Console

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    for line in lines:
        console.print(line, markup=False)
    return local(console.export_svg(title=title))


def local(svg: str) -> str:
    """Without the addresses of letters on the network: whatever the reader has of one width will do."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def save(name: str, svg: str) -> None:
    """Put a drawing in its place."""
    (PICTURES / name).write_text(svg, "utf-8")


def call(directory: Path, *words: str) -> None:
    """Run a command to its end."""
    subprocess.run([*OVERNIGHT, *words], cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


#: Every picture, and who draws it.
DRAWERS: dict[str, Callable[[], None]] = {"report.svg": report, "page.png": page, "monitor.svg": monitor}


def main(names: Sequence[str]) -> None:
    """Draw those that are named, or all."""
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    PICTURES.mkdir(exist_ok=True)
    for name in names or DRAWERS:
        DRAWERS[name]()
        print(f"drew {PICTURES / name}")


if __name__ == "__main__":
    main(sys.argv[1:])
