"""What nodes have, who has what of it, and where a task may have its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.node_needs import impossible
from overnight.core.nodes import NodeRow, NodeView
from overnight.core.overtaking import PATIENCE, Overtaken
from overnight.core.placing import Account, Saved, Stock, Want, of_nodes, options, stock_of

CARDS = stock_of({"disk": 2.5}, {"gpu": ("0", "1", "2")}, {"zone": "west"})

amounts = st.dictionaries(st.sampled_from(["gpu", "disk"]), st.sampled_from([0.1, 0.5, 1.0, 2.0]), min_size=1)
deeds = st.lists(st.tuples(st.sampled_from(["take", "keep", "over", "renew"]), st.integers(0, 5), amounts))


@given(deeds)
def test_no_node_gives_more_than_it_has_and_no_id_twice(deeds: list[tuple[str, int, dict[str, float]]]) -> None:
    """However attempts come and go, and whatever the node says of itself in between."""
    smaller = stock_of({"disk": 1.0}, {"gpu": ("0", "7")}, {})
    account, held = Account(CARDS), dict[int, dict[str, float]]()
    for deed, task, needs in deeds:
        if deed == "renew":
            account.renew(smaller if account.stock == CARDS else CARDS)
        elif task in held:
            del held[task]
            account.give_back(task)
        elif deed == "take" and account.fits(needs):
            held[task] = account.stock.shares(needs)
            assert len(account.take(task, needs, task).get("gpu", ())) == held[task].get("gpu", 0)
            for name in needs:
                assert sum(one.get(name, 0) for one in held.values()) <= account.stock.amounts[name] + 1e-9
        elif deed == "keep":
            held[task] = account.stock.shares(needs)
            account.keep(task, needs, {"gpu": ("0", "gone")})
        given = Counter(("gpu", one) for _, ids in account._held.values() for one in ids.get("gpu", ()))
        assert not given or max(given.values()) == 1
    for task in held:
        account.give_back(task)
    assert account.idle
    assert account.fits({"gpu": len(account.stock.ids["gpu"]), "disk": account.stock.amounts["disk"]})


def test_a_card_that_was_not_there_for_a_moment_is_still_whose_it_was() -> None:
    account = Account(stock_of({}, {"gpu": ("0", "1")}, {}))
    assert account.take(1, {"gpu": 1}, 0) == {"gpu": ("0",)}
    account.renew(stock_of({}, {"gpu": ("1",)}, {}))
    account.renew(stock_of({}, {"gpu": ("0", "1")}, {}))
    assert account.take(2, {"gpu": 1}, 1) == {"gpu": ("1",)}
    account.renew(stock_of({}, {"gpu": ("1",)}, {}))
    account.give_back(1)
    account.give_back(2)
    assert account.take(3, {"gpu": 1}, 0) == {"gpu": ("1",)}
    assert not account.fits({"gpu": 1})


def test_what_is_not_free_is_not_given() -> None:
    account = Account(CARDS)
    account.take(1, {"gpu": 2}, 0)
    with pytest.raises(ValueError, match="less is free"):
        account.take(2, {"gpu": 2, "disk": 1}, 1)
    assert account.free("disk") == 2.5
    assert account.take(2, {"gpu": 0.5}, 1) == {"gpu": ("2",)}, "of what has ids a whole one"


def test_a_label_is_there_for_everybody_who_is_there() -> None:
    assert CARDS.lacks({"zone:west": 1000, "gpu": 3}) == ""
    assert CARDS.shares({"zone:west": 1, "disk": 0.5}) == {"disk": 0.5}
    assert CARDS.lacks({"zone:east": 1}) == "zone:east"
    assert CARDS.lacks({"gpu": 4}) == "gpu"
    assert Stock().lacks({"gpu": 1}) == "gpu"


def test_what_is_counted_for_all_nodes_is_no_matter_of_one_but_for_graphics_cards() -> None:
    needs = {"gpu": 1.0, "license": 1.0, "zone:west": 1.0}
    assert of_nodes(needs, {"license", "gpu"}) == {"gpu": 1.0, "zone:west": 1.0}


def accounts(**gpus: int) -> dict[str, Account]:
    return {node: Account(Stock({"gpu": float(n)} if n else {})) for node, n in gpus.items()}


def test_the_best_place_is_where_least_is_left_over() -> None:
    """Whole nodes stay free for those who need much."""
    nodes = accounts(small=1, large=4, none=0)
    room = dict.fromkeys(nodes, 0.05)
    want = Want({"gpu": 1.0}, 0.05)

    assert options({1: want, 2: Want({"gpu": 2.0}, 0.05)}, nodes, room) == {1: ["small", "large"], 2: ["large"]}
    nodes["small"].take(7, {"gpu": 1}, 0)
    assert options({1: want}, nodes, room) == {1: ["large"]}
    assert options({1: want}, nodes, {"none": 0.05, "small": 0.05}) == {}, "what has no slot with room is no place"
    assert options({1: want}, nodes, {"large": 0.01}) == {}


def test_what_needs_only_a_label_goes_where_it_is_in_nobodys_way() -> None:
    nodes = {
        "cards": Account(stock_of({"gpu": 1.0}, {}, {"zone": "west"})),
        "plain": Account(stock_of({}, {}, {"zone": "west"})),
        "other": Account(stock_of({}, {}, {"zone": "east"})),
    }
    west = {1: Want({"zone:west": 1}, 0.05)}
    assert options(west, nodes, dict.fromkeys(nodes, 0.05)) == {1: ["plain", "cards"]}
    assert options(west, nodes, {"cards": 0.05, "other": 0.05}) == {1: ["cards"]}


def test_a_node_that_is_kept_for_somebody_is_nobody_elses() -> None:
    nodes, room = accounts(large=4, small=1), {"large": 0.05, "small": 0.05}
    nodes["small"].take(9, {"gpu": 1}, 0)
    one, much = Want({"gpu": 1.0}, 0.05), Want({"gpu": 4.0}, 0.05)
    saved = {"large": Saved(2, much.needs, before=frozenset({3}))}

    assert options({1: one, 2: much, 3: one}, nodes, room, saved) == {2: ["large"], 3: ["large"]}
    saved["large"] = Saved(2, {"gpu": 4.0, "zone:west": 1.0})
    other = Want({"zone:west": 1}, 0.05)
    nodes["large"].stock = stock_of({"gpu": 4.0}, {}, {"zone": "west"})
    assert options({1: other}, nodes, room, saved) == {1: ["large"]}, "it takes nothing of what is kept"


def busy() -> dict[str, Account]:
    """Two nodes, of which each has something to do."""
    nodes = accounts(large=4, middle=2)
    nodes["large"].take(1, {"gpu": 1}, 0)
    nodes["middle"].take(2, {"gpu": 1}, 1)
    return nodes


FOUR, ONE = {2: Want({"gpu": 4.0}, 0.05)}, {1: Want({"gpu": 1.0}, 0.05)}


def test_who_is_passed_over_for_long_is_kept_a_node() -> None:
    overtaken, nodes = Overtaken(), busy()
    assert not overtaken.look(FOUR | ONE, nodes, 100.0)
    assert not overtaken.look(FOUR | ONE, nodes, 100.0 + PATIENCE - 1)
    assert overtaken.look(FOUR | ONE, nodes, 100.0 + PATIENCE)

    overtaken.save({1: 0, 2: 0}, FOUR | ONE, nodes, 160.0)

    assert overtaken.saved == {"large": Saved(2, {"gpu": 4.0})}
    overtaken.served([2])
    assert overtaken.saved == {}


def test_it_is_kept_from_nobody_whose_tasks_come_first() -> None:
    overtaken, nodes = Overtaken(), busy()
    overtaken.look(FOUR | ONE, nodes, 0.0)
    overtaken.save({1: 9, 2: 0}, FOUR | ONE, nodes, PATIENCE)
    assert overtaken.saved["large"].before == {1}


def test_for_who_has_nothing_to_claim_nothing_is_kept() -> None:
    overtaken, nodes = Overtaken(), busy()
    overtaken.look(FOUR, nodes, 0.0)
    overtaken.save({1: 0}, FOUR, nodes, PATIENCE)
    assert overtaken.saved == {}
    assert not overtaken.look(FOUR, nodes, PATIENCE + 1), "it begins to count anew"


def test_what_no_node_can_ever_run_keeps_nothing_from_anybody() -> None:
    overtaken, nodes = Overtaken(), busy()
    five = {5: Want({"gpu": 5.0}, 0.05)}
    assert not overtaken.look(five, nodes, 0.0)
    assert not overtaken.look(five, nodes, 10 * PATIENCE)


def test_a_node_that_has_gone_is_kept_for_nobody() -> None:
    overtaken, nodes = Overtaken(), busy() | accounts(other=4)
    nodes["other"].take(3, {"gpu": 2}, 2)
    overtaken.look(FOUR, nodes, 0.0)
    overtaken.save({2: 0}, FOUR, nodes, PATIENCE)
    assert overtaken.saved.keys() == {"large"}, "where the least is missing"

    del nodes["large"]
    assert overtaken.look(FOUR, nodes, 2 * PATIENCE)
    overtaken.save({2: 0}, FOUR, nodes, 2 * PATIENCE)

    assert overtaken.saved.keys() == {"other"}


def test_who_is_shut_out_for_a_moment_is_not_forgotten() -> None:
    """Its queue is full, or the licence is taken, whenever somebody looks but once."""
    overtaken, nodes = Overtaken(), busy()
    overtaken.look(FOUR, nodes, 0.0)
    for moment in range(1, int(PATIENCE)):
        assert not overtaken.look(ONE, nodes, float(moment))
    assert overtaken.look(FOUR, nodes, PATIENCE)
    overtaken.save({2: 0}, FOUR, nodes, PATIENCE)

    assert overtaken.look(ONE, nodes, 2 * PATIENCE)
    overtaken.save({1: 0, 2: 0}, ONE, nodes, 2 * PATIENCE)
    assert overtaken.saved.keys() == {"large"}, "nor is what is kept free given away in such a moment"


def test_a_node_is_kept_for_nobody_whose_tasks_have_gone() -> None:
    overtaken, nodes = Overtaken(), busy()
    overtaken.look(FOUR, nodes, 0.0)
    overtaken.save({2: 0}, FOUR, nodes, PATIENCE)
    assert overtaken.look(FOUR | ONE, nodes, PATIENCE + 1)
    overtaken.save({1: 0}, FOUR | ONE, nodes, PATIENCE + 1)
    assert overtaken.saved == {}

    overtaken.look(FOUR, nodes, 2 * PATIENCE)
    overtaken.retain([1])
    assert not overtaken.look(FOUR, nodes, 3 * PATIENCE), "a lane that is no more is forgotten"


def test_nodes_are_gone_through_once_for_all_lanes_that_need_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of many lanes have nothing that waits: they are the queues that there have been."""
    asked = Counter[str]()

    def count(of: str, real: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        return lambda one, needs: asked.update([of]) or real(one, needs)

    monkeypatch.setattr(Account, "fits", count("fits", Account.fits))
    monkeypatch.setattr(Stock, "lacks", count("lacks", Stock.lacks))
    nodes = accounts(**{f"n{n}": 2 for n in range(10)})
    wants = {lane: Want({"gpu": 1.0 + lane % 4}, 0.05) for lane in range(100)}

    found = options(wants, nodes, dict.fromkeys(nodes, 1.0))
    assert len(found) == 50
    Overtaken().look(wants, nodes, 0.0)
    views = [NodeView(NodeRow(name, "up", slots=4, resources={"gpu": 2.0})) for name in nodes]
    words = impossible([want.needs for want in wants.values()], views, ())
    assert [bool(why) for why in words[:5]] == [False, False, True, True, False]

    assert asked["fits"] <= 2 * 4 * len(nodes)
    assert asked["lacks"] <= 4 * 4 * len(nodes)
