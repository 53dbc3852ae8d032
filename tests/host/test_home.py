from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from overnight.core.errors import HomeUnusableError
from overnight.core.version import VERSION
from overnight.host import files
from overnight.host import home as rooms
from overnight.host.home import Home, arrive, check, create, find, place_before
from overnight.host.layout import Layout


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create(tmp_path / "project" / ".overnight", random=bytes(range(8)))


def refusal(home: Home) -> str:
    """What a person is told, message and hint."""
    with pytest.raises(HomeUnusableError) as caught:
        check(home)
    return f"{caught.value.message}\n{caught.value.hint}"


def test_a_home_knows_once_that_it_was_elsewhere(home: Home) -> None:
    was = home.path
    assert (arrive(home), place_before(home)) == (None, None)
    moved = Home(was.rename(was.with_name("moved")))
    assert place_before(moved) == was
    assert (arrive(moved), arrive(moved)) == (was, None)
    assert place_before(moved) == was


def test_git_passes_over_it_and_an_older_one_too_once_an_engine_has_come(home: Home) -> None:
    ignored = home.path / ".gitignore"
    assert ignored.read_text().splitlines()[-1] == "*"
    ignored.unlink()
    arrive(home)
    assert ignored.exists()
    ignored.write_text("somebody's own\n")
    arrive(home)
    assert ignored.read_text() == "somebody's own\n"


def test_a_place_that_json_cannot_name_is_no_hindrance(home: Home) -> None:
    was = home.path
    odd = Home(was.rename(was.with_name(os.fsdecode(b"odd\xff"))))
    assert arrive(odd) == was
    assert (arrive(odd), place_before(odd)) == (None, was)
    assert create(odd.path.with_name(os.fsdecode(b"new\xff"))).id


def test_a_new_home_is_private_has_an_id_and_passes(home: Home) -> None:
    check(home)

    assert home.path.stat().st_mode & 0o777 == 0o700
    assert home.id == "0001020304050607"
    assert json.loads(home.home_json.read_text()) == {
        "format": 1,
        "id": "0001020304050607",
        "created_by": VERSION,
        "written_by": VERSION,
        "place": str(home.path),
    }
    assert sorted(entry.name for entry in home.path.iterdir()) == [".gitignore", "home.json"]


def test_each_home_has_an_id_of_its_own(tmp_path: Path) -> None:
    ids = {create(tmp_path / str(number)).id for number in range(20)}

    assert len(ids) == 20
    assert all(re.fullmatch("[0-9a-f]{16}", one) for one in ids)


def test_making_a_home_again_changes_nothing(home: Home) -> None:
    before = home.home_json.read_bytes()

    assert create(home.path) == home
    assert home.home_json.read_bytes() == before


def test_concurrent_makers_agree_on_the_id(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".overnight"
    program = f"from pathlib import Path; from overnight.host.home import create\n\
input(); print(create(Path({str(path)!r})).id)"
    makers = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("\n")
        maker.stdin.flush()
    ids = [maker.communicate()[0] for maker in makers]

    assert ids == [Home(path).id + "\n"] * 8
    assert sorted(entry.name for entry in path.iterdir()) == [".gitignore", "home.json"]


def test_the_slower_of_two_makers_takes_the_other_ones_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It had seen no card, and finds one when it wants to put its own there."""

    def meet_another(path: Path, data: bytes) -> Path:
        monkeypatch.setattr(rooms, "write_aside", files.write_aside)
        create(path.parent, random=b"faster!!")
        return files.write_aside(path, data)

    monkeypatch.setattr(rooms, "write_aside", meet_another)

    assert create(tmp_path / "h", random=b"slower!!").id == b"faster!!".hex()


def test_a_home_left_half_made_is_completed(tmp_path: Path) -> None:
    path = tmp_path / ".overnight"
    path.mkdir(0o700)
    (path / ".home.json.0123456789ab.tmp").write_text("{")

    assert "was never finished; there are no tasks in it\n'overnight add' completes it" in refusal(Home(path))
    check(create(path))


def test_somebody_elses_directory_does_not_become_a_home(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(HomeUnusableError, match=r"is not empty \('thesis.tex' is in it\)"):
        create(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_directory_that_is_no_home_is_not_told_to_be_a_half_made_one(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    tmp_path.chmod(0o700)

    said = refusal(Home(tmp_path))
    assert "is not empty ('thesis.tex' is in it) and has no home.json; nothing was changed\nname a home" in said
    (tmp_path / ".overnight").mkdir()
    assert refusal(Home(tmp_path)).endswith(f"\n--home {tmp_path}/.overnight")


def test_what_is_left_of_a_home_that_was_removed_is_told_as_that(home: Home) -> None:
    home.home_json.unlink()
    home.log.touch()
    home.output.mkdir()
    told = refusal(home)
    assert "it is what is left of a home that was removed; nothing was changed" in told
    assert told.endswith(f"rm -r {home.path}")
    (home.path / "thesis.tex").touch()
    assert "rm -r" not in refusal(home)


def test_a_home_that_lost_its_card_is_not_given_a_new_one(home: Home) -> None:
    """With a new id its running processes would be strangers."""
    home.store.touch()
    home.home_json.unlink()

    with pytest.raises(HomeUnusableError):
        create(home.path)
    assert "home.json is missing, though there are tasks; nothing was changed" in refusal(home)


def test_a_home_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(HomeUnusableError, match=r"cannot be made at .*: Not a directory; nothing was added"):
        create(tmp_path / "file" / ".overnight")


def test_the_nearest_home_above_is_found(home: Home, tmp_path: Path) -> None:
    below = home.path.parent / "a" / "b"
    below.mkdir(parents=True)

    assert find(below) == home
    assert find(home.path.parent) == home
    assert find(home.path) == home
    nearer = create(below.parent / ".overnight")
    assert find(below) == nearer
    assert find(tmp_path) is None


def test_a_named_home_is_the_only_one_looked_at(home: Home, tmp_path: Path) -> None:
    other = create(tmp_path / "elsewhere")

    assert find(home.path.parent, other.path) == other
    assert find(home.path.parent, tmp_path / "missing") is None


def test_paths_are_absolute_and_do_not_follow_links(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.path.parent)

    assert find(Path(), Path(".overnight/../.overnight")) == home
    assert create(Path(".overnight")) == home


def test_a_link_is_refused_and_where_it_leads_is_said(home: Home, tmp_path: Path) -> None:
    link = tmp_path / ".overnight"
    link.symlink_to(home.path)

    found = find(tmp_path)
    assert found == Home(link)
    assert f"is a symbolic link, and a home must not be; nothing was changed\n--home {home.path}" in refusal(found)


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".overnight").symlink_to(".overnight")

    assert "is a symbolic link" in refusal(Home(tmp_path / ".overnight"))


def test_a_file_is_no_home(tmp_path: Path) -> None:
    (tmp_path / ".overnight").touch()

    assert "is not a directory" in refusal(Home(tmp_path / ".overnight"))


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_home_that_others_can_write_to_is_refused(home: Home, mode: int) -> None:
    home.path.chmod(mode)

    told = refusal(home)
    assert f"can be written to by other users (mode {mode:04o})" in told
    assert told.endswith(f"\nchmod 700 {home.path}")


@pytest.mark.parametrize("is_home", [True, False])
@pytest.mark.parametrize("mode", [0o1777, 0o777])
def test_what_others_have_a_right_to_is_not_to_be_closed(tmp_path: Path, mode: int, *, is_home: bool) -> None:
    """Like /tmp, or a folder of a group; somebody may have put a card of a home there."""
    shared = tmp_path / "shared"
    shared.mkdir()
    if is_home:
        create(shared)
    shared.chmod(mode)

    told = refusal(Home(shared))
    assert ("chmod" in told) is (is_home and mode == 0o777)
    assert "chmod" in told or "name another directory" in told


def test_a_directory_of_others_is_not_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(HomeUnusableError, match="can be written to by other users"):
        create(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_home_of_another_user_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4_000_000)

    assert re.search(r"belongs to \w+, and you are user \d+; nothing was changed", refusal(home))


def test_a_home_on_the_network_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "file_system_type", lambda _: "nfs4")

    assert "is on a network file system (nfs4), where locks do not hold; nothing was changed" in refusal(home)


def test_a_newer_home_names_both_versions(home: Home) -> None:
    home.home_json.write_text('{"format": 2, "id": "x", "created_by": "0.1.0", "written_by": "7.2.0", "more": 1}')

    assert f"was written by overnight 7.2.0, and this is {VERSION}; nothing was changed" in refusal(home)


@pytest.mark.parametrize("card", ["", "{", "[]", '{"format": 1}', '{"format": "1", "id": "x", "created_by": "y"}'])
def test_a_damaged_card_is_told_without_a_traceback(home: Home, card: str) -> None:
    home.home_json.write_text(card)

    assert "home.json cannot be read" in refusal(home)


def test_a_missing_home_is_told(tmp_path: Path) -> None:
    assert "cannot be used as a home: No such file or directory" in refusal(Home(tmp_path / "none"))


def test_a_copied_home_has_another_cookie(home: Home, tmp_path: Path) -> None:
    """It would kill the processes of the original otherwise."""
    copy = Home(Path(shutil.copytree(home.path, tmp_path / "copy")))

    assert copy.id == home.id
    assert copy.cookie() != home.cookie()
    assert re.fullmatch(r"[0-9a-f]{16}:\d+:\d+", home.cookie())


def test_a_moved_home_keeps_its_cookie(home: Home, tmp_path: Path) -> None:
    before = home.cookie()

    assert Home(home.path.rename(tmp_path / "moved")).cookie() == before


def test_the_configuration_lies_beside_the_home_and_all_else_inside() -> None:
    home = Home(Path("/a/.overnight"))
    names = [name for name, what in vars(Layout).items() if isinstance(what, property)]

    assert home.config == Path("/a/overnight.toml")
    inside = {getattr(home, name).relative_to(home.path).as_posix() for name in names if name != "config"}
    assert len(inside) == len(names) - 1
    assert inside >= {"queue.db", "lock", "STOP", "engine.json", "home.json", "events.jsonl", "heartbeat.log"}


def test_a_home_remembers_that_it_has_had_a_store(home: Home) -> None:
    before = home.id
    assert not rooms.has_store(home)

    rooms.remember_store(home)

    assert rooms.has_store(home)
    assert home.id == before
    check(home)
