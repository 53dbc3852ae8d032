"""Which files of a folder are ready, in plain numbers."""

from __future__ import annotations

import pytest

from overnight.core.watching import Judged, Look, Seen, is_wanted, judge, wait_after

SMALL, LARGE = Look(10, 1), Look(20, 2)


class Folder:
    """A folder that is looked at again and again."""

    def __init__(self) -> None:
        self.seen: dict[bytes, Seen] = {}

    def look(self, moment: float, **files: Look) -> list[bytes]:
        judged = judge(self.seen, {name.encode(): look for name, look in files.items()}, moment=moment, settle=2.0)
        self.seen = judged.seen
        return judged.ready


def test_a_file_is_taken_once_when_it_has_been_the_same_for_a_while() -> None:
    folder = Folder()

    assert [folder.look(moment, a=SMALL) for moment in (0.0, 1.0, 2.0, 3.0, 99.0)] == [[], [], [b"a"], [], []]


def test_a_file_that_grows_is_waited_for() -> None:
    folder = Folder()

    assert folder.look(0.0, a=SMALL) == []
    assert folder.look(1.9, a=LARGE) == []
    assert folder.look(3.8, a=LARGE) == []
    assert folder.look(3.9, a=LARGE) == [b"a"]


def test_a_file_whose_time_alone_changes_is_waited_for() -> None:
    folder = Folder()

    assert folder.look(0.0, a=Look(10, 1)) == []
    assert folder.look(2.0, a=Look(10, 2)) == []
    assert folder.look(4.0, a=Look(10, 2)) == [b"a"]


def test_a_file_that_is_overwritten_is_offered_again() -> None:
    """Whether it is another task is a matter of its identity, and of who asks."""
    folder = Folder()
    folder.look(0.0, a=SMALL)
    assert folder.look(2.0, a=SMALL) == [b"a"]
    assert folder.look(3.0, a=LARGE) == []
    assert folder.look(5.0, a=LARGE) == [b"a"]


def test_a_file_that_was_gone_is_new() -> None:
    folder = Folder()
    folder.look(0.0, a=SMALL)
    assert folder.look(1.0) == []
    assert folder.look(2.0, a=SMALL) == []
    assert folder.look(4.0, a=SMALL, b=SMALL) == [b"a"]


def test_there_is_something_to_wait_for_until_all_are_taken() -> None:
    before = judge({}, {b"a": SMALL}, moment=0.0, settle=2.0)
    after = judge(before.seen, {b"a": SMALL}, moment=2.0, settle=2.0)

    assert (before.unsettled, after.unsettled, Judged({}, []).unsettled) == (True, False, False)


@pytest.mark.parametrize(
    ("name", "patterns", "wanted"),
    [
        ("a.wav", (), True),
        ("a.wav", ("*.wav", "*.mp4"), True),
        ("a.txt", ("*.wav", "*.mp4"), False),
        (".a.wav", ("*.wav",), False),
        (".a.wav", (".*.wav",), True),
        ("a.wav.part", (), False),
        ("a.part", ("*.part",), True),
        ("a~", (), False),
    ],
)
def test_hidden_and_unfinished_files_are_taken_only_when_they_are_meant(
    name: str, patterns: tuple[str, ...], *, wanted: bool
) -> None:
    assert is_wanted(name, patterns) is wanted


@pytest.mark.parametrize(("took", "wait"), [(0.0, 1.0), (0.05, 1.0), (0.5, 10.0), (30.0, 60.0)])
def test_a_large_folder_is_looked_at_less_often(took: float, wait: float) -> None:
    assert wait_after(took) == pytest.approx(wait)
