"""Where things stand in JSON, for messages: `msgspec` says what is wrong with a value, and rarely where."""

from __future__ import annotations

import re

import msgspec

_BYTE = re.compile(r"(.*) \(byte ([0-9]+)\)")
_FIELD = re.compile(r"(.*) - at `\$\.?(\w*).*`", re.DOTALL)


def field_at(text: str, name: str, start: int, end: int | None = None) -> int:
    """The offset of a field's value within an object; of the object where the field is not found."""
    found = re.compile(rf'(?<!\\)"{re.escape(name)}"\s*:\s*').search(text, start, len(text) if end is None else end)
    return found.end() if found else start


def explain(error: msgspec.DecodeError | RecursionError, source: bytes) -> tuple[str, str, int]:
    """What is wrong, the field it is wrong with (or nothing), and how many characters into the source it is.

    Args:
        error: What the decoder said.
        source: What it was given, UTF-8.
    """
    if isinstance(error, RecursionError):
        return "nested too deeply", "", 0
    words = str(error)
    if found := _BYTE.fullmatch(words):
        before = source[: int(found[2])].decode("utf-8", "replace")
        return _lowered(found[1].removeprefix("JSON is malformed: ")), "", len(before)
    if found := _FIELD.fullmatch(words):
        return _lowered(found[1]), found[2], 0
    if words == "Input data was truncated":
        return "it ends too early", "", len(source.decode("utf-8", "replace"))
    return _lowered(words), "", 0


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:].replace("`", "'")
