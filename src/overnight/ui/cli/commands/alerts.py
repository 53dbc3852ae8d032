"""``alerts``: who is told of what, how it stands, whether a target can be reached, and not now please."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.alert_conditions import TRIGGERS
from overnight.core.alert_messages import Message
from overnight.core.alert_proposals import as_toml, proposals
from overnight.core.alert_settings import Rule, Target
from overnight.core.alerts import Alert, Notice, Phase, Tells
from overnight.core.configuration import Configuration
from overnight.core.durations import format_duration
from overnight.core.errors import NotFoundError, OvernightError, UsageError
from overnight.core.secrets import shown_address
from overnight.core.states import TaskState
from overnight.host.home import Home
from overnight.monitor.history.alerting import Sent, Silence
from overnight.monitor.history.standing import Standing, seen, silence, standing
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.group import SETTINGS, Verb, global_options, home_option
from overnight.ui.cli.settings import home_in_use, in_use
from overnight.ui.cli.values import Duration


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def alerts() -> None:
    """Be told of what happens, by webhook, mail, syslog, a command, or any address that apprise knows.

    What is told, and whom it reaches, stands in overnight.toml as [alerts.NAME] and [targets.NAME].
    """


# -- list --------------------------------------------------------------------------------------


@alerts.command("list", cls=Verb)
@click.option("--messages", is_flag=True, help="What was told lately, and whether it arrived.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Messages at the most.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, messages: bool, limit: int, as_json: bool) -> None:
    """List the alerts and how they stand, or what was told lately."""
    home, (settings, configured) = home_in_use(), in_use()
    found = standing(home.path / "history.db", now=wiring.clock.now(), messages=limit)
    if messages:
        _show([_message_words(one, task) for one, task in _with_tasks(home, found.messages)], _message_row, as_json)
        if not found.messages and not as_json:
            printing.note(
                "overnight: nothing was told yet\n  try: 'overnight alerts test' sends a message to each target"
            )
        return
    _show(list(_alert_words(configured.alerts, found)), _alert_row, as_json)
    if not configured.alerts and not as_json:
        printing.note(f"overnight: there are none; write [alerts.NAME] and [targets.NAME] into {home.config.name}")
    elif not settings.monitor:
        printing.note("overnight: nobody watches ([monitor] enabled = false), so nothing is told")


def _show(lines: Sequence[Mapping[str, Any]], row: Any, as_json: bool) -> None:  # noqa: ANN401, FBT001 - a row of a table
    if as_json:
        for one in lines:
            printing.say(msgspec.json.encode(one).decode())
        return
    for line in printing.table([row(one) for one in lines], last=printing.room()):
        printing.say(line)


def _alert_words(rules: Mapping[str, Rule], found: Standing) -> Iterator[dict[str, Any]]:
    for rule in rules.values():
        for trigger in rule.on or ("",):
            key = rule.name if len(rule.on) <= 1 else f"{rule.name}.{trigger}"
            for name in _keys(key, trigger, found):
                yield _words_of(name, rule, trigger, found)


def _keys(key: str, trigger: str, found: Standing) -> list[str]:
    """One, but for what checks find: there each is an alert, and those are shown about which there is something."""
    if not trigger or TRIGGERS[trigger].check is None:
        return [key]
    stirred = {name for name, alert in found.book.alerts.items() if alert.phase is not Phase.INACTIVE}
    return sorted(name for name in stirred if name.startswith(f"{key}.")) or [key]


def _words_of(key: str, rule: Rule, trigger: str, found: Standing) -> dict[str, Any]:
    alert, quiet = found.book.alerts.get(key, Alert()), found.silences.get(rule.name)
    return {
        "alert": key,
        "about": trigger or (rule.when.text if rule.when else ""),
        "state": "flapping" if alert.is_flapping else str(alert.phase),
        "since": printing.iso(alert.fired_at if alert.is_active else None),
        "last_told": printing.iso(alert.told_at or None),
        "words": alert.words,
        "silenced_until": printing.iso(quiet.until if quiet else None),
        "targets": list(rule.targets),
    }


def _alert_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    state = f"{one['state']}, silenced" if one["silenced_until"] else str(one["state"])
    words = f"{one['about']}{': ' + one['words'] if one['words'] else ''}"
    return one["alert"], state, ", ".join(one["targets"]), printing.clean(words)


def _with_tasks(home: Home, sent: Sequence[Sent]) -> Iterator[tuple[Sent, dict[str, Any]]]:
    """Each message with what became of its task."""
    if not sent:
        return
    with closing(wiring.open_store(home, readonly=True)) as store:
        for one in sent:
            yield one, _delivery(store, one)


def _delivery(store: Store, sent: Sent) -> dict[str, Any]:
    if sent.task is None:
        return {"delivery": "on its way"}
    try:
        task = store.get(sent.task)
    except NotFoundError:
        return {"delivery": "forgotten", "task": sent.task}
    words = {TaskState.COMPLETED: "delivered", TaskState.FAILED: "given up"}.get(task.state, str(task.state))
    return {"delivery": words, "task": sent.task, "error": "" if task.state is TaskState.COMPLETED else task.error}


def _message_words(sent: Sent, delivery: Mapping[str, Any]) -> dict[str, Any]:
    message = sent.message
    told = [{"alert": one.alert, "state": str(one.tells), "words": one.words} for one in message.notices]
    about = {"key": message.key, "at": printing.iso(message.at), "target": message.target}
    return {**about, "subject": message.subject, "task": None, "error": "", **delivery, "alerts": told}


def _message_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    words = f"{one['subject']}{': ' + one['error'] if one['error'] else ''}"
    return str(one["at"]), one["target"], one["delivery"], printing.clean(words)


# -- test --------------------------------------------------------------------------------------


@alerts.command("test", cls=Verb)
@click.argument("names", nargs=-1, metavar="[TARGET]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def test(names: tuple[str, ...], *, as_json: bool) -> int:
    """Send a message to these targets, or to all, now and from here.

    Secrets come from the environment of this call; those of an alert come from that of the engine.
    """
    home, (_, configured) = home_in_use(), in_use()
    results = [_tried(target, home) for target in _targets(configured, names)]
    for one in results:
        if as_json:
            printing.say(msgspec.json.encode(one).decode())
        else:
            what = f"not taken: {one['error']}" if one["error"] else f"taken, in {printing.spent(one['seconds'])}"
            printing.say(f"{one['target']} ({printing.clean(one['where'])}): {printing.clean(what)}")
    return 1 if any(one["error"] for one in results) else 0


def _targets(configured: Configuration, names: Sequence[str]) -> list[Target]:
    there = configured.targets
    if not there:
        raise UsageError("no target is configured; nothing was sent", hint="write [targets.NAME] into overnight.toml")
    for name in names:
        if name not in there:
            raise NotFoundError(f"there is no target {name!r}; nothing was sent", hint=f"there are: {', '.join(there)}")
    return [there[name] for name in names or there]


def _tried(target: Target, home: Home) -> dict[str, Any]:
    from overnight.monitor.sending import send

    now, began = wiring.clock.now(), wiring.clock.monotonic()
    words = "this is a test; whoever reads it can be reached"
    message = Message(
        key=f"test-{target.name}-{int(now * 1000)}",
        target=target.name,
        at=now,
        subject="overnight: test",
        body=f"{words}\n\n{printing.clean(os.fspath(home.path.parent))}\n",
        notices=(Notice("test", Tells.HAPPENED, now, words),),
    )
    error = ""
    try:
        send(target, message, os.environ)
    except OvernightError as caught:
        error = f"{caught.message}; {caught.hint}" if caught.hint else caught.message
    else:
        _remember(home, target, now)
    where = shown_address(str(target.texts()[0]))
    seconds = round(wiring.clock.monotonic() - began, 3)
    return {"target": target.name, "kind": target.kind, "where": where, "seconds": seconds, "error": error}


def _remember(home: Home, target: Target, now: float) -> None:
    """`overnight dormant` asks which targets were ever reached."""
    from overnight.ops.dormant.keeping import Record, note
    from overnight.ops.dormant.survey import REACHED

    if home.path.is_dir():
        note(home, Record(now, f"target:{target.name}", REACHED, "delivered", "overnight alerts test", wiring.who()))


# -- silence -----------------------------------------------------------------------------------


@alerts.command("silence", cls=Verb)
@click.argument("name", metavar="ALERT")
@click.argument("seconds", metavar="DURATION", type=Duration(), required=False)
@click.option("--reason", default="", help="Why, for the others.")
@click.option("--end", is_flag=True, help="Let it be told again.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def silence_(name: str, seconds: float | None, *, reason: str, end: bool, as_json: bool) -> None:
    """Tell nothing of an alert for a while. It is looked at all the same, and told afterwards if it still holds."""
    _, configured = in_use()
    if name not in configured.alerts:
        there = ", ".join(configured.alerts) or "none; write [alerts.NAME] into overnight.toml"
        raise NotFoundError(f"there is no alert {name!r}; nothing was changed", hint=f"there are: {there}")
    if (not seconds) != end:
        raise UsageError(
            "it must be said for how long, or that it ends; nothing was changed",
            hint=f"'overnight alerts silence {name} 2h', or '--end'",
        )
    home = wiring.find_home(home_option())
    until = wiring.clock.now() + (seconds or 0.0)
    silence(home.path / "history.db", Silence(name, until, reason, wiring.who()))
    if as_json:
        told = {"alert": name, "silenced_until": None if end else printing.iso(until), "reason": reason}
        printing.say(msgspec.json.encode(told).decode())
    else:
        printing.say(f"{name}: told again" if end else f"{name}: silent for {format_duration(seconds or 0.0)}")


# -- propose -----------------------------------------------------------------------------------


@alerts.command("propose", cls=Verb)
@click.option("--since", "seconds", type=Duration(), default="7d", show_default=True, help="How far to look back.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def propose(seconds: float, *, as_json: bool) -> None:
    """Propose bounds from what was usual here, as text for overnight.toml. Nothing is changed."""
    home, (_, configured) = home_in_use(), in_use()
    found = proposals(seen(home.path / "history.db", now=wiring.clock.now(), seconds=seconds))
    if as_json:
        for one in found:
            printing.say(msgspec.json.encode(one).decode())
    elif found:
        printing.say(as_toml(found, list(configured.targets)))
    else:
        printing.note("overnight: there is no history to propose anything from; let it work for a while")
