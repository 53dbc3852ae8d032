"""How the values of a definition are written, and what becomes of them.

Each function takes a value as TOML has it, or as a decorator was given it, and returns what `model`
holds; what makes no sense is a `Wrong`, which says where below the value it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from overnight.core import kinds
from overnight.core.durations import parse_size, quoted
from overnight.core.events import printable
from overnight.core.resources import RESOURCE_NAME
from overnight.core.states import FAILED_REASONS, Reason
from overnight.core.task import MOST_RETRIES, raw
from overnight.core.workflow.conditions import ACCEPTS, ConditionError, parse
from overnight.core.workflow.model import RESERVED, STEP_NAME, Input, OnFailure

_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_VARIABLE = re.compile(r"[^=\0\s]+")
#: A label of a node, as a resource.
_LABEL = re.compile(r"[^:\s]{1,200}:[^:\s]{1,200}")
_EXIT = re.compile(r"exit:([0-9]{1,3})")
#: What a step can be tried again for, besides exit statuses.
REASONS = tuple(sorted(FAILED_REASONS - {Reason.GATE, Reason.DEPENDENCY}))
#: The resource that is a limit of the attempt, and not a share of what the machine has.
MEMORY = "memory"


class Wrong(ValueError):  # noqa: N818 - it says what is wrong, and where below the value
    """A value that makes no sense.

    Args:
        what: In words.
        below: Keys and numbers from the value on.
        inside: Characters into a text.
        advice: What to write instead.
    """

    def __init__(self, what: str, below: tuple[str | int, ...] = (), *, inside: int = 0, advice: str = "") -> None:
        super().__init__(what)
        self.below = below
        self.inside = inside
        self.advice = advice


def step_name(written: object) -> str:
    """The name of a step."""
    if isinstance(written, str) and STEP_NAME.fullmatch(written) and written not in RESERVED:
        return written
    if written in RESERVED:
        raise Wrong(f"a step cannot be called {quoted(written)}: that stands for the task's own")
    raise Wrong(
        f"{quoted(written)} cannot be the name of a step; use a letter, then letters, digits, _ and -, up to 64"
    )


def text(written: object) -> str:
    """Some text on one line."""
    if isinstance(written, str) and written.isprintable():
        return written
    raise Wrong(f"{quoted(written)} is no text on one line")


def yes_or_no(written: object) -> bool:
    """``true`` or ``false``."""
    if isinstance(written, bool):
        return written
    raise Wrong(f"{quoted(written)} is neither true nor false")


def names(written: object) -> tuple[str, ...]:
    """A list of names, each once."""
    found = _texts(written, "a list of names, as in ['probe', 'tag']")
    for number, name in enumerate(found):
        if name in found[:number]:
            raise Wrong(f"{quoted(name)} stands there twice", (number,))
    return found


def phases(written: object) -> tuple[str, ...]:
    """The phases in order; their names are like those of steps."""
    for number, name in enumerate(found := names(written)):
        if not STEP_NAME.fullmatch(name):
            raise Wrong(
                f"{quoted(name)} cannot be the name of a phase; use a letter, then letters, digits, _ and -", (number,)
            )
    return found


def _texts(written: object, wanted: str) -> tuple[str, ...]:
    if not isinstance(written, list | tuple):
        raise Wrong(f"{quoted(written)} is not {wanted}")
    for number, word in enumerate(written):
        if not isinstance(word, str):
            raise Wrong(f"{quoted(word)} is no text", (number,), advice=f'write it in quotes: "{word}"')
        if not word.isascii() and printable(word) != word:
            raise Wrong(f"{quoted(word)} is not UTF-8", (number,))
    return tuple(written)


def command(written: object) -> tuple[str, ...]:
    """The words of a command."""
    if isinstance(written, str):
        raise Wrong(
            "a command is a list of words, and no shell splits it",
            advice=f"write it as {str(written.split())[:80]}, or as ['sh', '-c', '...']",
        )
    words = _texts(written, "a list of words, as in ['ffprobe', '{input}']")
    if not words or not words[0]:
        raise Wrong("there is no program to run")
    for number, word in enumerate(words):
        if "\0" in word:
            raise Wrong("a word of a command cannot hold a NUL", (number,))
    return words


def function(written: object) -> str:
    """``module:function``."""
    if isinstance(written, str) and _FUNCTION.fullmatch(written):
        return written
    raise Wrong(f"{quoted(written)} names no function; write it as 'package.module:function'")


def condition(written: object) -> str:
    """A condition, as it was written."""
    if not isinstance(written, str):
        raise Wrong(f"{quoted(written)} is no condition; write {ACCEPTS}")
    try:
        parse(written)
    except ConditionError as error:
        raise Wrong(str(error), inside=error.at) from None
    return written


def limit(written: object) -> float:
    """Seconds; 0 for no limit."""
    return float(kinds.LIMIT.read(written) or 0)


def duration(written: object) -> float:
    """Seconds, more than none."""
    found: float = kinds.DURATION.read(written)
    if not found:
        raise Wrong(f"{quoted(written)} leaves no time at all")
    return found


def retries(written: object) -> Mapping[str, Any]:
    """A number, or ``{ max = 5, on = ["timeout", "exit:75"] }``."""
    if not isinstance(written, dict):
        return {"retries": _count(written, ())}
    for key in written:
        if key not in ("max", "on", "backoff"):
            raise Wrong(f"unknown key {quoted(key)}", (key,), advice="known here: max, on, backoff")
    found: dict[str, Any] = {}
    if "max" in written:
        found["retries"] = _count(written["max"], ("max",))
    if "on" in written:
        found["retry_on"] = _retry_on(written["on"])
    if "backoff" in written:
        found["backoff"] = _below(("backoff",), kinds.BACKOFF.read, written["backoff"])
    return found


def _below(below: tuple[str | int, ...], read: Callable[[Any], Any], written: object) -> Any:  # noqa: ANN401 - as read
    try:
        return read(written)
    except ValueError as error:
        raise Wrong(str(error), below) from None


def _count(written: object, below: tuple[str | int, ...]) -> int:
    if isinstance(written, int) and not isinstance(written, bool) and 0 <= written <= MOST_RETRIES:
        return written
    raise Wrong(f"{quoted(written)} is no number of retries; write 0 to {MOST_RETRIES:,}", below)


def _retry_on(written: object) -> tuple[str, ...]:
    try:
        found = names(written)
    except Wrong as error:
        raise Wrong(str(error), ("on", *error.below)) from None
    for number, word in enumerate(found):
        status = _EXIT.fullmatch(word)
        if word not in REASONS and not (status and 1 <= int(status[1]) <= 255):  # noqa: PLR2004 - a byte
            raise Wrong(
                f"{quoted(word)} is nothing to retry for; write {', '.join(REASONS)} or an exit status as exit:75",
                ("on", number),
            )
    return found


def resources(written: object) -> Mapping[str, Any]:
    """Amounts by name; ``memory`` is a limit, and no share."""
    if not isinstance(written, dict):
        raise Wrong(f"{quoted(written)} names no resources; write {{ gpu = 1 }}")
    amounts: dict[str, float] = {}
    found: dict[str, Any] = {"resources": amounts}
    for name, amount in written.items():
        if name == MEMORY:
            found["memory"] = _below((name,), _memory, amount)
        elif not (RESOURCE_NAME.fullmatch(name) or _LABEL.fullmatch(name)):
            raise Wrong(f"{quoted(name)} cannot be the name of a resource", (name,))
        elif isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 < amount < math.inf:
            raise Wrong(f"{quoted(amount)} is no amount of {name}; write a number above 0", (name,))
        else:
            amounts[name] = float(amount)
    return found


def _memory(written: object) -> int:
    size = parse_size(written) if isinstance(written, str) else written
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    raise ValueError(f"{quoted(written)} is no amount of memory; write it as '4GB'")


def environment(written: object) -> dict[str, str]:
    """Variables and their values."""
    if not isinstance(written, dict):
        raise Wrong(f"{quoted(written)} is no environment; write {{ LANG = 'C' }}")
    for name, value in written.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name) or name.startswith("OVERNIGHT_"):
            raise Wrong(f"{quoted(name)} cannot be set for a task", (name,))
        if not isinstance(value, str) or "\0" in value or b"\0" in raw(value):
            raise Wrong(f"{quoted(value)} is no text", (name,))
    return dict(written)


def choice(kind: type[Input | OnFailure]) -> Callable[[Any], Any]:
    """A reader of one of a few words."""
    words = [one.value for one in kind]

    def read(written: object) -> Any:  # noqa: ANN401 - one of the kind
        if written not in words:
            raise Wrong(f"{quoted(written)} is not one of them; write {' or '.join(map(repr, words))}")
        return kind(written)

    return read


def patterns(written: object) -> tuple[str, ...]:
    """Patterns of file names."""
    return _texts([written] if isinstance(written, str) else written, "a list of patterns, as in ['*.wav', '*.mp4']")
