"""Lines of output that say whose they are: the input and a TAB before each of them."""

from __future__ import annotations

from overnight.core.inputs import shown
from overnight.core.placeholders import expand, has_placeholder
from overnight.core.task import text
from overnight.ui.cli import printing


class Tagged:
    """Puts a tag before every line of one attempt's output, whose pieces may end anywhere.

    Args:
        template: What the tag is made of, with placeholders.
        input_bytes: The input.
        seq: The number of the task.
        slot: The slot, from 1.
    """

    def __init__(self, template: bytes, input_bytes: bytes, *, seq: int, slot: int) -> None:
        # A name may hold line ends and TABs; written out they leave each line one line, with one tag.
        self._tag = printing.clean(_words(template, input_bytes, seq, slot)).encode() + b"\t"
        self._within: set[int] = set()

    def lines(self, stream: int, content: bytes) -> bytes:
        """The next piece of a stream with its tags."""
        begins = b"" if stream in self._within else self._tag
        if content.endswith(b"\n"):
            self._within.discard(stream)
        else:
            self._within.add(stream)
        return begins + content[:-1].replace(b"\n", b"\n" + self._tag) + content[-1:]


def _words(template: bytes, input_bytes: bytes, seq: int, slot: int) -> str:
    if template == b"{}":
        return shown(input_bytes)
    if not has_placeholder([template]):
        return text(template)
    return text(b" ".join(expand([template], input_bytes, seq=seq, slot=slot)))
