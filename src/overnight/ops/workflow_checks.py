"""What a workflow needs of this machine: programs on PATH, functions that can be imported.

Nothing of the user's is run for it. Modules are looked up as an import would and are read, not imported: to
look at a definition must cost nothing and do nothing, and a thousand steps are looked at in a moment.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from overnight.core.placeholders import has_placeholder
from overnight.core.task import raw
from overnight.core.workflow.faults import Fault
from overnight.core.workflow.graph import where_of
from overnight.core.workflow.model import Step, Workflow
from overnight.core.workflow.outputs import as_template, references
from overnight.ops.functions import Functions


class Machine:
    """Asked about programs and functions; each answer is looked up once.

    Args:
        directory: Where tasks run, as far as that is known: beside the configuration.
        environ: The environment, of which PATH and PYTHONPATH count.
        roots: Where Python looks for modules besides; as a rule ``sys.path``.
    """

    def __init__(self, directory: Path, environ: Mapping[str, str], roots: Sequence[str]) -> None:
        self._directory = directory
        self._path = environ.get("PATH", os.defpath)
        more = [one for one in environ.get("PYTHONPATH", "").split(os.pathsep) if one]
        self._functions = Functions([str(directory), *more, *roots])
        self._programs: dict[tuple[str, str], bool] = {}

    def check(self, workflow: Workflow) -> list[Fault]:
        """What a workflow needs and this machine does not have."""
        return [fault for node, step in enumerate(workflow.nodes) for fault in self._step(workflow, node, step)]

    def _step(self, workflow: Workflow, node: int, step: Step) -> Iterator[Fault]:
        where = where_of(workflow, node)
        if step.call:
            if wrong := self._functions.wrong_with(step.call):
                yield Fault((*where, "call"), f"step {step.id!r} cannot call {step.call}: {wrong}")
        elif not self._is_there(step):
            advice = "install it, or write its path"
            path = "in the directory of the workflow" if "/" in step.run[0] else "on PATH"
            yield Fault((*where, "run", 0), f"step {step.id!r} runs {step.run[0]!r}, and there is none {path}", advice)

    def _is_there(self, step: Step) -> bool:
        program, path = step.run[0], step.env.get("PATH", self._path)
        if has_placeholder([raw(as_template(program))]) or any(references(program)):
            return True  # known only when it runs
        if (program, path) not in self._programs:
            where = str(self._directory / program) if "/" in program else program
            self._programs[program, path] = shutil.which(where, path=path) is not None
        return self._programs[program, path]
