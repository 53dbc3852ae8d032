"""Whether the links of the project's README and pages lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from overnight.core.durations import format_count
from overnight.core.findings import Finding
from overnight.ops.checks.contract import Check, Scene, by_hand, ok, warn

_ID = "documentation"
_LINK = re.compile(r"\]\(<?([^)\s>]+)>?[^)]*\)")
_FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_NAMED = 3
#: Pages below docs/ that are read.
MOST_PAGES = 500


def _run(scene: Scene) -> Iterator[Finding]:
    pages = [path for path in (scene.project / "README.md",) if path.is_file()]
    if not pages:
        return
    pages += sorted((scene.project / "docs").glob("**/*.md"))[:MOST_PAGES]
    dead = [f"{page.relative_to(scene.project)} → {link}" for page in pages for link in _dead(page)]
    if dead:
        more = f" and {len(dead) - _NAMED} more" if len(dead) > _NAMED else ""
        mend = by_hand("links", "Mend the links", "each names a file that is not there")
        yield warn(_ID, f"links to nowhere: {', '.join(dead[:_NAMED])}{more}", mend, value=len(dead), unit="count")
    else:
        yield ok(_ID, f"all links of {format_count(len(pages), 'page')} lead somewhere", value=0, unit="count")


def _dead(page: Path) -> Iterator[str]:
    """Links to files beside the page that are not there. Those to other places are not followed."""
    words = _FENCED.sub("", page.read_text("utf-8", "replace"))
    for link in _LINK.findall(words):
        target = unquote(link.partition("#")[0])
        if target and ":" not in target and not target.startswith("/") and not (page.parent / target).exists():
            yield link


CHECK = Check(_ID, "documentation", _run, every=3600.0)
