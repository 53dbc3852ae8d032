"""Putting the tasks of a list into the store, for ``run`` and for ``add``, and what is said about it."""

from __future__ import annotations

import gc

from overnight.core.task_list.entries import Box
from overnight.store.contract import Store
from overnight.ui.cli import printing
from overnight.ui.cli.boxes import Boxes
from overnight.ui.cli.foreground import say_known
from overnight.ui.cli.listed import ListWork
from overnight.ui.cli.submit import Resumed, resume_list
from overnight.wiring.adding import Progress, this_process
from overnight.wiring.enlisting import Enlisted, enlist


def say_notes(work: ListWork) -> None:
    """What a person should know about a list."""
    for note in work.file.listed.notes:
        printing.note(f"overnight: {printing.clean(work.file.name)}: {note}")
    cancelled = sum(entry.box is Box.CANCELLED for entry in work.file.listed.entries)
    done = sum(entry.box is Box.DONE for entry in work.file.listed.entries)
    if done or cancelled:
        printing.note(f"overnight: {printing.clean(work.file.name)}: {done} ticked and {cancelled} cancelled, not run")


def enter_list(store: Store, work: ListWork, boxes: Boxes | None, *, changed: bool, again: bool) -> Resumed:
    """For ``run``: add what is new, revive what failed, leave alone what is done."""
    work.lay_down(store)
    resumed = resume_list(store, work.tasks, this_process(), changed=changed, again=again)
    say_known(resumed, work.duplicates, ran=changed)
    if boxes is not None:
        boxes.belong_to(resumed.at)
        boxes.follow(store)
    return resumed


def add_list(store: Store, work: ListWork, boxes: Boxes | None, *, progress: Progress | None = None) -> Enlisted:
    """For ``add``: add what is new, and touch nothing else."""
    gc.disable()  # a hundred thousand small values are made, and none of them is in a cycle
    work.lay_down(store)
    enlisted = enlist(store, work.tasks, this_process(), progress=progress)
    if boxes is not None:
        boxes.belong_to(enlisted.at)
        boxes.follow(store)
    return enlisted
