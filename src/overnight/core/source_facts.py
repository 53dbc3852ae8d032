"""What a file of a project says about itself when it is read and never run: what could be run of it, and what it names.

Python is parsed where something in it could be run by us; of all other files the words are looked at. A line that is a
comment names nothing: a call that was commented out is the commonest way in which a script is forgotten.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import msgspec

from overnight.core.beginnings import BEGINS, begins, is_call

#: What opts a file out, with all that is in it: ``# overnight: dormant = "permanent: once a year, by hand"``.
_PERMANENT = re.compile(
    r'^[ \t]*#[ \t]*overnight:[ \t]*dormant[ \t]*=[ \t]*"permanent:[ \t]*([^"\n]*[^"\s])"', re.MULTILINE
)
#: Where a path is likely; it is read from there to both of its ends.
_HINT = re.compile(r"/|\.(?:py|sh|bash|zsh|pl|rb|js|ts|mjs|R|r|jl|lua|php)\b")
_OF_A_PATH = re.compile(r"[\w.~/+-]*")
#: Characters of a path before such a place.
_LONGEST = 200
_CALL = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*+:[A-Za-z_][\w.]*")
_DASH_M = re.compile(r"""-m["', ]+([A-Za-z_][\w.]*)""")
_IMPORT = re.compile(r"^[ \t]*import[ \t]+([^\n#;]+)", re.MULTILINE)
_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#;]+)", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_ARGUMENTS = re.compile(r"\bargv\b|argparse|\bclick\b|\btyper\b|docopt|getopt|\$[1@*]|\$\{[1@*]")
#: Functions of `subprocess` whose first argument is a command.
_STARTS = frozenset({"run", "call", "Popen", "check_call", "check_output"})
_MARKERS = frozenset({"task", "workflow"})


class Function(msgspec.Struct, frozen=True, array_like=True):
    """A decorated function. `kind`: ``task`` or ``workflow``; `name` of a workflow is that of its decorator."""

    kind: str
    name: str
    line: int
    size_bytes: int


class Facts(msgspec.Struct, frozen=True, array_like=True):
    """What can be said of one file without running it."""

    #: Why it cannot be read as what it is; empty when it can.
    wrong: str = ""
    #: It is there to be run: it begins with ``#!``, has a main guard, or works when it is imported.
    is_script: bool = False
    #: What it does stands behind ``if __name__ == "__main__"``.
    is_guarded: bool = False
    takes_arguments: bool = False
    #: The program after ``#!``, by its name.
    interpreter: str = ""
    functions: tuple[Function, ...] = ()
    #: Packages without which it cannot be imported, and programs that it starts.
    packages: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    #: Paths, modules and ``module:function`` that it names.
    paths: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    #: The reason for which it may lie there unused; empty when it gives none.
    permanent: str = ""


def facts_of(text: str, path: str, *, parse: bool = False) -> Facts:
    """Read one file.

    Args:
        text: Its content.
        path: Where it lies below the project, with slashes.
        parse: Parse it as Python even when nothing in it looks as if it could be run.
    """
    bare = _COMMENT.sub("", text)
    interpreter = _interpreter(text)
    is_python = path.endswith(".py") or interpreter.startswith("python")
    reason = _PERMANENT.search(text) if "permanent:" in text else None
    found = Facts(
        is_script=bool(interpreter),
        takes_arguments=bool(interpreter) and bool(_ARGUMENTS.search(text)),
        interpreter=interpreter,
        paths=_once(_paths(bare)),
        modules=_once([*_by_dash_m(bare), *(_imported(bare, path) if is_python else ())]),
        calls=_once(_CALL.findall(bare)),
        permanent=reason[1] if reason else "",
    )
    if is_python and (parse or interpreter or "__main__" in text or "overnight" in text or BEGINS.search(bare)):
        return _parsed(found, text)
    return found


def named_in(words: Iterable[str]) -> Facts:
    """What words name that stand in no file of their own, as those of a configuration that was read already."""
    text = "\n".join(words)
    return Facts(paths=_once(_paths(text)), modules=_once(_by_dash_m(text)), calls=_once(_CALL.findall(text)))


def module_of(path: str) -> str:
    """The name under which a file is imported from the top of its project; empty when it has none that is a name."""
    parts = PurePosixPath(path).with_suffix("").parts
    parts = parts[:-1] if parts and parts[-1] == "__init__" else parts
    return ".".join(parts) if all(part.isidentifier() for part in parts) else ""


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _paths(text: str) -> Iterator[str]:
    """Words with a slash in them, or with the ending of a script."""
    end = 0
    for hint in _HINT.finditer(text):
        if hint.start() < end:
            continue
        before = text[max(end, hint.start() - _LONGEST) : hint.start()]
        own = _OF_A_PATH.match(before[::-1])
        rest = _OF_A_PATH.match(text, hint.end())
        end = rest.end() if rest else hint.end()
        word = text[hint.start() - (own.end() if own else 0) : end].rstrip(".-/")
        if word.strip("./~"):
            yield word


def _by_dash_m(text: str) -> list[str]:
    """Modules that are run as ``python -m NAME``."""
    return _DASH_M.findall(text) if "-m" in text else []


def _interpreter(text: str) -> str:
    """The program of a first line ``#!/usr/bin/env python3`` or ``#!/bin/sh``."""
    if not text.startswith("#!"):
        return ""
    words = [word for word in text[2:].partition("\n")[0].split() if not word.startswith("-") and "=" not in word]
    named = words[1:] if words and PurePosixPath(words[0]).name == "env" else words
    return PurePosixPath(named[0]).name if named else ""


def _imported(text: str, path: str) -> Iterator[str]:
    """Every module that is imported somewhere, and every name out of one, which may be a module, too."""
    for listed in _IMPORT.findall(text):
        yield from (name.split(" as ")[0].strip() for name in listed.split(","))
    package = PurePosixPath(path).parent.parts
    for module, listed in _FROM.findall(text):
        dots = len(module) - len(module.lstrip("."))
        above = package[: len(package) - dots + 1] if dots else ()
        whole = ".".join([*above, *([module.lstrip(".")] if module.strip(".") else [])])
        names = [name.split(" as ")[0].strip() for name in listed.strip("()").split(",")]
        yield from ([whole] if whole else [])
        yield from (f"{whole}.{name}" if whole else name for name in names if name.isidentifier())


# -- parsed -----------------------------------------------------------------------------------


def _parsed(found: Facts, text: str) -> Facts:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        return msgspec.structs.replace(found, wrong=f"{where}{error.msg}")
    except (ValueError, RecursionError, MemoryError) as error:
        return msgspec.structs.replace(found, wrong=str(error) or type(error).__name__)
    is_guarded = any(map(_is_guard, tree.body))
    functions = tuple(_functions(tree, text))
    is_begun = not functions and any(map(begins, tree.body))
    return msgspec.structs.replace(
        found,
        is_script=found.is_script or is_guarded or any(map(is_call, tree.body)) or is_begun,
        is_guarded=is_guarded,
        takes_arguments=bool(_ARGUMENTS.search(text)),
        functions=functions,
        # Of one that changes where modules are looked for, nobody can say what it will find there.
        packages=() if "sys.path" in text else _once(packages_of(tree)),
        programs=_once(_programs(tree)) if "subprocess" in text else (),
    )


def packages_of(tree: ast.Module) -> Iterator[str]:
    """The packages that a module imports whatever happens: not below a condition, and not where a failure is caught."""
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            yield from (one.name.partition(".")[0] for one in statement.names)
        elif isinstance(statement, ast.ImportFrom) and not statement.level and statement.module:
            yield statement.module.partition(".")[0]


def _is_guard(statement: ast.stmt) -> bool:
    if not isinstance(statement, ast.If) or not isinstance(statement.test, ast.Compare):
        return False
    sides = [statement.test.left, *statement.test.comparators]
    return any(isinstance(one, ast.Name) and one.id == "__name__" for one in sides)


def _functions(tree: ast.Module, text: str) -> Iterator[Function]:
    """Functions at the top that ``overnight.task`` or ``overnight.workflow`` decorates, by whatever name."""
    fronts, markers = _doors(tree)
    if not fronts and not markers:
        return
    lines = text.splitlines(keepends=True)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if kind := _kind(called, fronts, markers):
                    own = "".join(lines[node.lineno - 1 : node.end_lineno])
                    size = len(own.encode("utf-8", "replace"))
                    yield Function(kind, _name(node, decorator, kind), node.lineno, size)


def _doors(tree: ast.Module) -> tuple[set[str], dict[str, str]]:
    """What ``overnight`` is called in a module, and what its decorators are."""
    fronts: set[str] = set()
    markers: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            fronts |= {one.asname or one.name for one in node.names if one.name == "overnight"}
        elif isinstance(node, ast.ImportFrom) and node.module == "overnight" and not node.level:
            markers |= {one.asname or one.name: one.name for one in node.names if one.name in _MARKERS}
    return fronts, markers


def _kind(called: ast.expr, fronts: set[str], markers: dict[str, str]) -> str:
    if isinstance(called, ast.Name):
        return markers.get(called.id, "")
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id in fronts:
        return called.attr if called.attr in _MARKERS else ""
    return ""


def _name(node: ast.FunctionDef | ast.AsyncFunctionDef, decorator: ast.expr, kind: str) -> str:
    """What it is called: a workflow can be given a name by its decorator."""
    if kind == "workflow" and isinstance(decorator, ast.Call) and decorator.args:
        first = decorator.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            return first.value
    return node.name


def _programs(tree: ast.Module) -> Iterator[str]:
    """Programs that it starts by a name that stands there: ``subprocess.run(["ffmpeg", ...])``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        words = node.args[0]
        is_start = node.func.attr in _STARTS and isinstance(node.func.value, ast.Name)
        if is_start and isinstance(words, ast.List | ast.Tuple) and words.elts:
            first = words.elts[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and "/" not in first.value:
                yield first.value
