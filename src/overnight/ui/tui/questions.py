"""Small screens over the screen: a question that is answered by one key, and words that go away by any."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Static

_BOX = """
    align: center middle;
    Static { width: auto; max-width: 90%; height: auto; border: round $accent; padding: 0 2; background: $surface; }
"""


class Question(ModalScreen[bool]):
    """Yes or no.

    Args:
        words: What is asked.
    """

    CSS = f"Question {{ {_BOX} }}"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n,escape,q", "answer(False)", "no"),
    ]

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        yield Static(f"{self._words}  y: yes, n: no", markup=False)

    def action_answer(self, agreed: bool) -> None:  # noqa: FBT001 - as the key says
        """Go away with the answer."""
        self.dismiss(agreed)


class Told(ModalScreen[None]):
    """Words, until a key is pressed.

    Args:
        words: What is told.
    """

    CSS = f"Told {{ {_BOX} }}"

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        yield Static(self._words, markup=False)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(None)
