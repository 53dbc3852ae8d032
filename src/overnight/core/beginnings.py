"""Which statements of a Python file do some work as soon as that is imported; it is read, and never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

#: Functions of `subprocess` that start a program.
_STARTS = frozenset({"run", "call", "Popen", "check_call", "check_output"})
#: Functions that change something, whatever becomes of their result.
_CHANGES = frozenset(
    (
        "chmod",
        "copyfile",
        "copytree",
        "kill",
        "makedirs",
        "mkdir",
        "move",
        "remove",
        "rename",
        "renames",
        "rmdir",
        "rmtree",
        "system",
        "touch",
        "truncate",
        "unlink",
        "urlopen",
        "urlretrieve",
        "write_bytes",
        "write_text",
    )
)
#: What may begin some work when a module is imported: a call, a block, or one of those functions.
BEGINS = re.compile(
    rf"^[A-Za-z_][\w.]*\(|^(?:for|while|with|if|try|match|async|await)\b"
    rf"|^\S.*\b(?:open|run|call|Popen|check_call|check_output|{'|'.join(sorted(_CHANGES))})\(",
    re.MULTILINE,
)


def begins(statement: ast.stmt) -> bool:
    """Whether it does some work when the module is imported: a call for its own sake, or one that changes something."""
    if isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
        return False
    return any(is_call(node) or _changes(node) for node in _at_once(statement))


def _at_once(statement: ast.stmt) -> Iterator[ast.AST]:
    """All of it but what waits until somebody calls it, or until something fails."""
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        if not isinstance(node, _LATER):
            yield node
            left += ast.iter_child_nodes(node)


_LATER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.ExceptHandler)


def is_call(node: ast.AST) -> bool:
    """Whether it is a statement that calls something for its own sake."""
    if not isinstance(node, ast.Expr):
        return False
    return isinstance(node.value.value if isinstance(node.value, ast.Await) else node.value, ast.Call)


def _changes(node: ast.AST) -> bool:
    """Whether it is a call of something that is known to change files, to start a program or to use the network."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "open":
        modes = [*node.args[:2], *(one.value for one in node.keywords if one.arg == "mode")]
        named = [one.value for one in modes if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return any(set(mode) <= set("wax+btr") and set(mode) & set("wax+") for mode in named)
    owner = getattr(getattr(node.func, "value", None), "id", "")
    return name in _CHANGES or (owner == "subprocess" and name in _STARTS)
