"""What comes back with an outcome: what the attempt printed, and a result that is too large for the store.

The node cuts both into pieces that travel before the outcome or with it; the engine lays them down in its home
before anybody hears of the outcome. So `log`, `results` and the retention of both know nothing of nodes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from overnight.core.endings import Ended, Ending, Evidence, Lost
from overnight.core.errors import OvernightError
from overnight.core.results import spilled
from overnight.core.task import Action, OutputRef, text
from overnight.executors.contract import Over, Spec
from overnight.executors.local.output import packed
from overnight.executors.local.segments import Segments
from overnight.executors.nodes.letters import MOST_BYTES
from overnight.executors.nodes.messages import Piece
from overnight.executors.nodes.parcels import ABSENT, Parcels, cut
from overnight.host import results
from overnight.host.files import write_atomically

#: The segments in which outputs land: above the numbers of all slots.
LANDING = 9999


def lacks(action: Action) -> str:
    """What an action needs and this machine has not, in words; empty when it can be tried."""
    if Path(os.fsdecode(action.cwd)).is_dir():
        return ""
    return f"it has no directory {text(action.cwd)!r}"


class Luggage:
    """The node's side.

    Args:
        output: Directory of what attempts print there.
        results: Directory of large results there.
        parcels: What came along, and goes back.
    """

    def __init__(self, output: Path, results: Path, parcels: Parcels) -> None:
        self._parcels = parcels
        self._output = output
        self._results = results

    def pieces(self, ended: Ended) -> Iterator[Piece]:
        """What goes with an outcome. What is not there any more does not go."""
        key = (ended.task_id, ended.attempt)
        if ended.output is not None and ended.output.length:
            yield from (Piece(*key, b"", data) for data in self._printed(ended, ended.output))
        if (aside := spilled(ended.result)) is not None:
            yield from (Piece(*key, aside.name.encode(), data) for data in cut(self._results / aside.name))
        yield from self._parcels.brought(key)
        if (ended.ending is Ending.EXITED and ended.exit_code) or ended.ending is Ending.RAISED:
            yield from self._parcels.absent(key)

    def _printed(self, ended: Ended, ref: OutputRef) -> Iterator[bytes]:
        """Whole frames, gathered."""
        gathered = bytearray()
        try:
            for frame in packed(self._output, ref, ended.task_id, ended.attempt):
                gathered += frame
                if len(gathered) >= MOST_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
        except FileNotFoundError:
            return
        if gathered:
            yield bytes(gathered)


class Landing:
    """The engine's side.

    Args:
        output: Directory of what attempts print, in the home.
        results: Directory of large results, in the home.
    """

    def __init__(self, output: Path, results: Path) -> None:
        self._directory = output
        self._results = results
        self._segments: Segments | None = None

    def land(self, ended: Ended, pieces: Sequence[Piece]) -> Over:
        """Lay down what came with an outcome; the outcome as it is told here."""
        if ended.output is not None:
            printed = [piece.data for piece in pieces if not piece.name]
            ended = msgspec.structs.replace(ended, output=self._lay_down(ended.output, printed))
        ended = _with_advice(ended, b"".join(piece.data for piece in pieces if piece.name == ABSENT))
        try:
            _lay_beside(pieces)
        except OSError as error:
            return _without_result(ended, f"what it wrote beside its input could not be written here ({error})")
        if (aside := spilled(ended.result)) is None:
            return ended
        content = b"".join(piece.data for piece in pieces if piece.name == aside.name.encode())
        if len(content) != aside.size_bytes:
            return _without_result(ended, "its result was not on its node any more")
        try:
            self._results.mkdir(mode=0o700, exist_ok=True)
            write_atomically(self._results / aside.name, content)
        except OSError as error:
            return _without_result(ended, f"its result could not be written here ({error.strerror})")
        return ended

    def _lay_down(self, ref: OutputRef, printed: Iterable[bytes]) -> OutputRef:
        """A full disk costs output, never a task."""
        try:
            if self._segments is None:
                self._segments = Segments(str(self._directory), LANDING)
            offset = self._segments.room()
            whole = [self._segments.write(data) for data in printed]
        except OSError:
            return msgspec.structs.replace(ref, length=0)
        length = ref.length if whole and all(whole) else 0
        return OutputRef(self._segments.name, offset, length, ref.printed)

    def whole(self, spec: Spec) -> Spec:
        """An attempt with the outputs that it is given, where they lie in files of this machine."""
        if b"@" not in spec.given:
            return spec
        try:
            given = results.given(self._results, spec.given)
        except OvernightError:  # it fails there as it would here, and says so
            return spec
        return msgspec.structs.replace(spec, given=msgspec.json.encode(given))


def _lay_beside(pieces: Sequence[Piece]) -> None:
    """Files that an attempt has written beside its input, each there whole or not at all."""
    names = dict.fromkeys(piece.name for piece in pieces if piece.name.startswith(b"/"))
    for name in names:
        whole = b"".join(piece.data for piece in pieces if piece.name == name)
        write_atomically(Path(os.fsdecode(name)), whole)


def _with_advice(ended: Ended, absent: bytes) -> Ended:
    """What has failed where its input was not, though that is a file here. `absent`: its path, if it was not there."""
    if not absent or not os.path.isfile(absent):  # noqa: PTH113 - bytes
        return ended
    words = f"its input {text(absent)!r} is here and not on its node: have it at the same path there, or say --ship"
    was = ended.error or ("" if ended.exit_code is None else f"exit status {ended.exit_code}")
    return msgspec.structs.replace(ended, error=f"{words} ({was})" if was else words)


def _without_result(ended: Ended, words: str) -> Lost:
    return Lost(ended.task_id, ended.attempt, Evidence.STARTED, started_at=ended.started_at, error=words)
