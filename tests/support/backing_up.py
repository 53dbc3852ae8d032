"""A home with a project around it, backed up again and again."""

from __future__ import annotations

from pathlib import Path

from damaging import spill
from keeping import NOON, Place

from overnight.ops.backups.contract import Made, Step, Wanted
from overnight.ops.backups.making import create
from overnight.ops.backups.place import BackupPlace, Entry


class Site:
    """A home in which some work was done, and the place of its backups.

    Args:
        directory: The project.
    """

    def __init__(self, directory: Path) -> None:
        self.project = directory
        self.kept = Place(directory)
        self.home = self.kept.home
        self.place = BackupPlace(self.home.backups, self.home.id)
        (directory / "data").mkdir()
        (directory / "data" / "words.txt").write_text("yes\n")
        (directory / "overnight.toml").write_text("[defaults]\nretries = 1\n")
        self.kept.add(*(f"file-{number}" for number in range(40)))
        self.kept.work(5)
        spill(self.kept)
        self.kept.journal()

    def back_up(self, *others: BackupPlace, step: Step = lambda _: None, include: tuple[str, ...] = ("data",)) -> Made:
        """One more, a minute later."""
        self.kept.clock.advance(60)
        places = [self.place, *others]
        return create(self.home, places, Wanted(include), clock=self.kept.clock, step=step)

    def newest(self) -> Entry:
        """The last one that was made."""
        return self.place.whole()[0]

    @property
    def now(self) -> float:
        return self.kept.clock.now()


__all__ = ["NOON", "Site"]
