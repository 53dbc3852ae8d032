"""Nodes that fall silent, engines that die, lines that break: nothing lost, nothing doubled. In virtual time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fake_nodes import LEASE, FakeNode, FakeNodes

from overnight.core.claims import Claim, Claimed, Lane
from overnight.core.endings import AttemptKey, Ended, Evidence, Lost
from overnight.core.lanes import WORK, Openings
from overnight.core.placing import Account
from overnight.core.resources import told
from overnight.core.task import Action, ActionKind
from overnight.core.version import VERSION
from overnight.engine.placing import Places
from overnight.executors.contract import Over, Spec
from overnight.executors.nodes.agent import Agent
from overnight.executors.nodes.messages import Open, Word, encode
from overnight.executors.nodes.node import Node, State
from overnight.executors.nodes.placements import Placements, read
from overnight.store.sql.sites import Sites
from overnight.testing import Play

ACTIONS = {1: Action(kind=ActionKind.COMMAND, cwd=b"/")}
LONG = 1e6


def plays(spec: Spec, _: Action) -> Play:
    """The input says how long it takes."""
    return Play(seconds=float(spec.input or b"0.001"))


@pytest.fixture
def nodes(tmp_path: Path) -> FakeNodes:
    nodes = FakeNodes(tmp_path, plays)
    nodes.open()
    return nodes


def start(nodes: FakeNodes, task_id: int, *, slot: int = 0, seconds: float = LONG, attempt: int = 1) -> AttemptKey:
    """Hand out one attempt; slot 0 is on node a and slot 1 on node b."""
    spec = Spec(task_id, attempt, 1, b"%g" % seconds, "default")
    nodes.executor.submit(slot, [spec], ACTIONS)
    return spec.key


def running(nodes: FakeNodes, task_id: int, *, slot: int = 0) -> AttemptKey:
    """Hand out a long one, and wait until it has begun."""
    key = start(nodes, task_id, slot=slot)
    nodes.until(lambda: nodes.executor.started(key))
    return key


def over(nodes: FakeNodes, key: AttemptKey) -> Over:
    """What is told of it, once."""
    [event] = [event for event in nodes.seen if event.key == key]
    assert isinstance(event, Ended | Lost)
    return event


def is_alive(node: FakeNode, key: AttemptKey) -> bool:
    return key in node.world._alive


def test_a_silent_node_is_given_up_when_its_lease_and_the_margin_are_over(nodes: FakeNodes) -> None:
    key, other = running(nodes, 1), running(nodes, 2, slot=1)
    nodes.carrier.nodes["a"].frozen = True

    nodes.pass_time(LEASE.ttl)
    assert nodes.seen == []
    nodes.pass_time(LEASE.margin + LEASE.ttl / 6)

    lost = over(nodes, key)
    assert isinstance(lost, Lost)
    assert (lost.evidence, lost.worker_died) == (Evidence.STARTED, False)
    assert "the node a was not heard for" in lost.error
    assert nodes.executor.started(other)


def test_a_node_with_nothing_to_tell_keeps_its_lease(tmp_path: Path) -> None:
    """One whose lease is over for a moment again and again gives back what it was given just then."""
    nodes = FakeNodes(tmp_path, slots=0)
    nodes.open()
    until = nodes.clock.monotonic() + 2 * LEASE.ttl
    lapsed: list[float] = []

    def passed() -> bool:
        lapsed.extend(nodes.clock.monotonic() for node in nodes.carrier.nodes.values() if node.agent.lapsed)
        return nodes.clock.monotonic() >= until

    nodes.until(lambda: not any(node.agent.lapsed for node in nodes.carrier.nodes.values()))
    nodes.until(passed)
    assert lapsed == []


def test_whoever_was_given_up_is_not_waited_for_again(nodes: FakeNodes) -> None:
    """The lease of a dead node is over once, and not once for each engine that comes after."""
    running(nodes, 1)
    nodes.carrier.nodes["a"].frozen = True
    nodes.pass_time(LEASE.over_after + LEASE.ttl / 6)
    nodes.executor.ack()

    assert read(nodes.executor._path).nodes == {"b"}


def test_what_had_not_begun_as_far_as_is_known_may_have(nodes: FakeNodes) -> None:
    running(nodes, 1)
    behind = start(nodes, 2)
    nodes.until(lambda: not nodes.carrier.nodes["a"].inbox)
    nodes.carrier.nodes["a"].frozen = True

    nodes.pass_time(LEASE.over_after + LEASE.ttl / 6)

    lost = over(nodes, behind)
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.UNKNOWN


def test_a_node_that_nobody_reaches_ends_what_it_runs_before_it_is_run_elsewhere(nodes: FakeNodes) -> None:
    key = running(nodes, 1)
    node = nodes.carrier.nodes["a"]
    nodes.carrier.cut("a")

    nodes.until(lambda: not is_alive(node, key), seconds=LEASE.ttl + 0.1)
    assert nodes.seen == []
    nodes.pass_time(LEASE.margin + LEASE.ttl / 6)

    assert isinstance(over(nodes, key), Lost)


def test_words_that_no_answer_reaches_do_not_keep_a_lease(nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine hears nothing and goes on talking: each word gives back a stamp that is older and older."""
    key = running(nodes, 1)
    node = nodes.carrier.nodes["a"]
    step = node.step
    monkeypatch.setattr(node, "step", lambda: step() and [])

    for _ in range(200):
        nodes.executor.freeze(key, frozen=False)
        nodes.pass_time(0.1)

    assert not is_alive(node, key)
    assert isinstance(over(nodes, key), Lost)


def test_an_agent_that_takes_any_word_for_its_lease_would_be_caught(
    nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    key = running(nodes, 1)
    node = nodes.carrier.nodes["a"]
    step = node.step
    monkeypatch.setattr(node, "step", lambda: step() and [])
    extend = Agent._extend
    monkeypatch.setattr(Agent, "_extend", lambda agent, _: extend(agent, nodes.clock.monotonic()))

    for _ in range(200):
        nodes.executor.freeze(key, frozen=False)
        nodes.pass_time(0.1)

    assert is_alive(node, key)


def test_a_node_that_comes_back_works_again(nodes: FakeNodes) -> None:
    key = running(nodes, 1)
    node = nodes.carrier.nodes["a"]
    node.frozen = True
    nodes.pass_time(LEASE.over_after + LEASE.ttl / 6)
    node.frozen = False

    nodes.until(lambda: len(nodes.executor.offers()) == 2)
    again = start(nodes, 1, seconds=0.1, attempt=2)
    nodes.until(lambda: any(event.key == again for event in nodes.seen))

    assert isinstance(over(nodes, key), Lost)
    assert isinstance(over(nodes, again), Ended)


def test_a_line_that_breaks_for_a_moment_costs_nothing(nodes: FakeNodes) -> None:
    key, ended = running(nodes, 1), start(nodes, 2, slot=1, seconds=1.0)
    nodes.until(lambda: nodes.executor.started(ended))
    for name in "ab":
        nodes.carrier.cut(name)
    nodes.pass_time(3.0)
    for name in "ab":
        nodes.carrier.mend(name)

    nodes.until(lambda: nodes.seen)

    assert isinstance(over(nodes, ended), Ended)
    nodes.executor.cancel([key])
    nodes.until(lambda: len(nodes.seen) == 2)
    assert nodes.begun() == [(1, 1), (2, 1)]


def test_what_never_arrived_never_began(nodes: FakeNodes) -> None:
    nodes.carrier.cut("a")
    key = start(nodes, 1)
    nodes.carrier.mend("a")

    nodes.until(lambda: nodes.seen)

    lost = over(nodes, key)
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.NEVER_STARTED


def crash(nodes: FakeNodes, *left_open: AttemptKey, fence: int = 2) -> dict[AttemptKey, Over]:
    """The engine dies, and another one asks what became of these."""
    nodes.seen.clear()
    nodes.executor = nodes.make()
    return {event.key: event for event in nodes.executor.open(fence=fence, left_open=left_open)}


def test_an_outcome_outlives_the_engine_until_it_is_committed(nodes: FakeNodes) -> None:
    key = start(nodes, 1, seconds=0.1)
    nodes.until(lambda: nodes.seen)

    told = crash(nodes, key)
    assert isinstance(told[key], Ended)
    assert isinstance(crash(nodes, key, fence=3)[key], Ended)
    nodes.executor.ack()
    nodes.pass_time(0.1)

    lost = crash(nodes, key, fence=4)[key]
    assert isinstance(lost, Lost), "what is committed is forgotten"


def test_what_the_next_engine_does_not_know_of_is_ended(nodes: FakeNodes) -> None:
    """A store that was set back has never heard of it, and will hand its task out again."""
    key = running(nodes, 1)

    crash(nodes)
    nodes.pass_time(1.0)

    assert not is_alive(nodes.carrier.nodes["a"], key)
    assert nodes.seen == []


def test_an_engine_that_dies_with_its_node_waits_for_the_lease(nodes: FakeNodes) -> None:
    key = running(nodes, 1)
    nodes.carrier.nodes["a"].frozen = True
    before = nodes.clock.monotonic()

    told = crash(nodes, key)

    assert isinstance(told[key], Lost)
    assert nodes.clock.monotonic() >= before + LEASE.over_after


def test_an_agent_that_dies_has_not_taken_its_outcomes_along(nodes: FakeNodes) -> None:
    key = start(nodes, 1, seconds=0.1)
    begun = running(nodes, 2, slot=1)
    nodes.carrier.cut("a")
    nodes.pass_time(1.0)
    nodes.carrier.kill("a")
    nodes.carrier.kill("b")
    nodes.carrier.mend("a")

    nodes.until(lambda: len(nodes.seen) == 2)

    assert isinstance(over(nodes, key), Ended)
    assert isinstance(over(nodes, begun), Lost)


def test_an_outcome_that_is_told_twice_is_not_acknowledged_before_it_is_committed(nodes: FakeNodes) -> None:
    """The line breaks between event and commit, the letter comes again, and then the engine dies."""
    key = start(nodes, 1, seconds=0.1)
    nodes.until(lambda: nodes.seen)
    nodes.carrier.cut("a")
    nodes.carrier.mend("a")
    nodes.pass_time(1.0)
    assert len(nodes.seen) == 1

    assert isinstance(crash(nodes, key)[key], Ended)


def test_without_that_care_it_would_be_lost(nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(Node, "_waits_for_commit", lambda _node, _report: False)
    key = start(nodes, 1, seconds=0.1)
    nodes.until(lambda: nodes.seen)
    nodes.carrier.cut("a")
    nodes.carrier.mend("a")
    nodes.pass_time(1.0)

    assert isinstance(crash(nodes, key)[key], Lost)


def test_an_engine_of_the_past_is_not_heard(nodes: FakeNodes) -> None:
    old = nodes.executor
    crash(nodes)
    nodes.until(lambda: len(nodes.executor.offers()) == 2)

    old.submit(0, [Spec(1, 1, 1, b"1", "default")], ACTIONS)
    nodes.pass_time(1.0)
    agent = nodes.carrier.nodes["a"].agent
    agent.hear(encode(Open(1, 9, [], 15.0, nodes.clock.monotonic())))
    agent.hear(encode(Word(1, 9, nodes.clock.monotonic(), 0, [])))

    assert nodes.begun() == []
    assert len(nodes.executor.offers()) == 2


def test_an_answer_that_comes_too_late_counts_as_lost_before_it_began(nodes: FakeNodes) -> None:
    key = running(nodes, 1)
    start(nodes, 2)
    node = nodes.carrier.nodes["a"]
    nodes.until(lambda: not node.inbox)
    node.frozen = True

    assert nodes.executor.recall() == []
    node.frozen = False
    nodes.until(lambda: nodes.seen)

    lost = over(nodes, AttemptKey(2, 1))
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.NEVER_STARTED
    assert nodes.executor.started(key)


def test_a_node_with_another_version_is_refused(tmp_path: Path) -> None:
    nodes = FakeNodes(tmp_path, plays, versions=(VERSION, "0.0.9"))
    nodes.executor.open(fence=1, left_open=[])
    nodes.pass_time(1.0)

    states = {node.name: (node.state, node.why) for node in nodes.executor.nodes()}

    assert states["a"][0] is State.UP
    assert states["b"][0] is State.REFUSED
    assert "overnight 0.0.9" in states["b"][1]
    assert len(nodes.executor.offers()) == 2, "both slots are on the other one"


def test_what_cannot_be_put_on_record_is_not_sent(nodes: FakeNodes) -> None:
    placements = nodes.root / "placements"
    placements.unlink()
    placements.mkdir()

    key = start(nodes, 1)
    nodes.pass_time(1.0)

    lost = over(nodes, key)
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.NEVER_STARTED
    assert nodes.begun() == []


#: What tasks need, in turns, by the number of their lane.
NEEDS: tuple[dict[str, float], ...] = ({}, {"gpu": 1.0}, {"zone:west": 1.0}, {"gpu": 2.0}, {"gpu": 1.0, "license": 1.0})
LANES = {number: Lane(number, "default", "", needs) for number, needs in enumerate(NEEDS)}
CARDS = (("0", "1"), ("0", "7"), ("1", "2", "3"))


def lane_of(task: int) -> int:
    return task % len(LANES)


class Night:
    """An engine's view of some tasks, while everything around it breaks; the worlds of the nodes are the ledger."""

    def __init__(self, root: Path, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - no secret
        self.nodes = FakeNodes(root, self._play)
        self.fence = 1
        #: Attempts that are on record as running, and tasks that are done.
        self.open: dict[int, int] = {}
        self.attempts = dict.fromkeys(range(1, 13), 0)
        self.done: dict[int, int] = {}
        #: How often an attempt went on under the next engine.
        self.taken_over = 0
        #: What attempts were given, as those say it that have begun.
        self.given: dict[AttemptKey, list[str]] = {}
        for node in self.nodes.carrier.nodes.values():
            self._equip(node)
        self.places = self._places()
        self.nodes.open()

    def _places(self) -> Places:
        return Places(self.nodes.executor.stocks, {"license"}, dict)

    def _equip(self, node: FakeNode) -> None:
        """It has these from now on, as its next agent says."""
        node.ids = {"gpu": self.dice.choice(CARDS)}
        node.labels = {"zone": "west"} if node.name == "b" else {}
        node.renew()

    def _play(self, spec: Spec, _: Action) -> Play:
        alive = [
            key
            for node in self.nodes.carrier.nodes.values()
            if not node.frozen
            for key in node.world._alive
            if key.task_id == spec.task_id
        ]
        assert not alive, f"{spec.key} begins beside {alive}"
        assert spec.task_id not in self.done, f"{spec.key} begins though it is done"
        self._judge_place(spec)
        return Play(seconds=self.dice.choice((0.01, 1.0, 30.0)))

    def _judge_place(self, spec: Spec) -> None:
        """It has begun where there is what it needs, and has what nobody else has there."""
        [node] = [one for one in self.nodes.carrier.nodes.values() if one.begun and one.begun[-1] == spec.key]
        granted = dict(spec.granted).get(b"OVERNIGHT_GPU", b"").decode()
        mine = self.given[spec.key] = granted.split(",") if granted else []
        theirs = [card for key in node.world._alive for card in self.given[key]]
        needs = NEEDS[lane_of(spec.task_id)]
        assert len(mine) == needs.get("gpu", 0), f"{spec.key} has {mine} and begins"
        assert set(mine) <= set(node.ids["gpu"]), f"{spec.key} begins with {mine} on a node that has {node.ids}"
        assert not set(mine) & set(theirs), f"{spec.key} begins with {mine} beside {theirs}"
        assert "zone:west" not in needs or node.labels, f"{spec.key} begins without its label"

    def settle(self, events: list[Over]) -> None:
        for event in events:
            assert self.open.pop(event.task_id) == event.attempt
            self.places.give_back(event.task_id)
            if isinstance(event, Ended):
                self.done[event.task_id] = event.attempt

    def turn(self) -> None:
        """Commit and hand out, or die in between."""
        self.nodes.seen.clear()
        self.nodes.clock.advance(self.dice.choice((0.01, 0.1, 1.0)))
        events = [event for event in self.nodes.executor.events() if isinstance(event, Ended | Lost)]
        if self.dice.random() < 0.01:
            return self.crash()
        self.settle(events)
        if self.dice.random() < 0.01:
            return self.crash()
        self.nodes.executor.ack()
        return self._claim()

    def _claim(self) -> None:
        """As an engine does: what can be placed is claimed, what was claimed is dealt out."""
        rooms = {offer.slot: 1.0 for offer in self.nodes.executor.offers() if offer.outstanding < 2}
        pools = {WORK: sum(rooms.values())}
        opened, at = self.places.narrow(Openings({lane: {WORK: 1.0} for lane in LANES}, pools), LANES, rooms, moment=0)
        sites, pools = Sites(Claim(count=99, lanes=opened.lanes, pools=opened.pools, at=at)), dict(opened.pools)
        claimed = []
        for task in [task for task in self.attempts if task not in self.open and task not in self.done]:
            lane = lane_of(task)
            if lane in opened.lanes and sites.take((task, 0, 0, lane), opened.lanes[lane], pools):
                self.attempts[task] += 1
                self.open[task] = self.attempts[task]
                node = sites.nodes.get(task, "")
                claimed.append(Claimed(task, self.attempts[task], 1, lane, b"", 0, 0, 1, 0, node=node))
        for slot, hand in self.places.deal(claimed, rooms, lambda _: 1.0).items() if rooms else ():
            ids = {one: self.places.grant(one.id, LANES[one.lane_id], slot) for one in hand}
            batch = [Spec(one.id, one.attempt, 1, b"", "default", granted=told(ids[one])) for one in hand]
            self.nodes.executor.submit(slot, batch, ACTIONS)

    def crash(self) -> None:
        self.fence += 1
        self.nodes.executor = self.nodes.make()
        left = [AttemptKey(*item) for item in self.open.items()]
        told = self.nodes.executor.open(fence=self.fence, left_open=left)
        self.places, going = self._places(), self.nodes.executor.onward()
        for one in going:
            self.places.keep(one.key.task_id, LANES[lane_of(one.key.task_id)], one.slot, one.granted)
        onward = [one.key for one in going]
        assert sorted(left) == sorted([*onward, *(event.key for event in told)])
        self.taken_over += len(onward)
        self.settle(told)
        self.nodes.executor.ack()

    def misfortune(self) -> None:
        carrier, name = self.nodes.carrier, self.dice.choice("ab")
        node = carrier.nodes[name]
        what = self.dice.random()
        if what < 0.25:
            carrier.cut(name)
        elif what < 0.5:
            carrier.mend(name)
        elif what < 0.7:
            node.frozen = not node.frozen
        elif not node.frozen:
            carrier.kill(name)
            if self.dice.random() < 0.5:
                self._equip(node)

    def run(self) -> None:
        for _ in range(400):
            if self.dice.random() < 0.05:
                self.misfortune()
            self.turn()
        for name, node in self.nodes.carrier.nodes.items():
            node.frozen = False
            self.nodes.carrier.cut(name)
            self.nodes.carrier.mend(name)
        for _ in range(3000):
            if len(self.done) == len(self.attempts):
                return
            self.turn()
        pytest.fail(f"not done: {self.attempts.keys() - self.done.keys()}")


@pytest.mark.parametrize("seed", [*range(20), 299])
def test_whatever_breaks_no_attempt_runs_beside_another_and_none_is_lost(seed: int, tmp_path: Path) -> None:
    Night(tmp_path, seed).run()


@pytest.mark.prove
def test_so_it_is_in_three_hundred_nights(tmp_path: Path) -> None:
    taken_over = 0
    for seed in range(20, 300):
        place = tmp_path / str(seed)
        place.mkdir()
        night = Night(place, seed)
        night.run()
        taken_over += night.taken_over
    assert taken_over > 1000, "engines died, and what ran went on"


def give_up_early(node: Node) -> float:
    """Before the lease is over."""
    return node.heard_at + LEASE.ttl / 3


CONTROLS = {
    "no lease": (Agent, "_keep_lease", lambda _agent: None),
    "no waiting for it": (Node, "over_at", property(give_up_early)),
    "no record of what went where": (Placements, "note", lambda _placements, _node, _keys: None),
    "no thought of what goes on": (Places, "keep", lambda *_: {}),
    "no look at what a node has now": (Account, "renew", lambda *_: None),
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_judge_sees_what_is_taken_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*CONTROLS[name])
    for seed in range(20):
        place = tmp_path / str(seed)
        place.mkdir()
        try:
            Night(place, seed).run()
        except AssertionError as error:
            assert "begins" in str(error)  # noqa: PT017 - any of these nights may be the one
            return
    pytest.fail("no night has shown it")
