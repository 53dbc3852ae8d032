"""What a trial of a part has shown, in words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from overnight.core.dormancy import Kind, Part
from overnight.core.source_facts import Facts, facts_of
from overnight.ops.dormant.importing import Verdict
from overnight.ops.dormant.survey import environments
from overnight.ops.dormant.trial import SHELLS, import_trial, syntax_trial


class Said(NamedTuple):
    """Whether a part works as far as that can be seen, and why.

    `works`: None where nobody could see it: it was stopped at its work, or only running it would tell.
    """

    works: bool | None
    words: str


def facts_at(project: Path, part: Part) -> Facts:
    """What the file of a part says."""
    return facts_of((project / part.file).read_text("utf-8", "replace"), part.file, parse=True)


def tried(project: Path, part: Part, *, seconds: float) -> list[Said]:
    """Try a part; nothing of it can change anything.

    Args:
        project: Where its files lie.
        part: A script, a function or a workflow is imported; of others it is said that what they need is here.
        seconds: How long each import may take.
    """
    if part.missing:
        hint = f"; install what has it, which may be called otherwise than {part.package!r}" if part.package else ""
        return [_bad(f"{part.name} cannot be loaded: {part.missing}{hint}")]
    if part.kind is Kind.SCRIPT:
        return [_script(project, part, seconds)]
    if part.kind is Kind.FUNCTION:
        return [_function(project, project / part.file, part.name, seconds)]
    calls = [need for need in part.needs if ":" in need]
    said = [_function(project, _file_of(project, call), call, seconds) for call in calls]
    return said or [_good(f"{part.kind} {part.name}: all that it needs is here")]


def _script(project: Path, part: Part, seconds: float) -> Said:
    path, facts = project / part.file, facts_at(project, part)
    if path.suffix == ".py" or facts.interpreter.startswith("python"):
        verdict = import_trial(path, [os.fspath(path.parent), *_roots(project)], cwd=project, seconds=seconds)
        # What is not behind a main guard begins when it is imported: that it gets there is all that can be seen.
        if not facts.is_guarded and verdict.outcome in ("refused", "exited"):
            return _unseen(f"{part.name} does its work when it is loaded, and was stopped there: {_told(verdict)}")
        return _judged(part.name, verdict)
    if facts.interpreter not in SHELLS:
        return _unseen(f"{part.name} was not tried: only running it would tell what it does")
    verdict = syntax_trial(path, facts.interpreter, seconds=seconds)
    if verdict.outcome != "imported":
        return _judged(part.name, verdict)
    return _unseen(f"{part.name} was not tried: {facts.interpreter} can read it, and only running it would tell more")


def _file_of(project: Path, call: str) -> Path:
    """Where a function most likely stands: of an error there, the line is told."""
    return project.joinpath(*call.partition(":")[0].split(".")).with_suffix(".py")


def _function(project: Path, path: Path, call: str, seconds: float) -> Said:
    module, _, function = call.partition(":")
    how = {"module": module, "function": function}
    return _judged(call, import_trial(path, _roots(project), cwd=project, seconds=seconds, **how))


def _judged(name: str, verdict: Verdict) -> Said:
    if verdict.outcome == "imported":
        return _good(f"{name} can be loaded, and changes nothing by that{_doubt(verdict)}")
    return _bad(f"{name} fails when it is loaded: {_told(verdict)}{_doubt(verdict)}; nothing was changed")


def _doubt(verdict: Verdict) -> str:
    """Of what was tried in a process that the system did not seal off, not everything could be seen."""
    return " (as far as Python could see: this machine seals off no process)" if verdict.is_open else ""


def _told(verdict: Verdict) -> str:
    return f"line {verdict.line}: {verdict.words}" if verdict.line else verdict.words


def _roots(project: Path) -> list[str]:
    return [os.fspath(project), os.fspath(project / "src"), *environments(project)]


def _unseen(words: str) -> Said:
    return Said(works=None, words=words)


def _good(words: str) -> Said:
    return Said(works=True, words=words)


def _bad(words: str) -> Said:
    return Said(works=False, words=words)
