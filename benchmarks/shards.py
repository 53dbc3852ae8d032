"""The plan beyond one store, simulated: 1,024 shards, each a store with an engine, and 100,000 nodes, in virtual time.

Agents, their leases and the engine's side of nodes are the real code; network, clocks, stores and attempts are
simulated (`tests/support/shard_night.py`). In one night a tenth of all nodes dies or is cut off at once, and
later 32 engines die or stand still at once; other tables look for the pauses and delays at which nodes that are well
are given up, and how many nodes an engine can have. The same seed, the same night.

    python benchmarks/shards.py [SEED [SHARDS [SECONDS]]]

After SECONDS no more shards are begun, and the table is of those that were.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from measuring import cpu_of_children
from shard_night import LEASE, Shard
from shard_parts import WINDOW, Weather

SHARDS, NODES, ENGINES = 1024, 100_000, 32
#: Virtual seconds: when nodes are struck, how long some are cut off, when engines are, how long some stand still.
NODES_AT, CUT, ENGINES_AT, FREEZE, END = 12.0, 17.0, 31.0, 12.0, 45.0
#: Shards that are worth a process's while.
CHUNK = 8
#: Of the small nights of the other tables: shards, virtual seconds with pauses, and without.
FEW, LONG, AFTER = 4, 80.0, 20.0
PAUSES = (10.0, 12.0, 13.0, 14.0, 15.0, 16.0)
DELAYS = (0.1, 1.0, 3.0, 4.0, 6.0)
CELLS = ((98, 30.0), (1000, 10.0))


class Totals:
    """What all shards of a night came to."""

    def __init__(self) -> None:
        self.words: Counter[int] = Counter()
        #: Of the shards whose engines are struck, together: as if one host had all of them.
        self.struck_words: Counter[int] = Counter()
        self.busiest = 0
        self.busy = self.seconds = 0.0
        self.done = self.lost = self.false = self.nodes = self.shards = 0
        self.violations: list[str] = []
        self.after_nodes: list[float] = []
        self.after_engines: list[float] = []

    def add(self, shard: Shard, *, engine: bool) -> None:
        """Count this one in."""
        self.words += shard.heard
        if engine:
            self.struck_words += shard.heard
        self.busiest = max(self.busiest, *shard.heard.values())
        self.busy, self.seconds = self.busy + shard.busy, self.seconds + shard.passed
        self.nodes += len(shard.nodes)
        self.shards += 1
        self.done += len(shard.store.done)
        self.lost += len(shard.store.lost)
        self.false += shard.false_losses()
        self.violations += shard.violations()
        self.after_nodes += shard.elsewhere(since=NODES_AT)
        self.after_engines += shard.elsewhere(since=ENGINES_AT)

    def take(self, other: Totals) -> None:
        """Count all of these in."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            setattr(self, name, max(mine, value) if name == "busiest" else mine + value)

    def rate(self, begin: float, end: float) -> float:
        """Words a second, to all engines together, from one virtual second to another."""
        return sum(self.words[window] for window in _windows(begin, end)) / (end - begin)


def _windows(begin: float, end: float) -> range:
    return range(round((1000 + begin) / WINDOW), round((1000 + end) / WINDOW))


def _peak(words: Counter[int], begin: float, end: float) -> int:
    return max(words[window] for window in _windows(begin, end))


def shard_of(number: int, seed: int, shards: int, place: Path) -> tuple[Shard, bool]:
    """One shard after its night, and whether its engine was struck."""
    nodes = NODES // SHARDS + (number < NODES % SHARDS)
    shard = Shard(place / str(number), seed * SHARDS + number, nodes=nodes)
    struck = number < max(1, ENGINES * shards // SHARDS)
    shard.at(NODES_AT, lambda: shard.strike_nodes(0.1, cut=CUT))
    if struck:
        shard.at(ENGINES_AT, lambda: shard.strike_engine(freeze=FREEZE if number % 2 else 0.0))
    shard.run(END)
    return shard, struck


def some(first: int, seed: int, shards: int, place: Path) -> Totals:
    """A few shards of the night, one after the other: they share nothing."""
    totals = Totals()
    for number in range(first, min(first + CHUNK, shards)):
        shard, struck = shard_of(number, seed, shards, place)
        totals.add(shard, engine=struck)
    return totals


def night(seed: int, shards: int, place: Path, limit: float) -> Totals:
    """All shards, two at a time; none is begun when so many seconds have passed."""
    totals, began = Totals(), time.monotonic()
    firsts, running = iter(range(0, shards, CHUNK)), set[Future[Totals]]()
    with ProcessPoolExecutor(2) as pool:
        while True:
            while len(running) < 2 and time.monotonic() - began < limit and (first := next(firsts, None)) is not None:
                running.add(pool.submit(some, first, seed, shards, place))
            if not running:
                return totals
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for one in done:
                totals.take(one.result())
            print(f"  {totals.shards} shards after {time.monotonic() - began:.0f} s", file=sys.stderr)


def both_at_once(seed: int, place: Path) -> Totals:
    """Engines that die in the same moment as a tenth of their nodes."""
    totals = Totals()
    for number in range(ENGINES):
        shard = Shard(place / f"both-{number}", seed + number, nodes=98)
        shard.at(NODES_AT, lambda shard=shard: shard.strike_nodes(0.1, cut=40.0))  # type: ignore[misc]  # a default binds it
        shard.at(NODES_AT, shard.strike_engine)
        shard.run(60.0)
        totals.add(shard, engine=False)
    return totals


class Spell(NamedTuple):
    """What a few shards in some weather came to."""

    stood_still: int
    lost: int
    attempts: int
    violations: list[str]


def few(seed: int, weather: Weather, place: Path) -> Spell:
    """A few shards in this weather."""
    shards = [
        Shard(place / f"few-{weather}-{number}", seed + number, nodes=98, weather=weather) for number in range(FEW)
    ]
    for shard in shards:
        shard.at(LONG, shard.calm_down)
        shard.run(LONG + AFTER)
    return Spell(
        sum(shard.stood_still for shard in shards),
        sum(shard.false_losses() for shard in shards),
        sum(len(shard.began_at) for shard in shards),
        [found for shard in shards for found in shard.violations()],
    )


def cell(seed: int, nodes: int, seconds: float, place: Path) -> tuple[float, float]:
    """An engine with so many nodes: words a second, and seconds of a processor a second for them."""
    shard = Shard(place / f"cell-{nodes}", seed, nodes=nodes)
    shard.run(10.0)
    words, busy = sum(shard.heard.values()), shard.busy
    shard.run(seconds)
    return (sum(shard.heard.values()) - words) / seconds, (shard.busy - busy) / seconds


def told(seconds: Sequence[float]) -> str:
    """The middle one, and the longest."""
    if not seconds:
        return "none"
    return f"{statistics.median(seconds):.1f} s in the middle, {max(seconds):.1f} s at most ({len(seconds):,} attempts)"


def rows_of(totals: Totals) -> Iterable[tuple[str, str]]:
    """The table of the night."""
    quiet = totals.rate(5.0, NODES_AT)
    took_over = (ENGINES_AT + 5, END)
    yield "nodes, shards", f"{totals.nodes:,}, {totals.shards:,}"
    yield "words of nodes a second, to all engines, to one", f"{quiet:,.0f}, {quiet / totals.shards:.0f}"
    yield "the busiest 0.1 s, all engines, one", f"{_peak(totals.words, 5.0, END):,}, {totals.busiest:,}"
    yield "processor for the engine's side of nodes, of one core", f"{totals.busy / totals.seconds:.2%}"
    yield "attempts that ended, that were lost", f"{totals.done:,}, {totals.lost:,}"
    yield "lost though nothing had struck their node", f"{totals.false:,}"
    yield "doubled, or lost from the books", f"{len(totals.violations):,}"
    yield "run elsewhere after a tenth of the nodes was struck", told(totals.after_nodes)
    yield "run again after 32 engines were struck", told(totals.after_engines)
    yield "the busiest 0.1 s for one host that took all of these over", f"{_peak(totals.struck_words, *took_over):,}"


def main() -> None:
    """Print all tables."""
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    shards = int(sys.argv[2]) if len(sys.argv) > 2 else SHARDS
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else math.inf
    with tempfile.TemporaryDirectory(prefix="overnight-shards-") as name:
        place = Path(name)
        for what, figure in rows_of(night(seed, shards, place, limit)):
            print(f"| {what} | {figure} |")
        both = both_at_once(seed, place)
        print(f"| engines and a tenth of their nodes at once: run again | {told(both.after_nodes)} |")
        print(f"| the same: doubled, or lost from the books | {len(both.violations)} |")
        for pause in PAUSES:
            spell = few(seed, Weather(pause=pause, pause_every=60.0), place)
            cost = spell.lost / max(spell.stood_still, 1)
            found = len(spell.violations)
            print(f"| nodes that stand still for {pause:g} s | {cost:.0%} of {spell.stood_still:,} | {found} |")
        for delay in DELAYS:
            spell = few(seed, Weather(delay=delay), place)
            cost = spell.lost / spell.attempts
            print(f"| words that take {delay:g} s | {cost:.1%} of {spell.attempts:,} | {len(spell.violations)} |")
        for nodes, seconds in CELLS:
            words, busy = cell(seed, nodes, seconds, place)
            print(f"| an engine with {nodes:,} nodes | {words:,.0f} words a second | {busy:.1%} of a core |")
    used = cpu_of_children() + time.process_time()
    print(f"lease {LEASE.ttl:g} s and {LEASE.margin:g} s; {used:.0f} s of a processor; seed {seed}")


if __name__ == "__main__":
    main()
