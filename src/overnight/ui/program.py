"""The first lines of the program: be ready for Ctrl-C before anything that takes time.

Python answers Ctrl-C with a traceback of whatever was being imported. Until the command line is
loaded there is nothing to put in order, so the signal may simply end the process.
"""

from __future__ import annotations

import gc
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it."""
    # Most commands are over before a collection could find anything; `Verb` turns it on for the others.
    gc.disable()
    python_answers = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if python_answers:  # whoever starts us in the background may have it ignored, and that stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from overnight.ui import cli
    from overnight.ui.cli import group  # noqa: F401 - loads the rest of what every command needs

    if python_answers:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()
