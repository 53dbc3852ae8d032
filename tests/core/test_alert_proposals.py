"""Bounds that are proposed lie beyond everything that was seen, and can be put into the file as they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overnight.core.alert_conditions import parse_condition
from overnight.core.alert_proposals import Seen, as_toml, proposals
from overnight.core.configuration import parse

SEEN = st.builds(
    Seen,
    seconds=st.just(604800.0),
    disk_free=st.none() | st.floats(0.0, 1e15),
    memory_available=st.none() | st.floats(0.0, 1e13),
    error_rates=st.lists(st.floats(0.0, 1.0), max_size=20),
    minutes=st.integers(0, 10_000),
)


@given(SEEN, st.sampled_from([[], ["ops"]]))
def test_what_was_seen_fires_none_of_them_and_the_file_takes_them(seen: Seen, targets: list[str]) -> None:
    found = proposals(seen)
    values = {"disk_free": seen.disk_free, "memory_available": seen.memory_available, "throughput": 1.0}
    values["error_rate"] = max(seen.error_rates, default=0.0)
    for one in found:
        condition = parse_condition(one.when)
        value = values[condition.figure]
        assert value is not None
        assert not condition.holds(value, is_active=False)
    text = as_toml(found, targets) + "".join(f'\n[targets.{name}]\ncommand = "true"\n' for name in targets)
    assert list(parse(text).alerts) == [one.name for one in found]


def test_bounds_are_round_and_say_why() -> None:
    found = proposals(Seen(604800.0, 76.6e9, 3.1e9, [0.0, 0.02, 0.1], 500))
    assert [one.when for one in found] == [
        "disk_free < 38GB",
        "memory_available < 1500MB",
        "error_rate > 15%",
        "throughput < 50%",
    ]
    assert found[0].why == "half of the least in 7 d, which was 76.6 GB"


def test_where_there_is_no_history_nothing_is_proposed() -> None:
    assert proposals(Seen(604800.0, error_rates=[1.0, 1.0], minutes=3)) == []
