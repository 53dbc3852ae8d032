"""What callers hand in, checked before anything is done with it.

Errors say what was given, what it means, and what to write instead. They are an `OvernightError` and
also the `TypeError` or `ValueError` that a Python programmer expects.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from overnight.core import inputs, kinds
from overnight.core.durations import quoted
from overnight.core.errors import UsageError
from overnight.core.task import MOST_PRIORITY, QUEUE_NAME, QUEUE_NAMES


class ArgumentTypeError(UsageError, TypeError):
    """An argument is of a type that makes no sense there; nothing was changed."""


class ArgumentValueError(UsageError, ValueError):
    """An argument has a value that makes no sense there; nothing was changed."""


def input_bytes(value: object, name: str = "file_path") -> bytes:
    """An input as bytes; text by way of the file system's encoding, so that every file name comes through."""
    if not isinstance(value, str | bytes | os.PathLike):
        raise ArgumentTypeError(
            f"{name} is a {type(value).__name__}, and a str, bytes or path is wanted; nothing was changed",
            hint="for another value hand in its text, as json.dumps(value) writes it",
        )
    try:
        return inputs.check(os.fsencode(value))
    except UnicodeEncodeError:
        raise ArgumentValueError(
            f"{name} {quoted(value)} has characters that no file name can have; nothing was changed",
            hint="hand in bytes, or text that came from os.fsdecode()",
        ) from None
    except UsageError as error:
        raise ArgumentValueError(error.message, hint=error.hint) from None


def several(values: object, name: str) -> Iterable[object]:
    """Several inputs. One alone is a slip: its letters would be taken for inputs."""
    if isinstance(values, str | bytes | os.PathLike):
        raise ArgumentTypeError(
            f"{name} is one input, and several are wanted; nothing was added", hint=f"{name}=[{quoted(values)}]"
        )
    if not isinstance(values, Iterable):
        raise ArgumentTypeError(
            f"{name} is a {type(values).__name__}, and several inputs are wanted; nothing was added",
            hint=f'{name}=["one", "two"]',
        )
    return values


def whole(value: object, name: str, *, least: int, most: int) -> int:
    """A whole number within bounds. True and False are none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(
            f"{name} is {quoted(value)}, and a whole number is wanted; nothing was changed", hint=f"{name}={least}"
        )
    if not least <= value <= most:
        raise ArgumentValueError(
            f"{name} is {value}, and {least} to {most} are possible; nothing was changed",
            hint=f"choose a number between {least} and {most}",
        )
    return value


def priority(value: object) -> int:
    """A priority; higher goes first."""
    return whole(value, "priority", least=-MOST_PRIORITY, most=MOST_PRIORITY)


def yes_or_no(value: object, name: str) -> bool:
    """True or False, and nothing that merely counts as one of them."""
    if not isinstance(value, bool):
        raise ArgumentTypeError(
            f"{name} is {quoted(value)}, and True or False is wanted; nothing was changed", hint=f"{name}=True"
        )
    return value


def words(value: object, name: str) -> str:
    """A text."""
    if not isinstance(value, str):
        raise ArgumentTypeError(
            f"{name} is a {type(value).__name__}, and a str is wanted; nothing was changed", hint=f'{name}="..."'
        )
    return value


def short(value: object, name: str, longest: int) -> str:
    """A text of so many characters at most."""
    if len(words(value, name)) > longest:
        raise ArgumentValueError(
            f"{name} has {len(str(value)):,} characters, and {longest:,} are possible; nothing was changed",
            hint="put the text into a file and name that",
        )
    return str(value)


def seconds(value: object, name: str) -> float:
    """A length of time; infinity is for ever."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentTypeError(
            f"{name} is {quoted(value)}, and seconds are wanted; nothing was changed", hint=f"{name}=60"
        )
    if not value >= 0:
        raise ArgumentValueError(
            f"{name} is {value}, and it cannot be less than no time; nothing was changed", hint=f"{name}=60"
        )
    return float(value)


def limit(value: object, name: str = "timeout_seconds") -> float | None:
    """Seconds of a time limit; None and 0 mean that there is none. Text is read as in ``overnight.toml``: "30m"."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ArgumentTypeError(
            f"{name} is {quoted(value)}, and seconds are wanted; nothing was changed", hint=f'{name}=300 or {name}="5m"'
        )
    try:
        read: float | None = kinds.LIMIT.read(value)
    except ValueError as error:
        raise ArgumentValueError(f"{name}: {error}; nothing was changed", hint=f'{name}=300 or {name}="5m"') from None
    return read


def queue_name(value: object) -> str:
    """A name that a queue may have."""
    if not QUEUE_NAME.fullmatch(words(value, "queue")):
        raise ArgumentValueError(
            f"{quoted(value)} cannot be the name of a queue; nothing was changed",
            hint=f"use {QUEUE_NAMES}",
        )
    return str(value)
