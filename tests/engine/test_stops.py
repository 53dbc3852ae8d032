from __future__ import annotations

from pathlib import Path

from overnight.core.stopping import Ask
from overnight.engine.stops import Stops
from overnight.host.signals import SignalWatch
from overnight.host.stop_file import StopFile


def test_a_touched_file_is_told_of_once_and_again_when_it_asks_for_more(tmp_path: Path) -> None:
    file = StopFile(tmp_path / "STOP")
    with SignalWatch() as signals:
        stops = Stops(signals, file)
        assert stops.look() == []
        file.ask(now=False)
        assert [stops.look(), stops.look()] == [[Ask.STOP], []]
        file.ask(now=True)
        assert [stops.look(), stops.look()] == [[Ask.STOP_NOW], []]
        stops.obeyed()
    assert file.wish() is None
