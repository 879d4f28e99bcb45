"""The command line of scripts that generate files: it writes them, or with `--check` says which are stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path


def run(about: str, command: str, label: str, root: Path, generated: Callable[[], Mapping[Path, str]]) -> int:
    """Write the generated files, or compare them; return the exit code.

    about: the help. command: the command to run if a file is stale. label: that of the written files. root: the folder
    that the printed names are relative to.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    check = parser.parse_args().check
    files = generated()
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    names = ", ".join(str(path.relative_to(root)) for path in stale)
    if check and stale:
        sys.stderr.write(f"stale: {names}; run {command}\n")
        return 1
    for path in stale:
        path.write_text(files[path], encoding="utf-8")
    sys.stdout.write(f"{label}: {names or 'nothing new'}\n")
    return 0
