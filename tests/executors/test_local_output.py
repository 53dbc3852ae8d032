"""What tasks print: bounded, followable, in few files, and never at the cost of a task."""

from __future__ import annotations

import os
import resource
from itertools import islice
from pathlib import Path

from executor_bench import Bench

from overnight.core.task import OutputRef
from overnight.executors.local.output import follow, old_segments, read, remove_segments
from overnight.executors.local.segments import Recording, Segments, Stream

NOON = 1_700_000_000.0


def everything(directory: Path, ref: OutputRef | None, key: tuple[int, int]) -> bytes:
    assert ref is not None
    return b"".join(data for _, data in read(directory, ref, *key))


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.iterdir())


def test_of_200_megabytes_head_and_tail_are_kept_and_nothing_grows(bench: Bench) -> None:
    """Neither the disk nor the keeper; and the task is not hindered."""
    keep = 1_000_000
    action = bench.shell("seq -f %019.0f 10000000", keep_output=keep)

    ended = bench.run(action)

    assert ended.exit_code == 0
    assert ended.output is not None
    assert (ended.output.length, ended.output.printed) == (keep, 200_000_000)
    kept = bench.printed(ended)[1]
    assert kept[: keep // 2] == b"".join(b"%019d\n" % number for number in range(1, keep // 40 + 1))
    assert kept[keep // 2 :] == b"".join(
        b"%019d\n" % number for number in range(10_000_000 - keep // 40 + 1, 10_000_001)
    )
    assert size_of(bench.root / "output") < 1.2 * keep
    status = Path(f"/proc/{bench.keeper()}/status").read_text()
    peak_kib = int(status.partition("VmHWM:")[2].split()[0])
    assert peak_kib < 60_000


def test_a_function_is_bounded_in_the_same_way(bench: Bench) -> None:
    action = bench.call("loud:f", "def f(value):\n  for n in range(400_000): print(f'{n:09}')\n", keep_output=10_000)

    ended = bench.run(action)

    assert ended.output is not None
    assert (ended.output.length, ended.output.printed) == (10_000, 4_000_000)
    bench.run(action)  # the tail of the first one is in its place at the latest when the next one prints
    assert bench.printed(ended)[1] == b"".join(
        b"%09d\n" % number for number in (*range(500), *range(400_000 - 500, 400_000))
    )


def test_output_can_be_followed_while_it_comes(bench: Bench) -> None:
    script = "echo one; while [ ! -e go ]; do sleep 0.01; done; echo two >&2"
    [key] = bench.start(bench.spec(bench.shell(script)))
    following = follow(bench.root / "output", *key)
    words: list[tuple[int, bytes]] = []

    def has(count: int) -> bool:
        words.extend(piece for piece in islice(following, 1) if piece[0])
        return len(words) >= count

    bench.until(lambda: has(1))
    (bench.root / "go").touch()
    bench.until(lambda: has(2))
    bench.ended(key)

    assert words == [(1, b"one\n"), (2, b"two\n")]
    assert [piece for piece in following if piece[0]] == []


def test_the_output_of_many_tasks_is_in_one_file(bench: Bench) -> None:
    action = bench.shell('echo "$1"')
    keys = bench.start(*(bench.spec(action, str(number)) for number in range(50)))

    assert [bench.printed(bench.ended(key))[1] for key in keys] == [b"%d\n" % number for number in range(50)]
    assert [path.name for path in (bench.root / "output").iterdir()] == ["slot-0-000001.seg"]


def test_a_segment_that_is_full_is_followed_by_the_next(tmp_path: Path) -> None:
    segments = Segments(str(tmp_path), 3, full=1000)
    refs = []
    for number in range(10):
        recording = Recording(segments, number, 1, 10_000)
        recording.write(1, b"x" * 400, 0.0)
        recording.write(2, b"%d" % number, 0.0)
        refs.append(recording.end(0.0))

    assert len({ref.segment for ref in refs if ref}) == 4
    for number, ref in enumerate(refs):
        assert everything(tmp_path, ref, (number, 1)) == b"x" * 400 + b"%d" % number
    assert Segments(str(tmp_path), 3).number == 4
    assert Segments(str(tmp_path), 4).number == 0


def test_of_any_output_exactly_what_was_asked_is_kept(tmp_path: Path) -> None:
    """In pieces of any size, for any limit, with both streams."""
    segments = Segments(str(tmp_path), 0)
    printed = bytes(range(256)) * 8
    task = 0
    for keep in (0, 1, 2, 7, 100, 1000, 2047, 2048, 5000):
        for piece in (1, 3, 64, 500, 2048):
            task += 1
            recording = Recording(segments, task, 1, keep)
            for at in range(0, len(printed), piece):
                recording.write(1 + at // piece % 2, printed[at : at + piece], 0.0)
            ref = recording.end(0.0)
            head, tail = keep - keep // 2, keep // 2
            expected = printed if keep >= len(printed) else printed[:head] + (printed[-tail:] if tail else b"")
            assert ref is not None
            assert (ref.length, ref.printed) == (len(expected), len(printed))
            assert everything(tmp_path, ref, (task, 1)) == expected


def test_a_full_disk_costs_output_and_says_so(tmp_path: Path) -> None:
    segments = Segments(str(tmp_path), 0)
    before = Recording(segments, 1, 1, 1000)
    before.write(1, b"kept", 0.0)
    real, segments._file = segments._file, os.open("/dev/full", os.O_RDWR)
    before.write(1, b"lost", 0.0)
    segments._file, full = real, segments._file
    before.write(2, b"kept again", 0.0)
    ref = before.end(0.0)

    os.close(full)
    assert everything(tmp_path, ref, (1, 1)) == b"keptkept again"
    assert before.lost == 4


def test_a_task_goes_on_when_the_disk_is_full(bench: Bench) -> None:
    """The keeper may not make a file larger than it is; the kernel says EFBIG where a full disk says ENOSPC."""
    bench.run(bench.shell("echo before"))
    resource.prlimit(bench.keeper(), resource.RLIMIT_FSIZE, (0, 0))

    action = bench.shell("ulimit -f; head -c 300000 /dev/zero; exit 3")
    ended = bench.run(action)

    assert ended.exit_code == 3
    assert "bytes of output were not kept: the disk is full" in ended.detail
    assert bench.printed(ended)[1] == b""


def test_a_torn_frame_at_the_end_is_not_shown(tmp_path: Path) -> None:
    segments = Segments(str(tmp_path), 0)
    recording = Recording(segments, 1, 1, 1000)
    recording.write(1, b"whole", 0.0)
    recording.write(1, b"torn", 0.0)
    path = tmp_path / segments.name
    os.truncate(path, path.stat().st_size - 2)

    assert list(islice(follow(tmp_path, 1, 1), 2)) == [(Stream.STDOUT, b"whole"), (0, b"")]


def test_old_segments_are_those_that_nobody_writes_on_in(tmp_path: Path) -> None:
    names = [f"slot-{slot}-{number:06d}.seg" for slot, count in ((0, 4), (11, 1)) for number in range(1, count + 1)]
    for age, name in enumerate(reversed([*names, "slot-0.tail-0", "notes.seg"])):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (NOON - age, NOON - age))

    assert sorted(old_segments(tmp_path, before=NOON + 1)) == names[:2]
    assert old_segments(tmp_path, before=NOON - 5) == names[:1]
    remove_segments(tmp_path, [*names[:2], "gone.seg"])
    assert sorted(path.name for path in tmp_path.glob("slot-*.seg")) == sorted(names[2:])
