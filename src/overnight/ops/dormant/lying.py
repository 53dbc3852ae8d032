"""The parts that lie in files: scripts and decorated functions, what they need, and whether anything names them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from overnight.core.dormancy import Kind, Part
from overnight.core.source_facts import Facts, Function, module_of
from overnight.ops.dormant.naming import Names
from overnight.ops.dormant.tree import File
from overnight.ops.functions import Functions

#: The distributions of packages that are called otherwise.
_DISTRIBUTIONS = {
    "PIL": "Pillow",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "serial": "pyserial",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
}
#: What is here wherever this program is.
_HERE = sys.stdlib_module_names | {"overnight"}
#: What tools run by its name alone.
_TOOLS = frozenset(
    ("__main__.py", "__init__.py", "setup.py", "conftest.py", "noxfile.py", "manage.py", "wsgi.py", "asgi.py")
)


class Lying:
    """The parts of files.

    Args:
        project: Where the files lie.
        facts: What was read in each, by path, and what the configuration names.
        path: Where programs are looked for, as ``PATH`` says it.
        roots: Where Python looks for modules besides; as a rule ``sys.path``.
    """

    def __init__(self, project: Path, facts: Mapping[str, Facts], path: str, roots: Sequence[str]) -> None:
        self._project = project
        self._facts = facts
        self._path = path
        self._roots = roots
        self._functions: dict[Path, Functions] = {}

    @cached_property
    def _names(self) -> Names:
        return Names(self._facts)

    def parts(self, files: Sequence[File], workflows: Collection[str]) -> Iterator[Part]:
        """All of them. Where somebody has said what is to be looked at, of those files alone.

        Args:
            files: Those of the project.
            workflows: Names of workflows that are known already, and are parts of their own.
        """
        is_asked = any(file.is_asked for file in files)
        for file in files:
            facts = self._facts.get(file.path)
            if facts is None or file.is_asked != is_asked or (PurePosixPath(file.path).name in _TOOLS and not is_asked):
                continue
            if facts.is_script or (file.is_asked and not facts.functions):
                yield self._script(file, facts)
                continue
            for function in facts.functions:
                if function.kind != "workflow" or function.name not in workflows:
                    yield self._function(file, facts, function)

    def _script(self, file: File, facts: Facts) -> Part:
        missing, package = self._missing(file, facts)
        return Part(
            kind=Kind.SCRIPT,
            name=file.path,
            file=file.path,
            size_bytes=file.stat.st_size,
            since=file.stat.st_mtime,
            needs=self._needs(file, facts),
            missing=missing,
            package=package,
            takes_input=facts.takes_arguments,
            is_blind=not facts.is_guarded,
            is_named=self._names.has_file(file.path),
            permanent=facts.permanent,
        )

    def _function(self, file: File, facts: Facts, function: Function) -> Part:
        missing, package = self._missing(file, facts)
        module = module_of(file.path).removeprefix("src.")
        return Part(
            kind=Kind.FUNCTION,
            name=f"{module or file.path}:{function.name}",
            file=file.path,
            line=function.line,
            size_bytes=function.size_bytes,
            since=file.stat.st_mtime,
            needs=self._needs(file, facts),
            missing=missing or ("" if module else "no import can name its file; call it by letters, digits and _"),
            package=package,
            takes_input=True,
            is_named=self._names.has_function(file.path, function.name),
            permanent=facts.permanent,
        )

    def _needs(self, file: File, facts: Facts) -> tuple[str, ...]:
        """Packages of others, and programs."""
        others = [name for name in facts.packages if name not in _HERE and not self._is_own(file, name)]
        return (*others, *self._programs(facts))

    def _missing(self, file: File, facts: Facts) -> tuple[str, str]:
        """Why it could not be loaded, and what would have to be installed for that."""
        if facts.wrong:
            return facts.wrong, ""
        here = self._looked(self._project / PurePosixPath(file.path).parent)
        for name in facts.packages:
            if not here.has(name):
                return f"it imports {name!r}, which is not installed", _DISTRIBUTIONS.get(name, name)
        for name in self._programs(facts):
            if shutil.which(name, path=self._path) is None:
                return f"it runs {name!r}, and there is none on PATH", ""
        return "", ""

    @staticmethod
    def _programs(facts: Facts) -> tuple[str, ...]:
        own = () if facts.interpreter.startswith("python") or not facts.interpreter else (facts.interpreter,)
        return (*own, *facts.programs)

    def _is_own(self, file: File, package: str) -> bool:
        """Whether it lies in the project."""
        roots = self._own_roots(self._project / PurePosixPath(file.path).parent)
        return any((root / f"{package}.py").is_file() or (root / package).is_dir() for root in roots)

    def _own_roots(self, directory: Path) -> list[Path]:
        """Where modules of the project may lie that a script in this directory imports."""
        above = [folder for folder in directory.parents if folder.is_relative_to(self._project)]
        return [directory, *above, self._project / "src"]

    def _looked(self, directory: Path) -> Functions:
        """What can be imported from a script in this directory."""
        if directory not in self._functions:
            self._functions[directory] = Functions([*map(str, self._own_roots(directory)), *self._roots])
        return self._functions[directory]
