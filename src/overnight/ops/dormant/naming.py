"""Which files and functions of a project are named somewhere else in it: by path, by import, by ``module:function``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from overnight.core.source_facts import Facts, module_of

_Parts = tuple[str, ...]


class Names:
    """All that files name.

    Args:
        facts: What was read in each, by path; what has no file has a path that no file can have.
    """

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        self._paths = _index((_path(one), path) for path, found in facts.items() for one in found.paths)
        self._modules = _index((tuple(one.split(".")), path) for path, found in facts.items() for one in found.modules)
        self._calls = defaultdict(set)
        for path, found in facts.items():
            for call in found.calls:
                module, _, function = call.partition(":")
                self._modules[module.rpartition(".")[2]].append((tuple(module.split(".")), path))
                self._calls[function].add(tuple(module.split(".")))

    def has_file(self, path: str) -> bool:
        """Whether another file names this one, or imports it."""
        parts = tuple(path.split("/"))
        if any(_is_one(named, parts) for named, source in self._paths[parts[-1]] if source != path):
            return True
        module = module_of(path)
        return bool(module) and self._has_module(tuple(module.split(".")), path)

    def has_function(self, path: str, name: str) -> bool:
        """Whether something names this function of a file, or another file imports it."""
        module = tuple(module_of(path).split("."))
        is_called = any(_ends(module, one) for one in self._calls[name])
        return is_called or self._has_module(module, path) or self._has_module((*module, name), path)

    def _has_module(self, module: _Parts, own: str) -> bool:
        return any(_ends(module, named) for named, source in self._modules[module[-1]] if source != own)


def _index(named: Iterable[tuple[_Parts, str]]) -> defaultdict[str, list[tuple[_Parts, str]]]:
    found: defaultdict[str, list[tuple[_Parts, str]]] = defaultdict(list)
    for parts, source in named:
        if parts:
            found[parts[-1]].append((parts, source))
    return found


def _path(words: str) -> _Parts:
    return tuple(part for part in words.split("/") if part not in ("", ".", "..", "~"))


def _is_one(named: _Parts, parts: _Parts) -> bool:
    """Whether a name may mean a file: it may begin above the project, or below it."""
    length = min(len(named), len(parts))
    return named[-length:] == parts[-length:]


def _ends(whole: _Parts, end: _Parts) -> bool:
    return whole[-len(end) :] == end
