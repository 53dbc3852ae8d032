"""Each operation of the disk under the real store fails; nothing is called done that is not."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight.core.errors import StoreUnavailableError
from overnight.store.sqlite.connection import Database
from overnight.testing.cutting import fast_directory
from overnight.testing.disk import Kind
from overnight.testing.io_faults import Reference, refer, strike, strikes

PARTS = 8
#: Every so many faults are tried by `make test`.
SAMPLE = 83


@pytest.fixture
def directory() -> Iterator[Path]:
    with fast_directory() as made:
        yield made


@functools.cache
def reference() -> Reference:
    with fast_directory() as made:
        place = made / "reference"
        place.mkdir()
        return refer(place)


def test_a_sample_of_errors_at_any_operation_leads_to_no_wrong_word(directory: Path) -> None:
    assert strike(reference(), strikes(reference())[::SAMPLE], directory / "struck") == []


@pytest.mark.prove
@pytest.mark.parametrize("part", range(PARTS))
def test_no_error_at_any_operation_leads_to_a_wrong_word(directory: Path, part: int) -> None:
    every = strikes(reference())
    assert len(every) >= 2000
    assert strike(reference(), every[part::PARTS], directory / "struck") == []


def test_a_store_that_takes_an_error_of_commit_for_a_success_is_found_out(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    real = Database._commit

    def commit(self: Database) -> None:
        try:
            real(self)
        except StoreUnavailableError:
            return

    monkeypatch.setattr(Database, "_commit", commit)
    syncs = [one for one in strikes(reference()) if reference().kinds[one.at - 1] is Kind.SYNC]
    assert strike(reference(), syncs[::5], directory / "struck") != []
