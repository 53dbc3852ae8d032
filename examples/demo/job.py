"""One file's work, as any program would do it: checksum, then thumbnail or text, then a result in ``out/``.

It knows nothing of Overnight. What it says with its exit status is an old convention of sysexits.h:
65 means that the data are bad (never again), 75 means try later, 1 is any other failure (tried again).

Usage: python job.py FILE
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import sys
import time
import urllib.parse
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from png import NotAPictureError, decode, encode, thumbnail

OUT = Path("out")
EX_DATAERR = 65
EX_TEMPFAIL = 75

Facts = dict[str, object]


class BadDataError(ValueError):
    """The file is broken for good."""


class BusyError(Exception):
    """Not now; the next attempt may find it well."""


def main() -> int:
    """Process the file named on the command line."""
    try:
        facts = process(Path(sys.argv[1]))
    except (BadDataError, NotAPictureError) as error:
        print(f"bad data: {error}", file=sys.stderr)
        return EX_DATAERR
    except BusyError as error:
        print(error, file=sys.stderr)
        return EX_TEMPFAIL
    print(", ".join(f"{name} {value}" for name, value in facts.items() if name != "sha256"))
    return 0


def process(path: Path) -> Facts:
    """Everything about one file; also written to ``out/``."""
    data = path.read_bytes()
    if not data:
        raise BadDataError("the file is empty")
    facts: Facts = {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
    facts |= READERS[path.suffix](path, data)
    write(_out(path, ".json"), json.dumps(facts, indent=2).encode())
    return facts


def write(path: Path, content: bytes) -> None:
    """All or nothing: an attempt may be ended at any moment, and the next one starts again."""
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    unfinished.write_bytes(content)
    unfinished.replace(path)


def _out(path: Path, suffix: str) -> Path:
    """The result's place; difficult names are quoted as in a URL."""
    return OUT / (urllib.parse.quote(os.fsencode(path.name)) + suffix)


def _text(_path: Path, data: bytes) -> Facts:
    """Words and lines. The two first lines with a ``#`` stand for what goes wrong in real life."""
    first = data.partition(b"\n")[0]
    if first == b"#flaky" and os.environ.get("OVERNIGHT_ATTEMPT") == "1":
        raise BusyError("the server that this file needs is busy")
    if first.startswith(b"#wait "):
        time.sleep(float(first.removeprefix(b"#wait ")))
    return {"lines": data.count(b"\n"), "words": len(data.split())}


def _gzip(path: Path, data: bytes) -> Facts:
    return _text(path, gzip.decompress(data))


def _csv(_path: Path, data: bytes) -> Facts:
    rows = list(csv.reader(io.StringIO(data.decode())))
    return {"columns": rows[0], "rows": len(rows) - 1}


def _json(_path: Path, data: bytes) -> Facts:
    content = json.loads(data)
    return {"title": content["title"], "keys": sorted(content)}


def _png(path: Path, data: bytes) -> Facts:
    picture = decode(data)
    small = thumbnail(picture)
    write(_out(path, ".thumbnail.png"), encode(small))
    return {"width": picture.width, "height": picture.height, "thumbnail": [small.width, small.height]}


class _Page(HTMLParser):
    """Collects the title and the words that a reader would see."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = ""
        self.title = ""
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  # as HTMLParser has it
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside == "title":
            self.title += data
        elif self.inside != "style":
            self.words += data.split()

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  # as HTMLParser has it
        self.inside = ""


def _html(_path: Path, data: bytes) -> Facts:
    page = _Page()
    page.feed(data.decode())
    return {"title": page.title, "words": len(page.words)}


READERS: dict[str, Callable[[Path, bytes], Facts]] = {
    ".txt": _text,
    ".gz": _gzip,
    ".csv": _csv,
    ".json": _json,
    ".png": _png,
    ".html": _html,
}

if __name__ == "__main__":
    sys.exit(main())
