"""What a person says of a directory that was moved: what was done in it is done at its new place from here on.

Nobody else can know it: a copy of a project stands in another place, too, and its original is still to be worked on.
"""

from __future__ import annotations

import msgspec

from overnight.core.task import Action


class Relocation(msgspec.Struct, frozen=True):
    """A directory was moved. Both paths are absolute, and without a slash at the end."""

    was: bytes
    to: bytes

    def moved(self, path: bytes) -> bytes:
        """Where a path is now; the path itself when it was not in the directory, or is in its new place already."""
        if not _is_in(path, self.was) or (_is_in(self.to, self.was) and _is_in(path, self.to)):
            return path
        return self.to.rstrip(b"/") + path[len(self.was.rstrip(b"/")) :] or b"/"

    def applied_to(self, action: Action) -> Action:
        """The same action at its new place: the directory, and an interpreter that moved along (``.venv``)."""
        cwd = self.moved(action.cwd)
        if cwd == action.cwd:
            return action
        return msgspec.structs.replace(action, cwd=cwd, python=self.moved(action.python))


def _is_in(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory.rstrip(b"/") + b"/")
