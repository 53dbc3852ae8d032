"""Rollbacks in ``home.json``: outside the store, and kept whoever dies."""

from __future__ import annotations

from pathlib import Path

from overnight.host.home import Past, create, past, promise_restore, promised_restore, restore_kept


def test_a_new_home_has_no_past(tmp_path: Path) -> None:
    home = create(tmp_path / "home")
    assert past(home) == Past(0)
    assert promised_restore(home) is None


def test_a_promised_restore_raises_the_epoch_and_is_remembered_until_it_is_kept(tmp_path: Path) -> None:
    home = create(tmp_path / "home")
    promise_restore(home, ".ready", undone=(100, 250))
    assert promised_restore(home) == home.path / ".ready"
    restore_kept(home)
    promise_restore(home, ".other")
    restore_kept(home)
    assert promised_restore(home) is None
    assert past(home) == Past(2, ((100, 250),))


def test_events_between_the_checkpoint_and_the_rollback_do_not_count() -> None:
    history = Past(2, ((100, 250), (240, 300)))
    assert [history.holds(event) for event in (100, 101, 240, 250, 251, 300, 301)] == [
        True, False, False, False, False, False, True,
    ]  # fmt: skip


def test_undoing_nothing_leaves_no_trace(tmp_path: Path) -> None:
    home = create(tmp_path / "home")
    promise_restore(home, ".ready", undone=(100, 100))
    assert past(home) == Past(1)


def test_whoever_goes_back_into_a_time_that_was_undone_has_it_back(tmp_path: Path) -> None:
    home = create(tmp_path / "home")
    promise_restore(home, "a", undone=(40, 50))
    promise_restore(home, "b", undone=(100, 250))
    promise_restore(home, "c", undone=(240, 300))
    assert past(home).undone == ((40, 50), (240, 300))
    assert past(home).holds(240)
    assert not past(home).holds(45)
