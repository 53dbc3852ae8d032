"""A definition made ready to be run: its graph, what each step is given, and the actions of its steps.

Made once for each definition and kept; it never changes. What a step becomes when everything that it
waits for has ended is decided here (`Plan.decide`), from the outputs of the steps before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from overnight.core.digests import digest
from overnight.core.errors import ConfigurationError
from overnight.core.results import IN_FILES
from overnight.core.task import Action, ActionKind, raw
from overnight.core.workflow.conditions import Condition, IncomparableError, holds, parse
from overnight.core.workflow.faults import Fault
from overnight.core.workflow.graph import Graph, build, used
from overnight.core.workflow.model import Input, Step, Workflow, unpacked
from overnight.core.workflow.outputs import INPUT, MissingError, Reference, as_template, value_at

#: Bytes of outputs that a step can be given, without those that lie in files of their own.
MOST_GIVEN = 1024 * 1024
NOTHING_LARGE: Mapping[str, bytes] = MappingProxyType({})
#: Definitions kept ready.
_KEPT = 64


class Run(NamedTuple):
    """It can run. `given`: the outputs that it uses, a JSON object by step; empty for none."""

    given: bytes = b""


class Skip(NamedTuple):
    """It is completed without having run."""

    why: str


class Fail(NamedTuple):
    """It cannot run: what it asks for is not there, and no retry will bring it."""

    why: str


class Join(NamedTuple):
    """It has no work of its own."""


Verdict = Run | Skip | Fail | Join
_RUN = Run()
_JOIN = Join()


class _Facts(NamedTuple):
    """What is known of a node before anything runs."""

    #: None for a join.
    step: Step | None
    condition: Condition | None
    #: What the words of its command name; what its condition names.
    references: tuple[Reference, ...]
    #: Steps whose outputs it is given, or asked about.
    sources: tuple[int, ...]
    #: Whether others use its output; whether conditions look into it.
    is_used: bool
    is_asked: bool


#: A join.
_NOTHING = _Facts(None, None, (), (), is_used=False, is_asked=False)


class DefinitionError(ConfigurationError):
    """A definition that cannot be run; `faults` says where and why."""

    def __init__(self, name: str, faults: list[Fault]) -> None:
        more = f" (and {len(faults) - 1} more mistakes)" if len(faults) > 1 else ""
        super().__init__(
            f"workflow {name!r} cannot be run: {faults[0].what}{more}; nothing was started",
            hint=faults[0].advice or f"'overnight workflow check {name}' tells all of it",
        )
        self.faults = faults


class Plan:
    """A workflow that can be run.

    Args:
        workflow: The definition.

    Raises:
        DefinitionError: It makes no sense.
    """

    def __init__(self, workflow: Workflow) -> None:
        graph, faults = build(workflow)
        if graph is None:
            raise DefinitionError(workflow.name, faults)
        self.workflow = workflow
        self.graph: Graph = graph
        self._facts = _facts_of(workflow, graph)

    def __len__(self) -> int:
        """How many nodes there are, joins included."""
        return len(self._facts)

    def step(self, node: int) -> Step | None:
        """The definition of a node; None for a join."""
        return self._facts[node].step

    def sources(self, node: int) -> tuple[int, ...]:
        """The nodes whose outputs `decide` wants to see."""
        return self._facts[node].sources

    @cached_property
    def prints(self) -> list[bytes]:
        """For each node 16 bytes over what it does, without how, and everything before it."""
        found: dict[int, bytes] = {}
        for node in self.graph.order:
            step = self._facts[node].step
            before = sorted(found[need] for need in self.graph.needs[node])
            words = msgspec.json.encode(_what(step), order="sorted") if step else b""
            found[node] = digest(b"".join([words, *before]), 16)
        return [found[node] for node in range(len(self))]

    def is_plain(self, node: int) -> bool:
        """Whether a node runs whatever came before it: `decide` need not be asked."""
        facts = self._facts[node]
        return facts.step is not None and not (facts.condition or facts.references or facts.sources)

    # -- deciding ----------------------------------------------------------------------------

    def decide(
        self,
        node: int,
        outputs: Mapping[str, Any],
        absent: Mapping[str, str],
        raw_input: bytes,
        large: Mapping[str, bytes] = NOTHING_LARGE,
    ) -> Verdict:
        """What becomes of a node when everything that it waits for has ended.

        Args:
            node: Its number.
            outputs: The output of each completed source by its name, as JSON has it.
            absent: The sources that have none, and why: "was skipped", "has failed".
            raw_input: The input of the task.
            large: The sources whose outputs lie in files, each with the reference to it.
        """
        facts = self._facts[node]
        if facts.step is None:
            return _JOIN
        if self.is_plain(node):
            return _RUN
        seen = self._seen(facts, outputs, raw_input)
        try:
            return _skipped(facts, seen, absent, large) or _given(facts, seen, large)
        except (MissingError, IncomparableError) as error:
            return Fail(str(error))

    def _seen(self, facts: _Facts, outputs: Mapping[str, Any], raw_input: bytes) -> dict[str, Any]:
        """The outputs, and the input under its own name where it is asked for."""
        seen = dict(outputs)
        asked = [*facts.references, *(facts.condition.references if facts.condition else ())]
        if any(one.step == INPUT for one in asked):
            seen[INPUT] = self._input(raw_input)
        return seen

    def _input(self, raw_input: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
        words = raw_input.decode("utf-8", "replace")
        if self.workflow.input is not Input.JSON:
            return words
        try:
            return msgspec.json.decode(raw_input)
        except msgspec.DecodeError:
            return words  # then its parts are missing, and that is said

    # -- binding -----------------------------------------------------------------------------

    def actions(self, task: Action) -> list[Action | None]:
        """The action of each node for a task with this one; None for a join.

        Args:
            task: The action of the workflow task: it knows directory, environment and what holds where a
                step says nothing.
        """
        return [
            None if facts.step is None else self._action(facts.step, task, root=not self.graph.needs[node], node=node)
            for node, facts in enumerate(self._facts)
        ]

    def _action(self, step: Step, task: Action, *, root: bool, node: int) -> Action:
        timeout = task.timeout if step.timeout is None else step.timeout
        is_gate = node >= len(self.workflow.steps)
        retries = (0 if is_gate else task.retries) if step.retries is None else step.retries
        return msgspec.structs.replace(
            task,
            kind=ActionKind.CALL if step.call else ActionKind.COMMAND,
            call=step.call,
            argv=tuple(raw(as_template(word)) for word in step.run),
            env={**task.env, **{raw(name): raw(value) for name, value in step.env.items()}},
            timeout=timeout or None,
            memory=task.memory if step.memory is None else step.memory,
            retries=retries,
            backoff=step.backoff or task.backoff,
            inline_result=max(MOST_GIVEN, task.inline_result) if self._facts[node].is_asked else task.inline_result,
            expects=self._expects(step, root=root),
            in_workflow=True,
            captures=bool(step.run) and self._facts[node].is_used,
            is_gate=is_gate,
            keep_children=step.keep_children,
            retry_on=step.retry_on,
        )

    def _expects(self, step: Step, *, root: bool) -> str:
        """A file is looked at where a task begins: a later step may find that an earlier one has moved it."""
        wanted = self.workflow.input
        if wanted is Input.FILE:
            return Input.FILE if root else Input.VALUE
        return Input.JSON if wanted is Input.JSON and step.call else Input.VALUE


def _facts_of(workflow: Workflow, graph: Graph) -> list[_Facts]:
    number = {name: node for node, name in enumerate(graph.names)}
    nodes = workflow.nodes
    sources: list[tuple[int, ...]] = [_sources(step, number) for step in nodes]
    is_used = {before for several in sources for before in several}
    conditions = [parse(step.condition) if step.condition else None for step in nodes]
    asked = (one.step for condition in conditions if condition for one in condition.references)
    is_asked = {number[name] for name in asked if name != INPUT}
    facts = [
        _Facts(
            step,
            conditions[node],
            tuple(reference for where, reference in used(step) if where[0] == "run"),
            sources[node],
            node in is_used,
            node in is_asked,
        )
        for node, step in enumerate(nodes)
    ]
    return facts + [_NOTHING] * (len(graph.names) - len(nodes))


def _what(step: Step) -> tuple[object, ...]:
    """What a step does. How long it may take, and how often it is tried, makes it no other step."""
    return (step.id, step.run, step.call, step.condition, step.env)


def _sources(step: Step, number: Mapping[str, int]) -> tuple[int, ...]:
    """A command uses what it names; a function is also given the outputs of what it needs."""
    names = [reference.step for _, reference in used(step)] + (list(step.needs) if step.call else [])
    return tuple(dict.fromkeys(number[name] for name in names if name != INPUT))


def _skipped(
    facts: _Facts, seen: Mapping[str, Any], absent: Mapping[str, str], large: Mapping[str, bytes]
) -> Skip | Fail | None:
    """Why a step has nothing to do."""
    condition, step = facts.condition, facts.step
    assert step is not None  # noqa: S101 - joins are sorted out
    asked = tuple(condition.references) if condition else ()
    for reference in (*asked, *facts.references):
        if reference.step in absent:
            return Skip(f"step {reference.step!r}, whose output it uses, {absent[reference.step]}")
    for reference in asked:
        if reference.step in large:
            return Fail(
                f"the output of step {reference.step!r} is too large to be asked about in a condition;"
                " let it give what is asked for in a step of its own"
            )
    if condition is not None and not holds(condition, seen):
        return Skip(f"{step.condition} is false")
    return None


def _given(facts: _Facts, seen: Mapping[str, Any], large: Mapping[str, bytes]) -> Run | Fail:
    for reference in facts.references:
        if reference.step not in large:
            value_at(seen, reference)
    names = {reference.step for reference in facts.references}
    if facts.step is not None and facts.step.call:
        names |= set(facts.step.needs)
    given = {name: seen[name] for name in sorted(names & seen.keys())}
    if files := {name: large[name].decode() for name in sorted(names & large.keys())}:
        given[IN_FILES] = files
    packed = msgspec.json.encode(given) if given else b""
    if len(packed) > MOST_GIVEN:
        return Fail(
            f"the outputs that it uses are {len(packed):,} bytes and the limit is {MOST_GIVEN:,};"
            " let steps write files, and give their names"
        )
    return Run(packed)


@lru_cache(maxsize=_KEPT)
def plan_of(definition: bytes) -> Plan:
    """The plan of a packed definition; made once.

    Raises:
        DefinitionError: It makes no sense.
    """
    return Plan(unpacked(definition))
