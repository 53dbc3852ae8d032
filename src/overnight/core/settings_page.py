"""``docs/settings.md``, generated from the list of settings."""

from __future__ import annotations

from overnight.core.setting import Setting
from overnight.core.settings import SETTINGS

HEAD = """\
# Settings

Generated from the list in `src/overnight/core/settings.py` by `make docs`; a test compares the two.

What is said nearest to the call wins: the flag, then the environment, then `overnight.toml` (beside
`.overnight/`), then the default. `overnight config show` prints what is in use, and where it was said.
Keys that are not known are errors.
"""

TAIL = """\
## Further tables of `overnight.toml`

| table | key | what it says |
|---|---|---|
| `[queue.NAME]` | `slots` | how many of this queue run at the same time; `"auto"`: no limit of its own |
| `[queue.NAME]` | `rate` | how many start in a time: `"10/s"`, `"30/m"`, `"100/h"` |
| `[[errors]]` | `exception`, `exit`, `signal`, `output`, `class`, `wait` | what kind of failure it is |
| `[resources]` | `NAME` | how much there is of something tasks need: a number, or ids, each for one task at a time |
| `[check.NAME]` | | what `doctor` asks besides: [checks of your own](operations.md#checks-of-your-own) |
| `[workflow.NAME]` | | a recipe of steps: [workflows](workflows.md) |
| `[alerts.NAME]` | `on` or `when`, `for`, `recover`, `remind`, `targets` | what somebody is told: [alerts](alerts.md) |
| `[targets.NAME]` | `command`, `webhook`, `mail`, `syslog` or `apprise` ... | whom it reaches: [alerts](alerts.md) |

A task that needs a resource with ids, as `gpu = ["0", "1"]`, gets whole ones, which nobody else has while it runs:
`OVERNIGHT_GPU` says which, and of `gpu` so does `CUDA_VISIBLE_DEVICES`. Where attempts run on nodes, each of them
has [what Ray was told of it](nodes.md#what-a-node-has), graphics cards above all, and this table is about the rest.
"""


def page() -> str:
    """``docs/settings.md``, whole."""
    head = ["setting", "flag", "environment", "`overnight.toml`", "default", "accepts", "what it is"]
    lines = [_line(head), _line(["---"] * len(head)), *(_line(_cells(setting)) for setting in SETTINGS)]
    return "\n".join([HEAD, *lines, "", TAIL])


def _cells(setting: Setting) -> list[str]:
    default = setting.default_words or f"`{setting.show(setting.default)}`"
    return [
        f"**{setting.name}**",
        " ".join(f"`{flag}`" for flag in setting.flag.split(", ") if flag),
        f"`{setting.environment}`",
        f"`{setting.key}`" if setting.key else "",
        default,
        setting.kind.accepts,
        setting.help,
    ]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
