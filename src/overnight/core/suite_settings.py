"""The settings of the history of tests."""

from __future__ import annotations

from overnight.core import kinds
from overnight.core.setting import Setting

SUITE_SETTINGS = (
    Setting(
        name="tests_keep",
        kind=kinds.COUNT,
        default=100,
        help="How many runs of each suite `overnight test` keeps.",
        environment="OVERNIGHT_TESTS_KEEP",
        key="tests.keep",
        minimum=1,
        maximum=10_000,
    ),
)
