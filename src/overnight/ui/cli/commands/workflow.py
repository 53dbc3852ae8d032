"""``workflow``: what workflows there are, what is wrong with them, how they look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from overnight import wiring
from overnight.core.errors import NotFoundError
from overnight.core.workflow.drawing import Form, draw
from overnight.core.workflow.estimating import estimate
from overnight.core.workflow.model import Step, packed
from overnight.core.workflow.plan import Plan
from overnight.host.home import has_tasks
from overnight.store.contract import Store
from overnight.ui.cli import printing, shapes
from overnight.ui.cli.group import SETTINGS, Verb, global_options, home_option
from overnight.ui.cli.settings import in_use
from overnight.ui.cli.values import Offered
from overnight.ui.cli.workflow_check import WRONG, examine, said, say, shape
from overnight.wiring.workflows import Named, all_known, unknown


@click.group(context_settings=SETTINGS, params=global_options(hidden=True))
def workflow() -> None:
    """Look at workflows, check them, draw them.

    They stand in overnight.toml, are built in, or were defined by Python programs.
    """


@workflow.command("list", cls=Verb)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, as_json: bool) -> None:
    """List the workflows by which tasks can be begun."""
    with _store() as store:
        for name, found in _known(store).items():
            if as_json:
                printing.say(shapes.line(_brief(found) | {"tasks": _counts(store, name)}))
                continue
            words = f": {found.workflow.title}" if found.workflow.title else ""
            steps = printing.count(len(found.workflow.nodes), "step")
            printing.say(printing.clean(f"{name}  {steps}, {found.source}{words}"))


@workflow.command(cls=Verb)
@click.argument("name", type=Offered("workflows"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the whole definition.")
def show(*, name: str, as_json: bool) -> None:
    """Show a workflow: its steps, and how long they took before."""
    with _store() as store:
        found = _named(store, name)
        plan = Plan(found.workflow)
        history = store.step_seconds(name) if store else {}
        counts = _counts(store, name)
    if as_json:
        known = {step: {"runs": one.runs, "seconds": one.seconds} for step, one in history.items()}
        whole = {"definition": msgspec.Raw(packed(found.workflow)), "tasks": counts, "took": known}
        printing.say(shapes.line(_brief(found) | whole))
        return
    for key, value in _facts(found, counts):
        if value:
            printing.say(f"{key + ':':<13}{printing.clean(value)}")
    printing.say()
    for step in found.workflow.nodes:
        took = history.get(step.id)
        about = f"took {printing.spent(took.seconds)} on average" if took else ""
        for line in _step(step, about):
            printing.say(printing.clean(line))
    printing.say()
    printing.say(said(estimate(plan, history)))


@workflow.command(cls=Verb)
@click.argument("names", nargs=-1, type=Offered("workflows"), metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(*, names: tuple[str, ...], as_json: bool) -> int:
    """Say everything that is wrong with workflows, and how long they take.

    Looks at the file, at programs on PATH, at Python functions (they are read and not run), and at what there
    is of resources. Without a NAME: at all workflows of overnight.toml. The exit status is 2 when something is wrong.
    """
    with _store() as store:
        examined = examine(names, store)
    if not as_json:
        return say(examined)
    found = shape(examined)
    printing.say(shapes.line(found))
    return WRONG if found["mistakes"] else 0


@workflow.command(cls=Verb)
@click.argument("name", type=Offered("workflows"))
@click.option("--format", "form", type=click.Choice([form.value for form in Form]), default=Form.TEXT.value,
              show_default=True, help="Text, or the language of Graphviz or Mermaid.")  # fmt: skip
def graph(*, name: str, form: str) -> None:
    """Draw a workflow.

    \b
    overnight workflow graph ingest --format dot | dot -Tsvg > ingest.svg
    """  # noqa: D301 - the backslash is click's mark for lines that are not to be wrapped
    with _store() as store:
        plan = Plan(_named(store, name).workflow)
    for line in draw(plan, Form(form)).split("\n"):
        printing.say(printing.clean(line))


# -- what is known ---------------------------------------------------------------------------


@contextmanager
def _store() -> Iterator[Store | None]:
    """The store of this call's home; None when there is none: then the file says all there is."""
    try:
        home = wiring.find_home(home_option())
    except NotFoundError:
        yield None
        return
    if not has_tasks(home):
        yield None
        return
    store = wiring.open_store(home, readonly=True)
    try:
        yield store
    finally:
        store.close()


def _known(store: Store | None) -> dict[str, Named]:
    _, configured = in_use()
    return all_known(store, configured.workflows)


def _named(store: Store | None, name: str) -> Named:
    known = _known(store)
    if name not in known:
        raise unknown(name, known, done="nothing was shown")
    return known[name]


def _counts(store: Store | None, name: str) -> dict[str, int]:
    """How many tasks of a workflow are in each state, as far as there are any."""
    if store is None:
        return {}
    counts = store.counts(workflow=name)
    states = ("waiting", "pending", "running", "completed", "failed", "cancelled", "held")
    return {state: getattr(counts, state) for state in states if getattr(counts, state)}


def _brief(found: Named) -> dict[str, Any]:
    one = found.workflow
    return {
        "name": one.name,
        "source": found.source,
        "title": one.title or None,
        "digest": one.digest().hex(),
        "steps": [step.id for step in one.steps],
        "gates": [step.id for step in one.gates],
        "phases": one.phases,
    }


def _facts(found: Named, counts: dict[str, int]) -> list[tuple[str, str]]:
    one = found.workflow
    return [
        ("workflow", one.name),
        ("title", one.title),
        ("defined by", found.source),
        ("definition", one.digest().hex()),
        ("input", one.input.value + (f", {', '.join(one.match)}" if one.match else "")),
        ("phases", ", ".join(one.phases)),
        ("deadline", printing.duration(one.deadline) if one.deadline else ""),
        ("tasks", ", ".join(f"{number} {state}" for state, number in counts.items())),
    ]


def _step(step: Step, about: str) -> Iterator[str]:
    words = step.call or " ".join(map(printing.shell_word, step.run))
    yield f"{step.id}  {words}"
    said_of = [f"phase {step.phase}"] if step.phase else []
    said_of += [f"after {', '.join(step.needs)}"] if step.needs else []
    said_of += [f"if {step.condition}"] if step.condition else []
    said_of += [f"limit {printing.duration(step.timeout)}"] if step.timeout else []
    said_of += [printing.count(step.retries, "retry", "retries")] if step.retries is not None else []
    said_of += [f"{amount:g} {name}" for name, amount in step.resources.items()]
    said_of += [f"on failure {step.on_failure}"] if step.on_failure != "stop" else []
    said_of += [about] if about else []
    if said_of:
        yield f"    {'; '.join(said_of)}"
