from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight.core.durations import (
    LONGEST,
    format_duration,
    iso,
    parse_duration,
    parse_instant,
    parse_past,
    parse_rate,
    parse_size,
    parse_slots,
    spell_duration,
    spell_size,
)

BERLIN = ZoneInfo("Europe/Berlin")


def berlin(text: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("5m", 300),
        ("5min", 300),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 1.5H ", 5400),
        ("500ms", 0.5),
        (".5s", 0.5),
        ("1d2h3m4s5ms", 93784.005),
        ("0", 0),
    ],
)
def test_durations_are_read_as_people_write_them(words: str, seconds: float) -> None:
    assert parse_duration(words) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "words", ["", " ", "x", "5x", "-5", "30m1h", "5m5m", "1h30", "1..2s", ".s", "1e5", "nan", "inf", "٣s", "5 m m", "m"]
)
def test_what_is_no_duration_is_told_what_is(words: str) -> None:
    with pytest.raises(ValueError, match=r"is no duration; write 30, 30s, 5m, 2h, 1d, 1h30m or 500ms"):
        parse_duration(words)


@pytest.mark.parametrize("words", ["101 d", "40000d", "9" * 500, "9" * 500 + "d"])
def test_nothing_takes_more_than_a_hundred_years(words: str) -> None:
    if words == "101 d":
        assert parse_duration(words) < LONGEST
        return
    with pytest.raises(ValueError, match="longer than a hundred years") as caught:
        parse_duration(words)
    assert len(str(caught.value)) < 200


@given(st.integers(0, 10**12))
def test_a_spelled_duration_is_read_again(milliseconds: int) -> None:
    assert round(parse_duration(spell_duration(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0.42, "0.4 s"),
        (9.949, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min"),
        (245, "4 min 5 s"),
        (599.6, "10 min"),
        (2460, "41 min"),
        (3599, "1 h"),
        (36120, "10 h 2 min"),
        (86399, "1 d"),
        (276480, "3 d 5 h"),
    ],
)
def test_durations_are_shown_with_as_much_as_matters(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


@pytest.mark.parametrize(
    ("words", "size"),
    [("2GB", 2 * 10**9), ("64MiB", 2**26), ("1.5 kB", 1500), ("10", 10), ("10B", 10), ("0", 0), ("1tib", 2**40)],
)
def test_sizes_are_read_as_people_write_them(words: str, size: int) -> None:
    assert parse_size(words) == size


@pytest.mark.parametrize("words", ["", "GB", "-1", "5x", "5 M", "1..5GB", "nan"])
def test_what_is_no_size_is_told_what_is(words: str) -> None:
    with pytest.raises(ValueError, match="is no size; write 500MB, 2GB or 64MiB"):
        parse_size(words)


def test_a_size_beyond_any_disk_is_refused() -> None:
    with pytest.raises(ValueError, match="more than any disk holds"):
        parse_size("9" * 400 + "TB")


@given(st.integers(0, 2**53))
def test_a_spelled_size_is_read_again(size: int) -> None:
    assert parse_size(spell_size(size)) == size


@pytest.mark.parametrize(("words", "rate"), [("10/s", 10), ("30/m", 0.5), ("36 / h", 0.01), ("2", 2), ("0.5/s", 0.5)])
def test_rates_are_read_as_people_write_them(words: str, rate: float) -> None:
    assert parse_rate(words) == pytest.approx(rate)


@pytest.mark.parametrize("words", ["", "0/s", "/s", "10/", "10/week", "-1/s", "inf/s", "9" * 400])
def test_what_is_no_rate_is_told_what_is(words: str) -> None:
    with pytest.raises(ValueError, match="is no rate; write 10/s, 30/m or 100/h"):
        parse_rate(words)


@pytest.mark.parametrize(
    ("words", "now", "then"),
    [
        ("06:00", "2026-11-20T05:59:59", "2026-11-20T06:00"),
        ("06:00", "2026-11-20T06:00:00", "2026-11-21T06:00"),
        ("6:00", "2026-11-20T23:00", "2026-11-21T06:00"),
        ("23:30:15", "2026-12-31T23:59", "2027-01-01T23:30:15"),
        ("2026-03-01 06:00", "2026-11-20T00:00", "2026-03-01T06:00"),
        ("2026-03-01", "2026-11-20T00:00", "2026-03-01T00:00"),
        ("2026-03-01T06:00:00Z", "2026-11-20T00:00", "2026-03-01T07:00"),
        ("+2h", "2026-11-20T05:00", "2026-11-20T07:00"),
        # Clocks go forward at 02:00 on 29 March, and back at 03:00 on 25 October.
        ("06:00", "2026-03-28T06:30", "2026-03-29T06:00"),
        ("02:30", "2026-03-28T22:00", "2026-03-29T03:30"),
        ("02:30", "2026-03-29T04:00", "2026-03-30T02:30"),
        ("06:00", "2026-10-24T06:30", "2026-10-25T06:00"),
        ("+1d", "2026-10-24T12:00", "2026-10-25T11:00"),
    ],
)
def test_moments_are_read_as_clocks_will_show_them(words: str, now: str, then: str) -> None:
    assert parse_instant(words, now=berlin(now), zone=BERLIN) == berlin(then)


@pytest.mark.parametrize(
    ("words", "now", "then"),
    [
        ("now", "2026-11-20T05:59:59", "2026-11-20T05:59:59"),
        ("2h", "2026-11-20T05:00", "2026-11-20T03:00"),
        ("06:00", "2026-11-20T05:59:59", "2026-11-19T06:00"),
        ("06:00", "2026-11-20T06:00:00", "2026-11-20T06:00"),
        ("2026-03-01 06:00", "2026-11-20T00:00", "2026-03-01T06:00"),
        ("02:30", "2026-03-29T04:00", "2026-03-29T03:30"),
        ("1d", "2026-10-25T12:00", "2026-10-24T13:00"),
    ],
)
def test_moments_that_are_over_are_read_as_clocks_have_shown_them(words: str, now: str, then: str) -> None:
    assert parse_past(words, now=berlin(now), zone=BERLIN) == berlin(then)


@pytest.mark.parametrize(
    ("words", "what"),
    [("tomorrow", "is no time"), ("2099-01-01", "is still to come"), ("+2h", "is still to come")],
)
def test_what_is_not_over_is_refused(words: str, what: str) -> None:
    with pytest.raises(ValueError, match=what + r"; write 2h \(ago\), 06:00 \(the last one\), .* or now"):
        parse_past(words, now=1.0, zone=UTC)


def test_a_time_that_comes_twice_is_met_twice() -> None:
    first, second = berlin("2026-10-25T02:30"), berlin("2026-10-25T02:30", fold=1)
    assert second == first + 3600

    assert parse_instant("02:30", now=first - 1, zone=BERLIN) == first
    assert parse_instant("02:30", now=first, zone=BERLIN) == second
    assert parse_instant("02:30", now=second, zone=BERLIN) == berlin("2026-10-26T02:30")


@pytest.mark.parametrize(
    "words", ["", "6", "25:00", "06:60", "tomorrow", "+", "+x", "-2h", "2026-13-01", "99999-01-01"]
)
def test_what_is_no_moment_is_told_what_is(words: str) -> None:
    with pytest.raises(ValueError, match=r"is no time; write 06:00 \(the next one\), .* or \+2h"):
        parse_instant(words, now=0.0, zone=UTC)


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1.9996, "1970-01-01T00:00:02.000Z"),
        (-1.5, "1969-12-31T23:59:58.500Z"),
        (1795168800.123, "2026-11-20T10:00:00.123Z"),
    ],
)
def test_programs_read_instants_in_utc_with_milliseconds(instant: float, text: str) -> None:
    assert iso(instant) == text
    assert datetime.fromisoformat(text).timestamp() == pytest.approx(instant, abs=0.0006)


@pytest.mark.parametrize(
    ("words", "slots"),
    [
        ("4", 4),
        ("50%", 4),
        ("150%", 12),
        ("10%", 1),
        ("0%", 1),
        ("13%", 2),
        ("+1", 9),
        ("-1", 7),
        ("-100", 1),
        (" 3 ", 3),
    ],
)
def test_slots_may_be_told_from_the_number_of_cpus(words: str, slots: int) -> None:
    assert parse_slots(words, cpus=8) == slots


@pytest.mark.parametrize("words", ["", "0", "00", "many", "1.5", "+50%", "--1", "1e3", "²", "file.txt"])
def test_what_is_no_number_of_slots_is_refused_with_what_would_be_taken(words: str) -> None:
    with pytest.raises(ValueError, match=r"write 4, 50%"):
        parse_slots(words, cpus=8)
