"""`task`: a function that can also be added to a queue. Calling it stays a plain call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from overnight.api.access import HomePath
from overnight.api.actions import MOST_RETRIES, UNSAID, Options, Unsaid
from overnight.api.arguments import ArgumentTypeError, limit, priority, queue_name, whole, yes_or_no
from overnight.api.overnight import Input, Overnight
from overnight.core.durations import quoted
from overnight.core.task import DEFAULT_QUEUE

P = ParamSpec("P")
R = TypeVar("R")


class TaskFunction(Generic[P, R]):
    """A function with the options under which it runs as a task. Made by `task`.

    Called, it is the function. `add` and `add_many` put it into a queue with an input; a worker then
    imports its module and calls it there. For that it must stand at the top of a module or a script.
    """

    def __init__(self, function: Callable[P, R], options: Options, queue: str, priority: int) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self.options = options
        self.queue = queue
        self.priority = priority

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {getattr(self._function, '__qualname__', self._function)}>"

    def add(self, input: Input, *, home: HomePath = None, **options: Any) -> int:  # noqa: A002, ANN401 - the word of the house; those of `Overnight.add`
        """Put it into a queue with this input; `options` as for `Overnight.add`. Returns the task's number."""
        with Overnight(home) as night:
            return night.add(self, input, **options)

    def add_many(self, inputs: Iterable[Input], *, home: HomePath = None, **options: Any) -> list[int]:  # noqa: ANN401 - those of `Overnight.add_many`
        """Put it into a queue with each of these inputs; `options` as for `Overnight.add_many`."""
        with Overnight(home) as night:
            return night.add_many(self, inputs, **options)


@overload
def task(function: Callable[P, R], /) -> TaskFunction[P, R]: ...
@overload
def task(
    *,
    timeout: float | str | Unsaid | None = UNSAID,
    retries: int | None = None,
    at_most_once: bool = False,
    env: Collection[str] = (),
    queue: str = DEFAULT_QUEUE,
    priority: int = 0,
) -> Callable[[Callable[P, R]], TaskFunction[P, R]]: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    timeout: float | str | Unsaid | None = UNSAID,
    retries: int | None = None,
    at_most_once: bool = False,
    env: Collection[str] = (),
    queue: str = DEFAULT_QUEUE,
    priority: int = 0,
) -> Any:
    """Make a function one that can be added to a queue, with the options under which it runs there.

    As ``@overnight.task`` or ``@overnight.task(retries=5, timeout="30m")``. Values are checked here,
    when the module is imported.

    Args:
        function: Of one input, a str.
        timeout: Seconds of one attempt, text such as "30m", or None for no limit.
        retries: Further attempts after a failed one.
        at_most_once: Hold a task that was interrupted for a person, instead of running it again.
        env: Names of environment variables to take along.
        queue: Where its tasks go.
        priority: Higher goes first.
    """
    if not isinstance(timeout, Unsaid):
        limit(timeout, "timeout")
    if retries is not None:
        whole(retries, "retries", least=0, most=MOST_RETRIES)
    yes_or_no(at_most_once, "at_most_once")
    options = Options(timeout=timeout, retries=retries, at_most_once=at_most_once, env=tuple(env))
    where, wanted = queue_name(queue), _priority(priority)

    def decorate(chosen: Callable[P, R]) -> TaskFunction[P, R]:
        if not callable(chosen):
            raise ArgumentTypeError(
                f"{quoted(chosen)} is no function; nothing was made of it", hint='@overnight.task(timeout="30m")'
            )
        return TaskFunction(chosen, options, where, wanted)

    return decorate if function is None else decorate(function)


_priority = priority
