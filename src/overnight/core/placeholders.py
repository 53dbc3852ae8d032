"""From a command template and one input to the words of a command.

Substitution goes over the template once and never looks at what it has put in, so an input that
contains ``{}`` stays as it is. Bytes go in and bytes come out: nothing is quoted, because nothing
passes through a shell.

An input may have several columns (the lists of ``::: A B ::: C D``). They are kept in one value,
joined by NUL: no argument of a command can contain that byte, so every column comes back exactly
as it was given. A task without an input has the empty one; then only ``{#}`` and ``{%}`` mean
something and every other brace is left alone, because ``rm -r {}/tmp`` must never become
``rm -r /tmp``. For the same reason ``{3}`` is left alone when there are two columns, which also
leaves regular expressions such as ``[0-9]{3}`` in peace.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Between the columns of one input. Cannot be part of an argument, an input or a file name.
COLUMN_SEPARATOR = b"\0"

_PLACEHOLDER = re.compile(rb"\{(?:(-?[1-9][0-9]{0,3})?(\.|//?|/\.)?|([#%]))\}")


def columns(input_bytes: bytes) -> list[bytes]:
    """The columns of an input: itself when it has one, none when there is no input."""
    return input_bytes.split(COLUMN_SEPARATOR) if input_bytes else []


def expand(argv: Sequence[bytes], input_bytes: bytes, *, seq: int, slot: int) -> list[bytes]:
    """The words to run.

    ``{}`` the input, ``{.}`` without extension, ``{/}`` base name, ``{//}`` directory, ``{/.}`` base
    name without extension, ``{#}`` sequence number, ``{%}`` slot, ``{2}`` second column, ``{-1}``
    last column, ``{2/.}`` and so on. Without any placeholder the input is appended. A word that is
    exactly ``{}``, and what is appended, becomes one word per column; elsewhere in a word columns
    are joined by a space.

    Args:
        argv: The template.
        input_bytes: One input; empty means that there is none.
        seq: What ``{#}`` stands for.
        slot: What ``{%}`` stands for, counted from 1.
    """
    parts = columns(input_bytes)
    numbers = {b"#": b"%d" % seq, b"%": b"%d" % slot}
    words: list[bytes] = []
    used = False
    for word in argv:
        if word == b"{}" and parts:
            used = True
            words += parts
            continue
        filled, found = _fill(word, parts, numbers)
        used = used or found
        words.append(filled)
    return words if used else words + parts


def fill(word: bytes, input_bytes: bytes, *, seq: int, slot: int) -> bytes:
    """A single word, or a part of one, with its placeholders filled in; see `expand`."""
    return _fill(word, columns(input_bytes), {b"#": b"%d" % seq, b"%": b"%d" % slot})[0]


def has_placeholder(argv: Sequence[bytes]) -> bool:
    """Whether the template names an input somewhere; if not, inputs are appended."""
    return any(_PLACEHOLDER.search(word) for word in argv)


def names_input(argv: Sequence[bytes]) -> bool:
    """Whether a placeholder stands for the input or a part of it, and not for a number alone."""
    return any(not match[3] for word in argv for match in _PLACEHOLDER.finditer(word))


def columns_named(argv: Sequence[bytes]) -> int:
    """How many columns an input must have for every numbered placeholder of the template to mean one."""
    found = (match[1] for word in argv for match in _PLACEHOLDER.finditer(word))
    return max((abs(int(column)) for column in found if column), default=0)


def _fill(word: bytes, parts: list[bytes], numbers: dict[bytes, bytes]) -> tuple[bytes, bool]:
    """One word with its placeholders filled in, and whether there was one that meant something."""
    found = False

    def value(match: re.Match[bytes]) -> bytes:
        nonlocal found
        column, form, number = match.groups()
        if number:
            found = True
            return numbers[number]
        chosen = _choose(parts, column)
        if chosen is None:
            return match.group()
        found = True
        return b" ".join(_shape(part, form or b"") for part in chosen)

    return _PLACEHOLDER.sub(value, word), found


def _choose(parts: list[bytes], column: bytes | None) -> list[bytes] | None:
    """The columns that a placeholder means, or None when it means nothing here."""
    if not parts:
        return None
    if column is None:
        return parts
    number = int(column)
    position = number - 1 if number > 0 else len(parts) + number
    return [parts[position]] if 0 <= position < len(parts) else None


def _shape(part: bytes, form: bytes) -> bytes:
    """One column in the form that the placeholder asks for."""
    if form == b".":
        return _without_extension(part)
    if form == b"/":
        return _base(part)
    if form == b"//":
        return _directory(part)
    if form == b"/.":
        return _without_extension(_base(part))
    return part


def _base(path: bytes) -> bytes:
    return path.rstrip(b"/").rpartition(b"/")[2] or path[:1]


def _directory(path: bytes) -> bytes:
    head, slash, _ = path.rstrip(b"/").rpartition(b"/")
    if head:
        return head.rstrip(b"/") or b"/"
    return b"/" if slash or path[:1] == b"/" else b"."


def _without_extension(path: bytes) -> bytes:
    """Cut the last extension of the last part; the dots that a name begins with are none."""
    head, slash, base = path.rpartition(b"/")
    stem, dot, _ = base.rpartition(b".")
    if not dot or not stem.strip(b"."):
        return path
    return head + slash + stem
