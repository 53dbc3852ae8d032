"""The journals of many hosts with one store, counted together."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from overnight.core.task import Action, ActionKind, NewTask
from overnight.engine.journal import Journal
from overnight.monitor import segments, tail
from overnight.monitor.shared_journal import audit, merged
from overnight.store.sqlite import SqliteStore

NOON = 1_800_000_000.0


@pytest.fixture
def hosts(tmp_path: Path) -> list[Path]:
    """The journals of two hosts."""
    for name in "ab":
        (tmp_path / name).mkdir()
    return [tmp_path / name / "events.jsonl" for name in "ab"]


def add(store: SqliteStore, *names: str) -> None:
    action = Action(ActionKind.COMMAND, b"/", argv=(b"true",))
    store.add([NewTask(action, name.encode()) for name in names], now=NOON, by="me")


def numbers(journals: list[Path]) -> list[int | None]:
    return [line.seq for line in merged(journals)]


def in_turn(store: SqliteStore, hosts: list[Path]) -> None:
    """One leads, then the other, then the first again; each writes what came meanwhile."""
    for host, names in zip(itertools.cycle(hosts), ("ab", "c", "de"), strict=False):
        add(store, *names)
        Journal(host, store).close()


def test_hosts_that_led_in_turn_have_all_of_it_together(store: SqliteStore, hosts: list[Path]) -> None:
    in_turn(store, hosts)
    add(store, "waits in the outbox")
    assert numbers(hosts) == [1, 2, 3, 4, 5]
    assert audit(store, hosts) == ([], 0)


def test_what_a_dead_host_had_written_already_is_there_twice_and_counts_once(
    store: SqliteStore, hosts: list[Path]
) -> None:
    add(store, "a", "b")
    Journal(hosts[0], store).pump()  # and then it dies: the store has not forgotten them
    add(store, "c")
    Journal(hosts[1], store).close()
    assert numbers(hosts) == [1, 1, 2, 2, 3]
    assert audit(store, hosts) == ([], 0)


@pytest.mark.parametrize(("given", "missing"), [([0], 1), ([1], 4), ([], 5)])
def test_what_stands_in_homes_that_were_not_given_is_counted_and_no_trouble(
    store: SqliteStore, hosts: list[Path], given: list[int], missing: int
) -> None:
    in_turn(store, hosts)
    assert audit(store, [hosts[number] for number in given]) == ([], missing)


def test_a_number_that_stands_for_two_events_is_found(store: SqliteStore, hosts: list[Path]) -> None:
    in_turn(store, hosts)
    lines = hosts[0].read_bytes().splitlines(keepends=True)
    with hosts[1].open("ab") as file:
        file.write(lines[2].replace(b'"seq":4', b'"seq":5'))
    [found], missing = audit(store, hosts)
    assert (found.what, found.found, missing) == ("event 5", "another one in one of them", 0)


def test_a_line_that_is_no_event_is_found(store: SqliteStore, hosts: list[Path]) -> None:
    in_turn(store, hosts)
    with hosts[1].open("ab") as file:
        file.write(b"no event\n")
    [found], _ = audit(store, hosts)
    assert found.what == "the line after event 3"


def test_together_they_must_tell_what_the_store_holds(store: SqliteStore, hosts: list[Path]) -> None:
    in_turn(store, hosts)
    lines = hosts[1].read_bytes().replace(b'"pending"', b'"held"')
    hosts[1].write_bytes(lines)
    [found], _ = audit(store, hosts)
    assert found.what == "state of task 3"


@pytest.mark.parametrize("kept", [[0, 1, 2, 1, 2, 3, 4], [0, 1, 2, 1, 2, 4]])
def test_numbers_that_go_back_are_found_and_hide_no_gap(store: SqliteStore, hosts: list[Path], kept: list[int]) -> None:
    add(store, *"abcde")
    Journal(hosts[0], store).close()
    lines = hosts[0].read_bytes().splitlines(keepends=True)
    hosts[0].write_bytes(b"".join(lines[number] for number in kept))
    [found], missing = audit(store, hosts)
    assert (found.what, found.found) == ("the event after event 3 in one of the journals", "event 2")
    assert missing == 5 - len(set(kept))


def test_a_segment_that_is_set_aside_while_it_is_read_is_not_passed_over(
    store: SqliteStore, hosts: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for names in ("abc", "defg"):
        add(store, *names)
        Journal(hosts[0], store).close()
        if names == "abc":
            hosts[0].rename(hosts[0].with_name("events-0000000003.jsonl"))
    real = tail.full_segments

    def an_engine_goes_on(journal: Path) -> list[Path]:
        there = list(real(journal))
        if journal == hosts[0] and len(there) == 1:
            journal.rename(journal.with_name("events-0000000007.jsonl"))
            add(store, "h")
            Journal(journal, store).close()
        return there

    monkeypatch.setattr(segments, "full_segments", an_engine_goes_on)
    assert audit(store, hosts) == ([], 0)
