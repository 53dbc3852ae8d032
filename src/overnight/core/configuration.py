"""What ``overnight.toml`` says, or everything that is wrong with it, at once.

Every mistake is told with its line, a caret, and what was probably meant, for a person who mends one
mistake a call gives up at the third. A key that is not known is a mistake: one that is silently
ignored costs a night. Pure: whoever calls has read the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from overnight.core import check_tables, error_rules, places
from overnight.core.check_tables import WantedCheck
from overnight.core.durations import RATES, parse_rate, quoted
from overnight.core.error_rules import Rule
from overnight.core.errors import ConfigurationError
from overnight.core.places import Path, Place, TooDeepError
from overnight.core.problems import WINDOW, Problem, nearest, of_fault, position, told
from overnight.core.resources import RESOURCE_NAME, TAKEN, variable
from overnight.core.schedules import Schedule
from overnight.core.setting import Placed, Setting
from overnight.core.settings import SETTINGS
from overnight.core.task import QUEUE_NAME, QUEUE_NAMES
from overnight.core.workflow.model import Workflow

if TYPE_CHECKING:  # most files have none, and every call reads its file
    from overnight.core.alert_settings import Rule as Alert
    from overnight.core.alert_settings import Target

MAX_BYTES = 10 * 1000 * 1000
MAX_DEPTH = 64

_POSITION = re.compile(r"(?s)(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)")
_BY_KEY: dict[Path, Setting] = {tuple(setting.key.split(".")): setting for setting in SETTINGS if setting.key}
#: The tables that hold settings and nothing else.
_OF_SETTINGS = tuple(dict.fromkeys(str(key[0]) for key in _BY_KEY if key[0] != "queue"))
_TABLES = ("queue", "resources", "workflow", "errors", "schedules", "alerts", "targets", "check", *_OF_SETTINGS)
_QUEUE_KEYS = ("slots", "rate")
#: The tables by name that may say why they lie there unused.
_REASONED = ("workflow", "schedules", "alerts", "targets", "check", "queue")
_PERMANENT = re.compile(r"permanent: *(\S.*)")
_SLOTS = _BY_KEY["queue", "default", "slots"]
#: Without OVERNIGHT_: what ids of resources cannot be told in.
_TAKEN = TAKEN | {setting.environment.removeprefix("OVERNIGHT_") for setting in SETTINGS if setting.environment}
_Said = TypeVar("_Said")


class QueueLimits(msgspec.Struct, frozen=True):
    """What is said about a queue or a workflow: `slots` None for no limit of its own, `rate` in starts a second."""

    slots: int | None = None
    rate: float | None = None


class Resource(msgspec.Struct, frozen=True):
    """How much there is of something, and its ids where they are handed out by name."""

    amount: float
    ids: tuple[str, ...] = ()


class Configuration(msgspec.Struct, frozen=True):
    """A file that makes sense."""

    filename: str = "overnight.toml"
    #: Name of a setting to its value and line; what is not said is not in it.
    settings: dict[str, Placed] = {}
    #: The slots of the queue ``default`` are the setting `slots`, and not repeated here.
    queues: dict[str, QueueLimits] = {}
    resources: dict[str, Resource] = {}
    workflows: dict[str, Workflow] = {}
    #: Of those about whose slots and rate something is said.
    workflow_limits: dict[str, QueueLimits] = {}
    #: In their order: the first one that means a failure decides about it.
    rules: tuple[Rule, ...] = ()
    schedules: dict[str, Schedule] = {}
    alerts: dict[str, Alert] = {}
    targets: dict[str, Target] = {}
    #: Of `doctor`, by their names.
    checks: dict[str, WantedCheck] = {}
    #: Why tables may lie there unused, by kind and name: ``workflow.ingest``.
    permanent: dict[str, str] = {}


class MistakesError(ConfigurationError):
    """A file that does not make sense, with every mistake in it.

    Attributes:
        problems: The mistakes.
        rest: What makes sense of the file all the same.
    """

    def __init__(self, text: str, filename: str, problems: list[Problem], rest: Configuration | None = None) -> None:
        super().__init__(
            told(text, filename, problems, "nothing was started"),
            hint="mend the file; 'overnight config show' reads it and changes nothing",
        )
        self.problems = problems
        self.rest = rest or Configuration(filename)


def parse(text: str, filename: str = "overnight.toml") -> Configuration:
    """Read a configuration.

    Args:
        text: The content of the file; empty when there is none.
        filename: How the file is called in messages.

    Raises:
        ConfigurationError: With every mistake in it.
    """
    if not text.strip():
        return Configuration(filename)
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigurationError(
            f"{filename}: error: larger than {MAX_BYTES // 1000**2} MB; nothing was started",
            hint="move what is not configuration out of it",
        )
    import tomllib  # 2 ms at every start, for a home that has a file

    text = text.removeprefix("\ufeff")  # the mark of some editors is no mistake
    try:
        known = places.locate(text, deepest=MAX_DEPTH)
        tables = tomllib.loads(text)
    except TooDeepError as error:
        raise MistakesError(text, filename, [Problem(error.offset, f"nested deeper than {MAX_DEPTH}")]) from None
    except (ValueError, RecursionError) as error:
        raise MistakesError(text, filename, [_syntax(text, error)]) from None
    reader = _Reader(text, filename, known)
    configuration = reader.read(tables)
    if reader.problems:
        raise MistakesError(text, filename, reader.problems, configuration)
    return configuration


class _Reader:
    """Turns tables into values and collects what is wrong."""

    def __init__(self, text: str, filename: str, known: dict[Path, Place]) -> None:
        self._text = text
        self._filename = filename
        self._known = known
        self.problems: list[Problem] = []

    def read(self, tables: dict[str, Any]) -> Configuration:
        settings: dict[str, Placed] = {}
        permanent = self._permanent(tables)
        rules = self._rules(tables.pop("errors", []))
        for name in self._tables(tables, (), _TABLES):
            if name in _OF_SETTINGS:
                settings |= self._settings(tables[name], (name,))
        queues = {name: self._queue(table, name, settings) for name, table in self._named(tables, "queue", QUEUE_NAME)}
        resources = {
            name: resource
            for name, amount in self._items(tables.get("resources", {}))
            if (resource := self._resource(name, amount)) is not None
        }
        self._tell_apart(resources)
        workflows = {
            name: workflow
            for name, table in self._named(tables, "workflow", QUEUE_NAME)
            if (workflow := self._workflow(name, table)) is not None
        }
        limits = {
            name: self._limits(table, ("workflow", name))
            for name, table in self._items(tables.get("workflow", {}))
            if isinstance(table, dict) and any(key in table for key in _QUEUE_KEYS)
        }
        alerts, targets = self._alerts(tables) if tables.keys() & {"alerts", "targets"} else ({}, {})
        return Configuration(
            self._filename,
            settings,
            queues,
            resources,
            workflows,
            limits,
            rules,
            self._schedules(tables) if "schedules" in tables else {},
            alerts,
            targets,
            self._each(tables, "check", check_tables.KEYS, check_tables.read),
            permanent,
        )

    def _permanent(self, tables: dict[str, Any]) -> dict[str, str]:
        """The reasons that stand in tables of any kind, which are taken out of them."""
        found = {}
        for kind in _REASONED:
            for name, table in self._items(tables.get(kind, {})):
                if isinstance(table, dict) and "dormant" in table:
                    reason = _PERMANENT.fullmatch(str(table.pop("dormant")))
                    if reason is None:
                        self._wrong((kind, name, "dormant"), 'say why; write dormant = "permanent: used once a year"')
                    else:
                        found[f"{kind}.{name}"] = reason[1]
        return found

    def _settings(self, table: dict[str, Any], path: Path) -> dict[str, Placed]:
        """The settings of one table."""
        known = {str(key[-1]): setting for key, setting in _BY_KEY.items() if key[:-1] == path}
        found = {}
        for key, written in table.items():
            if key not in known:
                self._unknown(key, (*path, key), known)
                continue
            placed = self._placed(known[key], written, (*path, key))
            if placed is not None:
                found[known[key].name] = placed
        return found

    def _placed(self, setting: Setting, written: object, path: Path) -> Placed | None:
        try:
            value = setting.read(written)
        except ValueError as error:
            self._wrong(path, str(error))
            return None
        line, _ = position(self._text, self._place(path).key)
        return Placed(value, f"{self._filename}:{line}")

    def _queue(self, table: dict[str, Any], name: str, settings: dict[str, Placed]) -> QueueLimits:
        """One queue; the slots of the default one go to `settings`."""
        path: Path = ("queue", name)
        for key in table:
            if key not in _QUEUE_KEYS:
                self._unknown(key, (*path, key), _QUEUE_KEYS)
        if name != "default" or "slots" not in table:
            return self._limits(table, path)
        placed = self._placed(_SLOTS, table["slots"], (*path, "slots"))
        if placed is not None:
            settings[_SLOTS.name] = placed
        return self._limits({key: value for key, value in table.items() if key != "slots"}, path)

    def _limits(self, table: dict[str, Any], path: Path) -> QueueLimits:
        """The slots and the rate that stand in a table; what else is there is not looked at."""
        placed = self._placed(_SLOTS, table["slots"], (*path, "slots")) if "slots" in table else None
        rate = self._rate(table["rate"], (*path, "rate")) if "rate" in table else None
        return QueueLimits(placed.value if placed else None, rate)

    def _rate(self, written: object, path: Path) -> float | None:
        try:
            return parse_rate(str(written).lower())
        except ValueError:
            self._wrong(path, f"{quoted(written)} is no rate; write {RATES}")
            return None

    def _resource(self, name: str, written: object) -> Resource | None:
        path: Path = ("resources", name)
        if not RESOURCE_NAME.fullmatch(name):
            self._wrong_name(path, name, "a letter, then letters, digits, dashes and underscores, at most 64")
        elif isinstance(written, int | float) and not isinstance(written, bool) and 0 <= written < math.inf:
            return Resource(float(written))
        elif isinstance(written, list) and written and all(_is_id(one) for one in written):
            ids = tuple(str(one) for one in written)
            if len(set(ids)) != len(ids):
                self._wrong(path, "an id stands there twice; each can be handed out once")
            elif variable(name) in _TAKEN:
                self._wrong(path, f"its ids would stand in OVERNIGHT_{variable(name)}, which means something else")
            else:
                return Resource(float(len(ids)), ids)
        else:
            self._wrong(path, f"{quoted(written)} is no amount; write a number, or ids as in ['0', '1']")
        return None

    def _tell_apart(self, resources: Mapping[str, Resource]) -> None:
        seen: dict[str, str] = {}
        for name in [name for name, resource in resources.items() if resource.ids]:
            other = seen.setdefault(variable(name), name)
            if other != name:
                self._wrong(("resources", name), f"its ids would stand where those of {other!r} stand")

    def _workflow(self, name: str, table: dict[str, Any]) -> Workflow | None:
        from overnight.core.workflow.reading import read  # most files have none, and every call reads its file

        found = read(name, table, elsewhere=_QUEUE_KEYS)
        self.problems += [of_fault(self._known, ("workflow", name), fault) for fault in found.faults]
        return found.workflow

    def _schedules(self, tables: dict[str, Any]) -> dict[str, Schedule]:
        from overnight.core.schedule_tables import KEYS, read  # most files have none, and every call reads its file

        return self._each(tables, "schedules", KEYS, read)

    def _each(
        self,
        tables: dict[str, Any],
        kind: str,
        keys: Collection[str],
        read: Callable[[str, dict[str, Any]], tuple[_Said | None, Iterable[tuple[str, str]]]],
    ) -> dict[str, _Said]:
        """What the tables of one kind say, by their names; those that say nothing that makes sense are left out."""
        found: dict[str, _Said] = {}
        for name, table in self._named(tables, kind, QUEUE_NAME):
            for key in table:
                if key not in keys:
                    self._unknown(key, (kind, name, key), keys)
            said, wrong = read(name, table)
            for key, what in wrong:
                self._wrong((kind, name, key) if key else (kind, name), what)
            if said is not None:
                found[name] = said
        return found

    def _alerts(self, tables: dict[str, Any]) -> tuple[dict[str, Alert], dict[str, Target]]:
        """Who is told of what."""
        from overnight.core.alert_settings import read as read_alerts

        said = [dict(self._named(tables, kind, QUEUE_NAME)) for kind in ("alerts", "targets")]
        found = read_alerts(*said)
        self.problems += [of_fault(self._known, (), fault) for fault in found.faults]
        return found.rules, found.targets

    def _rules(self, tables: object) -> tuple[Rule, ...]:
        """The rules about failures; every one that makes sense."""
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._wrong(("errors",), "rules about failures stand one after the other; write [[errors]] above each")
            return ()
        found = []
        for place, table in enumerate(tables):
            for key in table:
                if key not in error_rules.KEYS:
                    self._unknown(key, ("errors", place, key), error_rules.KEYS)
            rule, wrong = error_rules.read(table)
            for key, what in wrong:
                self._wrong(("errors", place, key) if key else ("errors", place), what)
            found += [rule] if rule is not None else []
        return tuple(found)

    def _tables(self, tables: dict[str, Any], path: Path, known: Iterable[str]) -> list[str]:
        """The keys that are known and are tables; the others are mistakes."""
        good = []
        for key, value in tables.items():
            if key not in known:
                self._unknown(key, (*path, key), known)
            elif not isinstance(value, dict):
                self._wrong((*path, key), f"{key!r} is a table; write [{key}] and below it what belongs there")
            else:
                good.append(key)
        return good

    def _named(self, tables: dict[str, Any], kind: str, names: re.Pattern[str]) -> list[tuple[str, dict[str, Any]]]:
        """The tables ``[kind.NAME]``."""
        good = []
        for name, table in self._items(tables.get(kind, {})):
            if not names.fullmatch(name):
                self._wrong_name((kind, name), name, QUEUE_NAMES)
            elif not isinstance(table, dict):
                self._wrong((kind, name), f"a {kind} has a name; write [{kind}.NAME] and below it {name!r}")
            else:
                good.append((name, table))
        return good

    def _items(self, table: object) -> list[tuple[str, Any]]:
        """Of what should be a table; that it is one has been looked at already."""
        return list(table.items()) if isinstance(table, dict) else []

    # -- mistakes ----------------------------------------------------------------------------

    def _unknown(self, key: str, path: Path, known: Iterable[str]) -> None:
        names = list(known)
        from difflib import get_close_matches

        close = get_close_matches(key, names, n=1) if len(key) <= WINDOW else []
        advice = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(names)}"
        self.problems.append(Problem(self._place(path).key, f"unknown key {quoted(key)}", advice))

    def _wrong(self, path: Path, what: str) -> None:
        self.problems.append(Problem(self._place(path).value, what))

    def _wrong_name(self, path: Path, name: str, rule: str) -> None:
        self.problems.append(Problem(self._place(path).key, f"{quoted(name)} cannot be a name here; use {rule}"))

    def _place(self, path: Path) -> Place:
        return nearest(self._known, path)


def _is_id(one: object) -> bool:
    return (isinstance(one, str) and one != "" and one.isprintable() and "," not in one) or (
        isinstance(one, int) and not isinstance(one, bool)
    )


def _syntax(text: str, error: Exception) -> Problem:
    """What the parser says, at the place that it names."""
    if isinstance(error, RecursionError):
        return Problem(0, f"nested deeper than {MAX_DEPTH}")
    found = _POSITION.fullmatch(str(error))
    if found is None:
        return Problem(0, str(error))
    what = found[1][:1].lower() + found[1][1:]
    if found[2] is None:
        return Problem(len(text.rstrip()), f"{what} (the file ends too early)")
    before = sum(len(line) + 1 for line in text.split("\n")[: int(found[2]) - 1])
    return Problem(before + int(found[3]) - 1, what)
