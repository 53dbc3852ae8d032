"""From lines of a log to the few sentences they are made of.

What changes from one line to the next (times, numbers, paths, addresses) is masked first. Then lines
with the same number of words and the same first word are compared: one that agrees with a known
template in half of its words belongs to it, and the words that differ are masked there. This is the
method of Drain (He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017)
with a flat tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from operator import eq

#: Stands for what changes.
MASK = "<*>"
#: Share of the words in which a line must agree with a template.
ALIKE = 0.5
#: Longer lines are cut, and a template has at most so many words.
MOST_WORDS = 120
#: Templates with the same number of words and the same first word; a line beyond that goes to the most similar.
MOST_IN_BUCKET = 100
#: Words and lines remembered; then remembering begins anew.
MOST_REMEMBERED = 50_000
#: Characters of a line that is remembered as it is.
LONGEST_SHAPE = 500

_MASKED = r"""
    \b\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?  # an instant
    | \b\d\d?:\d\d:\d\d(?:[.,]\d+)?\b                                    # a time of day
    | \b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b           # a UUID
    | \b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b                               # an address
    | \b(?:[0-9a-fA-F]{2}:){3,}[0-9a-fA-F]{2}\b                          # a hardware address, a fingerprint
    | (?:(?<=[=:,("'\[<])|^)(?:[A-Za-z][\w+.-]*://|[\w.+-]*/|~/|[A-Za-z]:\\)[^,;:()"'\]>]+   # a path, a URL
    | (?:(?<=["'`])|^)[\w+-][\w.+-]*\.[A-Za-z][A-Za-z0-9]{0,3}(?=[:;,"'`]|$)       # the name of a file
    | \b0[xX][0-9a-fA-F]+\b                                              # a hexadecimal number
    | \b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b                              # a hash
    | (?<![\w])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?:%|[a-zA-Z]{1,3}\b)?  # a number, with its unit
"""

_DIGIT = re.compile("[0-9]")
_SHAPE = str.maketrans("123456789", "000000000")


@cache
def _masked() -> re.Pattern[str]:
    """Compiled when it is first needed: most commands never do, and it takes some milliseconds."""
    return re.compile(_MASKED, re.VERBOSE)


def shape_of(line: str) -> str:
    """A line in which every digit is a 0: what nothing but the place of digits is asked about has one answer for it."""
    return line.translate(_SHAPE)


def mask(word: str) -> str:
    """A word with everything in it masked that looks like a value."""
    return _masked().sub(MASK, word)


def mask_all(words: str) -> str:
    """The same for each word of a text."""
    return " ".join(map(mask, words.split()))


class Templates:
    """The templates of the lines seen so far.

    Args:
        known: Templates of an earlier time, in the order of their numbers.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._words: list[list[str]] = []
        self._buckets: dict[tuple[int, str], list[int]] = {}
        #: What was masked and placed before: most words and lines of a log come again.
        self._masked: dict[str, str] = {}
        self._placed: dict[str, int] = {}
        #: By the lines themselves, of which all digits are alike: where no digit is left after masking, they are what
        #: was masked. So most lines of a flood of errors are not taken apart at all.
        self._shapes: dict[str, int] = {}
        for template in known:
            self._found(template.split())

    def __len__(self) -> int:
        return len(self._words)

    def add(self, line: str) -> int:
        """The number of the template of a line, counted from 0; a new one when it is like no other."""
        shape = shape_of(line)
        number = self._shapes.get(shape)
        if number is None:
            masked = self._mask(line)
            number = self._number(masked)
            # With a digit left, two that differ in it would be taken for one; long ones would take much memory.
            if not _DIGIT.search(masked) and len(shape) <= LONGEST_SHAPE:
                if len(self._shapes) >= MOST_REMEMBERED:
                    self._shapes.clear()
                self._shapes[shape] = number
        return number

    def _number(self, masked: str) -> int:
        number = self._placed.get(masked)
        if number is None:
            if len(self._placed) >= MOST_REMEMBERED:
                self._placed.clear()
            number = self._placed[masked] = self._place(masked.split())
        return number

    def _mask(self, line: str) -> str:
        known = self._masked
        if len(known) >= MOST_REMEMBERED:
            known.clear()
        words = line.split()[:MOST_WORDS]
        return " ".join(
            # Numbers alone are most of what comes only once.
            [
                known.get(word) or (MASK if word.isascii() and word.isdecimal() else known.setdefault(word, mask(word)))
                for word in words
            ]
        )

    def template(self, number: int) -> str:
        """A template in words."""
        return " ".join(self._words[number])

    def _place(self, words: list[str]) -> int:
        number = self._most_like(words, self._bucket(words))
        if number is None:
            return self._found(words)
        mine = self._words[number]
        self._words[number] = [word if word == other else MASK for word, other in zip(mine, words, strict=True)]
        return number

    def _found(self, words: list[str]) -> int:
        self._words.append(words)
        self._bucket(words).append(len(self._words) - 1)
        return len(self._words) - 1

    def _bucket(self, words: list[str]) -> list[int]:
        first = words[0] if words and MASK not in words[0] else MASK
        return self._buckets.setdefault((len(words), first), [])

    def _most_like(self, words: list[str], bucket: list[int]) -> int | None:
        """The template that agrees in most words, and in enough of them; in a full bucket, the best there is."""
        if not bucket:
            return None
        same, number = max((sum(map(eq, words, self._words[one])), -one) for one in bucket)
        return -number if same >= ALIKE * len(words) or len(bucket) >= MOST_IN_BUCKET else None
