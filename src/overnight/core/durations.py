"""Lengths of time, moments, sizes, rates and numbers of slots, as people write and read them.

Inside, durations are seconds and instants POSIX seconds, both `float`, and sizes are bytes. These
functions are the way in and out. Every refusal says what would have been accepted.
"""

from __future__ import annotations

import contextlib
import math
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "min": 60.0, "s": 1.0, "ms": 0.001}
#: Largest first, each at most once.
_DURATION = re.compile(
    r"(?:(?P<d>[0-9.]+) *d *)?(?:(?P<h>[0-9.]+) *h *)?(?:(?P<m>[0-9.]+) *m(?:in)? *)?"
    r"(?:(?P<s>[0-9.]+) *s *)?(?:(?P<ms>[0-9.]+) *ms)?"
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_UNITS: dict[str, int] = {
    "": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate(("", "k", "m", "g", "t"))},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate(("k", "m", "g", "t"), 1)},
}
_SIZE = re.compile(r"([0-9.]+) *([a-z]*)")
_SLOTS = re.compile(r"(?P<sign>[+-])?(?P<number>[0-9]{1,9}(?:\.[0-9]+)?)(?P<percent>%)?")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
#: A hundred years. Whatever is longer is a slip of the finger, and would overflow a calendar.
LONGEST = 36525 * 86400.0
_LONGEST_QUOTE = 60

DURATIONS = "30, 30s, 5m, 2h, 1d, 1h30m or 500ms"
SIZES = "500MB, 2GB or 64MiB"
INSTANTS = "06:00 (the next one), '2026-03-01 06:00', 2026-03-01T06:00:00Z or +2h"
PASTS = "2h (ago), 06:00 (the last one), '2026-03-01 06:00', 2026-03-01T06:00:00Z or now"
RATES = "10/s, 30/m or 100/h"
SLOTS = "4, 50% (of the CPUs), +1 or -1 (more or fewer than CPUs) or auto"


def quoted(words: object) -> str:
    """What somebody wrote, in quotes and cut to a length that fits into a message."""
    try:
        shown = repr(words)
    except Exception:  # noqa: BLE001 - somebody's own __repr__ may do anything, and is not what is wrong here
        shown = f"a {type(words).__name__}"
    return shown if len(shown) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}..."


def parse_duration(words: str) -> float:
    """Seconds of a duration: a number with a unit, several in falling order, or a bare number of seconds.

    Raises:
        ValueError: It is none, or longer than a hundred years.
    """
    stripped = words.strip().lower()
    found = _DURATION.fullmatch(stripped)
    numbers = {name: number for name, number in found.groupdict().items() if number} if found else {}
    if _NUMBER.fullmatch(stripped):
        seconds = float(stripped)
    elif numbers and all(map(_NUMBER.fullmatch, numbers.values())):
        seconds = math.fsum(float(number) * _SECONDS[name] for name, number in numbers.items())
    else:
        raise ValueError(f"{quoted(words)} is no duration; write {DURATIONS}")
    if seconds > LONGEST:
        raise ValueError(f"{quoted(words)} is longer than a hundred years; write {DURATIONS}")
    return seconds


def spell_duration(seconds: float) -> str:
    """A duration so that `parse_duration` reads it again, to the millisecond: ``1h30m``, ``2s``, ``500ms``."""
    rest = round(seconds * 1000)
    words = ""
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, length)
        words += f"{count}{unit}" if count else ""
    return words or "0s"


def format_duration(seconds: float) -> str:
    """A duration for people, with as much detail as matters: ``0.4 s``, ``42 s``, ``41 min``, ``10 h 2 min``."""
    if seconds < 9.95:  # noqa: PLR2004 - below ten the first decimal is worth showing
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole} s"
    if whole < 600:  # noqa: PLR2004 - ten minutes
        return _two(whole, 60, "min", 1, "s")
    minutes = round(seconds / 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes} min"
    if minutes < 1440:  # noqa: PLR2004 - a day
        return _two(minutes, 60, "h", 1, "min")
    return _two(round(seconds / 3600), 24, "d", 1, "h")


def _two(amount: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    count, rest = divmod(amount, large)
    return f"{count} {large_unit} {rest // small} {small_unit}" if rest else f"{count} {large_unit}"


def parse_size(words: str) -> int:
    """Bytes of a size. ``GB`` is 1000³, ``GiB`` is 1024³; a bare number is bytes.

    Raises:
        ValueError: It is none.
    """
    found = _SIZE.fullmatch(words.strip().lower())
    if found is None or found[2] not in _UNITS or not _NUMBER.fullmatch(found[1]):
        raise ValueError(f"{quoted(words)} is no size; write {SIZES}")
    size = float(found[1]) * _UNITS[found[2]]
    if size >= 2**63:
        raise ValueError(f"{quoted(words)} is more than any disk holds; write {SIZES}")
    return round(size)


def spell_size(size_bytes: int) -> str:
    """A size so that `parse_size` reads exactly it again: ``64MiB``, ``2GB``, ``1500B``."""
    best = max(
        (factor for unit, factor in _UNITS.items() if unit and size_bytes and size_bytes % factor == 0), default=1
    )
    unit = next(unit for unit, factor in _UNITS.items() if unit and factor == best)
    return f"{size_bytes // best}{unit.upper().replace('IB', 'iB').replace('KB', 'kB')}"


def format_size(size_bytes: float) -> str:
    """An amount of memory, disk or output for people: ``812 B``, ``3.4 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 999.5:  # noqa: PLR2004 - the next unit begins
            return f"{size_bytes:.0f} {unit}" if unit == "B" or size_bytes >= 99.5 else f"{size_bytes:.1f} {unit}"  # noqa: PLR2004 - three digits
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def format_count(number: int, one: str, many: str = "") -> str:
    """A number of things for people: ``1 task``, ``2,000 tasks``. `many`: where it is not `one` with an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def parse_rate(words: str) -> float:
    """Starts a second of a rate; a bare number is a second's.

    Raises:
        ValueError: It is none, or nothing could ever start.
    """
    number, slash, unit = words.strip().lower().partition("/")
    length = _SECONDS.get(unit.strip(), 0.0) if slash else 1.0
    if not (length and _NUMBER.fullmatch(number.strip()) and 0 < float(number) < math.inf):
        raise ValueError(f"{quoted(words)} is no rate; write {RATES}")
    return float(number) / length


def parse_slots(words: str, cpus: int) -> int:
    """A number of slots, told as such or from that of the CPUs: ``50%`` (rounded up), ``+1``, ``-1``. At least 1.

    Raises:
        ValueError: It is none. ``0`` is refused: it asks for no limit, and each slot is a process.
    """
    found = _SLOTS.fullmatch(words.strip())
    sign, percent = (found["sign"], found["percent"]) if found else (None, None)
    if found is None or (sign and percent) or not (percent or found["number"].isdigit()):
        raise ValueError(f"{quoted(words)} is no number of slots; write {SLOTS}")
    number = float(found["number"])
    if percent:
        return max(1, math.ceil(cpus * number / 100))
    if sign:
        return max(1, cpus + int(f"{sign}{found['number']}"))
    if not number:
        raise ValueError(f"{quoted(words)} would be no limit, and each slot is a process that waits; write {SLOTS}")
    return int(number)


def parse_instant(words: str, *, now: float, zone: tzinfo) -> float:
    """POSIX seconds of a moment.

    Args:
        words: A time of day (the next moment at which clocks show it), a date with or without a time,
            ISO 8601, or ``+`` and a duration.
        now: The present, POSIX seconds.
        zone: What is meant where nothing is said, and whose clocks show the time of day.

    Raises:
        ValueError: It is none.
    """
    stripped = words.strip()
    try:
        if stripped.startswith("+"):
            return now + parse_duration(stripped[1:])
        clock = _CLOCK.fullmatch(stripped)
        if clock is not None:
            hours, minutes, seconds = (int(part or 0) for part in clock.groups())
            return _next(time(hours, minutes, seconds), now=now, zone=zone)
        moment = datetime.fromisoformat(stripped)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{quoted(words)} is no time; write {INSTANTS}") from None


def parse_past(words: str, *, now: float, zone: tzinfo) -> float:
    """POSIX seconds of a moment that is over.

    Args:
        words: A duration (so long ago), ``now``, a time of day (the last moment at which clocks showed it), a date
            with or without a time, or ISO 8601.
        now: The present, POSIX seconds.
        zone: What is meant where nothing is said, and whose clocks show the time of day.

    Raises:
        ValueError: It is none, or still to come.
    """
    stripped = words.strip()
    if stripped == "now":
        return now
    try:
        clock = _CLOCK.fullmatch(stripped)
        if clock is not None:
            hours, minutes, seconds = (int(part or 0) for part in clock.groups())
            return _last(time(hours, minutes, seconds), now=now, zone=zone)
        with contextlib.suppress(ValueError):
            return now - parse_duration(stripped)
        moment = parse_instant(stripped, now=now, zone=zone)
    except (ValueError, OverflowError):
        raise ValueError(f"{quoted(words)} is no time; write {PASTS}") from None
    if moment > now:
        raise ValueError(f"{quoted(words)} is still to come; write {PASTS}")
    return moment


def _last(clock: time, *, now: float, zone: tzinfo) -> float:
    """The last moment at which clocks of `zone` showed `clock`; see `_next`."""
    today = datetime.fromtimestamp(now, zone).date()
    days = [today - timedelta(days=back) for back in (0, 1, 2)]
    return max(moment for day in days for moment in _moments(day, clock, zone) if moment <= now)


def _next(clock: time, *, now: float, zone: tzinfo) -> float:
    """The next moment at which clocks of `zone` show `clock`, days counted by the calendar.

    When clocks go back a time comes twice, and both count. When they go forward a time is left
    out; it stands for the moment that it would have been.
    """
    today = datetime.fromtimestamp(now, zone).date()
    days = [today + timedelta(days=ahead) for ahead in (0, 1, 2)]
    return min(moment for day in days for moment in _moments(day, clock, zone) if moment > now)


def _moments(day: date, clock: time, zone: tzinfo) -> list[float]:
    both = [datetime.combine(day, clock.replace(fold=fold), tzinfo=zone) for fold in (0, 1)]
    shown = [moment.timestamp() for moment in both if _shows(moment, zone)]
    return shown or [both[0].timestamp()]


def _shows(moment: datetime, zone: tzinfo) -> bool:
    """Whether clocks really show this: not when it is left out."""
    return datetime.fromtimestamp(moment.timestamp(), zone).replace(tzinfo=None, fold=0) == moment.replace(
        tzinfo=None, fold=0
    )


def iso(instant: float) -> str:
    """An instant for programs: ISO 8601 in UTC with milliseconds and ``Z``."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=round(instant * 1000))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
