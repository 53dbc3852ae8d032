"""Conditions of steps: ``{probe.duration} > 60 and {probe.codec} != "mp3"``.

One placeholder, one comparison; several are joined by ``and`` and ``or``, where ``and`` binds tighter. A
placeholder alone asks whether there is something: not false, null, zero or empty. There are no
brackets and no functions: what needs them is a step of its own. Structured, and never evaluated as code.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import msgspec

from overnight.core.workflow.outputs import INPUT, Reference, references, value_at

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_TOKEN = re.compile(
    r"\s*(?:(?P<placeholder>\{[^{}]*\})|(?P<operator>[=!<>]=|[<>])|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(?P<word>[A-Za-z_]+)|(?P<other>\S))"
)
_WORDS = {"true": True, "false": False, "null": None}
ACCEPTS = 'a comparison, as in {probe.duration} > 60 or {probe.codec} == "mp3", several joined by and / or'


class ConditionError(ValueError):
    """The text is no condition; `at` counts the characters before what is wrong."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


class IncomparableError(ValueError):
    """Two values have no order."""


class Comparison(NamedTuple):
    """One placeholder against one value. An empty operator asks whether there is something."""

    reference: Reference
    operator: str = ""
    value: float | str | bool | None = None


class Condition(NamedTuple):
    """True when all comparisons of one of its groups are."""

    groups: tuple[tuple[Comparison, ...], ...]

    @property
    def references(self) -> Iterator[Reference]:
        """Everything that it looks at."""
        return (one.reference for group in self.groups for one in group)


class _Token(NamedTuple):
    kind: str
    words: str
    at: int


def parse(words: str) -> Condition:
    """Read a condition.

    Raises:
        ConditionError: It is none.
    """
    tokens = _tokens(words)
    groups: list[list[Comparison]] = [[]]
    while True:
        groups[-1].append(_comparison(tokens))
        joint = tokens.pop()
        if joint.kind == "end":
            return Condition(tuple(map(tuple, groups)))
        if joint.words == "or":
            groups.append([])
        elif joint.words != "and":
            raise ConditionError(f"{joint.words!r} stands where 'and', 'or' or the end is expected", joint.at)


def _tokens(words: str) -> list[_Token]:
    """All tokens, the first one last."""
    found = [
        _Token(str(one.lastgroup), one[str(one.lastgroup)], one.start(str(one.lastgroup)))
        for one in _TOKEN.finditer(words)
    ]
    return [_Token("end", "the end", len(words)), *reversed(found)]


def _comparison(tokens: list[_Token]) -> Comparison:
    first = tokens.pop()
    if first.kind != "placeholder":
        raise ConditionError(f"{first.words!r} stands where a placeholder is expected, as in {{step.key}}", first.at)
    reference = _reference(first)
    if tokens[-1].kind != "operator":
        if tokens[-1].kind == "end" or tokens[-1].words in ("and", "or"):
            return Comparison(reference)
        wrong = tokens[-1]
        raise ConditionError(f"{wrong.words!r} is no comparison; there are {' '.join(_OPERATORS)}", wrong.at)
    sign = tokens.pop().words
    return Comparison(reference, sign, _value(tokens.pop()))


def _reference(token: _Token) -> Reference:
    if token.words == f"{{{INPUT}}}":
        return Reference(INPUT, (), token.at)
    found = next(references(token.words), None)
    if found is None or str(found) != token.words:
        raise ConditionError(f"{token.words} is no placeholder here; write {{step.key}}", token.at)
    return found._replace(at=token.at)


def _value(token: _Token) -> float | str | bool | None:
    if token.kind == "number":
        return float(token.words)
    if token.kind == "text":
        return token.words[1:-1]
    if token.words in _WORDS:
        return _WORDS[token.words]
    hint = "; write text in quotes" if token.kind == "word" else ""
    raise ConditionError(f"{token.words!r} stands where a number or a text is expected{hint}", token.at)


def holds(condition: Condition, outputs: Mapping[str, Any]) -> bool:
    """Whether a condition is true of these outputs.

    Raises:
        MissingError: A value is not there.
        IncomparableError: A value and what it is compared with have no order.
    """
    return any(all(_holds(one, outputs) for one in group) for group in condition.groups)


def _holds(one: Comparison, outputs: Mapping[str, Any]) -> bool:
    found = value_at(outputs, one.reference)
    if not one.operator:
        return bool(found)
    left, right = _alike(found, one.value)
    if one.operator in ("==", "!="):
        return _OPERATORS[one.operator](left, right)
    if isinstance(left, bool) or isinstance(right, bool) or type(left) is not type(right) or left is None:
        raise IncomparableError(f"{one.reference} is {_quoted(found)}, which has no order with {_quoted(one.value)}")
    return _OPERATORS[one.operator](left, right)


def _alike(found: object, value: object) -> tuple[Any, Any]:
    """Numbers as numbers: what a command printed or a file is called may be one as text."""
    if isinstance(found, int | float) and not isinstance(found, bool):
        return float(found), value
    if isinstance(found, str) and isinstance(value, float):
        try:
            return float(found), value
        except ValueError:
            return found, value
    return found, value


def _quoted(value: object) -> str:
    return msgspec.json.encode(value).decode()[:60]


def never(condition: Condition) -> bool:
    """Whether it can be seen that a condition is never true: each group wants two things of one value."""
    return all(_contradicts(group) for group in condition.groups)


def _contradicts(group: tuple[Comparison, ...]) -> bool:
    wishes: dict[tuple[str, tuple[str, ...]], list[Comparison]] = {}
    for one in group:
        wishes.setdefault((one.reference.step, one.reference.keys), []).append(one)
    return any(_at_odds(several) for several in wishes.values())


def _at_odds(several: list[Comparison]) -> bool:
    exact = [one.value for one in several if one.operator == "=="]
    if any(first != second for first, second in pairwise(exact)) or any(
        one.operator == "!=" and one.value in exact for one in several
    ):
        return True
    bounds = [one for one in several if isinstance(one.value, float) and not isinstance(one.value, bool)]
    lowest = max(((one.value, one.operator == ">") for one in bounds if one.operator in (">", ">=")), default=None)
    highest = min(((one.value, one.operator != "<") for one in bounds if one.operator in ("<", "<=")), default=None)
    if lowest is None or highest is None:
        return False
    return lowest[0] > highest[0] or (lowest[0] == highest[0] and (lowest[1] or not highest[1]))  # type: ignore[operator]  # both are floats
