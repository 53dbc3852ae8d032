"""Attempts that need something of a node: each on one that has it, with ids of that one, and nobody waits for ever."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from night import Night, task

from overnight.core.claims import Claim, Claimed, Lane
from overnight.core.lanes import WORK, Openings
from overnight.core.overtaking import PATIENCE, Overtaken
from overnight.core.placing import Stock, Stocks, of_nodes, stock_of
from overnight.core.states import TaskState
from overnight.core.task import Action
from overnight.engine.placing import At, Places
from overnight.executors.contract import Spec
from overnight.store.contract import Queue, Selector, Verb
from overnight.store.sql.sites import Sites
from overnight.store.sqlite import SqliteStore
from overnight.testing import Play

AHEAD = 0.05


# -- one claim -------------------------------------------------------------------------------

nodes = st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(st.integers(0, 3), st.sampled_from([0.0, 0.5, 2.0]), st.booleans(), st.integers(1, 3)),
    min_size=1,
)
needs = st.dictionaries(
    st.sampled_from(["gpu", "disk", "zone:west", "license"]), st.sampled_from([0.5, 1.0, 2.0]), max_size=3
)


def stocks_of(drawn: dict[str, tuple[int, float, bool, int]]) -> Stocks:
    found, seats = dict[str, Stock](), dict[int, str]()
    for name, (gpus, disk, west, slots) in drawn.items():
        ids = {"gpu": tuple(f"{name}{n}" for n in range(gpus))} if gpus else {}
        found[name] = stock_of({"disk": disk} if disk else {}, ids, {"zone": "west"} if west else {})
        seats |= {len(seats) + n: name for n in range(slots)}
    return Stocks(found, seats, frozenset(found))


def claim(opened: Openings, at: At, lanes: list[int]) -> list[Claimed]:
    """What a store does: tasks in their order, as far as the pools of their lanes last."""
    sites, pools = Sites(Claim(count=99, lanes=opened.lanes, pools=opened.pools, at=at)), dict(opened.pools)
    taken = [
        (number, lane)
        for number, lane in enumerate(lanes)
        if lane in opened.lanes and sites.take((number, 1, 1, lane), opened.lanes[lane], pools)
    ]
    return [Claimed(number, 1, 1, lane, b"", 0, 0, 1, 0, node=sites.nodes.get(number, "")) for number, lane in taken]


@given(nodes, st.lists(needs, min_size=1, max_size=4), st.integers(0, 2**32))
def test_whatever_is_claimed_has_its_place_and_what_fits_is_open(
    drawn: dict[str, tuple[int, float, bool, int]], wanted: list[dict[str, float]], seed: int
) -> None:
    """Turn by turn, while attempts end in between: in any order, of any lanes."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    stocks = stocks_of(drawn)
    lanes = {number: Lane(number, "q", "", needs) for number, needs in enumerate(wanted)}
    places, slot_of, number = Places(lambda _: stocks, {"license"}, dict), dict[int, int](), 0
    for _ in range(8):
        rooms = {slot: AHEAD for slot in stocks.seats if slot not in slot_of.values()}
        everything = Openings({lane: {WORK: AHEAD} for lane in lanes}, {WORK: sum(rooms.values())})
        opened, at = places.narrow(everything, lanes, rooms, moment=0.0)
        for lane, known in lanes.items():
            mine = of_nodes(known.needs, {"license"})
            somewhere = any(places._accounts[stocks.seats[slot]].fits(mine) for slot in rooms)
            assert (lane in opened.lanes) is (somewhere or not mine)
        got = claim(opened, at, dice.choices(list(lanes), k=9))
        for slot, hand in places.deal(got, rooms, lambda _: AHEAD).items():
            for one in hand:
                number += 1
                assert slot not in slot_of.values(), "one attempt a slot"
                slot_of[number], needed = slot, lanes[one.lane_id]
                ids = places.grant(number, needed, slot)
                node = stocks.nodes[stocks.seats[slot]]
                assert not node.lacks(of_nodes(needed.needs, {"license"}))
                assert set(ids.get("gpu", ())) <= set(node.ids.get("gpu", ()))
        for over in [number for number in slot_of if dice.random() < 0.5]:
            del slot_of[over]
            places.give_back(over)


# -- whole nights ----------------------------------------------------------------------------


class Floor:
    """Nodes of so many slots each, and when each attempt ran there with which ids."""

    def __init__(self, night: Night, **nodes: tuple[int, Stock]) -> None:
        self._night = night
        self.nodes = {name: stock for name, (_, stock) in nodes.items()}
        self.seats: dict[int, str] = {}
        for name, (slots, _) in nodes.items():
            self.seats |= {len(self.seats) + n: name for n in range(slots)}
        #: By input: when it began, and its ids.
        self.began: dict[bytes, float] = {}
        self.ids: dict[bytes, bytes] = {}
        #: The nodes that were kept free at any time.
        self.kept: dict[str, Mapping[str, float]] = {}

    def look(self, kept: Mapping[str, Mapping[str, float]]) -> Stocks:
        self.kept |= kept
        return Stocks(self.nodes, self.seats, frozenset(self.nodes))

    def run(self, seconds: Callable[[bytes], float] = lambda _: 1.0, **more: Any) -> None:
        def play(spec: Spec, _: Action) -> Play:
            self.began[spec.input] = self._night.clock.monotonic()
            self.ids[spec.input] = dict(spec.granted).get(b"OVERNIGHT_GPU", b"")
            return Play(seconds=seconds(spec.input))

        more.setdefault("slots", len(self.seats))
        self._night.run(play, stocks=self.look, **more)

    def node_of(self, task_id: int) -> str:
        """Where its last attempt ran."""
        slot = next(one.slot for one in reversed(self._night.recorder.settlements) if one.task_id == task_id)
        assert slot is not None
        return self.seats[slot]


def gpus(*ids: str, **labels: str) -> Stock:
    return stock_of({}, {"gpu": ids} if ids else {}, labels)


def test_each_is_given_an_id_of_a_node_that_has_one_free(night: Night) -> None:
    floor = Floor(night, a=(4, gpus("a0", "a1")), b=(4, gpus()), c=(2, gpus("c0")))
    cards = night.add(*(task(f"card{n}", needs={"gpu": 1.0}) for n in range(9)))
    others = night.add(*(task(f"other{n}") for n in range(30)))

    floor.run(resources={"gpu": 8.0}, ids={"gpu": ("7", "8")})  # what one machine has is no matter

    assert {floor.node_of(one) for one in cards} == {"a", "c"}
    assert {floor.node_of(one) for one in others} == {"a", "b", "c"}
    for number in range(9):
        assert floor.ids[b"card%d" % number].decode()[0] == floor.node_of(cards[number])
    at_once = Counter(floor.began[b"card%d" % n] for n in range(9))
    assert set(at_once.values()) == {3}, "three at a time, for there are three"
    assert all(len({floor.ids[b"card%d" % n] for n in some}) == 3 for some in (range(3), range(3, 6), range(6, 9)))


def test_what_needs_nothing_goes_elsewhere_where_that_makes_no_difference(night: Night) -> None:
    floor = Floor(night, a=(1, gpus("a0")), b=(1, gpus()))
    (plain,) = night.add(task("plain"))
    (card,) = night.add(task("card", needs={"gpu": 1.0}, not_before=night.clock.now() + 2.0))

    floor.run(lambda words: 100.0 if words == b"plain" else 1.0)

    assert (floor.node_of(plain), floor.node_of(card)) == ("b", "a")
    assert floor.began[b"card"] - floor.began[b"plain"] < 5.0


def test_a_task_goes_where_the_label_is(night: Night) -> None:
    floor = Floor(night, a=(2, gpus(zone="east")), b=(2, gpus(zone="west")))
    west = night.add(*(task(f"west{n}", needs={"zone:west": 1.0}) for n in range(5)))
    east = night.add(*(task(f"east{n}", needs={"zone:east": 1.0}) for n in range(5)))

    floor.run()

    assert {floor.node_of(one) for one in west} == {"b"}
    assert {floor.node_of(one) for one in east} == {"a"}


def test_what_is_counted_for_all_is_no_matter_of_a_node(night: Night) -> None:
    floor = Floor(night, a=(2, gpus("a0", "a1")), b=(2, gpus("b0", "b1")))
    night.add(*(task(str(n), needs={"gpu": 1.0, "license": 1.0}) for n in range(6)))

    floor.run(resources={"license": 1.0})

    assert sorted(Counter(floor.began.values()).values()) == [1] * 6
    assert len(floor.began) == 6


def test_what_no_node_can_run_holds_up_nobody(night: Night) -> None:
    floor = Floor(night, a=(2, gpus("a0", "a1")))
    (four,) = night.add(task("four", needs={"gpu": 4.0}, priority=9))
    night.add(*(task(str(n), needs={"gpu": 1.0}) for n in range(4)), task("plain"))

    floor.run(script=[(20.0, night.give_up)])

    assert night.state(four) is TaskState.PENDING
    assert len(floor.began) == 5
    assert max(floor.began.values()) - min(floor.began.values()) < 3.0


def test_a_node_that_comes_later_is_given_what_has_waited_for_it(night: Night) -> None:
    floor = Floor(night, a=(2, gpus()))
    (card,) = night.add(task("card", needs={"gpu": 1.0}))

    def come() -> None:
        floor.nodes["b"] = gpus("b0")
        floor.seats[1] = "b"  # the number of the slot is one that was elsewhere

    floor.run(script=[(30.0, come), (60.0, night.give_up)])

    assert night.state(card) is TaskState.COMPLETED
    assert floor.ids[b"card"] == b"b0"


def test_a_node_that_has_more_than_before_is_given_what_has_waited_for_it(night: Night) -> None:
    """In the seats where it has been."""
    floor = Floor(night, a=(2, gpus("0")))
    (both,) = night.add(task("both", needs={"gpu": 2.0}))

    floor.run(script=[(30.0, lambda: floor.nodes.update(a=gpus("0", "1"))), (300.0, night.give_up)])

    assert night.state(both) is TaskState.COMPLETED


# -- who needs much --------------------------------------------------------------------------


def stream(night: Night, floor: Floor, *, priority: int = 0) -> float:
    """One that needs two among a hundred that need one and of which one ends each five seconds. When it begins."""
    cards = [task(f"{n:03}", needs={"gpu": 1.0}, priority=priority) for n in range(100)]
    night.add(*cards[:2])
    night.add(task("both", needs={"gpu": 2.0}))
    night.add(*cards[2:])
    floor.run(lambda words: 5.0 if words == b"000" else 10.0)
    assert night.store.counts().completed == 101
    return floor.began[b"both"] - floor.began[b"000"]


def test_who_needs_much_is_not_passed_over_for_ever(night: Night) -> None:
    floor = Floor(night, a=(4, gpus("0", "1")))
    assert PATIENCE <= stream(night, floor) <= PATIENCE + 30.0
    assert floor.kept == {"a": {"gpu": 2.0}}, "and that is told"


@pytest.mark.parametrize("deed", ["cancel", "hold", "pause"])
def test_when_who_a_node_was_kept_for_is_gone_the_others_go_on(night: Night, deed: str) -> None:
    floor = Floor(night, a=(4, gpus("0", "1")))
    cards = [task(f"{n:03}", needs={"gpu": 1.0}) for n in range(14)]
    night.add(*cards[:2])
    (both,) = night.add(task("both", needs={"gpu": 2.0}, queue="rare"))
    night.add(*cards[2:])

    def go() -> None:
        assert floor.kept
        if deed == "pause":
            with closing(SqliteStore.open(night.directory / "queue.db")) as another:  # one's own changes are no news
                another.set_queue(Queue(name="rare", paused=True), now=night.clock.now(), by="a person")
        else:
            night.store.act(Verb(deed), Selector((both,)), now=night.clock.now(), by="a person")

    seconds = {b"000": 5.0, b"013": 100.0}
    floor.run(lambda words: seconds.get(words, 10.0), script=[(PATIENCE + 3.0, go), (900.0, night.give_up)])

    assert night.store.counts().completed == 14
    last = floor.began.pop(b"013")
    assert last - max(floor.began.values()) <= 10.0, "and at once"


@pytest.mark.parametrize("queue", [Queue(name="q", slots=2), Queue(name="q", rate=0.2)])
def test_nor_who_is_shut_out_for_a_moment_again_and_again(night: Night, queue: Queue) -> None:
    night.store.set_queue(queue, now=night.clock.now(), by="a person")
    floor = Floor(night, a=(8, gpus("0", "1", "2", "3")))
    night.add(*(task(f"f{n}", needs={"gpu": 1.0}) for n in range(4)))
    night.add(task("both", needs={"gpu": 2.0}, queue="q"))
    for n in range(60):
        night.add(*(task(f"{name}{n}", needs={"gpu": 1.0}, queue=name) for name in ("q", "default")))

    floor.run(lambda words: 4.0 + int(words[1:]) if words[:1] == b"f" else 10.0)

    assert floor.began[b"both"] - floor.began[b"f0"] <= PATIENCE + 30.0


def test_nor_who_needs_what_others_have_that_need_no_node(night: Night) -> None:
    floor = Floor(night, a=(6, gpus("0", "1")))
    cards = [task(f"{n:03}", needs={"gpu": 1.0}) for n in range(60)]
    night.add(*cards[:2])
    night.add(task("both", needs={"gpu": 2.0, "license": 1.0}))
    night.add(*cards[2:], *(task(f"license{n}", needs={"license": 1.0}) for n in range(100)))
    seconds = {b"000": 5.0, **{b"license%d" % n: 3.0 for n in range(100)}}

    floor.run(lambda words: seconds.get(words, 10.0), resources={"license": 1.0})

    assert floor.began[b"both"] - floor.began[b"000"] <= PATIENCE + 60.0


def test_but_what_comes_first_comes_first(night: Night) -> None:
    assert stream(night, Floor(night, a=(4, gpus("0", "1"))), priority=5) > 400.0


def test_without_a_node_kept_free_it_would_be(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(Overtaken, "save", lambda *_: None)
    assert stream(night, Floor(night, a=(4, gpus("0", "1")))) > 400.0
