"""What the sidecar tells is lost on no full disk."""

from __future__ import annotations

from pathlib import Path

from small_disk import fill, small_disk

from overnight.wiring.watching import Log


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_bytes=1_000_000) as disk:
        log = Log(disk / "engine.log")
        filler = fill(disk)
        for number in range(300):
            log.tell(f"{number} \udcff")
        filler.unlink()
        log.write()
        told = (disk / "engine.log").read_text().splitlines()
    assert [line.partition("monitor: ")[2] for line in told] == [f"{n} \\udcff" for n in range(200, 300)]
