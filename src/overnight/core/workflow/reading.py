"""From a table, as TOML has it, to a workflow; or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from overnight.core.durations import quoted
from overnight.core.workflow.faults import Fault, Meant, Where
from overnight.core.workflow.fields import GATE, STEP, WORKFLOW, Field
from overnight.core.workflow.graph import build
from overnight.core.workflow.model import Step, Workflow
from overnight.core.workflow.values import Wrong

_LISTS = ("step", "gate")


class Read(NamedTuple):
    """What a table says, as far as it makes sense; None when it is not enough for a workflow."""

    workflow: Workflow | None
    faults: list[Fault]


def read(name: str, table: Mapping[str, Any], *, elsewhere: Sequence[str] = ()) -> Read:
    """Read one workflow.

    Args:
        name: What it is called.
        table: ``[workflow.NAME]`` with all that is below it.
        elsewhere: Keys that the caller reads: they are known, and no part of the definition.
    """
    reader = _Reader()
    others = (*_LISTS, *elsewhere)
    rest = {key: value for key, value in table.items() if key not in others}
    values = reader.fields(rest, WORKFLOW, (), also=others)
    steps = [_step(reader, one, ("step", number)) for number, one in reader.tables(table, "step")]
    gates = [_gate(reader, one, ("gate", number), steps) for number, one in reader.tables(table, "gate")]
    if not table.get("step"):
        reader.faults.append(
            Fault((), f"workflow {name!r} has no step", f"write [[workflow.{name}.step]]", at_key=True)
        )
    whole = [one for one in (*steps, *gates) if one is not None]
    if len(whole) < len(steps) + len(gates) or not steps or ("phases" in table and "phases" not in values):
        return Read(None, reader.faults)
    # With a slip in a key or a value it can still be seen whether the steps fit together.
    workflow = Workflow(name=name, steps=tuple(whole[: len(steps)]), gates=tuple(whole[len(steps) :]), **values)
    faults = reader.faults + build(workflow).faults
    return Read(None if reader.faults else workflow, faults)


def _step(reader: _Reader, table: Mapping[str, Any], where: Where) -> Step | None:
    return _whole(reader, table, reader.fields(table, STEP, where), where)


def _gate(reader: _Reader, table: Mapping[str, Any], where: Where, others: Sequence[Step | None]) -> Step | None:
    values = reader.fields(table, GATE, where)
    if "phase" in values and "id" not in table:
        taken = {step.id for step in others if step}
        values["id"] = _free(f"{values['phase']}-gate", taken | reader.gate_names)
    reader.gate_names.add(values.get("id", ""))
    return _whole(reader, table, values, where)


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it the first one that is free."""
    if name not in taken:
        return name
    number = 2
    while f"{name}-{number}" in taken:
        number += 1
    return f"{name}-{number}"


def _whole(reader: _Reader, table: Mapping[str, Any], values: dict[str, Any], where: Where) -> Step | None:
    """A step, when it says what is to be done, and only once."""
    if "run" in table and "call" in table:
        reader.faults.append(
            Fault((*where, "call"), "a step runs a command or calls a function, and not both", at_key=True)
        )
    elif "run" not in table and "call" not in table:
        advice = 'write run = ["program", "{input}"] or call = "module:function"'
        reader.faults.append(Fault(where, "there is nothing to do in this step", advice, at_key=True))
    elif "call" in table and values.get("keep_children"):
        words = "keep_children is about what a command leaves running, and this step calls a function"
        reader.faults.append(Fault((*where, "keep_children"), words, "leave it out, or run a command", at_key=True))
    elif "id" in values and ("run" in values or "call" in values):
        return Step(**values)
    return None


class _Reader:
    """Collects what is wrong."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.gate_names: set[str] = set()
        self._meant = Meant()

    def tables(self, table: Mapping[str, Any], key: str) -> list[tuple[int, Mapping[str, Any]]]:
        """The elements of ``[[workflow.NAME.key]]`` that are tables."""
        written = table.get(key, [])
        if not isinstance(written, list):
            self.faults.append(
                Fault((key,), f"there can be several: write [[...{key}]] with two brackets", at_key=True)
            )
            return []
        for number, one in enumerate(written):
            if not isinstance(one, Mapping):
                self.faults.append(
                    Fault((key, number), f"{quoted(one)} is no {key}; write [[...{key}]] and below it its keys")
                )
        return [(number, one) for number, one in enumerate(written) if isinstance(one, Mapping)]

    def fields(
        self, table: Mapping[str, Any], known: Sequence[Field], where: Where, *, also: Sequence[str] = ()
    ) -> dict[str, Any]:
        """The values of one table, under the names of the model."""
        by_key = {field.key: field for field in known}
        values: dict[str, Any] = {}
        for key, written in table.items():
            if key in by_key:
                values.update(self._value(by_key[key].read, written, (*where, key)))
            else:
                names = [*by_key, *also]
                advice = self._meant(key, names, f"known here: {', '.join(names)}")
                self.faults.append(Fault((*where, key), f"unknown key {quoted(key)}", advice, at_key=True))
        for field in known:
            if field.required and field.key not in table:
                self.faults.append(Fault(where, f"{field.key} is missing: {field.help}", at_key=True))
        return values

    def _value(
        self, read_value: Callable[[Any], Mapping[str, Any]], written: object, where: Where
    ) -> Mapping[str, Any]:
        try:
            return read_value(written)
        except Wrong as wrong:
            self.faults.append(Fault((*where, *wrong.below), str(wrong), wrong.advice, wrong.inside))
        except ValueError as error:
            self.faults.append(Fault(where, str(error)))
        return {}
