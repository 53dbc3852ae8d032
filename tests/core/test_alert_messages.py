"""What goes to one target: together when it comes together, and only so many an hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.alert_messages import HOUR, MOST_LINES, Message, Outgoing, Pace, due, gathered, in_one
from overnight.core.alerts import Notice, Tells

NOON = 1_800_000_000.0


def notice(alert: str, at: float = NOON, tells: Tells = Tells.FIRED, times: int = 1) -> Notice:
    return Notice(alert, tells, at, "words", times)


def sent(outgoing: Outgoing, pace: Pace, now: float, *, hurry: bool = False) -> tuple[Outgoing, Message | None]:
    found = due(outgoing, pace, target="ops", prefix="k", whose="/night", now=now, hurry=hurry)
    return found.outgoing, found.message


def test_what_comes_within_a_moment_is_one_message() -> None:
    outgoing = gathered(gathered(Outgoing(), notice("disk")), notice("memory", NOON + 5))
    outgoing, message = sent(outgoing, Pace(group=10.0), NOON + 9)
    assert message is None
    outgoing, message = sent(outgoing, Pace(group=10.0), NOON + 10)
    assert message is not None
    assert [one.alert for one in message.notices] == ["disk", "memory"]
    assert "2 alerts" in message.subject
    assert outgoing.waiting == ()


@pytest.mark.parametrize(
    ("notices", "subject"),
    [
        ([Notice("disk", Tells.FIRED, NOON, "3 GB\x1b\n left")], "disk firing: 3 GB left"),
        (
            [Notice("done", Tells.HAPPENED, NOON, "ended: 40 completed, 2 failed")],
            "done: ended: 40 completed, 2 failed",
        ),
        (
            [Notice("fail", Tells.HAPPENED, NOON, "task 7"), Notice("done", Tells.HAPPENED, NOON, "40 completed")],
            "done: 40 completed (2 alerts)",
        ),
        (
            [Notice("done", Tells.HAPPENED, NOON, "40 completed"), Notice("disk", Tells.FIRED, NOON, "3 GB left")],
            "disk firing: 3 GB left (2 alerts)",
        ),
        ([Notice("done", Tells.HAPPENED, NOON)], "done happened"),
    ],
)
def test_the_subject_has_what_a_phone_shows(notices: list[Notice], subject: str) -> None:
    outgoing = Outgoing()
    for one in notices:
        outgoing = gathered(outgoing, one)
    _, message = sent(outgoing, Pace(), NOON, hurry=True)
    assert message is not None
    assert message.subject == f"overnight (night): {subject}"


def test_what_happened_a_thousand_times_is_one_line() -> None:
    outgoing = Outgoing()
    for times in (1, 998, 1):
        outgoing = gathered(outgoing, notice("failed", tells=Tells.HAPPENED, times=times))
    _, message = sent(outgoing, Pace(), NOON, hurry=True)
    assert message is not None
    assert message.body.count("failed") == 1
    assert "1,000 times" in message.body


@given(
    st.lists(st.floats(0.0, 2000.0), min_size=1, max_size=80),
    st.one_of(st.none(), st.integers(1, 10)),
    st.floats(0.0, 60.0),
)
def test_none_is_lost_none_goes_twice_and_no_hour_has_too_many(
    gaps: list[float], hourly: int | None, group: float
) -> None:
    pace, outgoing, now, out = Pace(group, hourly), Outgoing(), NOON, list[Message]()
    for number, gap in enumerate(gaps):
        now += gap
        outgoing = gathered(outgoing, notice(f"a{number}", now))
        outgoing, message = sent(outgoing, pace, now)
        out += [message] if message else []
    while outgoing.waiting:
        now += HOUR
        outgoing, message = sent(outgoing, pace, now)
        out += [message] if message else []
    assert [one.alert for message in out for one in message.notices] == [f"a{number}" for number in range(len(gaps))]
    assert len({message.key for message in out}) == len(out)
    for message in out:
        within = [one for one in out if 0 <= message.at - one.at < HOUR]
        assert hourly is None or len(within) <= hourly


def test_the_last_one_of_an_hour_says_that_it_is() -> None:
    outgoing, message = sent(gathered(Outgoing(), notice("a")), Pace(0.0, 1), NOON)
    assert message is not None
    assert "message 1 of an hour" in message.body
    outgoing, message = sent(gathered(outgoing, notice("b", NOON + 60)), Pace(0.0, 1), NOON + 60, hurry=True)
    assert message is None
    _, message = sent(outgoing, Pace(0.0, 1), NOON + HOUR)
    assert message is not None


def test_a_long_message_is_cut_and_says_so() -> None:
    outgoing = Outgoing()
    for number in range(MOST_LINES + 7):
        outgoing = gathered(outgoing, notice(f"a{number}"))
    _, message = sent(outgoing, Pace(), NOON, hurry=True)
    assert message is not None
    assert "and 7 more" in message.body


def test_in_one_text_the_sentence_stands_once_however_its_lines_are_broken() -> None:
    report = Message(
        "k", "ops", NOON, "overnight (n): Done, but needs you: 3 failed.", "Done, but\nneeds you: 3 failed.\nSun\n"
    )
    assert in_one(report) == "overnight (n): Done, but needs you: 3 failed.\nSun\n"
    _, alert = sent(gathered(Outgoing(), notice("disk")), Pace(group=0.0), NOON)
    assert alert is not None
    assert in_one(alert) == "overnight (night): disk firing: words\n\n/night\n"
    _, both = sent(gathered(gathered(Outgoing(), notice("disk")), notice("memory")), Pace(group=0.0), NOON)
    assert both is not None
    assert in_one(both) == f"{both.subject}\n{both.body}"
