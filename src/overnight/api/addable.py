"""What `task` and `workflow` make has this in common: it can be put into a queue."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Unpack

from overnight.api.access import HomePath
from overnight.api.options import AddManyOptions, AddOptions

#: An input: text, bytes or a path.
Input = str | bytes | os.PathLike[str]


class Addable:
    """Work that is added with an input, in a home that is opened for it."""

    def add(self, input: Input, *, home: HomePath = None, **options: Unpack[AddOptions]) -> int:  # noqa: A002 - the word of the house for it
        """Put a task of it into a queue with this input; `options` as for `Overnight.add`. Returns its number."""
        from overnight.api.overnight import Overnight  # which knows us

        work: Any = self
        with Overnight(home) as night:
            return night.add(work, input, **options)

    def add_many(
        self, inputs: Iterable[Input], *, home: HomePath = None, **options: Unpack[AddManyOptions]
    ) -> list[int]:
        """Put a task of it for each of these inputs into a queue; `options` as for `Overnight.add_many`."""
        from overnight.api.overnight import Overnight

        work: Any = self
        with Overnight(home) as night:
            return night.add_many(work, inputs, **options)
