"""Which inputs a command line names, and with which command.

Three ways of writing mean the same: ``*.jpg -- convert {}``, ``-- convert {} ::: *.jpg`` and a
file of names with ``-a`` or ``::::``. The first ``--`` begins the command; in front of it stand
inputs, behind it the command runs up to the first ``:::``. Everything here is plain values: the
files are read, and their names looked at, by the caller.

Several lists give the columns of one input each, in all combinations; ``:::+`` and ``::::+`` pair a
list with the one before it. The words in front of ``--`` and the files of ``-a`` are one list.

An empty input is refused, for it could not be told from a task that has none, and a forgotten
``"$file"`` is better met now than in the night. So is a NUL byte (no argument can hold it) and
what is longer than the kernel takes as one argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby, product

import msgspec

from overnight.core.errors import UsageError
from overnight.core.placeholders import COLUMN_SEPARATOR, columns, columns_named
from overnight.core.task import MAX_INPUT_BYTES, text

#: Begins the command.
COMMAND_MARK = b"--"
#: Begin a list of words, and a list of files with words; with ``+`` paired with the list before.
LIST_MARKS = frozenset({b":::", b":::+", b"::::", b"::::+"})


class InputList(msgspec.Struct, frozen=True):
    """One list of inputs: words as given, then what the files contain."""

    words: tuple[bytes, ...] = ()
    files: tuple[bytes, ...] = ()
    #: Goes with the list before it, one to one, and not in all combinations.
    paired: bool = False


class Parsed(msgspec.Struct, frozen=True):
    """What the words of a call name. `command` is None when there is no ``--``."""

    lists: tuple[InputList, ...] = ()
    command: tuple[bytes, ...] | None = None


def cut(words: Sequence[str]) -> int:
    """Where options end: the position of the first ``--`` or list mark, or the number of words."""
    marks = {COMMAND_MARK.decode(), *(mark.decode() for mark in LIST_MARKS)}
    return next((position for position, word in enumerate(words) if word in marks), len(words))


def parse(plain: Sequence[bytes], marked: Sequence[bytes] = (), *, list_files: Sequence[bytes] = ()) -> Parsed:
    """Sort the words of a call into a command and lists of inputs.

    Args:
        plain: The words before the first mark.
        marked: The first mark and everything after it.
        list_files: The files of ``-a``.

    Raises:
        UsageError: A list is paired with nothing, or ``--`` has no command.
    """
    lists = [InputList(words=tuple(plain), files=tuple(list_files))] if plain or list_files else []
    before, dashes, after = _partition(marked)
    lists += _lists(before)
    if not dashes:
        command = None
    else:
        end = next((i for i, word in enumerate(after) if word in LIST_MARKS), len(after))
        command = tuple(after[:end])
        lists += _lists(after[end:])
        if not command:
            raise UsageError("there is no command after '--'; nothing was added", hint="put the command after '--'")
    if lists and lists[0].paired:
        raise UsageError(
            "':::+' pairs a list with the one before it, and there is none; nothing was added",
            hint="begin with ':::' (or '::::' for a file)",
        )
    return Parsed(tuple(lists), command)


def split(content: bytes, *, nul: bool = False) -> list[bytes]:
    """The inputs in a list file: one a line, or with `nul` separated by NUL. Empty ones are skipped."""
    return [part for part in content.split(b"\0" if nul else b"\n") if part]


def split_each(pieces: Iterable[bytes], *, nul: bool = False) -> Iterator[list[bytes]]:
    """The same of a list that comes in pieces, wherever these end: what is complete after each of them.

    Raises:
        UsageError: What has no end yet is longer than an input can be.
    """
    end = b"\0" if nul else b"\n"
    rest = b""
    for piece in pieces:
        whole, found, rest = (rest + piece).rpartition(end)
        if found:
            yield split(whole, nul=nul)
        if len(rest) > MAX_INPUT_BYTES:
            check(rest)
    if rest:
        yield [rest]


def combine(lists: Sequence[Sequence[bytes]], paired: Sequence[bool]) -> Iterator[bytes]:
    """One input for each combination of the lists, the last one turning fastest.

    Args:
        lists: The lists of columns.
        paired: For each list whether it goes one to one with the list before it.

    Raises:
        UsageError: Lists that are paired differ in length.
    """
    if len(lists) == 1:
        return iter(lists[0])
    group = 0
    numbers = [group := group + (not pair) for pair in paired]
    groups = [[lists[i] for i, _ in members] for _, members in groupby(enumerate(numbers), key=lambda at: at[1])]
    for members in groups:
        if len({len(member) for member in members}) > 1:
            lengths = " and ".join(str(len(member)) for member in members)
            raise UsageError(
                f"the lists paired by ':::+' have {lengths} inputs; nothing was added",
                hint="give them the same length, or use ':::' for all combinations",
            )
    zipped = [list(zip(*members, strict=True)) for members in groups]
    return (COLUMN_SEPARATOR.join(chain.from_iterable(row)) for row in product(*zipped))


def rows(members: Sequence[bytes], most: int, command: Sequence[bytes] = ()) -> list[bytes]:
    """Several inputs in one: at most `most` of them are the columns of each, and fewer where they are long.

    Args:
        members: The inputs.
        most: How many go together.
        command: The template; one that names columns by number needs all of them in every row.

    Raises:
        UsageError: A row lacks a column that the command names.
    """
    found: list[list[bytes]] = []
    size = 0
    for member in members:
        size += len(member) + 1
        if not found or len(found[-1]) == most or size > MAX_INPUT_BYTES:
            found.append([])
            size = len(member) + 1
        found[-1].append(member)
    named = min(most, columns_named(command))
    short = next((row for row in found if len(row) < named), None)
    if short is not None:
        raise UsageError(
            f"{len(members)} inputs do not make rows of {most}: one has {len(short)}, and the command names"
            f" {{{named}}}; nothing was added",
            hint="give as many inputs as make full rows, or name no columns: '{}' is all that there are",
        )
    return [COLUMN_SEPARATOR.join(row) for row in found]


def check(input_bytes: bytes) -> bytes:
    """Return a column that can be an input.

    Raises:
        UsageError: It is empty, contains NUL, or is longer than one argument of a program may be.
    """
    if 0 < len(input_bytes) <= MAX_INPUT_BYTES and COLUMN_SEPARATOR not in input_bytes:
        return input_bytes
    if not input_bytes:
        raise UsageError(
            "one of the inputs is empty; nothing was added",
            hint="look for an unset variable, or leave the input out if the command needs none",
        )
    start = text(input_bytes[:40])
    if COLUMN_SEPARATOR in input_bytes:
        raise UsageError(
            f"the input that begins with {start!r} contains a NUL byte, which no program can take; nothing was added",
            hint="use -0 if the list is separated by NUL bytes",
        )
    raise UsageError(
        f"the input that begins with {start!r} is {len(input_bytes):,} bytes long"
        f" and the limit is {MAX_INPUT_BYTES:,}; nothing was added",
        hint="put the text into a file and add its name; for a list, check that its lines end in newlines",
    )


def distinct(inputs: Iterable[bytes]) -> tuple[list[bytes], int]:
    """The inputs without repeats, in order, and how many repeats there were."""
    everything = list(inputs)
    once = list(dict.fromkeys(everything))
    return once, len(everything) - len(once)


def shown(input_bytes: bytes) -> str:
    """An input as text for people: columns joined by a space."""
    return " ".join(text(column) for column in columns(input_bytes))


def _partition(words: Sequence[bytes]) -> tuple[Sequence[bytes], bool, Sequence[bytes]]:
    if COMMAND_MARK not in words:
        return words, False, ()
    position = list(words).index(COMMAND_MARK)
    return words[:position], True, words[position + 1 :]


def _lists(words: Sequence[bytes]) -> list[InputList]:
    """The lists that marks begin. Each file of ``::::`` is a list of its own."""
    found: list[InputList] = []
    mark = b""
    members: list[bytes] = []
    for word in [*words, b":::"]:
        if word not in LIST_MARKS:
            members.append(word)
            continue
        paired = mark.endswith(b"+")
        if mark.startswith(b"::::"):
            found += [InputList(files=(name,), paired=paired) for name in members]
        elif mark:
            found.append(InputList(words=tuple(members), paired=paired))
        mark, members = word, []
    return found
