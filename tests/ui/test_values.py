from __future__ import annotations

import math
from collections.abc import Callable

import click
import pytest

from overnight.core import kinds
from overnight.core.durations import LONGEST
from overnight.ui.cli.values import Duration, HaltRule, Instant, Need, Rate, Slots


def test_a_limit_of_nothing_is_no_limit() -> None:
    endless = Duration(endless=True)
    assert endless.convert("0", None, None) == float("inf")
    assert endless.convert("none", None, None) == float("inf")
    assert endless.convert("5m", None, None) == 300
    assert Duration().convert("0", None, None) == 0


@pytest.mark.parametrize(
    "words", ["30", "1h30m", "500ms", "0", "none", "5M ", "100y", "-1", "", "1e3", f"{LONGEST:.0f}"]
)
def test_a_limit_means_the_same_on_the_command_line_and_in_a_file(words: str) -> None:
    def read(reader: Callable[[], object]) -> object:
        try:
            return reader()
        except (ValueError, click.BadParameter) as error:
            return str(error)

    typed = read(lambda: Duration(endless=True).convert(words, None, None))
    assert (None if typed == math.inf else typed) == read(lambda: kinds.LIMIT.read(words))


def test_a_resource_is_an_amount_of_something() -> None:
    assert Need().convert("gpu=2", None, None) == ("gpu", 2.0)
    assert Need().convert("gpu", None, None) == ("gpu", 1.0)


def test_a_rate_of_none_lifts_the_limit() -> None:
    assert Rate().convert("none", None, None) == 0
    assert Rate().convert("30/m", None, None) == 0.5


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Duration(), "soon"),
        (Duration(), "none"),
        (Instant(), "tomorrow"),
        (Rate(), "0/s"),
        (Need(), "gpu=-1"),
        (Need(), "=1"),
        (Need(), "gpu=nan"),
        (Need(), "gpu=inf"),
        (Need(), "\udcff=1"),
        (Need(), "two\nlines=1"),
        (Slots(), "many"),
        (HaltRule(), "often"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_could_be(kind: click.ParamType, words: str) -> None:  # type: ignore[type-arg]  # generic in newer versions of click only
    with pytest.raises(click.BadParameter, match="write"):
        kind.convert(words, None, None)
