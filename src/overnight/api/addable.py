"""What `task` and `workflow` make has this in common: it can be put into a queue."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, SupportsIndex, Unpack

from overnight.api.access import HomePath
from overnight.api.naming import standing_at
from overnight.api.options import AddManyOptions, AddOptions

#: An input: text, bytes or a path.
Input = str | bytes | os.PathLike[str]


class Addable:
    """Work that is added with an input, in a home that is opened for it."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Sent to another process by its name, as the plain function would be; the pools of Python do so."""
        module, name = (vars(self).get(key) for key in ("__module__", "__qualname__"))
        if isinstance(name, str) and standing_at(str(module), name) is self:
            return name
        return super().__reduce_ex__(protocol)

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
