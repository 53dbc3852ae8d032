from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.configuration import MAX_BYTES, Configuration, QueueLimits, Resource, parse
from overnight.core.errors import ConfigurationError
from overnight.core.places import Place, TooDeepError, locate
from overnight.core.schedules import Missed, Overlap, When
from overnight.core.setting import Placed
from overnight.core.task import Backoff

GOOD = """\
# for tonight
[defaults]
timeout = "10m"
retries = 0
backoff = "1s, x3, max 2m"          # 1, 3, 9 ...
env = ["HTTP_PROXY", 'HF_HOME']

[queue.default]
slots = 3
rate = "10/s"
[queue."gpu-1"]
slots = 1
[queue.idle]
slots = "auto"
rate = 0.5

[resources]
gpu = ["0", 1]
memory = 2.5

[log]
level = "info"

[workflow.ingest]
match = ["*.wav"]
[[workflow.ingest.step]]
id = "probe"
run = ["ffprobe", "{input}"]
[[workflow.ingest.step]]
id = "transcribe"
call = "pipeline:transcribe"
retries = { max = 5, on = ["timeout", "exit:75"] }
"""


def mistakes(text: str) -> list[str]:
    """The lines that people are shown, without the first."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text, "overnight.toml")
    return caught.value.message.splitlines()[1:]


def test_a_whole_file_is_understood() -> None:
    found = parse(GOOD, "overnight.toml")

    assert found.settings == {
        "timeout": Placed(600.0, "overnight.toml:3"),
        "retries": Placed(0, "overnight.toml:4"),
        "backoff": Placed(Backoff(1, 3, 120), "overnight.toml:5"),
        "env": Placed(("HTTP_PROXY", "HF_HOME"), "overnight.toml:6"),
        "slots": Placed(3, "overnight.toml:9"),
        "log_level": Placed("info", "overnight.toml:22"),
    }
    assert found.queues == {
        "default": QueueLimits(rate=10.0),
        "gpu-1": QueueLimits(slots=1),
        "idle": QueueLimits(rate=0.5),
    }
    assert found.resources == {"gpu": Resource(2.0, ("0", "1")), "memory": Resource(2.5)}
    assert [step.id for step in found.workflows["ingest"].steps] == ["probe", "transcribe"]
    assert found.workflows["ingest"].match == ("*.wav",)


@pytest.mark.parametrize("text", ["", " \n", "# nothing\n", "\ufeff# from an editor\r\n[defaults]\r\n"])
def test_a_file_that_says_nothing_changes_nothing(text: str) -> None:
    assert parse(text) == Configuration("overnight.toml")


def test_the_demonstration_is_understood() -> None:
    for path in (Path(__file__).parents[2] / "examples").rglob("overnight.toml"):
        parse(path.read_text("utf-8"), str(path))


def test_a_slip_is_shown_where_it_is_with_what_was_meant() -> None:
    assert mistakes("[defaults]\nretires = 3\n") == [
        "overnight.toml:2:1: error: unknown key 'retires'",
        "    retires = 3",
        "    ^",
        "    did you mean 'retries'?",
    ]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    told = mistakes(
        '[zoo]\n[defaults]\n  timeout = "five"\nretries = -1\n'
        '[queue.default]\nslots = "lots"\nrat = 5\n[resources]\ngpu = ["0", "0"]\n'
        '[[workflow.a.step]]\nid = "x"\n[log]\n"level" = \'loud\'\n'
    )

    assert [line for line in told if "error:" in line] == [
        "overnight.toml:1:2: error: unknown key 'zoo'",
        "overnight.toml:3:13: error: 'five' is no duration; write 30, 30s, 5m, 2h, 1d, 1h30m or 500ms",
        "overnight.toml:4:11: error: -1 is too little; at least 0",
        "overnight.toml:6:9: error: 'lots' is no whole number; write one, as in 4, or 'auto'",
        "overnight.toml:7:1: error: unknown key 'rat'",
        "overnight.toml:9:7: error: an id stands there twice; each can be handed out once",
        "overnight.toml:10:14: error: there is nothing to do in this step",
        "overnight.toml:13:11: error: 'loud' is not one of them; write debug, info, warning or error",
    ]
    assert any(line.startswith("    known here: queue, resources, workflow, ") for line in told)
    assert "    did you mean 'rate'?" in told


def test_how_many_mistakes_there_are_is_said_first_and_what_to_do_last() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("a = 1\nb = 2\n", "/x/overnight.toml")

    assert caught.value.message.startswith(
        "/x/overnight.toml has 2 mistakes; nothing was started\n/x/overnight.toml:1:1:"
    )
    assert caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("defaults = 3", "1:12: error: 'defaults' is a table; write [defaults] and below it what belongs there"),
        ("queue.x = 3", "1:11: error: a queue has a name; write [queue.NAME] and below it 'x'"),
        ("[queue.'a b']", "1:8: error: 'a b' cannot be a name here; use up to 64 letters"),
        ("workflow.x = []", "1:14: error: a workflow has a name"),
        ("[queue.a]\nrate = true", "2:8: error: True is no rate; write 10/s"),
        ("[queue.a]\nrate = '0/s'", "2:8: error: '0/s' is no rate"),
        ("[queue.a]\nslots = 0", "2:9: error: 0 is too little; at least 1"),
        ("[resources]\n'a b' = 1", "2:1: error: 'a b' cannot be a name here; use a letter, then"),
        ("[resources]\ngpu = -1", "2:7: error: -1 is no amount; write a number, or ids"),
        ("[resources]\ngpu = nan", "2:7: error: nan is no amount"),
        ("[resources]\ngpu = inf", "2:7: error: inf is no amount"),
        ("[resources]\ngpu = true", "2:7: error: True is no amount"),
        ("[resources]\ngpu = []", r"2:7: error: [] is no amount"),
        ("[resources]\ngpu = ['a', 1.5]", "2:7: error: ['a', 1.5] is no amount"),
        ("[[defaults]]", "1:3: error: 'defaults' is a table"),
        ("defaults = { retires = 3 }", "1:14: error: unknown key 'retires'"),
        ("défauts = 1", "1:2: error: expected '=' after a key"),
        ("a = ", "1:4: error: invalid value (the file ends too early)"),
        ("a = \nb = 1", "1:5: error: invalid value"),
        ("\n\na = 'x", "3:7: error: expected"),
        ("[log]\r\nlevel = 'loud'\r\n", "2:9: error: 'loud' is not one of them"),
        ("[log]\r\nlevel = \r\n", "2:9: error: invalid value"),
        ("x", "1:2: error: expected '=' after a key in a key/value pair (the file ends too early)"),
        ("[defaults]\nretries = 1\nretries = 2", "3:12: error: cannot overwrite a value"),
        ("\x1b[31m = 1", "1:1: error: invalid statement"),
        ("a = 1" + "0" * 5000, "1:1: error: Exceeds the limit"),
    ],
)
def test_each_mistake_is_told_where_it_is(text: str, told: str) -> None:
    first = mistakes(text)[0]

    assert first.startswith(f"overnight.toml:{told}")
    assert len(first) < 250


def test_what_is_shown_of_a_line_harms_no_terminal_and_fits() -> None:
    told = mistakes("x" * 500 + ".\x1b]52;c;\x07 = 1")

    assert all(line.isprintable() and len(line) < 250 for line in told)
    line, caret = told[1], told[2]
    assert line[caret.index("^")] == " "


def test_thousands_of_mistakes_are_counted() -> None:
    told = mistakes("".join(f"k{number} = 1\n" for number in range(3000)))

    assert told[-1] == "and 2950 more"
    assert sum("error:" in line for line in told) == 50


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 70 + "]" * 70,
        "a = " + "{a = " * 70 + "1" + "}" * 70,
        ".".join("a" * 70) + " = 1",
        "[" + ".".join("a" * 70) + "]",
        "a = " + "[" * 100_000,
        ".".join("a" * 200_000) + " = 1",
    ],
)
def test_what_is_nested_too_deep_is_refused_before_it_is_parsed(text: str) -> None:
    """The parser would run out of stack in brackets, and take minutes for a long dotted key."""
    assert mistakes(text)[0].endswith(": error: nested deeper than 64")


def test_a_huge_file_is_refused_unread() -> None:
    with pytest.raises(ConfigurationError, match="larger than 10 MB; nothing was started"):
        parse("# " + "x" * MAX_BYTES)
    with pytest.raises(ConfigurationError, match="larger than 10 MB"):
        parse("# " + "é" * (MAX_BYTES // 2))


def test_places_are_found_in_every_form_that_keys_have() -> None:
    text = """\
a = 1  # b = 2
"c d".'e' = [ 1, "]" , {f = 2}, # ]
  [3]]
g = \"\"\"
h = 3 \\\"\"\" still \"\"\"\"
i.j = { k = '''x = 1''', l.m = 2026-11-20 06:00:00 }
[n . o]
p = ""
[[q]]
r = '"'
[[q]]
r = 2
[q.s]
t = 3
"""
    found = {
        path: (text.count("\n", 0, place.key) + 1, text[place.value :][:3])
        for path, place in locate(text, deepest=9).items()
    }

    assert found[("a",)] == (1, "1  ")
    assert found[("c d", "e")] == (2, "[ 1")
    assert found[("c d", "e", 1)] == (2, '"]"')
    assert found[("c d", "e", 2, "f")] == (2, "2},")
    assert found[("c d", "e", 3, 0)] == (3, "3]]")
    assert found[("g",)] == (4, '"""')
    assert ("h",) not in found
    assert found[("i", "j", "l", "m")] == (6, "202")
    assert found[("n", "o", "p")] == (8, '""\n')
    assert found[("q", 0, "r")] == (10, "'\"'")
    assert found[("q", 1, "r")] == (12, "2\n[")
    assert found[("q", 1, "s", "t")] == (14, "3\n")


@pytest.mark.parametrize("end", ["\n", " # why\n", "\t\r\n"])
@pytest.mark.parametrize("value", ['"x"', '""', '"a\\"]b"', '"""x"""', "'x'", "7", '["x", "y"]', '{ z = "x" }'])
@pytest.mark.parametrize("header", ["[a.b]", "[[a.b]]", "[ a . b ]", '[a."b"]'])
def test_plain_lines_are_found_where_the_others_are(header: str, value: str, end: str) -> None:
    """What is read at one stroke, and what is walked over by parts."""
    text = f"{header}{end}first = {value}{end}{header.replace('b', 'c')}{end}second={value}{end}"
    parts: tuple[str | int, ...] = (0,) if header.startswith("[[") else ()
    found = locate(text, deepest=9)
    for table, key in (("b", "first"), ("c", "second")):
        place = found[("a", table, *parts, key)]
        assert text[place.key :].startswith(key)
        assert text[place.value :].startswith(value)
        assert text[found[("a", table)].key :].lstrip('"').startswith(table)
    assert {path[-1] for path in found} <= {"a", "b", "c", "first", "second", "z", 0, 1}


@given(st.text(alphabet="ab.=[]{}'\"\\#,\n 1", max_size=60))
def test_whatever_the_text_the_walk_ends_within_it(text: str) -> None:
    try:
        found = locate(text, deepest=64)
    except TooDeepError as error:
        found = {(): Place(error.offset, error.offset)}

    assert all(0 <= offset <= len(text) for place in found.values() for offset in place)


@given(st.text(alphabet="defaults.tir=[]{}'\"\\#,\n 1", max_size=60))
def test_whatever_the_text_it_is_understood_or_refused(text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        parse(text)


WRONG_WORKFLOWS = """\
[workflow.a]
phases = ["one", "two"]
[[workflow.a.step]]
id = "x"
phase = "one"
run = ["x"]
needs = ["z"]
[[workflow.a.step]]
id = "y"
phase = "tow"
run = ["x"]
[[workflow.b.step]]
id = "x"
run = ["x", "{y.path}"]
[[workflow.b.step]]
id = "y"
run = ["x"]
needs = ["x"]
[[workflow.c.step]]
id = "x"
run = ["x"]
if = "{y.n} > moon"
timeot = "5m"
"""


def test_mistakes_in_workflows_are_told_where_they_are() -> None:
    assert mistakes(WRONG_WORKFLOWS) == [
        "overnight.toml:7:10: error: 'x' needs 'z', which is no step of workflow 'a'",
        '    needs = ["z"]',
        "             ^",
        "    steps are: x, y",
        "overnight.toml:10:9: error: there is no phase 'tow'",
        '    phase = "tow"',
        "            ^",
        "    did you mean 'two'?",
        "overnight.toml:14:13: error: steps wait for each other: x needs y needs x",
        '    run = ["x", "{y.path}"]',
        "                ^",
        "    take away one of these needs",
        "    overnight.toml:18:10: y needs x",
        "overnight.toml:22:15: error: 'moon' stands where a number or a text is expected; write text in quotes",
        '    if = "{y.n} > moon"',
        "                  ^",
        "overnight.toml:23:1: error: unknown key 'timeot'",
        '    timeot = "5m"',
        "    ^",
        "    did you mean 'timeout'?",
    ]


STEP = '[[workflow.flow.step]]\nid = "a"\nrun = ["a"]\n'


def test_the_limits_of_a_workflow_are_no_part_of_its_definition() -> None:
    limited = parse(f'[workflow.flow]\nslots = 2\nrate = "30/m"\n{STEP}')
    plain = parse(STEP)
    assert limited.workflow_limits == {"flow": QueueLimits(2, 0.5)}
    assert plain.workflow_limits == {}
    assert limited.workflows["flow"].digest() == plain.workflows["flow"].digest()


def test_mistakes_in_the_limits_of_a_workflow_are_told_with_the_others() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(f'[workflow.flow]\nslots = 0\nrate = "soon"\nslot = 3\n{STEP}')
    told = str(caught.value)
    assert "slots" in told
    assert "'soon' is no rate" in told
    assert "did you mean 'slots'?" in told


def test_rules_about_failures_keep_their_order() -> None:
    text = """
[[errors]]
exit = 7
class = "rate_limited"
wait = "15m"
[[errors]]
exception = "requests.exceptions.ConnectionError"
output = "refused"
class = "transient"
"""
    first, second = parse(text).rules
    assert (first.exit, first.error_class, first.wait) == (7, "rate_limited", 900)
    assert (second.exception, second.error_class, second.wait) == (
        "requests.exceptions.ConnectionError", "transient", None,
    )  # fmt: skip


def test_every_mistake_in_a_rule_is_told_at_its_place() -> None:
    told = mistakes('[[errors]]\nexit = 7\nclass = "transient"\n[[errors]]\nexit = 700\nclas = "transient"\n')
    places = [line.partition(": ")[0] for line in told if line.startswith("overnight.toml:")]
    assert sorted(places) == ["overnight.toml:4:3", "overnight.toml:5:8", "overnight.toml:6:1"]
    assert any("did you mean 'class'?" in line for line in told)
    assert "write [[errors]] above each" in mistakes("[errors]\nexit = 7\n")[0]


SCHEDULES = """
[schedules.nightly]
cron = "30 2 * * *"
tz = "Europe/Riga"
run = ["sh", "-c", "true"]
missed = "all"
overlap = "queue"
grace = "2h"
[schedules.often]
every = "15m"
call = "jobs.feeds:refresh"
input = "https://example.org/feed"
queue = "feeds"
[schedules.once]
at = [2027-01-31T06:00:00, "18:00"]
workflow = "ingest"
timeout = "1h"
retries = 0
"""


def test_schedules_are_read() -> None:
    found = parse(SCHEDULES).schedules
    nightly, often, once = found.values()
    assert list(found) == ["nightly", "often", "once"]
    assert nightly.when == When(cron="30 2 * * *", tz="Europe/Riga")
    assert (nightly.run, nightly.missed, nightly.overlap, nightly.grace) == (
        ("sh", "-c", "true"), Missed.ALL, Overlap.QUEUE, 7200,
    )  # fmt: skip
    assert (often.when.every, often.call, often.queue) == (900, "jobs.feeds:refresh", "feeds")
    assert (often.missed, often.overlap) == (Missed.ONCE, Overlap.SKIP)
    assert once.when.at == ("2027-01-31T06:00:00", "18:00")
    assert (once.workflow, once.timeout, once.retries) == ("ingest", 3600, 0)


WRONG_SCHEDULES = """
[schedules.a]
cron = "61 * * * *"
run = "rm -rf x"
overlp = "skip"
[schedules.b]
every = "15m"
at = "06:00"
[schedules.c]
at = "soon"
call = "x"
missed = "all"
grace = "often"
queue = "_ops"
"""


def test_every_mistake_in_a_schedule_is_told_at_its_place() -> None:
    told = [line for line in mistakes(WRONG_SCHEDULES) if line.startswith("overnight.toml:")]
    assert [line.partition(": ")[0] for line in sorted(told, key=lambda line: int(line.split(":")[1]))] == [
        "overnight.toml:3:8",
        "overnight.toml:4:7",
        "overnight.toml:5:1",
        "overnight.toml:6:12",
        "overnight.toml:8:6",
        "overnight.toml:10:6",
        "overnight.toml:11:8",
        "overnight.toml:12:10",
        "overnight.toml:13:9",
        "overnight.toml:14:9",
    ]


@pytest.mark.parametrize("written", ["0.5", "1e-9", '"10ms"'])
def test_a_schedule_is_not_due_more_often_than_anybody_looks(written: str) -> None:
    """Thousands of instants a look would hold up the engine, and soon there is no next one that a float can tell."""
    (told,) = (one for one in mistakes(f'[schedules.a]\nevery = {written}\nrun = ["true"]\n') if "2:9" in one)
    assert "1s" in told
