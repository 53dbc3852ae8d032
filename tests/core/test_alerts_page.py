"""``docs/alerts.md`` says what the lists say, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

from overnight.core.alert_settings import ALERT_KEYS, TARGET_KEYS
from overnight.core.alerts_page import with_tables
from overnight.core.configuration import parse

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text("utf-8")


def test_its_tables_are_those_of_the_lists() -> None:
    """Red? `make docs` writes them again."""
    assert with_tables(PAGE) == PAGE


def test_its_example_is_understood() -> None:
    found = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    assert set(parse(found[1]).alerts) == {"night", "trouble", "disk"}


def test_every_key_is_explained() -> None:
    for key in (*ALERT_KEYS, *TARGET_KEYS):
        assert re.search(rf"\b{key}\b", PAGE), key
