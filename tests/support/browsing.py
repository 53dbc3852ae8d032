"""A headless Chromium that may talk to this machine alone."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

#: Nothing of its own: no updates, no look-ups, no first-run pages.
_QUIET = (
    *("--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-default-apps"),
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Where the browser is; None when there is none."""
    named = os.environ.get("OVERNIGHT_BROWSER")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


def why_not() -> str:
    """Why no browser can be had; empty when one can."""
    if chromium() is None:
        return "no Chromium here; 'make browser' installs it where apt-get can"
    try:
        import playwright.sync_api  # noqa: F401 - whether it is there
    except ImportError:
        return "playwright is not installed"
    return ""


class Tab:
    """A page, and everything that it has asked for and complained about."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.strangers: list[str] = []
        self.complaints: list[str] = []
        page.route("**/*", self._let)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _let(self, route: Any) -> None:
        """Requests to this machine pass; every other one is noted and goes nowhere."""
        host = urlsplit(route.request.url).hostname
        if host in ("127.0.0.1", "localhost", None) or route.request.url.startswith(("blob:", "data:")):
            route.continue_()
        else:
            self.strangers.append(route.request.url)
            route.abort()

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def see(self, words: str) -> Any:
        """Wait until these words can be seen."""
        place = self.page.get_by_text(words).first
        place.wait_for(state="visible")
        return place


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Chromium, ended at the end."""
    from playwright.sync_api import sync_playwright

    alone = ("--no-sandbox",) if os.geteuid() == 0 else ()  # its sandbox wants another user than root
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium(), args=[*_QUIET, *alone])
        try:
            yield started
        finally:
            started.close()
