"""``dashboard``: what it says before it serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overnight.host.home import Home, create
from overnight.ui.web import serving
from overnight.ui.web.access import token_of
from overnight.wiring import pages

Call = Callable[..., Any]


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra."""
    for name in [one for one in sys.modules if one.startswith(("overnight.ui.web", "fastapi", "uvicorn"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)


def test_without_the_extra_it_says_what_to_install(overnight: Call, missing: None) -> None:  # noqa: ARG001 - for its effect
    overnight("add", "a", "--", "true")
    said = overnight("dashboard")
    assert said.status == 2
    assert "uvicorn, which is not installed; nothing was started, and no task was touched" in said.err
    assert "try: pip install 'overnight[web]'" in said.err


def test_without_a_home_there_is_nothing_to_show(overnight: Call) -> None:
    assert overnight("dashboard").status == 4


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])  # noqa: S104 - it is refused
def test_others_cannot_reach_it_unless_it_is_said_by_which_name(address: str, overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    said = overnight("dashboard", "--bind", address)
    assert said.status == 2
    assert "by which name is not said; the dashboard was not started" in said.err
    assert not (place / ".overnight" / "token").exists()


def test_a_port_that_is_taken_is_told(overnight: Call) -> None:
    overnight("add", "a", "--", "true")
    taken = serving.listen(serving.Listening(port=0))
    with taken:
        said = overnight("dashboard", "--port", str(taken.getsockname()[1]))
    assert said.status == 2
    assert "--port 0" in said.err


def test_where_the_usual_port_is_taken_another_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving.listen(serving.Listening(port=0)) as taken:
        monkeypatch.setattr(serving, "PORT", taken.getsockname()[1])
        with serving.listen(serving.Listening()) as other:
            assert other.getsockname()[1] != taken.getsockname()[1]


def test_another_link_is_printed_at_any_time(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    with serving.listen(serving.Listening(port=0)) as somebody:
        port = somebody.getsockname()[1]
        said = overnight("dashboard", "--link", "--port", str(port))
    assert said.out.startswith(f"http://127.0.0.1:{port}/enter?code=")
    assert token_of(Home(place / ".overnight").token) not in said.out


@pytest.mark.parametrize("more", [(), ("--port", "1")])
def test_a_link_leads_to_somebody(more: tuple[str, ...], overnight: Call) -> None:
    """Not to the dashboard of another home at the usual port, and not to a port where nobody listens."""
    overnight("add", "a", "--", "true")
    said = overnight("dashboard", "--link", *more)
    assert (said.status != 0, said.out) == (True, "")
    assert "no dashboard of this home is served" in said.err
    assert "try: 'overnight dashboard' serves one" in said.err


def test_it_serves_until_it_is_told_to_stop(overnight: Call, place: Path) -> None:
    """As a program: one link on stdout, and Ctrl-C ends it."""
    overnight("add", "a", "--", "true")
    words = [sys.executable, "-m", "overnight", "dashboard", "--port", "0"]
    with subprocess.Popen(
        words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ}
    ) as process:
        assert process.stdout is not None
        try:
            link = process.stdout.readline().decode().strip()
            base = link.partition("/enter")[0]
            assert urllib.request.urlopen(base + "/healthz", timeout=60).read() == b"ok\n"  # noqa: S310 - of ours
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)


def test_beside_the_work_it_is_refused_where_nothing_would_keep_it_going(
    overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_MONITOR", "false")
    overnight("add", "a", "--", "true")
    said = overnight("start", "--dashboard")
    assert said.status == 2
    assert "'monitor' is off; nothing was started" in said.err
    said = overnight("monitor-init", "--dashboard", "page.html")
    assert said.status == 2
    assert not (place / "page.html").exists()


def test_a_unit_serves_it_too(overnight: Call) -> None:
    assert " start --foreground --dashboard" in overnight("start", "--install", "--dry-run", "--dashboard").out


def test_a_page_that_nobody_wants_any_more(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_MONITOR", "true")
    home = Home(place / ".overnight")
    overnight("monitor-init", "--dashboard", "page.html", "--update-interval", "5s")
    found = pages.wanted(home)
    assert found is not None
    assert (found.file, found.every) == (bytes(place / "page.html"), 5.0)
    overnight("monitor-init", "--off")
    assert pages.wanted(home) is None
    assert "where the page goes" in overnight("monitor-init").err


def test_a_list_with_a_mistake_makes_no_page(overnight: Call, place: Path) -> None:
    (place / "list.md").write_text("- [ ] T1: a (depends on T9)\n")
    assert overnight("monitor-init", "--queue", "list.md", "--dashboard", "page.html").status == 2
    assert not (place / "page.html").exists()


def test_why_there_is_none_is_said_once(place: Path) -> None:
    home = create(place / ".overnight")
    assert [pages.tell_trouble(home, words) for words in ("no port", "no port", "no room")] == [True, False, True]


def test_a_page_that_cannot_be_written_is_told_by_its_name(overnight: Call, place: Path) -> None:
    overnight("add", "a", "--", "true")
    missing = place / "none" / "x.html"
    said = overnight("dashboard", "--html", str(missing))
    assert said.status == 1
    assert f"{missing} could not be written (No such file or directory); no task was touched" in said.err
    assert "try: overnight dashboard --html FILE" in said.err
