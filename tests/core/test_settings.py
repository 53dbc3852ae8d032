from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from overnight.core import kinds
from overnight.core.environment import TOLD_TO_TASKS
from overnight.core.errors import UsageError
from overnight.core.kinds import parse_backoff
from overnight.core.setting import Origin, Placed, Setting, Source
from overnight.core.settings import SETTINGS, Settings, resolve, rows
from overnight.core.settings_page import page
from overnight.core.task import Backoff

DOCS = Path(__file__).parents[2] / "docs"
BY_NAME = {setting.name: setting for setting in SETTINGS}


def test_the_page_is_what_the_list_says() -> None:
    """Red? `make docs` writes it again."""
    assert (DOCS / "settings.md").read_text("utf-8") == page()


def test_every_setting_has_a_typed_field() -> None:
    assert {*BY_NAME, "sources"} == set(Settings.__struct_fields__)


def test_every_name_is_used_once() -> None:
    for names in ("name", "environment", "key"):
        used = [getattr(setting, names) for setting in SETTINGS if getattr(setting, names)]
        assert len(used) == len(set(used))
    flags = [flag for setting in SETTINGS for flag in setting.flag.split(", ") if flag]
    assert len(flags) == len(set(flags))


def test_a_task_that_calls_us_is_not_configured_by_what_it_sees() -> None:
    """OVERNIGHT_HOME alone is meant for that: a task adds to the home that it runs in."""
    told = {f"OVERNIGHT_{name}" for name in {*TOLD_TO_TASKS, "GPU"} - {"HOME"}}
    assert not told & {setting.environment for setting in SETTINGS}
    assert all(re.fullmatch("OVERNIGHT_[A-Z_]+", setting.environment) for setting in SETTINGS)


@pytest.mark.parametrize("setting", [one for one in SETTINGS if not one.default_words], ids=lambda one: one.name)
def test_a_shown_default_can_be_typed(setting: Setting) -> None:
    assert setting.read(setting.show(setting.default)) == setting.default


def test_without_a_word_the_defaults_hold() -> None:
    found = resolve(flags={}, environ={}, configured={})

    assert (found.timeout, found.retries, found.backoff, found.kill_grace) == (300, 3, Backoff(2, 2, 60), 5)
    assert (found.slots, found.keep_output, found.env, found.workflow) == (None, 64 * 2**20, (), "")
    assert {row.origin for row in rows(found)} == {Origin.DEFAULT}


def test_what_is_said_nearest_to_the_call_wins() -> None:
    flags: dict[str, object] = {"timeout": 1.0, "retries": None}
    environ = {"OVERNIGHT_TIMEOUT": "2s", "OVERNIGHT_RETRIES": "5", "OVERNIGHT_SLOTS": ""}
    configured = {
        name: Placed(3, f"overnight.toml:{line}") for line, name in enumerate(("timeout", "retries", "slots"))
    }

    found = resolve(flags=flags, environ=environ, configured=configured)

    assert (found.timeout, found.retries, found.slots) == (1.0, 5, 3)
    assert found.sources["timeout"] == (Source(Origin.FLAG, "--timeout"),)
    assert found.sources["retries"] == (Source(Origin.ENVIRONMENT, "OVERNIGHT_RETRIES"),)
    assert found.sources["slots"] == (Source(Origin.FILE, "overnight.toml:2"),)
    assert found.sources["backoff"] == (Source(Origin.DEFAULT),)


def test_variables_to_take_along_add_up() -> None:
    found = resolve(
        flags={"env": ("A", "B")},
        environ={"OVERNIGHT_ENV": "B, C"},
        configured={"env": Placed(("D",), "overnight.toml:4")},
    )

    assert found.env == ("A", "B", "C", "D")
    row = next(row for row in rows(found) if row.name == "env")
    assert (row.value, row.where) == ("A,B,C,D", "--env, OVERNIGHT_ENV, overnight.toml:4")


def test_a_flag_that_was_not_given_hides_nothing() -> None:
    found = resolve(flags={"env": (), "timeout": None}, environ={"OVERNIGHT_TIMEOUT": "7"}, configured={})

    assert found.timeout == 7
    assert found.sources["env"][0].origin is Origin.DEFAULT


def test_a_variable_without_a_meaning_is_named() -> None:
    with pytest.raises(UsageError, match=r"^OVERNIGHT_RETRIES: 'many' is no whole number; write one, as in 3; nothing"):
        resolve(flags={}, environ={"OVERNIGHT_RETRIES": "many"}, configured={})


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("slots", "AUTO", None),
        ("slots", 4, 4),
        ("slots", "4", 4),
        ("timeout", 0, None),
        ("timeout", "0", None),
        ("timeout", "none", None),
        ("timeout", math.inf, None),
        ("timeout", 2.5, 2.5),
        ("stall", "0", None),
        ("stall", "90s", 90.0),
        ("memory", "none", None),
        ("memory", "1.5GB", 1_500_000_000),
        ("memory", 2_000_000, 2_000_000),
        ("max_output", 0, None),
        ("open_files", "None", None),
        ("processes", "64", 64),
        ("keep_output", "1MiB", 2**20),
        ("keep_output", 5, 5),
        ("env", ["A"], ("A",)),
        ("env", "A,,B", ("A", "B")),
        ("log_level", "Info", "info"),
        ("on_give_up", "notify-send 'it is over'", ("notify-send", "it is over")),
        ("on_give_up", ["a", "b c"], ("a", "b c")),
        ("inhibit_sleep", "Off", False),
        ("inhibit_sleep", "1", True),
        ("inhibit_sleep", True, True),
        ("home", "/tmp/\udcff", "/tmp/\udcff"),  # noqa: S108 - a path and no file
    ],
)
def test_values_are_read_from_files_variables_and_flags(name: str, written: object, value: object) -> None:
    assert BY_NAME[name].read(written) == value


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("slots", 0, "0 is too little; at least 1"),
        ("slots", 5000, "5000 is too much; at most 4096"),
        ("slots", "some", "'some' is no whole number; write one, as in 4, or 'auto'"),
        ("retries", True, "True is no whole number"),
        ("retries", 1.5, "1.5 is no whole number"),
        ("retries", -1, "-1 is too little; at least 0"),
        ("retries", "9" * 30, "is no whole number"),
        ("timeout", -1, "-1 is no duration"),
        ("timeout", math.nan, "nan is no duration"),
        ("timeout", [], r"\[\] is no duration"),
        ("kill_grace", "2h", "'2h' is too much; at most 1h"),
        ("kill_grace", math.inf, "inf is no duration"),
        ("memory", "10kB", "'10kB' is too little; at least 1MB"),
        ("memory", "much", "'much' is no size"),
        ("max_output", -5, "-5 is too little; at least 1B"),
        ("open_files", 3, "3 is too little; at least 16"),
        ("processes", -1, "-1 is too little; at least 1"),
        ("keep_output", -1, "-1 is too little; at least 0B"),
        ("keep_output", 1.5, "1.5 is no size"),
        ("env", "A=b", "'A=b' is no list of variables"),
        ("env", [1], r"\[1\] is no list of variables"),
        ("workflow", "", "'' is no name"),
        ("log_level", "loud", "'loud' is not one of them; write debug, info, warning or error"),
        ("on_give_up", "it's", "is no command: no closing quotation"),
        ("on_give_up", [1], r"\[1\] is no command; write its words as a list"),
        ("inhibit_sleep", "perhaps", "'perhaps' is neither on nor off; write true or false"),
        ("inhibit_sleep", 1, "1 is neither on nor off"),
        ("frozen_after", "1s", "'1s' is too little; at least 5s"),
        ("home", "a\0b", "is no path"),
    ],
)
def test_what_cannot_be_is_told_with_what_can(name: str, written: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        BY_NAME[name].read(written)


@pytest.mark.parametrize(
    ("written", "backoff"),
    [
        ("2s, x2, max 60s", Backoff(2, 2, 60)),
        ("1s,x1.5,max 5m", Backoff(1, 1.5, 300)),
        ("10s", Backoff(10, 2, 60)),
        ("5m", Backoff(300, 2, 300)),
        ("5s, max 10s", Backoff(5, 2, 10)),
        (1, Backoff(1, 2, 60)),
        (Backoff(1, 1, 1), Backoff(1, 1, 1)),
    ],
)
def test_a_backoff_is_the_first_wait_the_factor_and_the_longest(written: object, backoff: Backoff) -> None:
    assert parse_backoff(written) == backoff
    assert parse_backoff(kinds.BACKOFF.show(backoff)) == backoff


@pytest.mark.parametrize(
    "written", ["", "x2", "2s x2", "2s, x0.5", "10s, max 5s", "2s, 3", "fast", None, [1], "2s, x2, max"]
)
def test_what_is_no_backoff_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"write (it as '2s, x2, max 60s'|30, 30s)"):
        parse_backoff(written)
