"""Functions by name: what a worker, which is another process, can find again.

A function goes into the store as ``module:function`` and nothing else; code is never pickled. So a
lambda, a function inside of another one and what was typed at a prompt cannot be tasks, and are
refused when they are handed in, not in the middle of the night.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from overnight.api.arguments import ArgumentTypeError, ArgumentValueError
from overnight.core.asks import Permanent
from overnight.core.durations import quoted

_FUNCTION_IN_A_FILE = "write it as a function of its own ('def' at the left margin of a .py file), and hand in that"


class Named(NamedTuple):
    """A function as it stands in a task."""

    #: ``module:function``.
    call: str
    #: Directory from which its module is imported; empty when it is part of the interpreter.
    root: str


def name_of(function: object, *, context: bool = False) -> Named:
    """The name under which a worker finds this function.

    Args:
        function: What is meant.
        context: It may take a second argument besides its input, as steps of workflows do.

    Raises:
        ArgumentTypeError: It is nothing that can be called with one input.
        ArgumentValueError: It has no such name: a lambda, a local function, one that was typed at a prompt.
    """
    if not callable(function):
        raise ArgumentTypeError(
            f"{quoted(function)} is no function but a {type(function).__name__}; nothing was changed",
            hint="hand in the function itself, without calling it",
        )
    _want_called(function)
    _want_input(function, context=context)
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        raise ArgumentValueError(
            f"a {type(function).__name__} has no name by which a worker could find it; nothing was changed",
            hint=_FUNCTION_IN_A_FILE,
        )
    if "<lambda>" in name or "<locals>" in name:
        kind = "a lambda" if name.endswith("<lambda>") else f"{name.rpartition('.')[2]!r}, defined inside a function,"
        raise ArgumentValueError(
            f"{kind} cannot be found by a worker, which is another process; nothing was changed",
            hint=_FUNCTION_IN_A_FILE,
        )
    if isinstance(function, types.MethodType) and not isinstance(function.__self__, type):
        raise ArgumentValueError(
            f"{name} belongs to an object of this process, and a worker, which is another one, does not have it;"
            " nothing was changed",
            hint="write a function that makes the object and calls its method, and hand in that",
        )
    _want_found(function, module, name)
    if module == "__main__":
        return _in_script(function, name)
    return Named(f"{module}:{name}", _root(module))


def _want_called(function: object) -> None:
    """Refuse what runs nothing of itself when it is called."""
    plain = _plain(function)
    if inspect.iscoroutinefunction(plain):
        what, hint = "an async function", "write a function that calls asyncio.run(...) with it, and hand in that"
    elif inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        what, hint = "a generator", "write a function that goes through all of it and returns a list, and hand in that"
    else:
        return
    raise ArgumentTypeError(
        f"{getattr(plain, '__name__', 'it')!r} is {what}: a worker calls it, which runs nothing of it;"
        " nothing was changed",
        hint=hint,
    )


def _want_input(function: Callable[..., Any], *, context: bool) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return  # written in C; only the call can tell
    if not any(_takes(signature, *arguments) for arguments in (("input",), ("input", "context"))[: 1 + context]):
        name = getattr(function, "__name__", "the function")
        signature = signature.replace(return_annotation=inspect.Signature.empty)
        raise ArgumentTypeError(
            f"{name}{signature} cannot be called with one input; nothing was changed",
            hint=f"def {name}({'input, context' if context else 'file_path'}): ..., with defaults for everything else",
        )


def _takes(signature: inspect.Signature, *arguments: str) -> bool:
    try:
        signature.bind(*arguments)
    except TypeError:
        return False
    return True


def _in_script(function: Callable[..., Any], name: str) -> Named:
    """A function of the program that was started: its file is a module for others."""
    _want_importable(function, name)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return Named(f"{spec.name}:{name}", _root("__main__", spec.name))
    file = getattr(main, "__file__", None)
    path = Path(file).absolute() if file else None
    if path is None or path.suffix != ".py" or "." in path.stem:
        raise ArgumentValueError(
            f"{name!r} was defined where no worker can import it ({file or 'at a prompt'}); nothing was changed",
            hint="put it into a file NAME.py and import it from there",
        )
    return Named(f"{path.stem}:{name}", str(path.parent))


def _want_importable(function: Callable[..., Any], name: str) -> None:
    """Refuse what only the program itself defines, and nobody who imports it."""
    code = getattr(_plain(function), "__code__", None)
    if isinstance(code, types.CodeType) and any(code.co_firstlineno in lines for lines in _only_as_program(code)):
        raise ArgumentValueError(
            f"{name!r} is defined below 'if __name__ == \"__main__\":', and a worker, which imports the script, does"
            " not get there; nothing was changed",
            hint=f"move 'def {name}' above that line",
        )


def _only_as_program(code: types.CodeType) -> list[range]:
    """Lines of a script below ``if __name__ == "__main__":``."""
    try:
        tree = ast.parse(Path(code.co_filename).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []  # it was typed, or has changed since; the worker says what it finds
    return [
        range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
        for node in tree.body
        if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test)
    ]


def standing_at(module: str, name: str) -> Any:  # noqa: ANN401 - whatever stands there
    """What stands under a name in a module; None when there is nothing."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _want_found(function: object, module: str, name: str) -> None:
    found = standing_at(module, name)
    same = _plain(found) is _plain(function)
    if not same and not (isinstance(function, types.MethodType) and found == function):
        raise ArgumentValueError(
            f"{module}:{name} is not this function but {quoted(found)}, and a worker would call that;"
            " nothing was changed",
            hint=_FUNCTION_IN_A_FILE,
        )


def _plain(function: Any) -> Any:  # noqa: ANN401 - whatever was handed in, or found
    """What an `overnight.task` stands for. What any other decorator has made is a function of its own."""
    from overnight.api.decorator import TaskFunction

    return vars(function)["__wrapped__"] if isinstance(function, TaskFunction) else function


def _root(module: str, called: str | None = None) -> str:
    """Where a module is imported from, which others know by the name `called`."""
    file = getattr(sys.modules[module], "__file__", None)
    if not file:
        return ""
    path = Path(file).absolute()
    depth = (called or module).count(".") + (path.stem == "__init__")
    return str(path.parents[depth])


def refuse_while_imported_by_a_worker() -> None:
    """Refuse to add or run when a worker imports the script that does so at its top level.

    A worker imports the file in which a function stands. A script that adds its files there, and not
    below ``if __name__ == "__main__":``, would add them again in every worker.

    Raises:
        Permanent: For the worker: no other attempt would end differently.
    """
    if "OVERNIGHT_TASK_ID" not in os.environ:
        return
    frame = inspect.currentframe()
    while frame is not None:
        spec = frame.f_globals.get("__spec__")
        if frame.f_code.co_name == "<module>" and getattr(spec, "_initializing", False):
            raise Permanent(
                f"{frame.f_code.co_filename} adds or runs tasks when it is imported, and a worker imports it to find"
                " the function; put those lines below: if __name__ == '__main__':"
            )
        frame = frame.f_back
