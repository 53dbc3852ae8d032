"""``logs``: what the logs say: errors by what they have in common, words, trends, the last lines."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import click
import msgspec

from overnight import wiring
from overnight.core.durations import spell_duration
from overnight.core.errors import StoreUnavailableError, UsageError
from overnight.core.events import printable
from overnight.host.clock import LocalZone
from overnight.host.files import last_line
from overnight.host.home import Home, has_tasks
from overnight.ops.logs.asking import Bar, Errors, errors, trend
from overnight.ops.logs.cleaning import clean, old
from overnight.ops.logs.following import Part, Position, Trouble, blocks, matching, news
from overnight.ops.logs.keeping import LogStore
from overnight.ops.logs.scanning import Scan, Scanned
from overnight.ops.logs.searching import Line, last, lines, search, sources
from overnight.ui.cli import printing
from overnight.ui.cli.group import SETTINGS, Verb, global_options, home_option
from overnight.ui.cli.selecting import need_known
from overnight.ui.cli.session import opened
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import Duration, Past

_LOOK_EVERY = 0.5
_KINDS = {"task": "failed attempts of tasks", "line": "lines that tell of an error"}
_BARS = "▁▂▃▄▅▆▇█"
_since = click.option(
    "--since",
    type=Past(),
    default="1d",
    show_default=True,
    metavar="TIME",
    help="How far back: 2h, 06:00, a date. Counts are of whole hours.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def logs() -> None:
    """Look at what the logs say: the journal, what tasks print, and files that [logs] in overnight.toml names.

    Files may be text or JSON lines; each line is read once, however they are rotated.
    """


@contextmanager
def _looked_at(home: Home) -> Iterator[tuple[LogStore, Scanned]]:
    """What is known after a look at what is new."""
    settings, _ = in_use()
    with _kept(home) as store:
        scan = Scan(store, zone=LocalZone(), now=wiring.clock.now())
        scanned = scan.run(home, settings.log_files, settings.log_units)
        scan.save(store)
        yield store, scanned


@contextmanager
def _kept(home: Home) -> Iterator[LogStore]:
    """What is known; where nothing can be written, it is found out anew for this call."""
    try:
        with _place(home) as path, closing(LogStore(path)) as store:
            yield store
    except apsw.Error as error:
        raise _unkept(home, error) from error


def _unkept(home: Home, error: apsw.Error) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"what was found in logs cannot be kept in {home.logs} ({error}); no task is concerned",
        hint=f"look at its disk and its owner: ls -l {home.logs}; it may be removed, and is made anew",
    )


@contextmanager
def _place(home: Home) -> Iterator[Path]:
    if os.access(home.path, os.W_OK):
        yield home.logs
        return
    printing.note("overnight: nothing can be written in the home, so all logs are read anew; no task is concerned")
    with TemporaryDirectory() as aside:
        yield Path(aside) / home.logs.name


def _tell(troubles: Sequence[tuple[str, str]]) -> None:
    for path, why in troubles:
        printing.note(f"overnight: {printing.clean(path)}: {printing.clean(why)}")


@logs.command("errors", cls=Verb)
@_since
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many kinds.")
@_as_json
def errors_(*, since: float, limit: int, as_json: bool) -> None:
    """List errors by what they have in common: those of tasks first, new ones first, rising ones next."""
    home = wiring.find_home(home_option())
    now = wiring.clock.now()
    with _looked_at(home) as (store, scanned):
        found = errors(store, since=since, now=now)
    _tell(scanned.troubles)
    if as_json:
        for one in found[:limit]:
            printing.say(msgspec.json.encode(_shape(one)).decode())
        return
    if not found:
        printing.say(f"no errors within {printing.duration(now - since)}")
    for line in printing.table([_row(one) for one in found[:limit]], right=(1,), last=printing.room()):
        printing.say(line)
    if len(found) > limit:
        printing.note(f"overnight: {len(found) - limit:,} more kinds; --limit {len(found)} shows them")


def _shape(one: Errors) -> dict[str, object]:
    instants = {"first_seen": printing.iso(one.first_seen), "last_seen": printing.iso(one.last_seen)}
    return {**msgspec.to_builtins(one), **instants}


def _row(one: Errors) -> tuple[str, ...]:
    mark = "new" if one.is_new else "rising" if one.is_rising else ""
    where = f"task {one.task_id}" if one.task_id is not None else os.path.basename(one.source)  # noqa: PTH119 - text
    cause = f"{one.key}  " if one.kind == "task" else ""
    return mark, f"{one.n:,}×", printing.clean(where), cause + printing.clean(one.template)


@logs.command("trend", cls=Verb)
@_since
@click.option("--limit", type=click.IntRange(min=0), default=5, show_default=True, help="How many kinds besides all.")
@_as_json
def trend_(*, since: float, limit: int, as_json: bool) -> None:
    """Draw how many errors there were in each hour, or day: of tasks, of lines, and the kinds that matter most."""
    home = wiring.find_home(home_option())
    now = wiring.clock.now()
    with _looked_at(home) as (store, scanned):
        found = errors(store, since=since, now=now)
        kinds = {kind: {one.id for one in found if one.kind == kind} for kind in _KINDS}
        wanted = [*kinds.items(), *((one.template, {one.id}) for one in found[:limit])]
        rows = [(words, trend(store, ids, since=since, now=now)) for words, ids in wanted]
    _tell(scanned.troubles)
    if as_json:
        for (words, bars), (kind, one) in zip(rows, _whose(found[:limit]), strict=True):
            told = [{**msgspec.to_builtins(bar), "at": printing.iso(bar.at)} for bar in bars]
            shape = {"kind": kind, "id": one and one.id, "template": one and words, "bars": told}
            printing.say(msgspec.json.encode(shape).decode())
        return
    cells = [(_drawn(bars), f"{sum(bar.n for bar in bars):,}", _named(words)) for words, bars in rows]
    for line in printing.table(cells, right=(1,), last=printing.room()):
        printing.say(line)


def _whose(found: Sequence[Errors]) -> list[tuple[str, Errors | None]]:
    return [*((kind, None) for kind in _KINDS), *((one.kind, one) for one in found)]


def _named(words: str) -> str:
    return _KINDS.get(words) or printing.clean(words)


def _drawn(bars: Sequence[Bar]) -> str:
    most = max((bar.n for bar in bars), default=0) or 1
    return "".join(" " if not bar.n else _BARS[min(7, bar.n * 8 // (most + 1))] for bar in bars)


@logs.command("search", cls=Verb)
@click.argument("pattern")
@click.option("-C", "--context", type=click.IntRange(0, 1000), default=0, help="So many lines around each.")
@click.option("-i", "--ignore-case", is_flag=True, help="Take capital and small letters as the same.")
@click.option("--task", type=click.IntRange(min=1), metavar="ID", help="Only what this task printed.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="How many lines.")
@_as_json
def search_(*, pattern: str, context: int, ignore_case: bool, task: int | None, limit: int, as_json: bool) -> None:
    """Find the lines in which PATTERN (a regular expression) is. Exits 1 when there is none."""
    home = wiring.find_home(home_option())
    settings, _ = in_use()
    wanted = _compiled(pattern, ignore_case=ignore_case)
    troubles: list[tuple[str, str]] = []

    def told(one: Trouble) -> None:
        troubles.append((printable(os.fsdecode(one.path)), one.why))

    if task is not None and has_tasks(home):
        with opened(readonly=True) as session:
            need_known(session.store, [task])
    count = 0
    everything = lines(home, sources(home, settings.log_files), told, task=task)
    for found in search(everything, wanted, context=context):
        if count == limit:
            printing.note(f"overnight: there are more than {limit:,}; --limit shows more")
            break
        count += 1
        if as_json:
            words = {**_line(found.line), "before": [_text(one) for one in found.before]}
            printing.say(msgspec.json.encode({**words, "after": [_text(one) for one in found.after]}).decode())
            continue
        if context and count > 1:
            printing.say("--")
        for mark, one in [
            *(("-", one) for one in found.before),
            (":", found.line),
            *(("-", one) for one in found.after),
        ]:
            printing.say(f"{_where(one)}{mark} {printing.clean(_text(one))}")
    _tell(troubles)
    if not count:
        raise SystemExit(1)


def _compiled(pattern: str, *, ignore_case: bool) -> re.Pattern[bytes]:
    try:
        return re.compile(os.fsencode(pattern), re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise UsageError(
            f"{pattern!r} is no regular expression ({error}); nothing was read",
            hint=f"overnight logs search {printing.shell_word(re.escape(pattern))}",
        ) from None


def _text(line: Line) -> str:
    return line.content.decode("utf-8", "replace")


def _line(line: Line) -> dict[str, object]:
    return {"source": line.source, "line": line.number, "task_id": line.task_id, "content": _text(line)}


def _where(line: Line) -> str:
    where = f"task {line.task_id}" if line.task_id is not None else line.source
    return printing.clean(f"{where}:{line.number}")


@logs.command("tail", cls=Verb)
@click.option(
    "-n", "--lines", "count", type=click.IntRange(0, 100_000), default=10, show_default=True, help="How many."
)
@click.option("-f", "--follow", is_flag=True, help="Print on until Ctrl-C.")
def tail_(*, count: int, follow: bool) -> None:
    """Print the last lines of the journal, of what the engine says, and of each file that is named."""
    home = wiring.find_home(home_option())
    settings, _ = in_use()
    positions = _standing(_logs_of(home, settings.log_files)) if follow else {}
    for path in _logs_of(home, settings.log_files):
        try:
            found = last(path, count)
        except OSError as error:
            _tell([(os.fspath(path), error.strerror or str(error))])
            continue
        _pour(path, found)
    while follow:
        time.sleep(_LOOK_EVERY)
        for one in news(_logs_of(home, settings.log_files), positions):
            if not isinstance(one, Trouble):
                content, end = _rest(one)
                positions[one.position.key] = msgspec.structs.replace(one.position, offset=end)
                _pour(Path(os.fsdecode(one.position.path)), content)


def _logs_of(home: Home, patterns: Sequence[str]) -> list[Path]:
    ours = [path for path in (home.journal, home.log) if path.exists()]
    return [*ours, *matching(patterns, home.config.parent)]


def _standing(paths: Sequence[Path]) -> dict[tuple[int, int], Position]:
    """Where the last whole line of each file ends now."""
    found = {}
    for one in news(paths, {}):
        if not isinstance(one, Trouble):
            end = last_line(one.file.fileno())[1]
            found[one.position.key] = msgspec.structs.replace(one.position, offset=end)
    return found


def _rest(part: Part) -> tuple[list[bytes], int]:
    """Whole lines that are new, and where they end."""
    found, end = [], part.begin
    for block, end in blocks(part):  # noqa: B007 - the last one is kept
        found += block.splitlines()
    return found, end


def _pour(path: Path, found: Sequence[bytes]) -> None:
    if found:
        printing.say(f"==> {printing.place(os.fspath(path))} <==")
    for line in found:
        printing.say(printing.clean(line.decode("utf-8", "replace")))


@logs.command("clean", cls=Verb)
@click.option("--older", type=Duration(), default="30d", show_default=True, help="What was not written since then.")
@click.option("--yes", is_flag=True, help="Do it, and do not only say what would go.")
@_as_json
def clean_(*, older: float, yes: bool, as_json: bool) -> None:
    """Remove log files that [logs] names and nobody has written for long, and forget errors that old.

    Without --yes nothing is changed. The journal is never touched: the books need it.
    """
    home = wiring.find_home(home_option())
    settings, _ = in_use()
    before = wiring.clock.now() - older
    found = old(matching(settings.log_files, home.config.parent), before)
    if yes:
        try:
            clean(home, [path for path, _ in found], before=before)
        except apsw.Error as error:
            raise _unkept(home, error) from error
    for path, size in found:
        if as_json:
            words = {"path": printable(os.fspath(path)), "size_bytes": size, "removed": yes}
            printing.say(msgspec.json.encode(words).decode())
        else:
            printing.say(f"{printing.size(size)}  {printing.clean(os.fspath(path))}")
    what = f"{printing.count(len(found), 'file')}, {printing.size(sum(size for _, size in found))}"
    printing.note(f"overnight: {what} {'removed' if yes else 'would go; nothing was changed'}")
    if found and not yes:
        printing.note(f"  try: 'overnight logs clean --older {spell_duration(older)} --yes'")
