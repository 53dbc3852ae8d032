"""Whether a function can be imported and called as a step, found out by reading and not by running.

A module is looked up as `import` would look it up, part by part, and its source is read. What only running it
could tell (a name that is made up at run time, a module without source) is taken to be fine.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from overnight.core.source_facts import packages_of

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
#: The arguments of a step: the input, and the context.
_MOST_ARGUMENTS = 2


class Functions:
    """Asked about ``module:function``; each module is read once.

    Args:
        roots: Directories in which modules are looked for.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = list(dict.fromkeys(roots))
        self._modules: dict[str, _Module | str] = {}
        self._found: dict[str, ModuleSpec | None] = {}

    def wrong_with(self, call: str) -> str:
        """What keeps a function from being called as a step; empty when nothing is seen."""
        name, _, function = call.partition(":")
        if name not in self._modules:
            self._modules[name] = self._read(name)
        module = self._modules[name]
        return module if isinstance(module, str) else module.wrong_with(function)

    def has(self, package: str) -> bool:
        """Whether a package would be found."""
        return self._find(package) is not None

    def _read(self, name: str) -> _Module | str:
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            if self._find(".".join(parts[:length])) is None:
                missing = ".".join(parts[:length])
                return f"there is no module {missing!r} in {self._roots[0]} or among what is installed"
        spec = self._find(name)
        if spec is None or not spec.has_location or not str(spec.origin).endswith(".py"):
            return _Module(name, None)
        try:
            tree = ast.parse(Path(str(spec.origin)).read_bytes())
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError) as error:
            line = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno else ""
            words = error.msg if isinstance(error, SyntaxError) else str(error) or type(error).__name__
            return f"module {name!r} ({spec.origin}) cannot be read: {line}{words}"
        if missing := next((one for one in packages_of(tree) if self._find(one) is None), ""):
            return f"module {name!r} imports {missing!r}, which is not installed"
        return _Module(name, tree)

    def _find(self, name: str) -> ModuleSpec | None:
        """The place of a module whose parents were found already."""
        if name not in self._found:
            parent = name.rpartition(".")[0]
            above = self._found.get(parent)
            roots = self._roots if above is None else list(above.submodule_search_locations or ())
            # Under its last name: a parent that is no more than a directory would be looked for among what is imported.
            self._found[name] = PathFinder.find_spec(name.rpartition(".")[2], roots) or _elsewhere(name)
        return self._found[name]


def _elsewhere(name: str) -> ModuleSpec | None:
    """What is built in, and what installers have put behind hooks of their own."""
    if name.partition(".")[0] in sys.stdlib_module_names:
        return ModuleSpec(name, None)  # `os.path` is no file of that name
    if "." in name:
        return None
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


class _Module:
    """The names of a module, as far as they can be read."""

    def __init__(self, name: str, tree: ast.Module | None) -> None:
        self._name = name
        self._is_open = tree is None
        self._bound: dict[str, ast.stmt | None] = {}
        for bound, statement in _bindings(tree.body if tree else ()):
            self._bound[bound] = statement
            self._is_open |= bound in ("*", "__getattr__")

    def wrong_with(self, function: str) -> str:
        name, _, inner = function.partition(".")
        if name not in self._bound:
            if self._is_open:
                return ""
            close = get_close_matches(name, self._bound, n=1)
            return f"module {self._name!r} has no {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")
        statement = self._bound[name]
        if inner or not isinstance(statement, _FUNCTION) or statement.decorator_list:
            return ""
        return _wrong_signature(statement)


def _wrong_signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    given = function.args
    places = [*given.posonlyargs, *given.args]
    needed = len(places) - len(given.defaults)
    named = [one.arg for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    if needed > _MOST_ARGUMENTS or named or (not places and given.vararg is None):
        return f"write it as def {function.name}(input, context), or def {function.name}(input)"
    return ""


def _bindings(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.stmt | None]]:
    """Every name that is bound at the top of a module, with its statement where that is a function."""
    for statement in body:
        if isinstance(statement, (*_FUNCTION, ast.ClassDef)):
            yield statement.name, statement
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            yield from ((one.asname or one.name.partition(".")[0], None) for one in statement.names)
        elif isinstance(statement, ast.If | ast.Try | ast.With | ast.For | ast.While):
            yield from _bindings(one for one in ast.iter_child_nodes(statement) if isinstance(one, ast.stmt))
            for handler in getattr(statement, "handlers", ()):
                yield from _bindings(handler.body)
        else:
            stored = (one for one in ast.walk(statement) if isinstance(one, ast.Name))
            yield from ((one.id, None) for one in stored if isinstance(one.ctx, ast.Store))
