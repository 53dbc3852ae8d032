"""``workflow check``: all that is wrong with definitions, at their places in the file."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from overnight.core import places
from overnight.core.configuration import MAX_DEPTH, Configuration, MistakesError, parse
from overnight.core.errors import ConfigurationError
from overnight.core.node_settings import HERE
from overnight.core.places import Path, Place
from overnight.core.placing import of_nodes
from overnight.core.problems import Problem, listed, of_fault, position
from overnight.core.settings import resolve
from overnight.core.workflow.checking import check
from overnight.core.workflow.estimating import Estimate, estimate
from overnight.core.workflow.faults import Fault
from overnight.core.workflow.model import Workflow
from overnight.core.workflow.plan import Plan
from overnight.ops.workflow_checks import Machine
from overnight.store.contract import Store
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.settings import home_in_use
from overnight.wiring.configuration import text_of
from overnight.wiring.workflows import SOURCE, Named, all_known, unknown

#: Steps of a way that are named.
_SHOWN = 12
#: Exit status when something is wrong.
WRONG = ConfigurationError.exit_code


class Checked(NamedTuple):
    """A workflow, what is wrong with it, and how long it takes."""

    found: Named
    faults: list[Fault]
    estimate: Estimate


class Examined(NamedTuple):
    """A file and its workflows."""

    text: str
    configured: Configuration
    #: What is wrong with the file itself.
    problems: list[Problem]
    checked: list[Checked]

    def every_problem(self) -> list[Problem]:
        """What is wrong with the file, and with the workflows of it that make sense."""
        of_file = [one for one in self.checked if one.found.source == SOURCE]
        known = places.locate(self.text, deepest=MAX_DEPTH) if any(one.faults for one in of_file) else {}
        return self.problems + [problem for one in of_file for problem in _problems(known, one)]


def _problems(known: Mapping[Path, Place], one: Checked) -> list[Problem]:
    return [of_fault(dict(known), ("workflow", one.found.workflow.name), fault) for fault in one.faults]


def examine(names: tuple[str, ...], store: Store | None) -> Examined:
    """Check workflows.

    Args:
        names: Which ones; none for all of the file.
        store: Where their history is; None when there is none.

    Raises:
        ConfigurationError: The file cannot be read.
        NotFoundError: There is no such workflow.
    """
    home = home_in_use()
    text, filename = text_of(home), str(home.config)
    problems: list[Problem] = []
    try:
        configured = parse(text, filename)
    except MistakesError as error:
        configured, problems = error.rest, error.problems
    chosen = _chosen(names, all_known(store, configured.workflows), lenient=bool(problems))
    machine = Machine(home.config.absolute().parent, os.environ, [path for path in sys.path if path])
    return Examined(text, configured, problems, [_check(found, configured, machine, store) for found in chosen])


def _chosen(names: Iterable[str], known: Mapping[str, Named], *, lenient: bool) -> list[Named]:
    """The workflows that are meant. `lenient`: one that is not there may be one that makes no sense."""
    wanted = list(names) or [name for name, found in known.items() if found.source == SOURCE]
    for name in wanted:
        if name not in known and not lenient:
            raise unknown(name, list(known), done="nothing was checked")
    return [known[name] for name in wanted if name in known]


def _check(found: Named, configured: Configuration, machine: Machine, store: Store | None) -> Checked:
    plan = Plan(found.workflow)
    faults = [*check(plan, _resources(found.workflow, configured)), *machine.check(found.workflow)]
    history = store.step_seconds(found.workflow.name) if store else {}
    return Checked(found, faults, estimate(plan, history))


def _resources(workflow: Workflow, configured: Configuration) -> dict[str, float]:
    """How much there is of each resource; of what nodes may have for all that is known here enough."""
    there = {name: resource.amount for name, resource in configured.resources.items()}
    if resolve(flags={}, environ=os.environ, configured=configured.settings).on == HERE:
        return there
    needs = {name: math.inf for step in workflow.nodes for name in step.resources}
    return there | of_nodes(needs, there)


# -- telling ---------------------------------------------------------------------------------


def say(examined: Examined) -> int:
    """Say what was found. Returns the exit status.

    Raises:
        ConfigurationError: Something is wrong, all of it told.
    """
    for one in examined.checked:
        if not one.faults:
            words = f"{one.found.workflow.name}: {printing.count(len(one.found.workflow.nodes), 'step')}, nothing wrong"
            printing.say(printing.clean(f"{words}; {said(one.estimate)}"))
    problems = examined.every_problem()
    others = [(one, fault) for one in examined.checked if one.found.source != SOURCE for fault in one.faults]
    if not problems and not others:
        if not examined.checked:
            printing.note(f"overnight: {examined.configured.filename} defines no workflow; nothing was checked")
        return 0
    lines = listed(examined.text, examined.configured.filename, problems)
    for one, fault in others:
        lines += [
            f"workflow {one.found.workflow.name}: error: {fault.what}",
            *([f"    {fault.advice}"] * bool(fault.advice)),
        ]
    number = printing.count(len(problems) + len(others), "mistake")
    raise ConfigurationError(
        "\n".join([f"{number} found; tasks of these workflows would fail, or wait for ever", *lines]),
        hint="mend them, and 'overnight workflow check' again",
    )


def shape(examined: Examined) -> dict[str, Any]:
    """What was found, for ``--json``."""
    mistakes = [_mistake(examined, problem) for problem in sorted(examined.every_problem())]
    for one in examined.checked:
        if one.found.source != SOURCE:
            place = {"file": None, "line": None, "column": None}
            mistakes += [{**place, "error": fault.what, "advice": fault.advice or None} for fault in one.faults]
    return {"workflows": [_shape(one) for one in examined.checked], "mistakes": mistakes}


def _mistake(examined: Examined, problem: Problem) -> dict[str, Any]:
    line, column = position(examined.text, problem.offset)
    place = {"file": shapes.safe(examined.configured.filename), "line": line, "column": column}
    return {**place, "error": shapes.safe(problem.what), "advice": shapes.safe(problem.advice) or None}


def _shape(one: Checked) -> dict[str, Any]:
    return {
        "name": one.found.workflow.name,
        "steps": len(one.found.workflow.nodes),
        "mistakes": len(one.faults),
        "longest_way": one.estimate.path,
        "seconds": one.estimate.seconds,
        "work_seconds": one.estimate.work,
    }


def said(estimated: Estimate) -> str:
    """The longest way through a workflow, in words."""
    names = (
        estimated.path if len(estimated.path) <= _SHOWN else (*estimated.path[: _SHOWN - 1], "...", estimated.path[-1])
    )
    path = " > ".join(names)
    if estimated.seconds is None:
        return printing.clean(f"longest way: {path}, and how long it takes is not known before a task has run")
    words = f"longest way: {path}, about {printing.spent(estimated.seconds)}"
    if estimated.unknown:
        words += f" and what {', '.join(estimated.unknown[:_SHOWN])} takes, which has not run yet"
    return printing.clean(f"{words}; all steps together {printing.spent(estimated.work)}")
