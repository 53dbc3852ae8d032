"""What comes after what: the edges of a workflow, its order, and what is wrong with them.

An edge has three origins. A step names what it needs; it uses the output of another one; or a phase
lies between them. Phases are barriers: the first steps of one wait for the last ones of the phase
before, by way of its gates where it has some. Where many wait for many, a *join* stands between them, a
node without work, so that a thousand steps before a thousand others are two thousand edges and not a million.

Everything here is linear in steps and edges and without recursion: definitions are written by programs, too.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from overnight.core.workflow.conditions import ConditionError, parse
from overnight.core.workflow.faults import Fault, Mark, Meant, Where, listed
from overnight.core.workflow.model import Step, Workflow
from overnight.core.workflow.outputs import INPUT, Reference, references

#: From so many edges on a join takes their place.
_MANY = 5
#: Steps of a cycle that are told one by one.
_MOST_SHOWN = 12


class Edge(NamedTuple):
    """`after` waits for `before`; `where` is what says so. Numbers of nodes."""

    before: int
    after: int
    where: Where


class Graph(msgspec.Struct, frozen=True):
    """A workflow whose steps can all be run. Nodes: steps, gates, joins, by number."""

    #: Names of the nodes. A join is called ``end of PHASE``, which no step can be.
    names: tuple[str, ...]
    #: For each node those that it waits for, and those that wait for it.
    needs: tuple[tuple[int, ...], ...]
    dependents: tuple[tuple[int, ...], ...]
    #: All nodes, each after everything that it waits for.
    order: tuple[int, ...]

    @property
    def edges(self) -> int:
        """How many there are."""
        return sum(map(len, self.needs))


class Built(NamedTuple):
    """A graph, or what keeps it from being one."""

    graph: Graph | None
    faults: list[Fault]


def where_of(workflow: Workflow, node: int) -> Where:
    """Where a step or a gate stands in its definition."""
    steps = len(workflow.steps)
    return ("step", node) if node < steps else ("gate", node - steps)


def used(step: Step) -> list[tuple[Where, Reference]]:
    """Every output that a step names, and where below the step it does."""
    found: list[tuple[Where, Reference]] = []
    for number, word in enumerate(step.run):
        found += [(("run", number), one) for one in references(word)]
    if step.condition:
        with contextlib.suppress(ConditionError):  # told by whoever reads the condition
            found += [(("if",), one) for one in parse(step.condition).references]
    return found


def build(workflow: Workflow) -> Built:
    """The graph of a workflow."""
    builder = _Builder(workflow)
    builder.collect()
    faults = builder.faults
    graph, cycle = _sort(builder.names, builder.edges)
    if cycle:
        faults.append(_cycle(builder.names, cycle))
    return Built(None if faults else graph, faults)


class _Builder:
    """Gathers edges, and mistakes on the way."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._nodes = workflow.nodes
        self._phase = {name: number for number, name in enumerate(workflow.phases)}
        self._by_name: dict[str, int] = {}
        self._meant = Meant()
        self.names = [step.id for step in self._nodes]
        self.edges: dict[tuple[int, int], Where] = {}
        self.faults: list[Fault] = []

    def collect(self) -> None:
        for node, step in enumerate(self._nodes):
            self._name(node, step)
        for node, step in enumerate(self._nodes):
            where = where_of(self._workflow, node)
            self._want_phase(where, step)
            for number, name in enumerate(step.needs):
                self._need(node, name, (*where, "needs", number))
            for inside, reference in used(step):
                if reference.step != INPUT:
                    self._need(node, reference.step, (*where, *inside), at=reference.at)
        if self._workflow.phases and not self.faults:
            self._barriers()

    def _name(self, node: int, step: Step) -> None:
        if step.id in self._by_name:
            first = where_of(self._workflow, self._by_name[step.id])
            what = f"{step.id!r} is the name of two steps"
            where = (*where_of(self._workflow, node), "id")
            self.faults.append(Fault(where, what, trail=(Mark((*first, "id"), "the first one"),)))
        else:
            self._by_name[step.id] = node

    def _want_phase(self, where: Where, step: Step) -> None:
        phases = self._workflow.phases
        if step.phase in self._phase or (not phases and not step.phase):
            return
        key = "phase" if where[0] == "step" else "after"
        if not phases:
            self.faults.append(
                Fault((*where, key), f"there is no phase {step.phase!r}", f'name it: phases = ["{step.phase}"]')
            )
        elif not step.phase:
            self.faults.append(
                Fault(where, f"step {step.id!r} is in no phase", f"phases are: {listed(phases)}", at_key=True)
            )
        else:
            advice = self._meant(step.phase, phases, f"phases are: {listed(phases)}")
            self.faults.append(Fault((*where, key), f"there is no phase {step.phase!r}", advice))

    def _need(self, node: int, name: str, where: Where, *, at: int = 0) -> None:
        before = self._by_name.get(name)
        step = self._nodes[node]
        if before is None:
            advice = self._meant(name, list(self._by_name), f"steps are: {listed(self._by_name)}")
            what = f"{step.id!r} needs {name!r}, which is no step of workflow {self._workflow.name!r}"
            self.faults.append(Fault(where, what, advice, at))
        elif before == node:
            self.faults.append(Fault(where, f"{step.id!r} needs itself", inside=at))
        elif self._later(before, node):
            phase = self._nodes[before].phase
            what = f"{step.id!r} of phase {step.phase!r} needs {name!r}, which comes later, in phase {phase!r}"
            self.faults.append(Fault(where, what, inside=at))
        else:
            self.edges.setdefault((before, node), where)

    def _later(self, before: int, node: int) -> bool:
        """Whether phases put `before` after `node`; a gate ends its phase."""
        steps, gates = self._nodes, len(self._workflow.steps)
        first, second = self._phase.get(steps[before].phase, -1), self._phase.get(steps[node].phase, -1)
        return first > second or (first == second >= 0 and before >= gates > node)

    def _barriers(self) -> None:
        """Let each phase wait for the one before."""
        members: list[list[int]] = [[] for _ in self._workflow.phases]
        gates: list[list[int]] = [[] for _ in self._workflow.phases]
        for node, step in enumerate(self._nodes):
            (members if node < len(self._workflow.steps) else gates)[self._phase[step.phase]].append(node)
        waited = {edge for edge in self.edges if self._nodes[edge[0]].phase == self._nodes[edge[1]].phase}
        inner_before = {before for before, _ in waited}
        inner_after = {after for _, after in waited}
        ends: list[int] = []
        for number, phase in enumerate(self._workflow.phases):
            if not members[number]:
                self.faults.append(Fault(("phases", number), f"phase {phase!r} has no step"))
            where: Where = ("phases", number)
            self._join(ends, [node for node in members[number] if node not in inner_after], where, phase)
            ends = [node for node in members[number] if node not in inner_before]
            if gates[number]:
                self._join(ends, gates[number], where, phase, inner=True)
                ends = gates[number]

    def _join(
        self, before: Sequence[int], after: Sequence[int], where: Where, phase: str, *, inner: bool = False
    ) -> None:
        """Let all of `after` wait for all of `before`, by way of a node of its own where that is fewer edges."""
        if len(before) * len(after) <= max(_MANY, len(before) + len(after)):
            for pair in ((one, other) for one in before for other in after):
                self.edges.setdefault(pair, where)
            return
        join = len(self.names)
        self.names.append(f"end of {phase}" if inner else f"begin of {phase}")
        self.edges.update({(one, join): where for one in before})
        self.edges.update({(join, other): where for other in after})


def _sort(names: Sequence[str], edges: dict[tuple[int, int], Where]) -> tuple[Graph | None, list[Edge]]:
    """A graph in order, or the edges of a cycle."""
    needs: list[list[int]] = [[] for _ in names]
    dependents: list[list[int]] = [[] for _ in names]
    for before, after in edges:
        needs[after].append(before)
        dependents[before].append(after)
    left = [len(one) for one in needs]
    ready = deque(node for node, count in enumerate(left) if not count)
    order: list[int] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for after in dependents[node]:
            left[after] -= 1
            if not left[after]:
                ready.append(after)
    if len(order) < len(names):
        return None, find_cycle(needs, left, edges)
    return Graph(tuple(names), _frozen(needs), _frozen(dependents), tuple(order)), []


def _frozen(lists: Iterable[list[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(map(tuple, lists))


def find_cycle(needs: list[list[int]], left: list[int], edges: dict[tuple[int, int], Where]) -> list[Edge]:
    """One cycle among the nodes that could not be put in order: go back along needs until a node comes again.

    Args:
        needs: For each node those that it waits for.
        left: For each node how many of those could not be put in order; 0 for one that was.
        edges: What says that one waits for the other, by (before, after).
    """
    node = next(node for node, count in enumerate(left) if count)
    path: list[int] = []
    seen: dict[int, int] = {}
    while node not in seen:
        seen[node] = len(path)
        path.append(node)
        node = next(before for before in needs[node] if left[before])
    ring = [*path[seen[node] :], node]
    return [Edge(before, after, edges[before, after]) for after, before in pairwise(ring)]


def _cycle(names: Sequence[str], cycle: list[Edge]) -> Fault:
    """The mistake that a cycle is, told from the step that was written first."""
    start = min(range(len(cycle)), key=lambda number: cycle[number].after)
    ring = cycle[start:] + cycle[:start]
    around = [names[edge.after] for edge in (*ring, ring[0])]
    if len(around) > _MOST_SHOWN:
        around[_MOST_SHOWN // 2 : -_MOST_SHOWN // 2] = ["..."]
    path = " needs ".join(around)
    marks = tuple(Mark(edge.where, f"{names[edge.after]} needs {names[edge.before]}") for edge in ring[1:_MOST_SHOWN])
    return Fault(ring[0].where, f"steps wait for each other: {path}", "take away one of these needs", trail=marks)


def descendants(graph: Graph, nodes: Iterable[int]) -> set[int]:
    """Everything that comes after some nodes, without these."""
    found: set[int] = set()
    queue = deque(nodes)
    while queue:
        for after in graph.dependents[queue.popleft()]:
            if after not in found:
                found.add(after)
                queue.append(after)
    return found


def critical_path(graph: Graph, seconds: Sequence[float]) -> list[int]:
    """The nodes that a task cannot be faster than, in order: the longest way through.

    Args:
        graph: The workflow.
        seconds: How long each node takes; joins are nodes, too.
    """
    until = list(seconds)
    came_from = [-1] * len(graph.names)
    for node in graph.order:
        for after in graph.dependents[node]:
            if until[node] + seconds[after] > until[after] or came_from[after] < 0:
                until[after], came_from[after] = until[node] + seconds[after], node
    node = max(range(len(until)), key=until.__getitem__, default=-1)
    path = []
    while node >= 0:
        path.append(node)
        node = came_from[node]
    return path[::-1]
