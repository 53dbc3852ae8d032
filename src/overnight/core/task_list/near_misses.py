"""What looks like a task in Markdown and is none: each with what is wrong and what to write instead."""

from __future__ import annotations

import re

Miss = tuple[str, str]

_DELIMITERS = re.compile(r"\s*(?:\|(?:\s*:?-+:?\s*\|)+|\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)+\|?)\s*")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})\s*")
_UNKNOWN_MARK = re.compile(r"\[([^\[\]]|\s*|\s*[xX]\s*)\](?![(:\[])")
_TIGHT = re.compile(r"\[[ xX-]\](?=[^\s(:\[])")
_ROUND = re.compile(r"\([ xX]?\)\s")
_LINE = (
    (re.compile(r"\s*(?:[-*+]|[0-9]{1,9}[.)])\[[ xX-]\]"), "there is no blank behind the bullet", "write '- [ ] ...'"),
    (re.compile(r"\s*\[(?: |x|X|-|)\](?:\s|$)"), "a box without a bullet is no task", "write '- [ ] ...'"),
    (
        re.compile(r"\s*>[>\s]*(?:(?:[-*+]|[0-9]{1,9}[.)])\s+)?\[[ xX-]\]\s"),
        "a box in a quotation is no task",
        "take the > away",
    ),
    (re.compile(r"\s*[•◦▪‣–—·∙]\s*\[.?\]"), "this bullet is none in Markdown", "write '- [ ] ...'"),
    (re.compile(r"\s*[☐☑☒✅⬜✔]"), "this sign is no box in Markdown", "write '- [ ] ...', '- [x] ...' or '- [-] ...'"),
)
#: What has a meaning behind a box only.
LATE = re.compile(
    r"\(\s*depends\s+on\s[^()]*\)|\{(?:run\b|(?:workflow|priority|timeout|stall|memory|retries|queue|needs)=)",
    re.IGNORECASE,
)


def of_block(masked: str, prose: tuple[int, str] | None) -> Miss | None:
    """Of a line that makes what stands above it (`prose`) the head of a table, or a heading."""
    if prose is None:
        return None
    if "|" in prose[1] and "|" in masked and _DELIMITERS.fullmatch(masked):
        return "a table holds no tasks", "write a line for each: '- [ ] T1: ...'"
    if _UNDERLINE.fullmatch(masked):
        return "a heading that is underlined is not read here", f"write '## {prose[1].strip()[:60]}'"
    return None


def of_item(rest: str) -> Miss | None:
    """Of what stands behind a bullet."""
    if _TIGHT.match(rest):
        return "there is no blank behind the box", "write '- [ ] ...'"
    if re.fullmatch(r"\[[ xX-]\]\s*", rest):
        return "there is nothing behind the box", "say what is to be done"
    if found := _UNKNOWN_MARK.match(rest):
        return f"{found[0]} is no box", "write [ ] for open, [x] for done, [-] for cancelled"
    if _ROUND.match(rest):
        return "round brackets are no box", "write '- [ ] ...'"
    if re.match(r"[☐☑☒✅⬜✔]", rest):
        return "this sign is no box in Markdown", "write [ ] for open, [x] for done, [-] for cancelled"
    return None


def of_line(masked: str) -> Miss | None:
    """Of a line without a bullet."""
    return next(((what, advice) for pattern, what, advice in _LINE if pattern.match(masked)), None)
