"""How what happens to a store is told while nobody draws anything."""

from __future__ import annotations

import sys
from collections.abc import Callable

from overnight.core.events import printable

#: What happened and what it means, and what to type.
Told = Callable[[str, str], None]


def on_stderr(words: str, hint: str) -> None:
    """As every error is told."""
    advice = f"  try: {printable(hint)}\n" if hint else ""
    sys.stderr.write(f"overnight: {printable(words)}\n{advice}")
    sys.stderr.flush()
