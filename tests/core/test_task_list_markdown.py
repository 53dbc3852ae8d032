"""``task-queue.md``: what it says, and what is wrong with one that only looks like it."""

from __future__ import annotations

import contextlib
import math

import pytest

from overnight.core.task_list.entries import Box, Entry, TaskListError
from overnight.core.task_list.markdown import parse

EXAMPLE = """\
---
overnight: 1
workflow: ingest
---
# Tonight                                  (prose is ignored)
## Phase 1: Interviews {priority=5 timeout=30m}
- [ ] T1: Transcribe `audio/anna.wav`
- [ ] T2: Summarise the interview {workflow=summary} (depends on T1)
  - [ ] T2.1: Check names
- [x] T0: Already done
- [-] T9: Cancelled
- [ ] `make -C site publish` {run retries=1} (depends on T1, T2)
"""


def entries(text: str) -> dict[str, Entry]:
    """The entries of a list by id, or by title."""
    return {one.key or one.title: one for one in parse(text, "list.md", allow_run=True).entries}


def names(text: str) -> list[str]:
    return list(entries(text))


def waits(text: str) -> dict[str, list[str]]:
    """Who waits for whom."""
    found = list(entries(text).items())
    return {name: [found[other][0] for other in one.after] for name, one in found if one.after}


def mistakes(text: str, *, allow_run: bool = True) -> list[str]:
    """What is said about each mistake: place, what, and advice."""
    with pytest.raises(TaskListError) as caught:
        parse(text, "list.md", allow_run=allow_run)
    lines = caught.value.message.splitlines()
    return [line.removeprefix("list.md:") for line in lines if ": error: " in line]


def advice(text: str) -> str:
    with pytest.raises(TaskListError) as caught:
        parse(text, "list.md", allow_run=True)
    return caught.value.message


# -- what it says --------------------------------------------------------------------------------


def test_the_example_of_the_documentation_says_what_it_says() -> None:
    found = entries(EXAMPLE)

    assert list(found) == ["T1", "T2.1", "T2", "T0", "T9", "make -C site publish"]
    first = found["T1"]
    assert (first.title, first.input, first.box) == ("T1: Transcribe audio/anna.wav", b"audio/anna.wav", Box.OPEN)
    assert (first.said.priority, first.said.timeout, first.said.workflow) == (5, 1800.0, "ingest")
    assert found["T2"].input == b"Summarise the interview"
    assert found["T2"].said.workflow == "summary"
    assert found["make -C site publish"].run == (b"make", b"-C", b"site", b"publish")
    assert (found["make -C site publish"].said.retries, found["make -C site publish"].input) == (1, b"")
    assert (found["T0"].box, found["T9"].box) == (Box.DONE, Box.CANCELLED)


def test_parts_come_before_the_whole_and_wait_for_what_it_waits_for() -> None:
    assert waits(EXAMPLE) == {"T2.1": ["T1"], "T2": ["T1", "T2.1"], "make -C site publish": ["T1", "T2"]}


def test_tasks_keep_their_order_as_far_as_nothing_is_in_the_way() -> None:
    assert names("- [ ] A: a (depends on D)\n- [ ] B: b\n- [ ] C: c\n- [ ] D: d\n- [ ] E: e\n") == list("BCDAE")


def test_what_waits_for_something_done_need_not_wait() -> None:
    assert waits("- [x] A: a\n- [ ] B: b (depends on A)\n") == {}


@pytest.mark.parametrize("bullet", ["-", "*", "+", "1.", "12)"])
def test_every_bullet_of_markdown_is_one(bullet: str) -> None:
    assert names(f"{bullet} [ ] A: a\n") == ["A"]


def test_headings_say_things_for_what_stands_below_them() -> None:
    text = (
        "# All {priority=1 queue=x}\n- [ ] A: a\n## Sub {priority=high}\n- [ ] B: b {priority=3}\n- [ ] C: c\n"
        "# Next\n- [ ] D: d\n"
    )
    found = entries(text)

    assert [found[name].said.priority for name in "ABCD"] == [1, 3, 10, None]
    assert [found[name].said.queue for name in "ABCD"] == ["x", "x", "x", None]


def test_code_and_comments_count_for_nothing() -> None:
    text = (
        "```\n- [ ] A: a\n```\n~~~~ md\n- [ ] B: b\n~~~\n~~~~\n<!-- - [ ] C: c\n- [ ] D: d\n-->\n"
        "- [ ] E: `a {b}` <!-- {run} (depends on X) -->\n  ```\n  - [ ] F: f\n  ```\n"
    )

    assert names(text) == ["E"]
    assert entries(text)["E"].input == b"a {b}"


def test_words_below_a_box_describe_it() -> None:
    text = "- [ ] A: a\n  more about it\n  - a note\n\n  and more\n- [ ] B: b\n"

    assert entries(text)["A"].description == "more about it\n- a note\nand more"
    assert entries(text)["B"].description == ""


def test_limits_can_be_lifted_and_sizes_and_resources_said() -> None:
    said = entries("- [ ] A: a {timeout=none stall=0 memory=4GB needs=gpu=1,disk=2}\n")["A"].said

    assert (said.timeout, said.stall, said.memory) == (math.inf, math.inf, 4e9)
    assert said.needs == (("gpu", 1.0), ("disk", 2.0))


def test_a_code_span_may_hold_anything() -> None:
    assert entries("- [ ] A: ``a`b {x} (depends on Z)``\n")["A"].input == b"a`b {x} (depends on Z)"


def test_windows_line_ends_marks_of_editors_and_strange_bytes_are_no_trouble() -> None:
    text = "\ufeff- [ ] A: `caf\udce9.wav`\r\n- [X] B: b\r\n"

    assert entries(text)["A"].input == b"caf\xe9.wav"
    assert entries(text)["B"].box is Box.DONE


def test_two_without_an_id_that_say_the_same_are_two() -> None:
    entries = parse("- [ ] clean\n- [ ] clean\n- [ ] other\n", "list.md", allow_run=False).entries

    assert [one.entry for one in entries] == ["", "#2", ""]


def test_where_the_box_is_is_known_to_the_character() -> None:
    text = "é\n\n  - [ ] A: a\n"
    at = entries(text)["A"].box_at

    assert at is not None
    assert text[at - 1 : at + 2] == "[ ]"


# -- what is wrong with it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("- [~] a\n", "1:3: error: [~] is no box"),
        ("- [] a\n", "1:3: error: [] is no box"),
        ("- [x ] a\n", "1:3: error: [x ] is no box"),
        ("- [ ]a\n", "1:3: error: there is no blank behind the box"),
        ("- [ ]\n", "1:3: error: there is nothing behind the box"),
        ("- ( ) a\n", "1:3: error: round brackets are no box"),
        ("-[ ] a\n", "1:1: error: there is no blank behind the bullet"),
        ("[ ] a\n", "1:1: error: a box without a bullet is no task"),
        ("> - [ ] a\n", "1:1: error: a box in a quotation is no task"),
        ("• [ ] a\n", "1:1: error: this bullet is none in Markdown"),
        ("☐ a\n", "1:1: error: this sign is no box in Markdown"),
        ("| a | b |\n|---|---|\n| T1 | x |\n", "1:1: error: a table holds no tasks"),
        ("a | b\n- | -\n", "1:1: error: a table holds no tasks"),
        ("Phase\n=====\n", "1:1: error: a heading that is underlined is not read here"),
        ("Phase\n---\n", "1:1: error: a heading that is underlined is not read here"),
        ("    - [ ] a\n", "1:5: error: indented so far, this is code and no task"),
        ("- [ ] a\n - [ ] b\n", "2:2: error: neither below the one above it nor beside it"),
        ("- [ ] **T1:** a\n", "1:7: error: an id stands without stars: T1:"),
        ("- [ ] `a\n", "1:7: error: this code span is not closed in its line"),
        ("```\n- [ ] a\n", "1:1: error: this code block is never closed"),
        ("a\n<!-- b\n", "2:1: error: this comment is never closed"),
        ("- [ ] a {prioritty=1}\n", "1:10: error: unknown attribute 'prioritty'"),
        ("- [ ] a {timeout=soon}\n", "1:18: error: 'soon' is no duration"),
        ("- [ ] a {timeout=1s timeout=2s}\n", "1:21: error: timeout stands there twice"),
        ("- [ ] a {run\n", "1:9: error: a brace without its other half"),
        ("- [ ] a {run}\n", "1:10: error: there is no command"),
        ("- [ ] `a | b` {run}\n", "1:8: error: no shell reads this command, so '|' would be a plain word"),
        ("- [ ] `a 'b` {run}\n", '1:8: error: "a \'b" is no command: no closing quotation'),
        ("- [ ] `a` {run workflow=x}\n", "1:12: error: a task is a command or a workflow, and not both"),
        ("- [ ] A: a\n- [ ] b (depends: A)\n", "2:9: error: '(depends: A)' is no dependency as it is written here"),
        ("- [ ] A: a\n- [ ] b\n  (depends on A)\n", "3:3: error: this counts only on the line of its box"),
        ("- [ ] a (depends on )\n", "1:9: error: nothing is named that it depends on"),
        ("# P {run}\n", "1:6: error: a heading cannot be a command"),
        ("# P (depends on A)\n- [ ] A: a\n", "1:17: error: a heading cannot depend on tasks"),
        ("---\nworkflow: x\n", "1:1: error: the front matter is never closed"),
        ("---\nworkflow: x\n---\n", "1:1: error: the front matter does not say 'overnight: 1'"),
        ("---\novernight: 2\n---\n", "2:12: error: version '2' of the format is not known"),
        ("---\novernight: 1\nretires: 3\n---\n", "3:1: error: unknown key 'retires'"),
        ("- [ ] a\0\n", "1:8: error: a NUL byte"),
        ("- [ ] A: a\n- [ ] A: b\n", "2:7: error: 'A' is the id of two tasks"),
        ("- [ ] A: a (depends on B)\n", "1:24: error: there is no task 'B' in this list"),
        ("- [ ] A: a (depends on A)\n", "1:24: error: 'A' would wait for itself"),
        ("- [-] A: a\n- [ ] B: b (depends on A)\n", "2:24: error: 'B' waits for 'A', which is cancelled"),
        ("- [-] A: a\n  - [ ] B: b\n", "2:9: error: 'B' is to be done and is a part of 'A', which is cancelled"),
    ],
)
def test_a_near_miss_is_told_with_its_place(text: str, mistake: str) -> None:
    [told] = mistakes(text)

    assert told.startswith(mistake)


def test_all_mistakes_are_told_at_once() -> None:
    text = "- [~] a\n- [ ] b {x=1}\n\n| t | u |\n|---|---|\n- [ ] c (depends on Q)\n"

    assert [one.split(":")[0] for one in mistakes(text)] == ["1", "2", "4"]
    assert "list.md has 3 mistakes; nothing was added" in advice(text)


def test_the_line_a_caret_and_what_was_meant_are_shown() -> None:
    assert advice("- [ ] a {retires=3}\n").splitlines()[1:] == [
        "list.md:1:10: error: unknown attribute 'retires'",
        "    - [ ] a {retires=3}",
        "             ^",
        "    did you mean 'retries'?",
    ]


def test_an_id_that_was_written_without_its_colon_is_found() -> None:
    assert "write 'T1: ...'" in advice("- [ ] T1 one\n- [ ] T2: two (depends on T1)\n")
    assert "did you mean 'T10'?" in advice("- [ ] T10: one\n- [ ] two (depends on T1O)\n")


def test_a_cycle_is_named_with_the_place_of_each_edge() -> None:
    text = "- [ ] A: a (depends on C)\n- [ ] B: b (depends on A)\n- [ ] C: c (depends on B)\n"
    words = advice(text)

    assert "list.md:1:24: error: tasks wait for each other: A waits for C waits for B waits for A" in words
    assert "list.md:1:24: A waits for C" in words
    assert "list.md:2:24: B waits for A" in words
    assert "list.md:3:24: C waits for B" in words


def test_a_part_that_waits_for_its_whole_is_a_cycle() -> None:
    assert "A waits for its part B" in advice("- [ ] A: a\n  - [ ] B: b (depends on A)\n")


def test_a_command_is_refused_unless_it_is_allowed() -> None:
    """Whoever writes the file must not decide what runs here."""
    text = "- [ ] `rm -rf /` {run}\n"

    assert mistakes(text, allow_run=False) == ["1:19: error: a command out of a list is run only if that is allowed"]
    assert parse(text, "list.md", allow_run=True).entries[0].run == (b"rm", b"-rf", b"/")


def test_a_done_command_needs_no_leave() -> None:
    assert parse("- [x] `rm -rf /` {run}\n", "list.md", allow_run=False).entries[0].box is Box.DONE


@pytest.mark.parametrize(
    "text",
    [
        "- [a link](http://x)\n- [1]: http://x\n",
        "> press [x] to close\n",
        "Words with [x] in them, and `- [~] a`.\n",
        "a\n\n---\n\nb\n",
        "- plain\n    - [ ] A: below a plain bullet\n",
        "- [ ] A: it depends on the weather\n",
        "",
    ],
)
def test_what_is_meant_otherwise_is_left_in_peace(text: str) -> None:
    parse(text, "list.md", allow_run=False)


def test_deep_nesting_is_no_trouble() -> None:
    """No recursion: a program may have written it."""
    text = "".join(f"{'  ' * depth}- [ ] T{depth}: x\n" for depth in range(1500))

    assert names(text) == [f"T{depth}" for depth in reversed(range(1500))]


def test_more_dependencies_than_anybody_means_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts inherit: a thousand parts of something that waits for a thousand others are a million edges."""
    monkeypatch.setattr("overnight.core.task_list.linking.MOST_EDGES", 30)
    ids = ", ".join(f"A{n}" for n in range(10))
    text = "".join(f"- [ ] A{n}: a\n" for n in range(10)) + f"- [ ] B: b (depends on {ids})\n"

    assert "more than 30 dependencies" in advice(text + "".join(f"  - [ ] C{n}: c\n" for n in range(10)))


@pytest.mark.parametrize(
    "heading", ["# P {priority=2}", "## P {priority=2} ##", "# P {priority=2}\t#  ", "   # {priority=2}"]
)
def test_headings_may_be_closed(heading: str) -> None:
    assert entries(f"{heading}\n- [ ] A: a\n")["A"].said.priority == 2


@pytest.mark.parametrize(
    "line",
    ["# " + " " * 200_000 + "a", "- [ ] " + "{" * 200_000, "- [ ] " + "(" * 200_000, "| - " * 60_000, "`" * 200_000],
)
def test_a_hostile_line_takes_no_longer_than_another(line: str) -> None:
    """Nothing here looks at a line again for each of its characters; a test that hangs is the failure."""
    with contextlib.suppress(TaskListError):
        parse(f"a\n{line}\n", "list.md", allow_run=False)


def test_a_line_that_nobody_has_written_is_refused() -> None:
    assert mistakes("- [ ] " + "a" * 300_000 + "\n") == ["1:1: error: longer than the 262,144 characters of a line"]


def test_a_text_of_nothing_but_mistakes_is_given_up_soon() -> None:
    assert "list.md has 1000 mistakes" in advice("- [~] a\n" * 5000)
