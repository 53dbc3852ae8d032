"""The tables of docs/benchmarks.md, from the figures."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from measuring import spread

from peers.contract import SLOTS
from peers.crash import WATCHED, Crashed
from peers.figures import Idle, Round

#: What stands where a peer has no such thing.
NONE = "–"


@dataclass
class Figures:
    """All that was measured of one peer; `version` None: it is not installed."""

    version: str | None
    promises: str
    functions: list[float] = field(default_factory=list)
    commands: list[float] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    #: Seconds; of a line.
    ready: list[float] = field(default_factory=list)
    idle: Idle | None = None
    crashed: Crashed | None = None


def tables(found: dict[str, Figures]) -> str:
    """Both tables as Markdown."""
    return "\n".join([*speed(found), "", *crashes(found)]) + "\n"


def speed(found: dict[str, Figures]) -> list[str]:
    """How fast, how light."""
    head = ["", "functions a second", "commands a second", "adds a second, one by one", "many at once"]
    head += ["submit to start", "ready after", "memory", "idle CPU"]
    lines = [row(head), rule(len(head))]
    for name, one in found.items():
        cells = ["not installed", *[""] * (len(head) - 2)] if one.version is None else figures(one)
        lines.append(row([f"{name} ({one.version})" if one.version else name, *cells]))
    return lines


def figures(one: Figures) -> list[str]:
    """The cells of one peer."""
    many = [made.many for made in one.rounds if made.many]
    latencies = [latency * 1000 for made in one.rounds for latency in made.latencies]
    return [
        rates(one.functions),
        rates(one.commands),
        adds(one.rounds),
        middle(many, "{:,.0f}"),
        middle(latencies, "{:,.1f} ms"),
        middle([made.ready for made in one.rounds] or one.ready, "{:.2f} s"),
        f"{one.idle.memory / 2**20:.{0 if one.idle.memory > 2**20 else 1}f} MiB" if one.idle else NONE,
        f"{one.idle.cpu:.2%}" if one.idle else NONE,
    ]


def crashes(found: dict[str, Figures]) -> list[str]:
    """What SIGKILL leaves, and what each promises."""
    head = ["", "children alive 5 s after the kill", "after a restart, the tasks that ran", "the task that waited"]
    head += ["by its own account"]
    lines = [row(head), rule(len(head))]
    for name, one in found.items():
        if one.crashed:
            lines.append(row([name, *crashed(one.crashed), one.promises]))
    return lines


def rates(values: list[float]) -> str:
    """Median, and the range where there is one."""
    if not values:
        return NONE
    form = "{:,.1f}" if statistics.median(values) < 10 else "{:,.0f}"
    return spread(values, form)


def adds(rounds: list[Round]) -> str:
    """Adds a second; a second figure where syncing each had to be asked for."""
    synced = [made.synced for made in rounds if made.synced]
    plain = middle([made.adds for made in rounds], "{:,.0f}")
    return f"{plain}; {middle(synced, '{:,.0f}')} with each synced" if synced else plain


def middle(values: list[float], form: str) -> str:
    """The median."""
    return form.format(statistics.median(values)) if values else NONE


def crashed(found: Crashed) -> list[str]:
    """What was seen, in words."""
    if not found.again:
        again = f"not run again within {WATCHED:.0f} s"
    elif found.beside:
        again = "run again beside their orphans: **two copies**"
    else:
        again = "run again, after their first processes were gone"
    alive = f"yes, {found.alive} of {SLOTS}" if found.alive else "no"
    waited = "ran" if found.waiting_ran else f"**not run** within {WATCHED:.0f} s"
    if found.late_ran is not None and found.waiting_ran != found.late_ran:
        waited += f"; one added after the restart {'did' if found.late_ran else 'did not'}"
    return [alive, again, waited]


def row(cells: list[str]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cells) + " |"


def rule(count: int) -> str:
    """The line below the head."""
    return "|" + "---|" * count
