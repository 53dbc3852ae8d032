"""When a part counts as dormant, and what wakes it; plain values."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.configuration import MistakesError, parse
from overnight.core.dormancy import Dormancy, Found, Kind, Part, Past, activation, is_urgent, judge
from overnight.core.dormant_tables import Definition, definition_of, name_for, with_table
from overnight.core.schema import SCHEMA
from overnight.core.source_facts import Facts

DAY = 86400.0
NOW = 1000 * DAY
RAN = Past(has_run=True, has_succeeded=True, last_run=NOW - DAY)


def part(kind: Kind = Kind.WORKFLOW, /, **said: object) -> Part:
    return Part(kind=kind, name="x", **said)  # type: ignore[arg-type]  # what is tested says what it is


@pytest.mark.parametrize(
    ("said", "dormancy"),
    [
        ({"past": RAN}, None),
        ({}, None),
        ({"missing": "no numpy", "is_named": False}, Dormancy.UNLOADABLE),
        ({"is_named": False, "past": Past()}, Dormancy.UNREFERENCED),
        ({"disabled": "paused", "past": Past()}, Dormancy.DISABLED),
        ({"is_tested": False}, Dormancy.UNTESTED),
        ({"is_tested": True}, None),
        ({"past": Past()}, Dormancy.NEVER),
        ({"past": Past(has_run=True, last_run=NOW)}, Dormancy.BROKEN),
        ({"past": Past(has_run=True, has_succeeded=True, last_run=NOW - 31 * DAY)}, Dormancy.QUIET),
        ({"past": RAN, "is_overdue": True}, Dormancy.QUIET),
    ],
)
def test_each_way_to_be_dormant_has_its_reason(said: dict[str, object], dormancy: Dormancy | None) -> None:
    assert judge(part(Kind.WORKFLOW, **said), now=NOW, quiet=30 * DAY) is dormancy


def test_everything_dormant_says_what_wakes_it() -> None:
    for kind in Kind:
        for dormancy in Dormancy:
            argv, words = activation(Found(part(kind, missing="gone", disabled="off"), dormancy))
            assert argv or words, (kind, dormancy)


def test_an_advice_that_is_no_command_does_not_begin_like_one() -> None:
    argv, words = activation(Found(part(Kind.SCRIPT, missing="gone", package="near_x"), Dormancy.UNLOADABLE))
    assert (argv, words.startswith("install the package"), "'near_x'" in words) == ((), True, True)


def test_what_was_laid_down_is_a_warning_after_its_grace_and_what_only_lies_there_when_somebody_asked() -> None:
    def urgent(one: Part, dormancy: Dormancy | None, *, asked: bool = False) -> bool:
        return is_urgent(Found(one, dormancy), now=NOW, grace=7 * DAY, asked=asked)

    assert urgent(part(since=NOW - 8 * DAY), Dormancy.NEVER)
    assert not urgent(part(since=NOW - 6 * DAY), Dormancy.NEVER)
    assert urgent(part(since=NOW), Dormancy.UNLOADABLE)
    assert not urgent(part(), Dormancy.DISABLED)
    assert not urgent(part(), None)
    assert not urgent(part(Kind.SCRIPT), Dormancy.UNREFERENCED)
    assert urgent(part(Kind.SCRIPT), Dormancy.UNREFERENCED, asked=True)


def test_a_table_may_say_why_it_lies_there_and_must_say_it() -> None:
    work = '[workflow.audit]\ndormant = "permanent: once a year"\n[[workflow.audit.step]]\nid = "a"\nrun = ["true"]\n'
    rest = '[queue.slow]\nslots = 1\ndormant = "permanent: in spring"\n[targets.me]\ncommand = ["true"]\n'
    found = parse(work + rest + 'dormant = "permanent: rarely"\n')
    assert found.permanent == {
        "workflow.audit": "once a year",
        "queue.slow": "in spring",
        "targets.me": "rarely",
    }
    for wrong in ('"permanent"', '"permanent: "', "true", '"because"'):
        with pytest.raises(MistakesError, match="say why"):
            parse(f"[queue.slow]\nslots = 1\ndormant = {wrong}\n")
    tables = SCHEMA["properties"]
    named = ("workflow", "schedules", "alerts", "targets", "check", "queue")
    assert all("dormant" in next(iter(tables[name]["patternProperties"].values()))["properties"] for name in named)


NAMES = st.text(min_size=1, max_size=20).filter(lambda it: "\0" not in it and it.isprintable())


@given(
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    words=st.lists(NAMES, min_size=1, max_size=4),
)
def test_a_definition_is_what_its_text_says(name: str, words: list[str]) -> None:
    table = tomllib.loads(Definition(name, run=tuple(words)).as_toml())
    assert table["workflow"][name]["step"][0]["run"] == words
    clock = tomllib.loads(Definition(name, run=tuple(words), every="1d").as_toml())
    assert clock["schedules"][name] == {"every": "1d", "run": words}


TEXTS = st.lists(
    st.sampled_from(["# a comment", "[queue.a]", "slots = 2   # mine", "", "  ", "[logs]", 'x = "é"'])
).map(list)


@given(lines=TEXTS, end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_what_was_there_is_still_there_byte_for_byte(lines: list[str], end: str, last: bool) -> None:  # noqa: FBT001 - drawn
    text = end.join(lines) + (end if last else "")
    found = with_table(text, "[workflow.x]\na = 1\n")
    assert found.startswith(text)
    assert found.replace("\r\n", "\n").endswith("[workflow.x]\na = 1\n")


def test_a_name_is_made_of_the_file_and_is_nobodys() -> None:
    assert name_for("jobs/resize all.py", ()) == "resize-all"
    assert name_for("jobs/resize.py", ("resize", "resize-2")) == "resize-3"
    assert name_for("pkg.audio:transcribe", ()) == "transcribe"
    assert name_for("jobs/---.py", ()) == "part"


def test_a_script_is_run_as_it_says_itself() -> None:
    def run(path: str, facts: Facts, **more: str) -> tuple[str, ...]:
        one = Part(kind=Kind.SCRIPT, name=path, file=path)
        return definition_of(one, facts, "x", python="python3", **more).run

    assert run("a.py", Facts()) == ("python3", "a.py")
    assert run("a.py", Facts(takes_arguments=True)) == ("python3", "a.py", "{input}")
    assert run("a.py", Facts(takes_arguments=True), every="1d") == ("python3", "a.py")
    assert run("b", Facts(interpreter="bash")) == ("bash", "b")
    assert run("b", Facts(interpreter="python3.11")) == ("python3", "b")
    assert run("bin/c", Facts()) == ("./bin/c",)
