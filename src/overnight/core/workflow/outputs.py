"""Placeholders of workflows: ``{probe.duration}`` is an output of a step, ``{input}`` the input of the task.

A function's output is what it returns. A command's is what it prints on stdout: a JSON object gives
its fields, ``key=value`` lines give theirs, and ``{step.stdout}`` is all of it as text. Whatever is no
such placeholder stays as it is, so that braces of other languages need no quoting; where one looks
like a placeholder of ours, doubled braces ``{{probe.duration}}`` write it out.

Nothing here is evaluated: a placeholder names a place in JSON, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from overnight.core.placeholders import COLUMN_SEPARATOR, columns, fill
from overnight.core.task import raw

#: What a command printed is kept as its output up to here; what is longer belongs into a file.
MOST_STDOUT = 1024 * 1024
#: The output of a command that is always there.
STDOUT = "stdout"
INPUT = "input"

_KEYS = r"[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}"
_REFERENCE = re.compile(rf"\{{\{{(?P<literal>[A-Za-z][A-Za-z0-9_-]{{0,63}}\.{_KEYS})\}}\}}"
                        rf"|\{{(?P<step>[A-Za-z][A-Za-z0-9_-]{{0,63}})\.(?P<keys>{_KEYS})\}}")  # fmt: skip
#: ``{input}``, and its forms as `core.placeholders` has them.
_INPUT = re.compile(r"\{input(\.|//?|/\.)?\}")
_LINE = re.compile(rf"({_KEYS})=(.*)")


class Reference(NamedTuple):
    """One output that a text names. `at`: where its brace stands in the text."""

    step: str
    keys: tuple[str, ...]
    at: int = 0

    def __str__(self) -> str:
        return f"{{{'.'.join((self.step, *self.keys))}}}"


class MissingError(LookupError):
    """A step has not given what another one asks of it."""

    def __init__(self, reference: Reference) -> None:
        super().__init__(f"{reference} is missing: step {reference.step!r} has given no {'.'.join(reference.keys)!r}")
        self.reference = reference


def references(words: str) -> Iterator[Reference]:
    """The outputs that a text names, parts of the input (step ``input``) among them."""
    for found in _REFERENCE.finditer(words):
        if found["step"]:
            yield Reference(found["step"], tuple(found["keys"].split(".")), found.start())


def as_template(word: str) -> str:
    """A word with ``{input}`` as the plain placeholders have it."""
    return _INPUT.sub(lambda found: f"{{{found[1] or ''}}}", word)


def value_at(outputs: Mapping[str, Any], reference: Reference) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What a reference names.

    Args:
        outputs: The output of each step by its name, as JSON has it.
        reference: What is looked for.

    Raises:
        MissingError: It is not there.
    """
    value = outputs.get(reference.step)
    for key in reference.keys:
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise MissingError(reference)
    return value


def shown(value: object) -> str:
    """A value as a word of a command: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def words_of(
    argv: Iterable[bytes], outputs: Mapping[str, Any], input_bytes: bytes, *, seq: int, slot: int
) -> list[bytes]:
    """The words that a step runs: placeholders of its input as in `core.placeholders`, and outputs of other steps.

    What is put in is never looked at again. A step names its input where it wants it; it is not appended.

    Raises:
        MissingError: An output is not there.
        ValueError: A value holds a NUL, which no word of a command can.
    """
    words: list[bytes] = []
    for word in argv:
        if word == b"{}" and input_bytes:
            words += columns(input_bytes)
        else:
            words.append(_word(word, outputs, lambda part: fill(part, input_bytes, seq=seq, slot=slot)))
    return words


def _word(word: bytes, outputs: Mapping[str, Any], plain: Callable[[bytes], bytes]) -> bytes:
    """One word: between its references lie parts that only the input is filled into."""
    whole, parts, end = word.decode("utf-8", "surrogateescape"), [], 0
    for found in _REFERENCE.finditer(whole):
        parts.append(plain(raw(whole[end : found.start()])))
        parts.append(_value(found, outputs))
        end = found.end()
    return b"".join([*parts, plain(raw(whole[end:]))])


def _value(found: re.Match[str], outputs: Mapping[str, Any]) -> bytes:
    if found["literal"]:
        return raw(f"{{{found['literal']}}}")
    value = raw(shown(value_at(outputs, Reference(found["step"], tuple(found["keys"].split("."))))))
    if COLUMN_SEPARATOR in value:
        raise ValueError(f"{found[0]} holds a NUL byte, which no word of a command can")
    return value


def of_stdout(printed: bytes) -> dict[str, Any]:
    """The output of a command that printed this."""
    words = printed.decode("utf-8", "replace").strip()
    if words.startswith("{"):
        try:
            found = msgspec.json.decode(words)
        except msgspec.DecodeError:
            found = None
        if isinstance(found, dict):
            return found
    pairs = (match.groups() for line in words.splitlines() if (match := _LINE.fullmatch(line.strip())))
    return {STDOUT: words, **_nested(pairs)}


def _nested(pairs: Iterable[tuple[str | Any, ...]]) -> dict[str, Any]:
    """``a.b=1`` stands for ``{"a": {"b": 1}}``; of two lines with one key the later one counts."""
    whole: dict[str, Any] = {}
    for keys, words in pairs:
        table = whole
        *path, last = keys.split(".")
        for key in path:
            inner = table.get(key)
            if not isinstance(inner, dict):
                inner = table[key] = {}
            table = inner
        table[last] = _scalar(words)
    return whole


def _scalar(words: str) -> object:
    """Numbers and the words true, false and null as JSON has them; anything else is text."""
    try:
        value: object = msgspec.json.decode(words)
    except msgspec.DecodeError:
        return words
    return words if isinstance(value, dict | list | str) else value
