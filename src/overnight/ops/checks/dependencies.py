"""Whether the Python packages around us fit together. What workflows name is a check of its own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import Distribution, distributions

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from overnight.core.findings import Finding
from overnight.ops.checks.contract import Check, Cost, Scene, by_hand, ok, warn

_ID = "dependencies"
_NAMED = 3
_MEND = by_hand("packages", "Install what is missing or does not fit", "pip check; pip install what it names")


def _run(scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - a question about the interpreter, not the project
    there: dict[str, Distribution] = {}
    for one in distributions():
        if "Name" in one.metadata:  # else an installer was interrupted
            there.setdefault(canonicalize_name(one.metadata["Name"]), one)
    complaints = sorted(words for name, one in there.items() for words in _complaints(name, one, there))
    if complaints:
        more = f" and {len(complaints) - _NAMED} more" if len(complaints) > _NAMED else ""
        words = "; ".join(complaints[:_NAMED]) + more
        yield warn(_ID, words, _MEND, value=len(complaints), unit="count")
    else:
        yield ok(_ID, f"{len(there)} Python packages fit together", value=0, unit="count")


def _complaints(name: str, one: Distribution, there: dict[str, Distribution]) -> Iterator[str]:
    """What it needs and is not there, as far as it says so in words that can be read."""
    for line in one.requires or ():
        try:
            needed = Requirement(line)
        except InvalidRequirement:
            continue
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        found = there.get(canonicalize_name(needed.name))
        if found is None:
            yield f"{name} needs {needed.name}{needed.specifier}, which is not installed"
        elif not needed.specifier.contains(found.version, prereleases=True):
            yield f"{name} needs {needed.name}{needed.specifier}, and {found.version} is installed"


CHECK = Check(_ID, "dependencies", _run, cost=Cost.SLOW, timeout=4.0, every=3600.0)
