"""Which lanes may run now."""

import msgspec

from overnight.core.claims import Role
from overnight.core.lanes import (
    EVERY_QUEUE,
    WORK,
    WORKFLOWS,
    LaneView,
    Openings,
    QueueView,
    is_queue,
    openings,
    switch_of,
    switch_words,
)

NOON = 1_000_000.0


def opened(
    lanes: list[LaneView], *queues: QueueView, running: dict[int, int] | None = None, gpus: float = 1
) -> Openings:
    return openings(
        lanes,
        {queue.name: queue for queue in queues},
        work=0.1,
        running=running or {},
        totals={"gpu": gpus},
        now=NOON,
    )


def lane(number: int, queue: str = "default", **needs: float) -> LaneView:
    return LaneView(number, queue, needs, 0.05)


def test_a_plain_lane_takes_only_work() -> None:
    assert opened([lane(1)]).lanes == {1: {WORK: 0.05}}


def test_a_paused_queue_is_closed_until_its_time() -> None:
    until = QueueView("q", paused=True, paused_until=NOON + 1)
    assert opened([lane(1, "q")], QueueView("q", paused=True)).lanes == {}
    assert opened([lane(1, "q")], until).lanes == {}
    assert opened([lane(1, "q")], QueueView("q", paused=True, paused_until=NOON)).lanes.keys() == {1}


def test_a_pause_of_every_queue_closes_all_lanes_until_its_time() -> None:
    lanes = [lane(1, "q"), lane(2)]
    assert opened(lanes, QueueView(EVERY_QUEUE, paused=True)).lanes == {}
    assert opened(lanes, QueueView(EVERY_QUEUE, paused=True, paused_until=NOON)).lanes.keys() == {1, 2}


def test_a_queue_gives_no_more_than_its_free_slots() -> None:
    queue = QueueView("q", slots=3)
    result = opened([lane(1, "q"), lane(2, "q"), lane(3)], queue, running={1: 1, 2: 1})
    assert result.pools["slots q"] == 1
    assert result.lanes[1] == {WORK: 0.05, "slots q": 1.0}
    assert result.lanes[3] == {WORK: 0.05}
    assert opened([lane(1, "q")], queue, running={1: 3}).lanes == {}


def test_a_rate_is_a_pool_like_any_other() -> None:
    assert opened([lane(1, "q")], QueueView("q", allowance=0)).lanes == {}
    assert opened([lane(1, "q")], QueueView("q", allowance=5)).pools["rate q"] == 5


def test_lanes_that_share_a_resource_draw_from_one_pool() -> None:
    result = opened([lane(1, gpu=1), lane(2, gpu=1)], gpus=2, running={1: 1})
    assert result.pools["resource gpu"] == 1
    assert result.lanes.keys() == {1, 2}


def test_a_lane_whose_resource_is_in_use_or_unknown_is_closed() -> None:
    assert opened([lane(1, gpu=1), lane(2)], running={1: 1}).lanes.keys() == {2}
    assert opened([lane(1, fpga=1)]).lanes == {}
    assert opened([lane(1, gpu=3)], gpus=2).lanes == {}


def test_without_room_nothing_is_open() -> None:
    assert openings([lane(1)], {}, work=0.0, running={}, totals={}, now=NOON).lanes == {}


def test_the_slots_of_a_workflow_are_those_of_its_lanes_in_every_queue() -> None:
    lanes = [
        LaneView(1, "a", {}, 0.1, workflow="flow", role=Role.STEP),
        LaneView(2, "b", {}, 0.1, workflow="flow", role=Role.STEP),
        LaneView(3, "a", {}, 0.1),
        LaneView(4, "a", {}, 0.1, weight=1.0, workflow="flow", role=Role.WORKFLOW),
    ]
    views = {"workflow flow": QueueView("workflow flow", slots=3, allowance=7)}
    opened = openings(lanes, views, work=9.0, running={1: 1, 2: 1, 3: 1}, totals={}, now=0.0, places=4.0)
    mine = {WORK: 0.1, "slots workflow flow": 1.0, "rate workflow flow": 1.0}
    assert opened.pools["slots workflow flow"] == 1
    assert (opened.lanes[1], opened.lanes[2], opened.lanes[3]) == (mine, mine, {WORK: 0.1})
    assert opened.lanes[4] == {WORK: 0.1, WORKFLOWS: 1.0, "open workflow flow": 1.0}, "what is begun runs nothing"
    full = openings(lanes, views, work=9.0, running={1: 2, 2: 1}, totals={}, now=0.0, places=4.0)
    assert full.lanes.keys() == {3, 4}
    lanes[3] = msgspec.structs.replace(lanes[3], begun=12)
    assert openings(lanes, views, work=9.0, running={1: 3}, totals={}, now=0.0, places=99.0).lanes.keys() == {3}


def test_the_switch_of_a_workflow_stops_its_lanes_in_every_queue() -> None:
    lanes = [
        LaneView(1, "a", {}, 0.1, workflow="flow"),
        LaneView(2, "b", {}, 0.1, workflow="flow"),
        LaneView(3, "a", {}, 0.1),
    ]
    switch = switch_of("flow")
    paused = {switch: QueueView(switch, paused=True)}
    assert set(openings(lanes, paused, work=1.0, running={}, totals={}, now=0.0).lanes) == {3}
    assert not is_queue(switch)
    assert is_queue("flow")
    assert [switch_words(name) for name in ("", switch, "net")] == ["every queue", "workflow flow", "queue net"]
