"""A run on this machine after one on nodes: nothing of that begins again while a node may still run it."""

from __future__ import annotations

from pathlib import Path

from executor_bench import CLOCK

from overnight.core.endings import AttemptKey, Evidence, Lost
from overnight.executors.nodes.afterwards import LocalAfterNodes
from overnight.executors.nodes.placements import Placements, read

AWAY, HERE = AttemptKey(1, 1), AttemptKey(2, 1)


def after(root: Path, waited: list[float], told: list[str]) -> LocalAfterNodes:
    return LocalAfterNodes(
        placements=root / "placements",
        told=lambda words, _hint: told.append(words),
        pause=waited.append,
        marks=root / "marks",
        spool=root / "spool",
        output=root / "output",
        work=root / "work",
        cookie=f"test:{root}",
        home=root,
        slots=1,
        clock=CLOCK,
    )


def test_the_lease_is_waited_for_and_nobody_knows_whether_it_began(tmp_path: Path) -> None:
    placements = Placements(tmp_path / "placements", 16.0, dict)
    placements.begin()
    placements.note("a", [AWAY])
    waited: list[float] = []
    told: list[str] = []
    executor = after(tmp_path, waited, told)

    events = {event.key: event for event in executor.open(fence=2, left_open=[HERE, AWAY])}
    executor.ack()
    executor.close()

    lost = events[AWAY]
    assert isinstance(lost, Lost)
    assert lost.evidence is Evidence.UNKNOWN
    assert waited == [16.0]
    assert told == ["1 attempts of the last engine were with nodes; their lease is waited for, 16 s"]
    assert set(events) == {HERE, AWAY}
    assert not (tmp_path / "placements").exists(), "it is asked about once"


def test_what_no_store_knows_of_may_run_there_as_well(tmp_path: Path) -> None:
    """A store that was set back has forgotten it, and would have it begin here."""
    placements = Placements(tmp_path / "placements", 16.0, dict)
    placements.begin()
    placements.note("a", [AWAY])
    waited: list[float] = []
    executor = after(tmp_path, waited, [])

    executor.open(fence=2, left_open=[])
    executor.close()

    assert waited == [16.0]


def test_after_an_orderly_end_nothing_is_waited_for(tmp_path: Path) -> None:
    placements = Placements(tmp_path / "placements", 16.0, dict)
    placements.begin()
    placements.note("a", [AWAY])
    placements.used([])
    placements.begin()
    waited: list[float] = []
    executor = after(tmp_path, waited, [])

    executor.open(fence=2, left_open=[])
    executor.close()

    assert waited == []


def test_a_record_that_was_cut_short_was_never_followed_by_its_attempt(tmp_path: Path) -> None:
    path = tmp_path / "placements"
    placements = Placements(path, 16.0, dict)
    placements.begin()
    placements.note("a", [AWAY])
    placements.note("b", [HERE])
    path.write_bytes(path.read_bytes()[:-3])

    assert read(path).by_key == {AWAY: "a"}


def test_after_the_loss_of_the_machine_the_record_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "placements"
    placements = Placements(path, 16.0, dict)
    placements.begin()
    placements.note("a", [AWAY])
    assert read(path).whole

    path.write_bytes(b"another-boot" + path.read_bytes()[12:])

    assert not read(path).whole
