"""Rules of people about failures: which class a failure is, and how long to wait for it.

They stand in ``overnight.toml`` as ``[[errors]]``. The first rule whose conditions all hold decides, over
what the worker or the exit status says. With `wait` the task is tried again after that time and no
failure is counted; a failure that is `rate_limited` holds its whole queue meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from overnight.core.durations import parse_duration, quoted
from overnight.core.endings import Ended, Ending
from overnight.core.states import ErrorClass

#: What can be said of a failure; at least one of them.
CONDITIONS = ("exception", "exit", "signal", "output")
KEYS = (*CONDITIONS, "class", "wait")
_KNOWN_BY_PEOPLE = tuple(str(one) for one in ErrorClass if one is not ErrorClass.UNKNOWN)
#: Exit statuses and signals.
_NUMBERS = range(256)
_FAILURES = frozenset(Ending) - {Ending.RETURNED, Ending.POSTPONED, Ending.CANCELLED}


class Rule(msgspec.Struct, frozen=True):
    """One rule. Conditions that are None hold for every failure.

    Attributes:
        error_class: What such a failure is.
        wait: Seconds until it is tried again, without a failure counted; None: as its class is.
        exception: Type as ``module.Name``, or only ``Name``.
        exit: Exit status.
        signal: Number of the signal that ended it.
        output: Found anywhere in the error or the last words of its output.
    """

    error_class: ErrorClass
    wait: float | None = None
    exception: str | None = None
    exit: int | None = None
    signal: int | None = None
    output: re.Pattern[str] | None = None

    def holds(self, ended: Ended) -> bool:
        """Whether a failure is meant."""
        return (
            (self.exception is None or self.exception in (ended.error_type, ended.error_type.rpartition(".")[2]))
            and (self.exit is None or self.exit == ended.exit_code)
            and (self.signal is None or self.signal == ended.signal)
            and (self.output is None or self.output.search(f"{ended.error}\n{ended.detail}") is not None)
        )


def ruled(rules: Sequence[Rule], ended: Ended, *, now: float) -> Ended:
    """A failure as the first rule that means it has it; anything else as it is."""
    if not rules or ended.ending not in _FAILURES or (ended.ending is Ending.EXITED and ended.exit_code == 0):
        return ended
    rule = next((rule for rule in rules if rule.holds(ended)), None)
    if rule is None:
        return ended
    if rule.wait is None:
        return msgspec.structs.replace(ended, error_class=rule.error_class)
    return msgspec.structs.replace(
        ended, ending=Ending.POSTPONED, error_class=rule.error_class, retry_at=now + rule.wait
    )


def read(table: Mapping[str, Any]) -> tuple[Rule | None, list[tuple[str, str]]]:
    """A rule out of its table, or what is wrong with which of its keys; unknown keys are the caller's.

    Keys: ``exception``, ``exit``, ``signal``, ``output`` (a regular expression), ``class``, ``wait``.
    """
    wrong: list[tuple[str, str]] = []
    found: dict[str, Any] = {}
    for key, reader in _READERS.items():
        if key in table:
            try:
                found[key] = reader(table[key])
            except ValueError as error:
                wrong.append((key, str(error)))
    if not any(key in table for key in CONDITIONS):
        wrong.append(("", f"which failures are meant? Say at least one of {_listed(CONDITIONS)}"))
    if "class" not in table:
        wrong.append(("", f"'class' is missing; say one of {_listed(_KNOWN_BY_PEOPLE)}"))
    if "wait" in table and found.get("class") is ErrorClass.PERMANENT:
        wrong.append(("wait", "what is permanent is not tried again; leave 'wait' out, or name another class"))
    if wrong:
        return None, wrong
    return Rule(found.pop("class"), **found), []


def _text(written: object) -> str:
    if not isinstance(written, str) or not written:
        raise ValueError(f"{quoted(written)} is no name of an exception; write it as in 'requests.exceptions.Timeout'")
    return written


def _whole(written: object) -> int:
    if not isinstance(written, int) or isinstance(written, bool) or written not in _NUMBERS:
        raise ValueError(f"{quoted(written)} is no such number; write one from 0 to 255")
    return written


def _pattern(written: object) -> re.Pattern[str]:
    if not isinstance(written, str) or not written:
        raise ValueError(f"{quoted(written)} is no pattern; write a regular expression as in 'quota .* exceeded'")
    try:
        return re.compile(written)
    except re.error as error:
        raise ValueError(f"{quoted(written)} is no regular expression ({error})") from None


def _class(written: object) -> ErrorClass:
    if written not in _KNOWN_BY_PEOPLE:
        raise ValueError(f"{quoted(written)} is no class of failures; say one of {_listed(_KNOWN_BY_PEOPLE)}")
    return ErrorClass(str(written))


def _wait(written: object) -> float:
    return parse_duration(str(written))


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


_READERS = {
    "exception": _text,
    "exit": _whole,
    "signal": _whole,
    "output": _pattern,
    "class": _class,
    "wait": _wait,
}
