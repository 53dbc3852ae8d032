"""Who gets alerts, on this machine: a webhook, a mail server, a socket of a log. Each counts what it gets."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message as Letter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar, cast

Server = TypeVar("Server", bound=socketserver.BaseServer)


class Hook(ThreadingHTTPServer):
    """Takes JSON by POST. `status` is what it answers; with anything but 200 nothing counts as taken.

    `elsewhere` is the address that it points to. A page that is asked for by GET is always there.
    """

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Post)
        self.status = 200
        self.elsewhere = ""
        #: Bodies that were taken, headers of the last one, and posts in all.
        self.taken: list[dict[str, Any]] = []
        self.headers: dict[str, str] = {}
        self.posts = self.gets = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def told(self) -> list[tuple[str, str]]:
        """Every alert that was told, and its state."""
        return [(one["alert"], one["state"]) for body in self.taken for one in body["alerts"]]


class _Post(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        hook = cast("Hook", self.server)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        hook.posts += 1
        hook.headers = dict(self.headers.items())
        if hook.status == 200:
            hook.taken.append(body)
        self.send_response(hook.status)
        if hook.elsewhere:
            self.send_header("Location", hook.elsewhere)
        self.end_headers()

    def do_GET(self) -> None:
        hook = cast("Hook", self.server)
        hook.gets += 1
        hook.headers = dict(self.headers.items())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Be quiet."""


class Post(socketserver.ThreadingTCPServer):
    """A mail server that takes everything. `refuses`: it says so after the whole letter."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Session)
        self.refuses = False
        self.letters: list[Letter] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Session(socketserver.StreamRequestHandler):
    """As little of RFC 5321 as a client needs."""

    def handle(self) -> None:
        self._say(b"220 here")
        for raw in self.rfile:
            word = raw[:4].upper()
            if word == b"DATA":
                self._say(b"354 go on")
                self._take()
            elif word == b"QUIT":
                self._say(b"221 bye")
                return
            else:
                self._say(b"250 ok")

    def _take(self) -> None:
        lines = []
        for raw in self.rfile:
            if raw == b".\r\n":
                break
            lines.append(raw.removeprefix(b"."))
        post = cast("Post", self.server)
        if post.refuses:
            self._say(b"451 later")
            return
        post.letters.append(message_from_bytes(b"".join(lines)))
        self._say(b"250 taken")

    def _say(self, words: bytes) -> None:
        self.wfile.write(words + b"\r\n")


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """In a thread, until the test is over."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def log_socket(path: Path) -> Iterator[socket.socket]:
    """The socket of a log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(5.0)
        yield sock
