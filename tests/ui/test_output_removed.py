"""A person makes room by removing the output of a home that works: that ends no night, and costs what is gone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overnight import wiring
from overnight.core.states import Outcome, TaskState
from overnight.core.task import OutputRef
from overnight.core.verdict import Settlement
from overnight.executors.local.segments import HEADER, Stream
from overnight.ui.cli.narrator import Narrator
from overnight.ui.cli.results import Results

Call = Callable[..., Any]


def ended(task_id: int, segment: str) -> Settlement:
    return Settlement(
        task_id=task_id,
        attempt=1,
        state=TaskState.COMPLETED,
        outcome=Outcome.COMPLETED,
        failures=0,
        deaths=0,
        started_at=0.0,
        output=OutputRef(segment, 0, 5, 5),
    )


def test_what_is_gone_is_named_and_the_others_are_told(
    overnight: Call, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overnight("add", "gone", "kept", "--", "true")
    output = place / ".overnight" / "output"
    output.mkdir()
    (output / "slot-0-000002.seg").write_bytes(HEADER.pack(2, 1, Stream.STDOUT, 0.0, 5) + b"kept\n")
    with closing(wiring.open_store(wiring.find_home(), readonly=True)) as store:
        narrator = Narrator(store, output, wiring.clock)
        results = Results(b"results", store, output, lambda _: True)
        for settlement in (ended(1, "slot-0-000001.seg"), ended(2, "slot-0-000002.seg")):
            narrator.settled(None, settlement)
            results.settled(None, settlement)
    out, err = capsys.readouterr()
    assert (out, results.unwritten, narrator.unwritten) == ("kept\n", None, None)
    assert "what task 1 printed cannot be read" in err
    assert "somebody has removed what task 1 printed" in err
    assert (place / "results/1/kept/stdout").read_text() == "kept\n"
    assert (place / "results/1/kept/exit").exists()
    assert not (place / "results/1/gone/exit").exists()
