"""`task`: a function that can also be added to a queue. Calling it stays a plain call."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from overnight.api.addable import Addable
from overnight.api.arguments import ArgumentTypeError
from overnight.api.options import Options, TaskOptions, read
from overnight.core.durations import quoted

P = ParamSpec("P")
R = TypeVar("R")


class TaskFunction(Addable, Generic[P, R]):
    """A function with the options under which it runs as a task. Made by `task`.

    Called, it is the function. `add` and `add_many` put it into a queue with an input; a worker then
    imports its module and calls it there. For that it must stand at the top of a module or a script.
    """

    def __init__(self, function: Callable[P, R], options: Options) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        #: As they were said, and checked.
        self.options = options

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __get__(self, owner: object, kind: type | None = None) -> Any:  # noqa: ANN401 - as of any function
        """In a class it is a method like any other: called, never added."""
        return self if owner is None else types.MethodType(self, owner)

    def __repr__(self) -> str:
        return f"<task {getattr(self._function, '__qualname__', self._function)}>"


@overload
def task(function: Callable[P, R], /) -> TaskFunction[P, R]: ...
@overload
def task(**options: Unpack[TaskOptions]) -> Callable[[Callable[P, R]], TaskFunction[P, R]]: ...
def task(function: Callable[..., Any] | None = None, /, **options: Unpack[TaskOptions]) -> Any:
    """Make a function one that can be added to a queue, with the options under which it runs there.

    As ``@overnight.task`` or ``@overnight.task(retries=5, timeout="30m")``. Values are checked here,
    when the module is imported.

    Args:
        function: Of one input, a str.
        options: See `TaskOptions`.
    """
    checked = read(options, TaskOptions)

    def decorate(chosen: Callable[P, R]) -> TaskFunction[P, R]:
        if not callable(chosen):
            raise ArgumentTypeError(
                f"{quoted(chosen)} is no function; nothing was made of it", hint='@overnight.task(timeout="30m")'
            )
        return TaskFunction(chosen, checked)

    return decorate if function is None else decorate(function)
