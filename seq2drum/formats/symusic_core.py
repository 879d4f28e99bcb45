"""symusic's compiled core, without what symusic loads around it.

`import symusic` also loads a downloader of sound fonts, and by it HTTP, TLS and e-mail: two thirds of its time, in any
program that reads a MIDI file. So the core is loaded by itself. symusic stays what it is for whoever imports it: a
module that loads the rest of itself when it is first used (`importlib.util.LazyLoader`).
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any

_PACKAGE, _CORE = "symusic", "symusic.core"


def load() -> Any:
    """The module `symusic.core`.

    Raises:
        ModuleNotFoundError: symusic is not installed.
    """
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    compiled = PathFinder.find_spec(_CORE, spec.submodule_search_locations) if spec else None
    if spec is None or spec.loader is None or compiled is None:  # it is there already, or it is not to be had
        from symusic import core

        return core
    spec.loader = LazyLoader(spec.loader)
    package = _loaded(spec)
    package.core = _loaded(compiled)  # type: ignore[attr-defined]  # as an import of it does
    return sys.modules[_CORE]


def _loaded(spec: ModuleSpec) -> ModuleType:
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module
