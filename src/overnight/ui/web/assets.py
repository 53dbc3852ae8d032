"""The files of the pages: read once, served from memory with fixed bytes. No path of a request ever touches a disk."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Asset(NamedTuple):
    """One file, plain and compressed."""

    plain: bytes
    packed: bytes
    kind: str
    tag: str

    def answer(self, request: Request) -> Response:
        """The file, or word that the browser has it already."""
        headers = {"etag": self.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if request.headers.get("if-none-match") == self.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, headers={**headers, "content-encoding": "gzip"}, media_type=self.kind)
        return Response(self.plain, headers=headers, media_type=self.kind)


def load() -> dict[str, Asset]:
    """Every file of the pages, by its name."""
    return {
        one.name: _asset(one.name, one.read_bytes()) for one in files("overnight.ui.web").joinpath("pages").iterdir()
    }


def _asset(name: str, content: bytes) -> Asset:
    tag = hashlib.blake2b(content, digest_size=12).hexdigest()
    return Asset(content, gzip.compress(content, 9, mtime=0), _TYPES[name.rpartition(".")[2]], f'"{tag}"')
