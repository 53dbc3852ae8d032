"""What a shell offers for a word that is being typed: files, programs, tasks, queues.

Only the shell's script calls this, and nobody sees an error of it: what cannot be told is not offered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import click
from click.shell_completion import CompletionItem

from overnight import wiring
from overnight.core.errors import OvernightError
from overnight.core.lanes import is_queue
from overnight.store.contract import Query, Store
from overnight.ui.cli import shapes
from overnight.ui.cli.group import home_option, marked_words

#: Tasks that are offered, newest first.
_MOST = 50

Items = list[CompletionItem]


def files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Whatever the shell knows as files."""
    return [CompletionItem(incomplete, type="file")]


def directories(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Whatever the shell knows as directories."""
    return [CompletionItem(incomplete, type="dir")]


def words(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The word of a command after ``--``, else a file: inputs mostly are, and so are arguments."""
    with ctx.scope(cleanup=False):
        begins_command = list(marked_words()) == ["--"]
    if begins_command and incomplete and "/" not in incomplete:
        return [CompletionItem(name) for name in sorted(set(_programs(incomplete)))]
    return files(ctx, param, incomplete)


def tasks(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The newest tasks."""
    found: Items = []
    for store in _store(ctx):
        newest = store.tasks(Query(limit=_MOST))
        actions = store.actions({task.action_id for task in newest})
        found = [
            CompletionItem(str(task.id), help=f"{task.state}  {shapes.title(task, actions.get(task.action_id))}")
            for task in newest
            if str(task.id).startswith(incomplete)
        ]
    return found


def queues(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The queues that there are."""
    return [
        CompletionItem(queue.name)
        for store in _store(ctx)
        for queue in store.queues()
        if queue.name.startswith(incomplete) and is_queue(queue.name)
    ]


def workflows(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The workflows by which tasks can be begun."""
    from overnight.ui.cli.settings import in_use
    from overnight.wiring.workflows import all_known

    with contextlib.suppress(OvernightError, OSError), ctx.scope(cleanup=False):
        _, configured = in_use()
        known = all_known(None, configured.workflows)
        for store in _store(ctx):
            known = all_known(store, configured.workflows)
        return [
            CompletionItem(name, help=one.workflow.title) for name, one in known.items() if name.startswith(incomplete)
        ]
    return []


def schedules(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The schedules on record."""
    return [
        CompletionItem(one.schedule.name, help=one.schedule.when.words())
        for store in _store(ctx)
        for one in store.schedules()
        if one.schedule.name.startswith(incomplete)
    ]


def _store(ctx: click.Context) -> Iterator[Store]:
    """The store of the home that is meant, if there is one."""
    with contextlib.suppress(OvernightError, OSError), ctx.scope(cleanup=False):
        home = wiring.find_home(home_option())
        with contextlib.closing(wiring.open_store(home, readonly=True)) as store:
            yield store


def _programs(beginning: str) -> Iterator[str]:
    for place in os.get_exec_path():
        with contextlib.suppress(OSError), os.scandir(place) as entries:
            yield from (one.name for one in entries if one.name.startswith(beginning) and os.access(one.path, os.X_OK))


#: What `values.Offered` names.
OFFERS = {
    "files": files,
    "directories": directories,
    "words": words,
    "queues": queues,
    "workflows": workflows,
    "schedules": schedules,
}
