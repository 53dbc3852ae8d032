"""What ``overnight.toml`` says of alerts and of whom they reach: ``[alerts.NAME]`` and ``[targets.NAME]``.

Both are read whole, and every mistake is told at its place. Values of targets may name variables of the
environment; they are kept as they are written, and no secret is ever in what is read here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from overnight.core import kinds
from overnight.core.alert_conditions import FIGURES, TRIGGERS, Condition, ConditionError, parse_condition
from overnight.core.alert_messages import Pace
from overnight.core.alerts import Policy
from overnight.core.durations import quoted
from overnight.core.secrets import half_written
from overnight.core.workflow.faults import Fault, Meant, Where, listed

#: Seconds that a figure must be beyond its bound, and back, where nothing is said.
DEFAULT_WAIT, DEFAULT_RECOVER = 180.0, 60.0
#: Kinds of targets, each by the key that says where to.
KINDS = ("command", "webhook", "mail", "syslog", "apprise")
#: What else can be said of a kind.
_MORE = {
    "command": (),
    "webhook": ("headers",),
    "mail": ("smtp", "from", "user", "password", "tls"),
    "syslog": (),
    "apprise": (),
}
_OF_ALL = ("group", "hourly")
#: Every key of a target.
TARGET_KEYS = (*KINDS, *dict.fromkeys(key for keys in _MORE.values() for key in keys), *_OF_ALL)
_TLS = ("starttls", "tls", "none")
ALERT_KEYS = ("on", "when", "for", "recover", "remind", "targets")


class Rule(msgspec.Struct, frozen=True):
    """One alert as it was written. Either `on` has names of triggers, or `when` a condition."""

    name: str
    on: tuple[str, ...] = ()
    when: Condition | None = None
    policy: Policy = Policy()
    targets: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True):
    """Whom messages reach. Values as they were written, with the names of variables in them."""

    name: str
    kind: str
    #: By key; a command's words are a list.
    values: dict[str, Any] = {}
    pace: Pace = Pace()

    def texts(self) -> list[str]:
        """Every text in it that may name a variable."""
        return [text for value in self.values.values() for text in _texts(value)]


def _texts(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [str(one) for one in value.values()]
    return [str(one) for one in value] if isinstance(value, tuple | list) else [str(value)]


class Alerts(NamedTuple):
    """Everything about alerts that a file says, and what is wrong with it."""

    rules: dict[str, Rule]
    targets: dict[str, Target]
    faults: list[Fault]


class _Faulty(Exception):  # noqa: N818 - it never leaves this file
    def __init__(self, what: str, where: Where = (), inside: int = 0, advice: str = "") -> None:
        super().__init__(what)
        self.fault = Fault(where, what, advice, inside)


def read(alerts: Mapping[str, Mapping[str, Any]], targets: Mapping[str, Mapping[str, Any]]) -> Alerts:
    """Read both tables. Where a fault stands begins with ``alerts`` or ``targets``."""
    found = Alerts({}, {}, [])
    meant = Meant()
    for name, table in targets.items():
        reading = _Reading(("targets", name), table, found.faults, meant)
        if (target := _target(name, reading)) is not None:
            found.targets[name] = target
    for name, table in alerts.items():
        reading = _Reading(("alerts", name), table, found.faults, meant)
        if (rule := _rule(name, reading, tuple(targets))) is not None:
            found.rules[name] = rule
    return found


class _Reading:
    """One table: takes values out of it, and notes what is wrong with them."""

    def __init__(self, above: Where, table: Mapping[str, Any], faults: list[Fault], meant: Meant) -> None:
        self._above = above
        self.table = table
        self._faults = faults
        self.meant = meant
        self.is_good = True

    def only(self, keys: Sequence[str]) -> None:
        """Every other key is a mistake."""
        for key in self.table:
            if key not in keys:
                advice = self.meant(key, keys, f"known here: {', '.join(keys)}")
                self.wrong(Fault((key,), f"unknown key {quoted(key)}", advice, at_key=True))

    def take(self, key: str, read: Callable[[Any], Any], default: Any = None) -> Any:  # noqa: ANN401 - as `read` has it
        """The value of a key."""
        if key not in self.table:
            return default
        try:
            return read(self.table[key])
        except _Faulty as error:
            self.wrong(error.fault._replace(where=(key, *error.fault.where)))
        except ValueError as error:
            self.wrong(Fault((key,), str(error)))
        return default

    def wrong(self, fault: Fault) -> None:
        """Note a mistake, at its place."""
        self.is_good = False
        self._faults.append(fault._replace(where=(*self._above, *fault.where)))


# -- alerts ------------------------------------------------------------------------------------


def _rule(name: str, reading: _Reading, targets: Sequence[str]) -> Rule | None:
    reading.only(ALERT_KEYS)
    on = reading.take("on", lambda written: _triggers(written, reading.meant), ())
    when = reading.take("when", lambda written: _condition(written, reading.meant))
    if ("on" in reading.table) == ("when" in reading.table):
        reading.wrong(Fault((), "it must say one of the two: what happens ('on'), or a figure and its bound ('when')"))
    policy = _policy(reading, on, is_figure=when is not None)
    to = reading.take("targets", lambda written: _names(written, targets, reading.meant), ())
    if "targets" not in reading.table:
        there = f"there are: {listed(targets)}" if targets else "define one as [targets.NAME]"
        reading.wrong(Fault((), "'targets' is missing: nobody would be told", there))
    return Rule(name, on, when, policy, to) if reading.is_good else None


def _policy(reading: _Reading, on: Sequence[str], *, is_figure: bool) -> Policy:
    wait = reading.take("for", kinds.DURATION.read, DEFAULT_WAIT if is_figure else 0.0)
    recover = reading.take("recover", kinds.DURATION.read, DEFAULT_RECOVER if is_figure else 0.0)
    remind = reading.take("remind", kinds.LIMIT.read, Policy().remind)
    moments = [name for name in on if not TRIGGERS[name].lasts]
    for key in ("for", "recover", "remind"):
        if moments and len(moments) == len(on) and key in reading.table:
            reading.wrong(Fault((key,), f"{moments[0]} does not last, so there is nothing to wait for", at_key=True))
    return Policy(wait=wait, recover=recover, remind=remind)


def _triggers(written: object, meant: Meant) -> tuple[str, ...]:
    words = [written] if isinstance(written, str) else written
    if not isinstance(words, list) or not words:
        raise _Faulty(f"{quoted(written)} is nothing that happens; write {listed(TRIGGERS)}")
    for place, word in enumerate(words):
        if not isinstance(word, str) or word not in TRIGGERS:
            where: Where = () if isinstance(written, str) else (place,)
            advice = meant(str(word), list(TRIGGERS), f"known: {', '.join(TRIGGERS)}")
            raise _Faulty(f"{quoted(word)} is nothing that happens", where, advice=advice)
    return tuple(dict.fromkeys(words))


def _condition(written: object, meant: Meant) -> Condition:
    if not isinstance(written, str):
        raise _Faulty(f"{quoted(written)} is no condition; write one as in 'disk_free < 2GB'")
    try:
        return parse_condition(written)
    except ConditionError as error:
        advice = ""
        if "no figure" in str(error):
            advice = meant(written.split()[0] if written.split() else "", list(FIGURES), f"known: {', '.join(FIGURES)}")
        raise _Faulty(str(error), inside=error.inside, advice=advice) from None


def _names(written: object, targets: Sequence[str], meant: Meant) -> tuple[str, ...]:
    words = [written] if isinstance(written, str) else written
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise _Faulty(f"{quoted(written)} names nobody; write names of targets, as in ['ops']")
    for place, word in enumerate(words):
        if word not in targets:
            where: Where = () if isinstance(written, str) else (place,)
            there = f"there are: {listed(targets)}" if targets else "define it as [targets.NAME]"
            raise _Faulty(f"there is no target {quoted(word)}", where, advice=meant(word, targets, there))
    return tuple(dict.fromkeys(words))


# -- targets -----------------------------------------------------------------------------------


def _target(name: str, reading: _Reading) -> Target | None:
    said = [kind for kind in KINDS if kind in reading.table]
    if len(said) != 1:
        reading.wrong(Fault((), f"it must say one way to be reached: {', '.join(KINDS)}"))
        return None
    kind = said[0]
    keys = (kind, *_MORE[kind])
    reading.only((*keys, *_OF_ALL))
    values = {key: reading.take(key, _VALUES[key]) for key in keys if key in reading.table}
    if kind == "mail" and "smtp" not in reading.table:
        reading.wrong(Fault((), "'smtp' is missing: the server that takes mail, as in smtp = \"mail.example.org:587\""))
    pace = Pace(
        group=reading.take("group", kinds.DURATION.read, Pace().group),
        hourly=reading.take("hourly", kinds.COUNT_LIMIT.read, Pace().hourly),
    )
    return Target(name, kind, values, pace) if reading.is_good else None


def _text(written: object) -> str:
    if not isinstance(written, str) or not written.strip() or "\0" in written:
        raise _Faulty(f"{quoted(written)} is no text; write one in quotes")
    if (half := half_written(written)) is not None:
        raise _Faulty("'${' begins the name of a variable, as in ${NAME}", inside=half)
    return written.strip()


def _hidden(written: object) -> str:
    """A text that is shown to nobody, not even when it is wrong."""
    if not isinstance(written, str) or not written.strip():
        raise _Faulty('this is no text; write one in quotes, best the name of a variable, as in "${PASSWORD}"')
    return _text(written)


def _address(*schemes: str) -> Callable[[object], str]:
    def read(written: object) -> str:
        text = _text(written)
        if not text.startswith((*schemes, "${")):
            raise _Faulty(f"{quoted(_scheme(text))} is no address; it begins with {' or '.join(schemes)}")
        return text

    return read


def _scheme(text: str) -> str:
    """As much of an address as can be no secret."""
    return text.partition("://")[0][:8] + "..."


def _words(written: object) -> tuple[str, ...]:
    words = kinds.COMMAND.read(written)
    if not words:
        raise _Faulty("a command has at least one word")
    return tuple(_text(word) if word.strip() else word for word in words)


def _headers(written: object) -> dict[str, str]:
    if not isinstance(written, dict) or not all(isinstance(value, str) for value in written.values()):
        raise _Faulty('headers are names and texts, as in { Authorization = "Bearer ${TOKEN}" }')
    return {str(name): _text(value) for name, value in written.items()}


def _tls(written: object) -> str:
    return str(kinds.choice(*_TLS).read(written))


def _syslog(written: object) -> str:
    if written is True:
        return "/dev/log"
    return _text(written)


_VALUES: dict[str, Callable[[Any], Any]] = {
    "command": _words,
    "webhook": _address("https://", "http://"),
    "headers": _headers,
    "mail": _text,
    "smtp": _text,
    "from": _text,
    "user": _text,
    "password": _hidden,
    "tls": _tls,
    "syslog": _syslog,
    "apprise": _hidden,
}
