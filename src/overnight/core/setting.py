"""What one setting is, and where a value of it can have been said."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from overnight.core.durations import quoted
from overnight.core.kinds import Kind


class Origin(StrEnum):
    """Where a value was said."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


class Setting(msgspec.Struct, frozen=True):
    """One thing that can be set."""

    name: str
    kind: Kind
    default: Any
    #: One sentence, for ``--help`` and the reference.
    help: str
    #: As typed, or empty where there is none.
    flag: str = ""
    environment: str = ""
    #: Table and key in ``overnight.toml``.
    key: str = ""
    #: Smallest and largest number that makes sense.
    minimum: float | None = None
    maximum: float | None = None
    #: What is said instead of the default where that is decided later.
    default_words: str = ""
    #: The sources add up instead of replacing each other.
    adds: bool = False

    def read(self, written: object) -> Any:  # noqa: ANN401 - the kind decides the type
        """The value that somebody wrote.

        Raises:
            ValueError: With what is wrong and what is accepted.
        """
        value = self.kind.read(written)
        if isinstance(value, int | float):
            if self.minimum is not None and value < self.minimum:
                raise ValueError(f"{quoted(written)} is too little; at least {self.kind.show(self.minimum)}")
            if self.maximum is not None and value > self.maximum:
                raise ValueError(f"{quoted(written)} is too much; at most {self.kind.show(self.maximum)}")
        return value

    def show(self, value: object) -> str:
        """A value as somebody would write it."""
        if self.default_words and value == self.default:
            return self.default_words
        return self.kind.show(value)


class Placed(msgspec.Struct, frozen=True):
    """A value out of a file, already read, and where it stands: ``overnight.toml:3``."""

    value: Any
    where: str


class Source(msgspec.Struct, frozen=True):
    """Where a value came from: the origin, and the flag, variable or line by name; empty for a default."""

    origin: Origin
    where: str = ""
