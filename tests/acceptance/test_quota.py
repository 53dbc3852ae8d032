"""A real server that lets only a few through: nobody calls before it opens again, and everybody is served."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from terminal import Terminal

FETCH = """
import urllib.request
def fetch(name):
    with urllib.request.urlopen(URL + name) as answer:
        return answer.status
"""
BEFORE_CLOSING, CLOSED = 20, 2.0


class Shop(ThreadingHTTPServer):
    """Serves some, then closes for a while and says how long."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.lock = threading.Lock()
        self.served = 0
        self.opens: float | None = None
        #: How many came while it was closed, after the first who was told.
        self.early = 0

    def answer(self) -> float | None:
        """None to be served, else seconds to wait."""
        with self.lock:
            now = time.monotonic()
            if self.served >= BEFORE_CLOSING and self.opens is None:
                self.opens = now + CLOSED
                return CLOSED
            if self.opens is not None and now < self.opens:
                self.early += 1
                return self.opens - now
            self.served += 1
            return None


class _Door(BaseHTTPRequestHandler):
    server: Shop

    def do_GET(self) -> None:
        wait = self.server.answer()
        self.send_response(200 if wait is None else 429)
        if wait is not None:
            self.send_header("Retry-After", str(int(wait) + 1))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_quota_of_a_server_is_kept_without_a_person(terminal: Terminal, shop: Shop) -> None:
    url = f"http://127.0.0.1:{shop.server_address[1]}/"
    (terminal.cwd / "net.py").write_text(f"URL = {url!r}\n{FETCH}")
    names = [f"page-{number}" for number in range(60)]

    terminal.run("run", "-j", "2", "--retries", "0", "--call", "net:fetch", *names)

    assert shop.served == 60
    assert shop.early <= 2, "only what was on its way already may come too early"
