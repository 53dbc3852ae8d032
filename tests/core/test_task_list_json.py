"""JSON lines, and Task Master's ``tasks.json``: what they say, and what is wrong with one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overnight.core.task_list import json_lines, task_master
from overnight.core.task_list.entries import Box, Entry, TaskList, TaskListError


def lines(*objects: Any) -> list[Entry]:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in objects)
    return list(json_lines.parse(text, "list.jsonl").entries)


def line_mistakes(*objects: Any) -> list[str]:
    with pytest.raises(TaskListError) as caught:
        lines(*objects)
    return [one.removeprefix("list.jsonl:") for one in caught.value.message.splitlines() if ": error: " in one]


def master(tasks: Any, *, tag: str = "", wrap: Any = lambda tasks: {"master": {"tasks": tasks}}) -> TaskList:
    return task_master.parse(json.dumps(wrap(tasks)), "tasks.json", tag=tag)


def master_mistakes(text: str, *, tag: str = "") -> str:
    with pytest.raises(TaskListError) as caught:
        task_master.parse(text, "tasks.json", tag=tag)
    return caught.value.message


def task(number: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "title": f"Task {number}", "status": "pending", "dependencies": [], **more}


def waits(found: TaskList) -> dict[str, list[str]]:
    return {one.key: [found.entries[other].key for other in one.after] for one in found.entries if one.after}


# -- JSON lines ----------------------------------------------------------------------------------


def test_each_line_is_a_task() -> None:
    first, second = lines(
        {"input": "a.wav", "title": "A", "priority": "high", "timeout": "30m", "needs": {"gpu": 1}},
        "",
        {"input": {"size": 3}, "description": "more", "workflow": "ingest", "timeout": 5},
    )

    assert (first.input, first.title, first.said.priority, first.said.timeout) == (b"a.wav", "A", 10, 1800.0)
    assert first.said.needs == (("gpu", 1.0),)
    assert (second.input, second.said.workflow, second.said.timeout) == (b'{"size":3}', "ingest", 5.0)


def test_ids_are_for_those_that_come_after() -> None:
    found = lines({"input": "c", "after": ["a", 2]}, {"input": "a", "id": "a"}, {"input": "b", "id": 2, "after": "a"})

    assert [(one.input, one.after) for one in found] == [(b"a", ()), (b"b", (0,)), (b"c", (0, 1))]


@pytest.mark.parametrize(
    ("line", "mistake"),
    [
        ("{", "1:2: error: it ends too early"),
        ('{"input": "a",}', "1:15: error: "),
        ("[1]", "1:1: error: [1] is no object"),
        ("{}", "1:1: error: there is no input"),
        ('{"input": ""}', "1:11: error: one of the inputs is empty"),
        ('{"input": "a", "tilte": "b"}', "1:25: error: unknown field 'tilte'"),
        ('{"input": "a", "title": 3}', "1:25: error: title is no text"),
        ('{"input": "a", "timeout": "soon"}', "1:27: error: 'soon' is no duration"),
        ('{"input": "a", "retries": true}', "1:27: error: True is no whole number"),
        ('{"input": "a", "needs": {"gpu": -1}}', "1:25: error: {'gpu': -1} names no amount"),
        ('{"input": "a", "priority": 2000000}', "1:28: error: 2000000 is no priority"),
        ('{"input": "a", "after": [null]}', "1:25: error: [None] names no lines"),
        ('{"input": "a", "after": "x"}', "1:25: error: there is no task 'x'"),
        ("[" * 100_000, "1:1: error: nested too deeply"),
    ],
)
def test_a_bad_line_is_told_with_its_place(line: str, mistake: str) -> None:
    [told] = line_mistakes(line)

    assert told.startswith(mistake)


def test_all_bad_lines_are_told_at_once() -> None:
    assert [one.split(":")[0] for one in line_mistakes("{", {"input": "a"}, "[]", {"inptu": "a"})] == [
        "1",
        "3",
        "4",
        "4",
    ]


def test_a_text_of_nothing_but_mistakes_is_given_up_soon() -> None:
    with pytest.raises(TaskListError) as caught:
        lines(*["{"] * 100_000)
    assert "list.jsonl has 1000 mistakes" in caught.value.message


# -- Task Master ---------------------------------------------------------------------------------


def test_tasks_with_a_tag_and_without_are_the_same() -> None:
    tasks = [task(1), task(2, dependencies=[1])]
    tagged, legacy = master(tasks), master(tasks, wrap=lambda tasks: {"tasks": tasks, "metadata": {"x": 1}})

    assert tagged.entries == tuple(one for one in tagged.entries)
    assert [one.input for one in tagged.entries] == [one.input for one in legacy.entries]
    assert waits(tagged) == waits(legacy) == {"2": ["1"]}


def test_the_input_is_all_that_is_said_about_a_task() -> None:
    [one] = master([task(1, description="d", details="more", testStrategy="t", priority="high", extra=[1])]).entries

    assert json.loads(one.input) == {
        "id": "1",
        "title": "Task 1",
        "description": "d",
        "details": "more",
        "testStrategy": "t",
    }
    assert (one.title, one.description, one.said.priority) == ("1: Task 1", "d\n\nmore", 10)


def test_subtasks_are_parts_and_their_bare_numbers_are_siblings() -> None:
    tasks = [
        task(1),
        task(2, dependencies=[1], subtasks=[task(1), task(2, dependencies=[1]), task(3, dependencies=["1"])]),
    ]

    assert waits(master(tasks)) == {
        "2.1": ["1"],
        "2.2": ["1", "2.1"],
        "2.3": ["1"],
        "2": ["1", "2.1", "2.2", "2.3"],
    }


def test_a_bare_number_without_such_a_sibling_is_a_task() -> None:
    assert waits(master([task(7), task(2, subtasks=[task(1, dependencies=[7])])]))["2.1"] == ["7"]


def test_what_is_null_is_not_said() -> None:
    [one] = master([task(1, dependencies=None, subtasks=None, details=None, priority=None)]).entries

    assert json.loads(one.input) == {"id": "1", "title": "Task 1"}


def test_statuses_say_what_is_to_be_done() -> None:
    states = ["pending", "in-progress", "done", "completed", "review", "deferred", "cancelled", "blocked"]
    found = master([task(number, status=status) for number, status in enumerate(states, 1)])

    assert [one.key for one in found.entries if one.box is Box.OPEN] == ["1", "2"]
    assert [one.key for one in found.entries if one.box is Box.DONE] == ["3", "4"]
    assert found.notes == ("3 of its tasks are not for now, or wait for such, and are left out",)


def test_what_waits_for_something_put_off_is_left_out_with_a_word() -> None:
    found = master([task(1, status="deferred"), task(2, dependencies=[1]), task(3, dependencies=[2]), task(4)])

    assert [one.key for one in found.entries if one.box is Box.OPEN] == ["4"]
    assert found.notes == ("3 of its tasks are not for now, or wait for such, and are left out",)


def test_parts_of_what_is_cancelled_are_left_out_and_a_cancelled_part_keeps_nothing_back() -> None:
    found = master(
        [task(1, status="cancelled", subtasks=[task(1)]), task(2, subtasks=[task(1, status="cancelled"), task(2)])]
    )

    assert [one.key for one in found.entries if one.box is Box.OPEN] == ["2.2", "2"]


def test_of_several_tags_the_main_one_is_taken_unless_another_is_named() -> None:
    def wrap(tasks: Any) -> Any:
        return {"master": {"tasks": tasks}, "feature": {"tasks": [task(9)]}}

    assert [one.key for one in master([task(1)], wrap=wrap).entries] == ["1"]
    assert "took the tag 'master' of 2" in master([task(1)], wrap=wrap).notes[0]
    [one] = master([task(1)], wrap=wrap, tag="feature").entries
    assert json.loads(one.input) == {"id": "9", "tag": "feature", "title": "Task 9"}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "tasks.json:1:1: error: it ends too early"),
        ('{"tasks": [', "tasks.json:1:12: error: it ends too early"),
        ("[]", "tasks.json:1:1: error: expected 'object', got 'array'"),
        ('{"tasks": {}}', "error: expected 'array', got 'object'"),
        ('{"a": {"tasks": []}, "b": {}}', "error: there is no tag 'master'"),
        ('{"master": {}}', "error: object missing required field 'tasks'"),
        ('{"tasks": [{"title": "x"}]}', "tasks.json:1:12: error: object missing required field 'id'"),
        ('{"tasks": [{"id": 1, "title": ""}]}', "tasks.json:1:31: error: a title has 1 to"),
        ('{"tasks": [{"id": 1, "title": 5}]}', "tasks.json:1:31: error: expected 'str', got 'int'"),
        (
            '{"tasks": [{"id": 1, "title": "x", "status": "penidng"}]}',
            "tasks.json:1:46: error: no status: 'penidng'",
        ),
        (
            '{"tasks": [{"id": 1, "title": "x", "priority": "urgent"}]}',
            "tasks.json:1:48: error: 'urgent' is no priority",
        ),
        (
            '{"tasks": [{"id": 1, "title": "x", "dependencies": [4]}]}',
            "tasks.json:1:52: error: there is no task '4' in this list",
        ),
        ('{"tasks": [{"id": 1, "title": "x"}, {"id": 1, "title": "y"}]}', "'1' is the id of two tasks"),
        (
            '{"tasks": [{"id": 1, "title": "x", "dependencies": [2]}, {"id": 2, "title": "y", "dependencies": [1]}]}',
            "tasks wait for each other: 1 waits for 2 waits for 1",
        ),
        ("[" * 100_000, "error: "),
        ('{"tasks": ' + "[" * 100_000, "error: nested too deeply"),
    ],
)
def test_a_bad_file_is_refused_whole_and_says_where(text: str, mistake: str) -> None:
    assert mistake in master_mistakes(text)


def test_subtasks_without_end_are_refused() -> None:
    text = '{"tasks": [' + '{"id": 1, "title": "x", "subtasks": [' * 30 + "]}" * 30 + "]}"

    assert "subtasks deeper than 16" in master_mistakes(text)
