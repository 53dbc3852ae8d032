"""``log -f`` of an attempt that runs on a node: what comes is printed, and what happens to the node is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from overnight.core.nodes import Census, NodeRow
from overnight.core.states import Outcome, TaskState
from overnight.core.task import OutputRef
from overnight.core.verdict import Settlement
from overnight.executors.local.segments import HEADER, NAME, Stream
from overnight.executors.nodes.live import SEGMENT
from overnight.executors.nodes.placements import Placements
from overnight.host import following as host_following
from overnight.host.clock import SystemClock
from overnight.host.home import Home
from overnight.store.contract import Claim
from overnight.store.sqlite import SqliteStore
from overnight.ui.cli import node_prints
from overnight.ui.cli.session import Session

Call = Callable[..., Any]
NOW = SystemClock().now()


def frame(content: bytes, stream: int = Stream.STDOUT) -> bytes:
    return HEADER.pack(1, 1, stream, 0.0, len(content)) + content


class Night:
    """Task 1 runs on node b, and somebody follows it."""

    def __init__(self, home: Home, store: SqliteStore, fence: int) -> None:
        self.home, self.store, self.fence = home, store, fence
        self.directory = home.following / "1-1"
        self.directory.mkdir(parents=True)
        self._moments: list[Callable[[], None]] = []

    def node(self, state: str, **fields: Any) -> None:
        """What the engine writes of it."""
        row = NodeRow("b", state, slots=2, held=1, **fields)
        self.home.nodes.write_bytes(msgspec.json.encode(Census(NOW, [row])))

    def come(self, *frames: bytes) -> None:
        """What the engine has brought."""
        with (self.directory / SEGMENT).open("ab") as file:
            file.write(b"".join(frames))

    def end(self, outcome: Outcome, *frames: bytes) -> None:
        """The attempt ends; what it has printed lies in the home by then."""
        self.home.output.mkdir(exist_ok=True)
        name = NAME.format(slot=9999, number=1)
        (self.home.output / name).write_bytes(b"".join(frames))
        length = sum(len(one) - HEADER.size for one in frames)
        state = TaskState.COMPLETED if outcome is Outcome.COMPLETED else TaskState.PENDING
        output = OutputRef(name, 0, length, length) if frames else None
        settled = Settlement(1, 1, state, outcome, 0, 0, NOW, output=output, node="b")
        self.store.turn(fence=self.fence, now=NOW, settlements=[settled])

    def follow(self, *moments: Callable[[], None]) -> bytes:
        """All that is printed while these happen, one after the other, whenever nothing is left to print."""
        left = list(moments)
        session = cast(Session, SimpleNamespace(home=self.home, store=self.store))

        def doze() -> None:
            left.pop(0)()

        live = node_prints.live(session, self.store.get(1), "b", self.directory, doze)
        printed = b"".join(content for _, content in live)
        assert not left
        return printed


@pytest.fixture
def night(overnight: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    overnight("add", "one", "--", "true")
    monkeypatch.setattr(node_prints, "_LOOK_EVERY", 0.0)
    home = Home(place / ".overnight")
    with closing(SqliteStore.open(home.store)) as store:
        fence = store.take_fence(now=NOW, by="engine")
        lanes = {lane.id: {"work": 1.0} for lane in store.orders().lanes}
        assert store.turn(fence=fence, now=NOW, claim=Claim(count=1, lanes=lanes, pools={"work": 1.0})).claimed
        yield Night(home, store, fence)


def test_what_comes_is_printed_until_its_last_word(night: Night) -> None:
    printed = night.follow(
        lambda: night.come(frame(b"one ")),
        lambda: night.come(frame(b"two ", Stream.STDERR), frame(b"", Stream.END)),
    )
    assert printed == b"one two "


@pytest.mark.parametrize("come", [b"", b"o", b"one ", b"one tw", b"one two three"])
def test_what_had_not_come_when_it_ended_is_printed_then(night: Night, come: bytes) -> None:
    """Pieces may lie otherwise there: bytes count."""
    whole = (frame(b"one "), frame(b"two "), frame(b"three"), frame(b"", Stream.END))
    printed = night.follow(
        lambda: night.come(frame(come)) if come else None,
        lambda: night.end(Outcome.COMPLETED, *whole),
    )
    assert printed == b"one two three"


def test_a_node_that_goes_away_is_said_and_what_became_of_the_attempt(
    night: Night, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = night.follow(
        lambda: night.node("up"),
        lambda: night.come(frame(b"before ")),
        lambda: night.node("silent", why="its line was cut", over_at=SystemClock().now() + 900),
        lambda: None,
        lambda: night.node("up"),
        lambda: night.come(frame(b"after")),
        lambda: night.node("away"),
        lambda: night.end(Outcome.LOST),
    )
    said = capsys.readouterr().err.splitlines()
    assert printed == b"before after"
    assert [line.partition(", its lease runs for")[0] for line in said] == [
        "overnight: node b silent",
        "overnight: node b is heard again",
        "overnight: node b lost",
        "overnight: attempt 1 was lost with node b",
    ]


def test_who_cannot_say_that_he_follows_is_told_so(
    overnight: Call, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    placements = Placements(night.home.placements, 16.0, dict)
    placements.begin()
    placements.note("b", [(1, 1)])

    def refused(*_: object) -> None:
        night.end(Outcome.COMPLETED, frame(b"all of it"), frame(b"", Stream.END))
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(host_following, "Following", refused)
    told = overnight("log", "-f", "1")

    assert told.out == "all of it"
    assert "attempt 1 runs on node b; what it prints comes when it has ended (Permission denied: " in told.err


def test_following_is_said_in_the_home_for_as_long_as_it_lasts(
    overnight: Call, night: Night, monkeypatch: pytest.MonkeyPatch
) -> None:
    placements = Placements(night.home.placements, 16.0, dict)
    placements.begin()
    placements.note("b", [(1, 1)])
    seen = []

    def doze(_: Session) -> None:
        seen.append(host_following.followed(night.home.following))
        night.come(frame(b"as it came"))
        night.end(Outcome.COMPLETED, frame(b"as it came"), frame(b" and the rest"), frame(b"", Stream.END))

    monkeypatch.setattr("overnight.ui.cli.commands.log._doze", doze)
    told = overnight("log", "-f", "1")

    assert told.out == "as it came and the rest"
    assert told.err == "overnight: attempt 1 runs on node b\n"
    assert seen == [{(1, 1): night.directory}]
    assert host_following.followed(night.home.following) == {}
