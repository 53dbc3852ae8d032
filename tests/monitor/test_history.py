"""The history: what is kept how finely, what is forgotten, and that a loss of it costs charts alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from history_parts import NOON, ending

from overnight.core.gauges import NAMES, RESOLUTIONS
from overnight.core.monitor.comparison import Period
from overnight.core.tallies import MOST_FINGERPRINTS, OTHERS
from overnight.monitor.history import keeping
from overnight.monitor.history.asking import Past, Point
from overnight.monitor.history.database import VERSION, NewerFileError
from overnight.monitor.history.keeping import History


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    opened = History(path)
    yield opened
    opened.close()


def series(path: Path, gauge: str, *, since: float, until: float, now: float) -> list[Point]:
    with closing(Past(path)) as past:
        return past.series(gauge, since=since, until=until, now=now)


def test_a_look_stands_in_the_finest_series(history: History, path: Path) -> None:
    history.sample({"cpu": 0.5, "running": 2.0, "what nobody knows": 7.0}, now=NOON)
    history.sample({"cpu": 0.7}, now=NOON + 0.4)
    history.sample({"running": 3.0}, now=NOON + 1)
    assert series(path, "cpu", since=NOON, until=NOON + 60, now=NOON + 60) == [Point(int(NOON), 0.5, 0.5, 0.5)]
    assert [point.mean for point in series(path, "running", since=NOON, until=NOON + 60, now=NOON + 60)] == [2.0, 3.0]


@pytest.mark.parametrize("span", [10, 60, 3600])
def test_a_coarse_point_is_the_mean_and_the_ends_of_its_looks(history: History, path: Path, span: int) -> None:
    """However finely those are rolled up in between, and with a figure that is not always known."""
    start = NOON // 3600 * 3600
    length = min(7200, 60 * span)
    looks = [(start + n, float(n * 37 % 101)) for n in range(0, length + 100, max(5, span // 60))]
    for at, value in looks:
        history.sample({"load": value} | ({"cpu": value} if value > 50 else {}), now=at)
    found = {
        point.at: point
        for point in series(path, "load", since=start, until=start + length, now=start + _age_that_needs(span))
    }
    assert set(found) == {at // span * span for at, _ in looks if at < start + length}
    for at, point in found.items():
        inside = [value for when, value in looks if at <= when < at + span]
        assert point.mean == pytest.approx(sum(inside) / len(inside))
        assert (point.least, point.most) == (min(inside), max(inside))
    for point in series(path, "cpu", since=start, until=start + length, now=start + _age_that_needs(span)):
        inside = [value for when, value in looks if point.at <= when < point.at + span and value > 50]
        assert (point.least, point.most) == (min(inside), max(inside))
        assert point.least <= point.mean <= point.most


def test_a_time_in_which_was_looked_more_often_weighs_no_more(history: History, path: Path) -> None:
    start = NOON // 3600 * 3600
    for second in range(60):
        history.sample({"cpu": 1.0}, now=start + second)
    for minute in range(1, 61):
        history.sample({"cpu": 0.0}, now=start + 60 * minute)
    [hour] = series(path, "cpu", since=start, until=start + 3600, now=start + _age_that_needs(3600))
    assert hour.mean == pytest.approx(1 / 60)


def _age_that_needs(span: int) -> float:
    """An age at which nothing finer is kept any more."""
    finer = [one.kept for one in RESOLUTIONS if one.span < span]
    return max(finer) + 1


def test_what_a_writer_that_was_killed_has_not_rolled_up_is_rolled_up_by_the_next_one(path: Path) -> None:
    start = NOON // 3600 * 3600
    first = History(path)
    for n in range(100):
        first.sample({"load": float(n)}, now=start + n)
    del first  # as if killed: nothing is told to be over
    with closing(History(path)) as second:
        second.sample({"load": 5.0}, now=start + 200)
        second.catch_up(now=start + 300)
    found = series(path, "load", since=start, until=start + 180, now=start + _age_that_needs(60))
    assert [(point.at - start, point.mean) for point in found] == [(0, 29.5), (60, 79.5)]


def test_what_is_old_is_forgotten_and_its_coarse_points_stay(history: History, path: Path) -> None:
    for n in range(0, 4000, 10):
        history.sample({"load": 1.0}, now=NOON + n)
    history.tally([ending(NOON), ending(NOON + 50 * 86400)], seq=2)
    later = NOON + 50 * 86400
    history.forget(now=later)
    with closing(apsw.Connection(str(path))) as connection:
        spans = dict(connection.execute("SELECT span, count(*) FROM samples GROUP BY span"))
        tallies = dict(connection.execute("SELECT span, count(*) FROM tallies GROUP BY span"))
    assert spans.keys() == {3600}
    assert tallies == {60: 1, 3600: 2}


def test_attempts_are_added_up_once_by_minute_and_for_good(history: History, path: Path) -> None:
    history.tally([ending(seconds=2), ending(seconds=4), ending(outcome="failed", fingerprint="f")], seq=9)
    history.tally([ending(seconds=6)], seq=12)
    assert history.journal_seq == 12
    with closing(Past(path)) as past:
        done, failed = past.totals()
        most, other = past.sums(Period(NOON - 60, NOON + 60), now=NOON + 60)
        assert past.sums(Period(NOON + 120, NOON + 240), now=NOON + 240) == []
    assert (done.outcome, done.n, done.seconds, sum(done.buckets)) == ("completed", 3, 12.0, 3)
    assert (failed.outcome, failed.n) == ("failed", 1)
    assert (most.n, most.seconds, most.longest, most.first) == (3, 12.0, 6.0, int(NOON // 60 * 60))
    assert other.fingerprint == "f"


def test_a_gauge_that_does_not_exist_is_refused(history: History, path: Path) -> None:
    history.sample({}, now=NOON)
    with pytest.raises(ValueError, match="there is no gauge 'id; DROP'"):
        series(path, "id; DROP", since=NOON, until=NOON + 1, now=NOON)


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_one_that_is_damaged_is_set_aside_and_begun_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with closing(History(path)) as history:
        history.sample({"cpu": 0.1}, now=NOON)
    assert path.with_name("history.db.damaged").read_bytes() == content
    assert len(series(path, "cpu", since=NOON, until=NOON + 1, now=NOON)) == 1


def test_one_of_a_newer_version_is_left_as_it_is_and_said(path: Path) -> None:
    """Somebody went back to an older program for a day; the history of years is not to be begun anew."""
    with closing(History(path)) as history:
        history.sample({"cpu": 0.1}, now=NOON)
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("user_version", VERSION + 1)
    before = path.read_bytes()
    with pytest.raises(NewerFileError, match="newer version of overnight has written it"):
        History(path)
    assert path.read_bytes() == before
    assert not path.with_name("history.db.damaged").exists()


def test_another_program_s_database_is_not_written_to(path: Path) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("CREATE TABLE theirs (a); PRAGMA user_version = 5")
    with closing(History(path)):
        pass
    with closing(apsw.Connection(str(path.with_name("history.db.damaged")))) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").get == "theirs"


def test_a_column_that_a_newer_version_has_is_added(path: Path) -> None:
    with closing(History(path)) as history:
        history.sample(dict.fromkeys(NAMES, 1.0), now=NOON)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("ALTER TABLE samples DROP COLUMN rate")
    with closing(History(path)) as history:
        history.sample({"rate": 2.0}, now=NOON + 1)
    assert [point.mean for point in series(path, "rate", since=NOON, until=NOON + 9, now=NOON)] == [2.0]


def test_it_is_seen_when_the_file_has_gone(history: History, path: Path) -> None:
    assert not history.is_lost()
    path.unlink()
    assert history.is_lost()


def test_damage_that_is_met_later_sets_it_aside(path: Path) -> None:
    with closing(History(path)) as history:
        history.tally([ending(outcome="failed", fingerprint=f"print {n} {'x' * 400}") for n in range(190)], seq=1)
    with path.open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xa5" * (path.stat().st_size - 4096 * 4))
    history = History(path)
    with pytest.raises(apsw.CorruptError):
        history.tally([ending(outcome="failed", fingerprint=f"print {n} {'x' * 400}") for n in range(190)], seq=2)
    assert history.is_lost()
    history.close()
    assert path.with_name("history.db.damaged").exists()
    with closing(History(path)) as history:
        history.tally([ending()], seq=3)


def test_damage_that_is_met_by_reading_sets_it_aside_too(path: Path) -> None:
    with closing(History(path)) as history:
        history.tally([ending(workflow=f"flow {n} {'x' * 400}") for n in range(190)], seq=1)
    with path.open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xa5" * (path.stat().st_size - 4096 * 4))
    history = History(path)
    with pytest.raises(apsw.CorruptError):
        history.totals()
    assert history.is_lost()
    history.close()
    assert path.with_name("history.db.damaged").exists()


def test_a_short_period_long_ago_is_read_as_coarsely_as_it_is_kept(history: History, path: Path) -> None:
    later = NOON + 50 * 86400
    history.tally([ending()], seq=1)
    history.forget(now=later)
    with closing(Past(path)) as past:
        [found] = past.sums(Period(NOON, NOON + 60), now=later)
    assert found.n == 1


def test_the_mean_is_of_what_came_to_an_end_of_its_own(history: History) -> None:
    assert history.mean_seconds() is None
    history.tally([ending(seconds=2), ending(seconds=4, outcome="failed"), ending(seconds=90, outcome="lost")], seq=1)
    assert history.mean_seconds() == 3.0


def test_no_minute_tells_too_many_fingerprints_apart_however_they_come(history: History, path: Path) -> None:
    for portion in range(4):
        prints = [f"print {portion} {n}" for n in range(MOST_FINGERPRINTS // 2)]
        history.tally([ending(outcome="failed", fingerprint=one) for one in prints], seq=portion)
    with closing(Past(path)) as past:
        found = {one.fingerprint: one.n for one in past.sums(Period(NOON, NOON + 60), now=NOON)}
    assert len(found) == MOST_FINGERPRINTS + 1
    assert found[OTHERS] == MOST_FINGERPRINTS


def test_many_rows_of_one_minute_are_forgotten_too(
    history: History, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_PORTION", 10)
    history.tally([ending(outcome="failed", fingerprint=str(n)) for n in range(50)], seq=1)
    history.tally([ending(NOON + 60, outcome="failed", fingerprint="x")], seq=2)
    for _ in range(2):
        history.forget(now=NOON + 50 * 86400)
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.execute("SELECT count(*) FROM tallies WHERE span = 60").get == 0


def test_what_a_wrong_clock_has_put_ahead_keeps_nothing_from_being_rolled_up(history: History, path: Path) -> None:
    start = NOON // 3600 * 3600
    history.sample({"load": 9.0}, now=start + 400 * 86400)
    for n in range(100):
        history.sample({"load": 1.0}, now=start + n)
    history.catch_up(now=start + 100)
    found = series(path, "load", since=start, until=start + 60, now=start + _age_that_needs(60))
    assert [(point.at - start, point.mean) for point in found] == [(0, 1.0)]


def test_a_home_whose_name_is_no_text_has_a_history_too(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    odd.mkdir()
    with closing(History(odd / "history.db")) as history:
        history.sample({"cpu": 0.5}, now=NOON)
    assert len(series(odd / "history.db", "cpu", since=NOON, until=NOON + 1, now=NOON)) == 1


def test_a_mean_is_of_the_time_and_not_of_how_often_was_looked(history: History, path: Path) -> None:
    start = NOON // 3600 * 3600
    for second in range(60):
        history.sample({"cpu": 1.0}, now=start + second)
    for minute in range(1, 61):
        history.sample({"cpu": 0.0, "load": 3.0}, now=start + 60 * minute)
    with closing(Past(path)) as past:
        found = past.figures(Period(start, start + 3600), now=start + 3700)
    assert found["cpu"].mean == pytest.approx(1 / 60)
    assert (found["cpu"].least, found["cpu"].most) == (0.0, 1.0)
    assert found["load"] == (3.0, 3.0, 3.0)
    assert "rate" not in found


@pytest.mark.parametrize("days_later", [0, 2, 30])
def test_when_there_was_no_network_is_kept(history: History, path: Path, days_later: int) -> None:
    start = NOON // 3600 * 3600
    for minute in range(120):
        history.sample({"network_up": float(not 30 <= minute < 40)}, now=start + 60 * minute)
    later = start + 7300 + days_later * 86400
    with closing(Past(path)) as past:
        [found] = past.network_outages(Period(start, start + 7200), now=later)
    assert abs(found.since - (start + 1800)) <= 60
    assert abs(found.until - (start + 2340)) <= 60


def test_figures_of_a_run_that_was_over_soon_are_told_too(history: History, path: Path) -> None:
    history.sample({"cpu": 0.5}, now=NOON)
    with closing(Past(path)) as past:
        assert past.figures(Period(NOON - 86400 / 2, NOON + 5), now=NOON + 5)["cpu"].mean == 0.5
        assert past.figures(Period(NOON - 60, NOON), now=NOON) == {}


def test_one_that_an_older_version_has_written_is_read_without_the_newest_figures(history: History, path: Path) -> None:
    history.sample({"cpu": 0.5, "rate": 1.0}, now=NOON)
    history.close()
    with closing(apsw.Connection(str(path))) as connection:
        for column in ("rate", "rate_min", "rate_max"):
            connection.execute(f"ALTER TABLE samples DROP COLUMN {column}")
    with closing(Past(path)) as past:
        assert past.figures(Period(NOON, NOON + 9), now=NOON + 9).keys() == {"cpu"}
        assert past.series("rate", since=NOON, until=NOON + 9, now=NOON + 9) == []
        assert len(past.series("cpu", since=NOON, until=NOON + 9, now=NOON + 9)) == 1


@pytest.mark.parametrize("pause", [40, 7200])
def test_the_last_looks_of_a_run_are_rolled_up_by_the_next_one(path: Path, pause: int) -> None:
    """A run that ends within a minute, and is followed by others, has its minute and its hour all the same."""
    start = NOON // 3600 * 3600 + 5
    with closing(History(path)) as first:
        first.catch_up(now=start)
        for second in range(20):
            first.sample({"cpu": 0.5}, now=start + second)
    again = start + 20 + pause
    with closing(History(path)) as second_one:
        second_one.catch_up(now=again)
        for second in range(0, 3700, 50):
            second_one.sample({"cpu": 0.1}, now=again + second)
        second_one.catch_up(now=again + 3700)
    for span in (60, 3600):
        found = series(path, "cpu", since=start - 5, until=again + 3600, now=start + _age_that_needs(span))
        assert found[0].at == int(start) // span * span
        assert found[0].most == 0.5
