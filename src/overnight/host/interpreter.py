"""A Python for a part of ours: isolated, and with the imports of this one."""

from __future__ import annotations

import sys
from pathlib import Path

import overnight.core

_BOOT = "import sys; sys.path[:] = {paths!r}; from {module} import main; main()"


def python_for(module: str) -> list[str]:
    """The command that calls ``main()`` of a module of ours; further words end up in ``sys.argv[1:]``.

    Isolated and without `site`, which takes half of the start. It imports from where we do, but for the
    current directory: what lies there is the user's, and a ``random.py`` of his is none of ours.
    """
    house = str(Path(overnight.core.__file__).parents[2])
    paths = [path for path in dict.fromkeys([*sys.path, house]) if path]
    return [sys.executable, "-I", "-S", "-c", _BOOT.format(paths=paths, module=module)]
