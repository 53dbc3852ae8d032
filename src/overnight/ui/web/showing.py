"""Text of strangers, made fit to be shown."""

from __future__ import annotations

import re

#: Characters of a name, a title, an error in a list.
_SHOWN = 300
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(words: str, most: int = _SHOWN) -> str:
    """Text that a page can show: what would steer it is written out, and it is not longer than so many characters."""
    short = words if len(words) <= most else words[: most - 1] + "…"
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", short)


def shown_bytes(content: bytes, most: int = _SHOWN) -> str:
    """Bytes as `shown`."""
    return shown(content[: most * 4].decode("utf-8", "replace"), most)
