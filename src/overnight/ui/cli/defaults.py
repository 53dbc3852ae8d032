"""What holds for a task where the command line says nothing; quick when nobody else says anything either."""

from __future__ import annotations

import os

from overnight.core.task import LIMITS
from overnight.ui.cli.group import home_option
from overnight.ui.cli.task_options import BUILT_IN, Defaults

_CONFIG = "overnight.toml"


def task_defaults() -> Defaults:
    """What a task is like when nothing is said about it.

    Raises:
        ConfigurationError: The file makes no sense; nothing is added then.
        UsageError: A variable of the environment makes none.
    """
    if _nothing_said():
        return BUILT_IN
    from overnight.ui.cli.settings import in_use

    settings, configured = in_use()
    return Defaults(
        timeout=settings.timeout,
        **{name: getattr(settings, name) for name in LIMITS},
        retries=settings.retries,
        backoff=settings.backoff,
        kill_grace=settings.kill_grace,
        keep_output=settings.keep_output,
        inline_result=settings.inline_result,
        env=settings.env,
        workflow=settings.workflow,
        workflows=configured.workflows,
    )


def _nothing_said() -> bool:
    """Whether there is no file and no variable that could say anything. Cheap, since every `add` asks."""
    if any(name.startswith("OVERNIGHT_") for name in os.environ):
        return False
    if home_option() is not None:
        return False
    here = os.getcwd()  # noqa: PTH109 - the short way
    while not os.path.exists(os.path.join(here, _CONFIG)):  # noqa: PTH110, PTH118 - the short way
        if here == os.path.dirname(here):  # noqa: PTH120 - the short way
            return True
        here = os.path.dirname(here)  # noqa: PTH120 - the short way
    return False
