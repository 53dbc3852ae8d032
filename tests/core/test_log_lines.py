"""Which lines tell of an error: what a program says of itself is believed, and no line is too odd to be read."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overnight.core.log_lines import WORDS, Reader, suspects

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
LINES = [
    ("2026-03-01 12:00:00,123 ERROR db.pool: connection lost", "db.pool: connection lost", _NOON),
    ("2026-03-01T12:00:00.5Z FATAL: out of memory", "out of memory", _NOON),
    ("2026-03-01T14:00:00+02:00 [error] 17#0: upstream timed out", "17#0: upstream timed out", _NOON),
    ("[2026-03-01 12:00:00] CRITICAL no disk", "no disk", _NOON),
    ("ValueError: bad value 17", "ValueError: bad value 17", None),
    ("requests.exceptions.ConnectionError: refused", "requests.exceptions.ConnectionError: refused", None),
    ("error: no such file", "error: no such file", None),
    ('level=error msg="cannot open"', 'msg="cannot open"', None),
    ("panic: runtime error: index out of range", "panic: runtime error: index out of range", None),
    ('{"level":"error","msg":"cannot parse","time":"2026-03-01T12:00:00Z"}', "cannot parse", _NOON),
    ('{"level":50,"msg":"cannot  parse","time":1772366400000}', "cannot parse", _NOON),
    ('{"severity":"CRITICAL","message":"boom","ts":1772366400.0}', "boom", _NOON),
    ('{"event":"x","error":"boom"}', "boom", None),
    ('{"broken": error', '{"broken": error', None),
]
QUIET = [
    "2026-03-01 12:00:00 INFO retry after error",
    "2026-03-01 12:00:00 WARNING error rate is high",
    "[debug] exception handler installed",
    "level=info msg=error",
    "finished with 0 errors",
    "no error",
    "errors: 0",
    "error=None",
    "error_count is 7",
    "see error-handling.md",
    "Traceback (most recent call last):",
    '{"level":"info","msg":"error"}',
    '{"level":30,"error":"x"}',
    '{"event":"fine","error":null}',
    "all is well",
    "",
]


@pytest.mark.parametrize(("line", "message", "at"), LINES)
def test_a_line_that_tells_of_an_error(line: str, message: str, at: float | None) -> None:
    assert list(suspects(line.encode())) == [line.encode()]
    assert Reader(UTC).read(line.encode()) == (message, at)


@pytest.mark.parametrize("line", QUIET)
def test_a_line_that_tells_of_none(line: str) -> None:
    assert Reader(UTC).read(line.encode()) is None


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*(line for line, _, _ in LINES), *QUIET])))
def test_suspects_are_the_lines_in_which_a_word_stands_each_once_in_their_order(lines: list[str]) -> None:
    block = "".join(f"{line}\n" for line in lines).encode()
    expected = [line for line in block.splitlines() if any(word in line.lower() for word in WORDS)]
    assert list(suspects(block)) == expected


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.sampled_from([b"", b"error ", b'{"level":"error",', b"2026-99-99 99:99:99 ERROR "]))
def test_no_line_is_too_odd_to_be_read(noise: bytes, before: bytes) -> None:
    for line in suspects(before + noise):
        said = Reader(UTC).read(line)
        assert said is None or isinstance(said.message, str)


_PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20)
_JSON = _PLAIN | st.lists(_PLAIN, max_size=2) | st.dictionaries(st.text(max_size=3), _PLAIN, max_size=2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # on a busy machine
@given(st.dictionaries(st.sampled_from(["level", "msg", "message", "time", "ts", "error", "severity", "x"]), _JSON))
def test_no_json_line_is_too_odd_to_be_read(record: dict[str, object]) -> None:
    said = Reader(UTC).read(msgspec.json.encode(record))
    assert said is None or (isinstance(said.message, str) and (said.at is None or isinstance(said.at, float)))


def test_an_instant_that_is_none_is_none() -> None:
    assert Reader(UTC).read(b"2026-02-31 25:61:00 ERROR x") == ("x", None)
    assert Reader(UTC).read(b'{"level":"error","msg":"x","time":"0001-01-01T00:00:00+14:00"}') is not None


def test_lines_of_one_shape_have_each_its_own_instant_and_message() -> None:
    reader = Reader(UTC)
    for hour, number in ((12, 17), (13, 42), (25, 99)):
        said = reader.read(b"2026-03-01 %d:00:00 ERROR worker %d lost" % (hour, number))
        assert said is not None
        assert said.message == f"worker {number} lost"
        assert said.at == (_NOON + (hour - 12) * 3600 if hour < 24 else None)
    # Whether errors are denied is a matter of digits, and is looked at in each line.
    assert reader.read(b"finished with 0 errors") is None
    assert reader.read(b"finished with 7 errors: error 3") is not None
