"""The page about schedules says what the reader of the file knows."""

from __future__ import annotations

import re
from pathlib import Path

from overnight.core.configuration import parse
from overnight.core.schedule_tables import KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "schedules.md").read_text("utf-8")


def test_its_example_makes_sense() -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert list(parse(example).schedules) == ["report", "feeds", "year"]


def test_it_lists_every_key_with_what_it_says() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.partition("## All keys")[2], re.MULTILINE))
    assert listed == {key: one.help for key, one in KEYS.items()}
