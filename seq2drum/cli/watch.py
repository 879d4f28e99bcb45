"""Mode watch: drums for every song that is exported into a folder, with a server that starts and ends by itself."""

from __future__ import annotations

import argparse
import importlib.util
from importlib import import_module
from pathlib import Path

from seq2drum.console.terminal import say
from seq2drum.errors import InputError, MissingExtraError

_NEEDED = ("grpc", "grpc_health", "prometheus_client", "psutil")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the folders, and the options of a take."""
    import_module("client.options").add_watch(parser)  # by its name: the package does not rest on the client
    parser.usage = "%(prog)s EXPORTED DRUMS [options]"
    parser.epilog = """examples:
  seq2drum --mode watch EXPORTED DRUMS
  seq2drum --mode watch EXPORTED DRUMS --style rock --takes 3"""


def run(options: argparse.Namespace) -> int:
    """Watch until Ctrl-C; returns the exit code."""
    missing = next((name for name in _NEEDED if importlib.util.find_spec(name) is None), None)
    if missing:
        raise MissingExtraError(f"{missing} is not installed: pip install 'seq2drum[server]'")
    if not Path(options.folder).is_dir():
        raise InputError(f"there is no folder {options.folder!r} to watch; make it first")
    if not options.once:
        say(f"watching {options.folder}; drums go to {options.output}; Ctrl-C ends it")
    code: int = import_module("client.cli").watch(options)
    return code
