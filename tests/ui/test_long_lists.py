"""A list of inputs is read piece by piece, however long it is."""

from __future__ import annotations

import io

from overnight.ui.cli.task_options import Request, collect


class Pipe(io.BytesIO):
    """Refuses to be read as a whole."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 < size <= 1 << 20
        return super().read(size)


def test_a_list_on_stdin_is_never_in_memory_as_a_whole() -> None:
    lines = [b"line %d" % number for number in range(300_000)]
    request = Request(call="m:f", arg_file=("-",))
    work = collect(request, now=0.0, stdin=Pipe(b"\n".join(lines)))
    assert work is not None
    assert work.inputs == lines
    piped = collect(Request(call="m:f"), now=0.0, stdin=Pipe(b"\n".join(lines)))
    assert piped is not None
    assert piped.inputs == lines
