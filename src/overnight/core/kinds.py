"""The kinds of values that a setting can have: how people write them, and how they are shown again.

A value comes out of a file as TOML made it, out of the environment as text, or from a command line
already read; `Kind.read` takes all three. What `Kind.show` gives is accepted by `Kind.read`.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from typing import Any, NamedTuple

from overnight.core.durations import (
    DURATIONS,
    LONGEST,
    SIZES,
    parse_duration,
    parse_size,
    quoted,
    spell_duration,
    spell_size,
)
from overnight.core.task import Backoff

_BACKOFF = re.compile(
    r"(?P<first>[^,x]+)(?:,\s*x\s*(?P<factor>[0-9]+(?:\.[0-9]+)?)\s*)?(?:,\s*max\s+(?P<longest>[^,]+))?"
)
_VARIABLE = re.compile(r"[^=\0\s,]+")
#: What a limit is called when there is none.
NONE = "none"
AUTO = "auto"


class Kind(NamedTuple):
    """One kind of value.

    `read` takes what somebody wrote and raises ValueError with what would be accepted.
    """

    name: str
    accepts: str
    read: Callable[[Any], Any]
    show: Callable[[Any], str]


def _count(written: object) -> int:
    if isinstance(written, str) and re.fullmatch(r"[0-9]{1,18}", written.strip()):
        return int(written)
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    raise ValueError(f"{quoted(written)} is no whole number; write one, as in 3")


def _count_or_auto(written: object) -> int | None:
    if isinstance(written, str) and written.strip().lower() == AUTO:
        return None
    try:
        return _count(written)
    except ValueError:
        raise ValueError(f"{quoted(written)} is no whole number; write one, as in 4, or {AUTO!r}") from None


def _duration(written: object) -> float:
    if isinstance(written, str):
        return parse_duration(written)
    if isinstance(written, int | float) and not isinstance(written, bool) and 0 <= written <= LONGEST:
        return float(written)
    raise ValueError(f"{quoted(written)} is no duration; write {DURATIONS}")


def _limit(written: object) -> float | None:
    """Seconds; None for no limit, which is written as none, 0 or infinity."""
    if written == math.inf or _is_none(written):
        return None
    return _duration(written) or None


def _is_none(written: object) -> bool:
    return isinstance(written, str) and written.strip().lower() == NONE


def _none_or(show: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda it: NONE if it is None else show(it)


def _size_limit(written: object) -> int | None:
    return None if _is_none(written) else _size(written) or None


def _count_limit(written: object) -> int | None:
    return None if _is_none(written) else _count(written) or None


def _size(written: object) -> int:
    if isinstance(written, str):
        return parse_size(written)
    if isinstance(written, int) and not isinstance(written, bool):
        return written
    raise ValueError(f"{quoted(written)} is no size; write {SIZES}")


def parse_backoff(written: object) -> Backoff:
    """Waits of retries: ``2s, x2, max 60s`` are 2, 4, 8 ... and at most 60 seconds.

    What is left out is as by default, but for `max`, which is at least the first wait.

    Raises:
        ValueError: It is none.
    """
    if isinstance(written, Backoff):
        return written
    found = _BACKOFF.fullmatch(str(written).strip().lower()) if isinstance(written, str | int) else None
    if found is None:
        raise ValueError(f"{quoted(written)} is no backoff; write it as '2s, x2, max 60s'")
    first = _duration(found["first"].strip())
    factor = float(found["factor"] or Backoff().factor)
    longest = _duration(found["longest"].strip()) if found["longest"] else max(Backoff().longest, first)
    if factor < 1 or longest < first:
        raise ValueError(f"{quoted(written)} waits less and less; write it as '2s, x2, max 60s'")
    return Backoff(first, factor, longest)


def _show_backoff(backoff: Backoff) -> str:
    return f"{spell_duration(backoff.first)}, x{backoff.factor:g}, max {spell_duration(backoff.longest)}"


def _names(written: object) -> tuple[str, ...]:
    """Names of environment variables, a list or separated by commas."""
    words = written.split(",") if isinstance(written, str) else written
    if isinstance(words, list | tuple) and all(isinstance(word, str) for word in words):
        names = tuple(word.strip() for word in words if word.strip())
        if all(map(_VARIABLE.fullmatch, names)):
            return names
    raise ValueError(f"{quoted(written)} is no list of variables; write names alone, as in ['HTTP_PROXY', 'HF_HOME']")


def _word(written: object) -> str:
    if isinstance(written, str) and written.strip() and written.isprintable():
        return written.strip()
    raise ValueError(f"{quoted(written)} is no name; write a word in quotes")


def _path(written: object) -> str:
    if isinstance(written, str) and written and "\0" not in written:
        return written
    raise ValueError(f"{quoted(written)} is no path; write one in quotes")


def _patterns(written: object) -> tuple[str, ...]:
    """Patterns of files below the project."""
    words = _file_patterns(written)
    if wrong := [word for word in words if word.startswith("/") or ".." in word.split("/")]:
        raise ValueError(f"{quoted(wrong[0])} leads out of the project; write patterns below it, as in ['data/*.csv']")
    return words


def _file_patterns(written: object) -> tuple[str, ...]:
    """Patterns of files, a list or separated by commas."""
    words = written.split(",") if isinstance(written, str) else written
    if isinstance(words, list | tuple) and all(isinstance(word, str) and "\0" not in word for word in words):
        return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))
    raise ValueError(f"{quoted(written)} is no list of files; write patterns, as in ['logs/*.log']")


def _command(written: object) -> tuple[str, ...]:
    """The words of a command; text is split as a shell would, and given to none."""
    try:
        words = shlex.split(written) if isinstance(written, str) else written
    except ValueError as error:
        raise ValueError(f"{quoted(written)} is no command: {str(error).lower()}") from None
    if isinstance(words, list | tuple) and all(isinstance(word, str) and "\0" not in word for word in words):
        return tuple(words)
    raise ValueError(f"{quoted(written)} is no command; write its words as a list, as in ['notify-send', 'help']")


def _switch(written: object) -> bool:
    word = written.strip().lower() if isinstance(written, str) else written
    for value, words in ((True, (True, "true", "yes", "on", "1")), (False, (False, "false", "no", "off", "0"))):
        if any(word is one or (isinstance(word, str) and word == one) for one in words):
            return value
    raise ValueError(f"{quoted(written)} is neither on nor off; write true or false")


def is_need(name: object, amount: object) -> bool:
    """Whether this is an amount of a named resource: a name that can be shown, and a number above nothing."""
    if not isinstance(name, str) or not name or not name.isprintable():
        return False
    return isinstance(amount, int | float) and not isinstance(amount, bool) and 0 < amount < math.inf


def choice(*words: str) -> Kind:
    """One of a few words."""
    listed = ", ".join(words[:-1]) + f" or {words[-1]}"

    def read(written: object) -> str:
        word = written.strip().lower() if isinstance(written, str) else ""
        if word not in words:
            raise ValueError(f"{quoted(written)} is not one of them; write {listed}")
        return word

    return Kind("word", listed, read, str)


COUNT = Kind("number", "a whole number", _count, str)
COUNT_OR_AUTO = Kind(
    "number", f"a whole number, or `{AUTO}`", _count_or_auto, lambda it: AUTO if it is None else str(it)
)
DURATION = Kind("duration", DURATIONS, _duration, spell_duration)
LIMIT = Kind("limit", f"a duration; `0` or `{NONE}` for no limit", _limit, _none_or(spell_duration))
SIZE = Kind("size", SIZES, _size, spell_size)
SIZE_LIMIT = Kind("size", f"{SIZES}; `0` or `{NONE}` for no limit", _size_limit, _none_or(spell_size))
COUNT_LIMIT = Kind("number", f"a whole number; `0` or `{NONE}` for no limit", _count_limit, _none_or(str))
BACKOFF = Kind(
    "backoff", "the first wait, the factor, the longest wait: `2s, x2, max 60s`", parse_backoff, _show_backoff
)
NAMES = Kind("names", "a list; in the environment separated by commas", _names, ",".join)
COMMAND = Kind("command", "a list of words; in the environment as a shell would split it", _command, shlex.join)
PATTERNS = Kind(
    "patterns", "a list of patterns below the project; in the environment separated by commas", _patterns, ",".join
)
FILE_PATTERNS = Kind("patterns", "a list of patterns; in the environment separated by commas", _file_patterns, ",".join)
SWITCH = Kind("switch", "true or false", _switch, lambda it: "true" if it else "false")
WORD = Kind("name", "a word", _word, str)
PATH = Kind("path", "a path", _path, str)
