"""``--from``: what a list and a call say together, what is added, and what is refused whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overnight import wiring
from overnight.core.task_list import entries
from overnight.ui.cli import boxes as boxes_room
from overnight.ui.cli.boxes import Box, flip, places
from overnight.ui.cli.listed import read_list
from overnight.ui.cli.source_options import Sources
from overnight.ui.cli.task_options import BUILT_IN, Request
from overnight.ui.cli.watched import collect_watch
from overnight.wiring import adding, enlisting

Call = Callable[..., Any]


@pytest.fixture
def write(place: Path) -> Callable[[str, str], str]:
    def make(name: str, content: str) -> str:
        (place / name).write_text(content)
        return name

    return make


Write = Callable[[str, str], str]


def shown(overnight: Call) -> dict[str, dict[str, Any]]:
    """Every task by its title."""
    tasks = [json.loads(line) for line in reversed(overnight("list", "--json").lines)]
    return {one["title"]: json.loads(overnight("show", str(one["id"]), "--json").out) for one in tasks}


def test_a_list_becomes_tasks_that_wait_for_each_other(overnight: Call, write: Write) -> None:
    name = write(
        "l.md",
        "# P {priority=5 timeout=30m queue=q}\n- [ ] A: one `a.wav` (depends on B)\n- [ ] B: two\n- [x] C: three\n",
    )
    said = overnight("add", "--from", name, "--", "work", "{}")

    assert (said.status, said.out) == (0, "1\n2\n")
    assert "l.md: 1 ticked and 0 cancelled, not run" in said.err
    tasks = shown(overnight)
    assert list(tasks) == ["B: two", "A: one a.wav"]
    first = tasks["A: one a.wav"]
    assert (first["input"], first["after"], first["state"], first["priority"], first["queue"]) == (
        "a.wav",
        [1],
        "waiting",
        5,
        "q",
    )


def test_the_same_list_again_adds_nothing_and_a_longer_one_what_is_new(overnight: Call, write: Write) -> None:
    name = write("l.md", "- [ ] A: one\n- [ ] two\n- [ ] two\n")
    assert overnight("add", "--from", name, "--", "work").out == "1\n2\n3\n"
    again = overnight("add", "--from", name, "--json", "--", "work")
    assert again.json == {"added": 0, "known": 3, "duplicates": 0, "ids": []}

    write("l.md", "- [ ] B: new (depends on A)\n- [ ] A: one\n- [ ] two\n- [ ] two\n")
    assert overnight("add", "--from", name, "--", "work").out == "4\n"
    assert shown(overnight)["B: new"]["after"] == [1]


def test_equal_work_under_two_ids_is_two_tasks(overnight: Call, write: Write) -> None:
    name = write("l.md", "- [ ] A: `x`\n- [ ] B: `x` (depends on A)\n")
    assert overnight("add", "--from", name, "--", "work").out == "1\n2\n"


def test_equal_lines_of_json_are_one_task(overnight: Call, write: Write) -> None:
    name = write("l.jsonl", '{"input": "x", "id": 1}\n{"input": "y", "after": 1}\n{"input": "x", "after": []}\n')
    assert overnight("add", "--from", name, "--json", "--", "w").json == {
        "added": 2,
        "known": 0,
        "duplicates": 1,
        "ids": [1, 2],
    }


def test_what_the_list_says_holds_and_the_call_says_the_rest(overnight: Call, write: Write) -> None:
    name = write("l.md", "- [ ] A: one {timeout=7s}\n- [ ] B: two\n- [ ] `make all` {run}\n")
    overnight("add", "--from", name, "--allow-run", "--timeout", "9s", "-p", "3", "--", "work")
    tasks = shown(overnight)

    assert [one["timeout"] for one in tasks.values()] == [7.0, 9.0, 9.0]
    assert [one["command"] for one in tasks.values()] == [["work"], ["work"], ["make", "all"]]
    assert {one["priority"] for one in tasks.values()} == {3}


def test_dry_run_prints_the_commands_and_adds_nothing(overnight: Call, write: Write, place: Path) -> None:
    name = write("l.md", "- [ ] A: one `a b`\n- [ ] `make all` {run}\n")
    for verb in ("add", "run"):
        said = overnight(verb, "--from", name, "--allow-run", "--dry-run", "--", "work", "{}")
        assert said.lines == ["work 'a b'", "make all"]
    assert not (place / ".overnight").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "none.md", "--", "w"), "the list 'none.md' cannot be read (no such file or directory)"),
        (("--from", "l.txt", "--", "w"), "'l.txt' is no list that could be read"),
        (("--from", ".", "--", "w"), "'.' is no list"),
        (("--from", "good.md", "b", "--", "w"), "--from and inputs were given"),
        (("--from", "good.md", "--title", "x", "--", "w"), "--from and --title were given"),
        (("--from", "good.md", "--", "w", ":::", "a"), "--from and ':::' were given"),
        (("--from", "good.md"), "nothing is said about what to do with 'A'"),
        (("--from", "flow.md", "--", "w"), "a command was given, and every task of the list says itself"),
        (("--from", "flow.md"), "flow.md:1:15: error: there is no workflow 'nowhere'"),
        (("--from", "run.md"), "run.md:1:12: error: a command out of a list is run only if that is allowed"),
        (("--from", "good.jsonl", "--write-back", "--", "w"), "--write-back ticks boxes"),
        (("--allow-run", "a", "--", "w"), "--allow-run is about a list"),
        (("--match", "*.x", "a", "--", "w"), "--match is about a folder"),
        (("--watch", "nowhere", "--", "w"), "there is no folder 'nowhere' to watch"),
        (("--watch", ".", "a", "--", "w"), "--watch takes the files of a folder"),
        (("--from", "latin.json", "--", "w"), "'latin.json' is no JSON: byte 3 is not UTF-8"),
    ],
)
def test_what_cannot_be_is_refused_whole(
    overnight: Call, write: Write, place: Path, words: tuple[str, ...], said: str
) -> None:
    write("good.md", "- [ ] A: one\n")
    write("good.jsonl", '{"input": "a"}\n')
    write("flow.md", "- [ ] A: one {workflow=nowhere}\n")
    write("run.md", "- [ ] `a` {run}\n")
    (place / "latin.json").write_bytes(b'{"\xe9": 1}')
    for verb in ("add", "run"):
        told = overnight(verb, *words)
        assert (told.status, told.out) in ((2, ""), (4, ""))
        assert said in told.err
        assert "nothing was added" in told.err
        assert not (place / ".overnight").exists() or overnight("list", "--json").out == ""


def test_a_list_that_is_too_large_is_not_even_read(overnight: Call, place: Path) -> None:
    with (place / "l.jsonl").open("wb") as file:
        file.truncate(entries.MAX_BYTES + 1)
    said = overnight("add", "--from", "l.jsonl", "--", "w")

    assert said.status == 2
    assert "larger than 32 MB; nothing was added" in said.err


def test_a_pipe_without_a_writer_is_refused_and_not_waited_for(overnight: Call, place: Path) -> None:
    os.mkfifo(place / "l.md")

    assert "is no file; nothing was added" in overnight("add", "--from", "l.md", "--", "w").err


def test_inputs_that_the_workflow_does_not_take_are_named_with_their_place(overnight: Call, write: Write) -> None:
    write("overnight.toml", '[workflow.w]\nmatch = "*.wav"\n[[workflow.w.step]]\nid = "a"\nrun = ["true"]\n')
    write("l.md", "---\novernight: 1\nworkflow: w\n---\n- [ ] A: `a.wav`\n- [ ] B: `b.txt`\n")
    said = overnight("add", "--from", "l.md")

    assert "l.md:6:7: error: workflow 'w' takes *.wav, and not b.txt" in said.err
    assert overnight("add", "-w", "w", "a.wav").status == 0


def test_a_tag_of_task_master_is_named_behind_a_hash(overnight: Call, write: Write) -> None:
    both = {name: {"tasks": [{"id": 1, "title": name}]} for name in ("master", "feature")}
    write("tasks.json", json.dumps(both))

    assert "feature" in overnight("add", "--from", "tasks.json#feature", "--dry-run", "--", "w").out
    assert "took the tag 'master' of 2" in overnight("add", "--from", "tasks.json", "--dry-run", "--", "w").err
    assert "there is no tag 'x'" in overnight("add", "--from", "tasks.json#x", "--dry-run", "--", "w").err


def test_a_list_of_several_transactions_is_whole_and_in_order(
    overnight: Call, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room in (adding, enlisting):
        monkeypatch.setattr(room, "CHUNK", 2)
    write("l.md", "".join(f"- [ ] T{n}: x" + (f" (depends on T{n - 1}, T0)" if n else "") + "\n" for n in range(7)))

    assert overnight("add", "--from", "l.md", "--", "w").lines == [str(n) for n in range(1, 8)]
    tasks = list(shown(overnight).values())
    assert [one["after"] for one in tasks] == [[], [1], *([1, n] for n in range(2, 7))]
    write("l.md", (Path("l.md").read_text()) + "- [ ] T7: x (depends on T6, T2)\n")
    assert overnight("add", "--from", "l.md", "--", "w").out == "8\n"
    assert shown(overnight)["T7: x"]["after"] == [3, 7]


def test_nothing_of_a_list_is_added_when_one_waits_for_what_has_failed(overnight: Call, write: Write) -> None:
    write("l.md", "- [ ] A: one\n")
    overnight("add", "--from", "l.md", "--", "w")
    overnight("cancel", "1")
    write("l.md", "- [ ] A: one\n- [ ] C: three\n- [ ] B: two (depends on A)\n")
    said = overnight("add", "--from", "l.md", "--", "w")

    assert said.status == 2
    assert "task 1 is cancelled, so what waits for it would never run; nothing was added" in said.err
    assert len(shown(overnight)) == 1


# -- boxes ---------------------------------------------------------------------------------------


def boxes(name: str) -> list[Box]:
    file = read_list(Sources(from_file=name))
    return places(file, [one.box_at or 0 for one in file.listed.entries])


def test_one_character_is_flipped_and_nothing_else(write: Write, place: Path) -> None:
    content = b"\xef\xbb\xbf# caf\xc3\xa9 \xff\r\n- [ ] A: \xe9  \r\n\r\n  + [ ] B: two\t\r\n\tend"
    (place / "l.md").write_bytes(content)
    del write
    second, first = boxes("l.md")  # a part comes before the whole
    flipped = flip(content, {1: (first, b"x"), 2: (second, b"-")})

    assert flipped.content == content.replace(b"[ ] A", b"[x] A").replace(b"[ ] B", b"[-] B")
    assert (sorted(flipped.done), flipped.refused) == ([1, 2], [])


def test_a_line_that_has_changed_since_is_left_as_it_is(write: Write) -> None:
    write("l.md", "- [ ] A: one\n- [ ] B: two\n")
    first, second = boxes("l.md")
    flipped = flip(b"- [ ] A: ONE\n- [ ] B: two\n", {1: (first, b"x"), 2: (second, b"x")})

    assert flipped.content == b"- [ ] A: ONE\n- [x] B: two\n"
    assert flipped.refused == [1]
    assert flip(b"", {1: (second, b"x")}).refused == [2]


def test_write_back_ticks_what_is_done_keeps_the_mode_and_follows_links(
    overnight: Call, write: Write, place: Path
) -> None:
    write("real.md", "- [ ] A: one\n- [ ] B: two\n")
    (place / "real.md").chmod(0o640)
    (place / "l.md").symlink_to("real.md")
    overnight("add", "--from", "l.md", "--", "w")
    overnight("cancel", "2")
    overnight("add", "--from", "l.md", "--write-back", "--", "w")

    assert (place / "real.md").read_text() == "- [ ] A: one\n- [-] B: two\n"
    assert (place / "real.md").stat().st_mode & 0o777 == 0o640
    assert (place / "l.md").is_symlink()
    assert sorted(one.name for one in place.iterdir()) == [".overnight", "l.md", "real.md"]


def test_a_list_that_cannot_be_written_costs_no_task_anything(
    overnight: Call, write: Write, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    write("l.md", "- [ ] A: one\n")
    overnight("add", "--from", "l.md", "--", "w")
    overnight("cancel", "1")
    monkeypatch.setattr(boxes_room, "_replace", full)
    said = overnight("add", "--from", "l.md", "--write-back", "--", "w")

    assert said.status == 0
    assert "l.md cannot be written (no space left on device); its boxes stay as they are" in said.err
    assert (place / "l.md").read_text() == "- [ ] A: one\n"


def test_failing_while_it_is_written_leaves_the_old_list_and_nothing_beside_it(
    overnight: Call, write: Write, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error", str(self), None, str(target))

    write("l.md", "- [ ] A: one\n")
    overnight("add", "--from", "l.md", "--", "w")
    overnight("cancel", "1")
    monkeypatch.setattr(Path, "replace", broken)
    overnight("add", "--from", "l.md", "--write-back", "--", "w")

    assert (place / "l.md").read_text() == "- [ ] A: one\n"
    assert sorted(one.name for one in place.iterdir()) == [".overnight", "l.md"]


# -- watched folders -----------------------------------------------------------------------------


def test_dry_run_shows_what_would_be_taken_now(overnight: Call, write: Write, place: Path) -> None:
    (place / "inbox").mkdir()
    for name in ("a.wav", "b.txt", ".c.wav", "d.wav.part"):
        write(f"inbox/{name}", "")
    for verb in ("add", "run"):
        assert overnight(verb, "--watch", "inbox/", "--match", "*.wav", "--dry-run", "--", "w").lines == [
            "w inbox/a.wav"
        ]
    assert not (place / ".overnight").exists()


def test_a_workflow_says_which_files_it_takes(overnight: Call, write: Write, place: Path) -> None:
    write("overnight.toml", '[workflow.w]\nmatch = "*.wav"\n[[workflow.w.step]]\nid = "a"\nrun = ["true"]\n')
    (place / "inbox").mkdir()
    for name in ("a.wav", "b.txt"):
        write(f"inbox/{name}", "")

    assert overnight("run", "--watch", "inbox", "-w", "w", "--dry-run").lines == ["workflow w inbox/a.wav"]


def test_an_unknown_workflow_is_said_before_anything_is_watched(overnight: Call, place: Path) -> None:
    (place / "inbox").mkdir()
    for verb in ("add", "run"):
        said = overnight(verb, "--watch", "inbox", "-w", "nowhere")
        assert (said.status, said.out) == (4, "")
        assert "there is no workflow 'nowhere'; nothing was added" in said.err


def test_a_file_that_failed_is_taken_again_only_when_it_has_changed(overnight: Call, place: Path) -> None:
    (place / "inbox").mkdir()
    (place / "inbox" / "a").write_text("bad")
    sources = Sources(watch="inbox", settle=0.0)
    request = Request(marked=("--", "grep", "good"), retries=0)
    watch = collect_watch(request, sources, now=0.0, defaults=BUILT_IN)
    home = wiring.make_home()
    store = wiring.open_store(home, create=True)
    try:
        assert watch.look(store) == [1]
        assert overnight("run").status == 1
        again = collect_watch(request, sources, now=0.0, defaults=BUILT_IN)
        assert again.look(store) == []
        assert store.get(1).state == "failed"
        (place / "inbox" / "a").write_text("good now")
        assert again.look(store) == []
        assert store.get(1).state == "pending"
    finally:
        store.close()
    assert overnight("run").status == 0


def test_words_that_would_do_nothing_are_refused(overnight: Call, place: Path) -> None:
    assert "--changed is about a folder" in overnight("add", "--changed", "a", "--", "w").err
    assert "--again would take every file" in overnight("run", "--again", "--watch", ".", "--", "w").err
    assert not (place / ".overnight").exists()
