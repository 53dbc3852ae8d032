"""Makes the files of the demo: a few dozen of mixed kinds, some with difficult names, some broken on purpose."""

from __future__ import annotations

import gzip
import json
import os
from itertools import cycle, islice
from pathlib import Path

from png import Picture, encode

WORDS = ["night", "was", "long", "and", "every", "file", "came", "home", "before", "sunrise"]

#: How often each file that cannot be processed is tried; overnight.toml allows two retries.
BROKEN = {
    # A picture that ends in the middle, and a table with nothing in it: the job says "never again".
    b"broken-cut.png": 1,
    b"broken-empty.csv": 1,
    # The job fails as any program fails.
    b"broken-syntax.json": 3,
    # The job would wait for ten minutes; the time limit ends it.
    b"hangs.txt": 3,
}
#: Fails at first and is done at the second attempt.
FLAKY = b"flaky.txt"


def make(folder: Path) -> list[bytes]:
    """Write all files into an empty folder. Returns their names, in order."""
    folder.mkdir(parents=True)
    made = [name for name, content in _contents().items() if _written(folder, name, content)]
    return sorted(made)


def _written(folder: Path, name: bytes, content: bytes) -> bool:
    """Whether the file system takes such a name; APFS refuses what is not UTF-8."""
    try:
        (folder / os.fsdecode(name)).write_bytes(content)
    except OSError:
        print(f"(this file system has no room for the name {name!r}; the demo goes on without it)")
        return False
    return True


def _contents() -> dict[bytes, bytes]:
    good = {b"notes-%02d.txt" % n: _prose(40 * n) for n in range(1, 9)}
    good |= {b"table-%02d.csv" % n: _table(25 * n) for n in range(1, 7)}
    good |= {b"record-%02d.json" % n: _record(n) for n in range(1, 6)}
    good |= {b"picture-%02d.png" % n: encode(_picture(60 * n, 40 * n, (1, 3, 4)[n % 3])) for n in range(1, 7)}
    good |= {b"page-%02d.html" % n: _page(n) for n in range(1, 5)}
    good |= {b"log-%02d.txt.gz" % n: gzip.compress(_prose(500 * n), mtime=0) for n in range(1, 4)}
    return good | _difficult_names() | _broken()


def _difficult_names() -> dict[bytes, bytes]:
    """Names that break scripts: they are bytes, and any byte but NUL and slash may be in them."""
    names = (b"two words.txt", b"two\nlines.txt", b"-dash.txt", b"$HOME; 'quoted'.txt", b"caf\xe9.txt")
    return {name: _prose(30) for name in names}


def _broken() -> dict[bytes, bytes]:
    picture = encode(_picture(80, 60, 3))
    return {
        b"broken-cut.png": picture[: len(picture) // 2],
        b"broken-empty.csv": b"",
        b"broken-syntax.json": b'{"title": "no end',
        b"hangs.txt": b"#wait 600\n",
        FLAKY: b"#flaky\n" + _prose(20),
    }


def _prose(count: int) -> bytes:
    words = list(islice(cycle(WORDS), count))
    return "\n".join(" ".join(words[at : at + 12]) for at in range(0, count, 12)).encode() + b"\n"


def _table(rows: int) -> bytes:
    lines = ["day,files,seconds", *(f"{n},{n * n % 97},{n / 7:.2f}" for n in range(rows))]
    return "\n".join(lines).encode() + b"\n"


def _record(n: int) -> bytes:
    return json.dumps({"title": f"Record {n}", "tags": WORDS[:n], "parts": [{"part": i} for i in range(n)]}).encode()


def _page(n: int) -> bytes:
    paragraphs = "".join(f"<p>{_prose(10 * i).decode()}</p>" for i in range(1, n + 1))
    head = f"<title>Page {n}</title><style>p {{ color: black }}</style>"
    return f"<!doctype html><html><head>{head}</head><body>{paragraphs}</body></html>".encode()


def _picture(width: int, height: int, channels: int) -> Picture:
    """A dark sky that gets lighter towards the ground, with a moon."""
    radius = min(width, height) // 5
    pixels = bytearray()
    for y in range(height):
        for x in range(width):
            moon = (x - width * 3 // 4) ** 2 + (y - height // 3) ** 2 < radius**2
            light = 20 + 120 * y // height
            red, green, blue = (240, 235, 200) if moon else (light // 2, light // 2, light)
            pixels += bytes({1: (blue,), 3: (red, green, blue), 4: (red, green, blue, 255)}[channels])
    return Picture(width, height, channels, bytes(pixels))
