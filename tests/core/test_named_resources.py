"""Resources with ids: who is given which, and how it is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import overnight
from overnight.core.configuration import parse
from overnight.core.errors import ConfigurationError
from overnight.core.resources import TAKEN, Pool, shares, told

IDS = {"gpu": ("0", "1", "2"), "license": ("red", "blue")}


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["gpu", "license"]), st.sampled_from([0.5, 1, 2]))))
def test_nobody_is_given_what_somebody_has(asks: list[tuple[int, str, float]]) -> None:
    """However they come and go; what is over gives back all that it had."""
    pool, held = Pool(IDS), dict[int, dict[str, tuple[str, ...]]]()
    for slot, name, amount in asks:
        if slot in held:
            pool.give_back(held.pop(slot))
        try:
            held[slot] = pool.take({name: amount, "memory": 5.0}, slot)
        except ValueError:
            continue
        taken = [(name, one) for mine in held.values() for name, ids in mine.items() for one in ids]
        assert len(taken) == len(set(taken))
    for mine in held.values():
        pool.give_back(mine)
    assert {name: sorted(pool.take({name: len(IDS[name])}, 0)[name]) for name in IDS} == {
        name: sorted(ids) for name, ids in IDS.items()
    }


def test_what_is_not_there_is_not_given() -> None:
    pool = Pool(IDS)
    pool.take({"gpu": 2}, 0)
    with pytest.raises(ValueError, match="less is free"):
        pool.take({"license": 1, "gpu": 2}, 1)
    assert pool.take({"license": 2, "gpu": 1}, 1) == {"license": ("red", "blue"), "gpu": ("2",)}


def test_a_slot_is_given_what_it_had_before() -> None:
    """A function may have loaded a model there."""
    pool = Pool(IDS)
    first, second = pool.take({"gpu": 1}, 0), pool.take({"gpu": 1}, 1)
    pool.give_back(first)
    pool.give_back(second)
    assert pool.take({"gpu": 1}, 1) == second
    assert pool.take({"gpu": 1}, 2) == {"gpu": ("2",)}, "rather what nobody had than what another slot had"
    assert pool.take({"gpu": 1}, 0) == first


def test_of_ids_a_task_takes_whole_ones() -> None:
    assert shares({"gpu": 0.5, "net": 0.5}, IDS) == {"gpu": 1, "net": 0.5}
    assert shares({"net": 0.5}, IDS) == {"net": 0.5}


def test_ids_stand_in_the_environment() -> None:
    assert told({"gpu": ("0", "1"), "my-license": ("red",)}) == (
        (b"OVERNIGHT_GPU", b"0,1"),
        (b"CUDA_VISIBLE_DEVICES", b"0,1"),
        (b"OVERNIGHT_MY_LICENSE", b"red"),
    )


def test_no_resource_writes_over_what_tasks_are_told_anyway() -> None:
    """Every variable that a worker sets is refused as the name of a resource."""
    source = "".join(path.read_text() for path in (Path(overnight.__file__).parent / "executors").rglob("*.py"))
    names = set(re.findall(r'OVERNIGHT_([A-Z_]+)["=]', source))
    assert {"TASK_ID", "HOME", "COOKIE", "DEADLINE"} <= names
    assert names <= TAKEN


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ('home = ["a"]', "OVERNIGHT_HOME, which means something else"),
        ('slots = ["a"]', "OVERNIGHT_SLOTS, which means something else"),
        ('a-b = ["a"]\na_b = ["b"]', "its ids would stand where those of 'a-b' stand"),
        ('gpu = ["0,1"]', "is no amount"),
        ('gpu = ["0", 0]', "an id stands there twice"),
    ],
)
def test_ids_that_could_not_be_told_are_a_mistake(words: str, wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(wrong)):
        parse(f"[resources]\n{words}\n")


def test_a_number_may_have_any_name() -> None:
    assert parse("[resources]\nhome = 2\na-b = 1\na_b = 1\n").resources["home"].amount == 2
