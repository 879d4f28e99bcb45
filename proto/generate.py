"""Python from the contract: `python proto/generate.py` writes seq2drum/rpc/; `--check` only says whether that is fresh.

The contract's package is `seq2drum.v1`, whose Python modules would lie in seq2drum/v1. Ours lie in seq2drum/rpc, and
import each other from there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

PROTO = Path(__file__).parent
SOURCE = "seq2drum/v1/accompaniment.proto"
TARGET = PROTO.parent / "seq2drum" / "rpc"
# The generators' names for the modules they make, and where those are.
MOVED = {
    "from seq2drum.v1 import": "from seq2drum.rpc import",
    "import seq2drum.v1.": "import seq2drum.rpc.",
    "seq2drum.v1.accompaniment_pb2": "seq2drum.rpc.accompaniment_pb2",
    "seq2drum/v1/accompaniment_pb2_grpc.py": "seq2drum/rpc/accompaniment_pb2_grpc.py",
}


PLUGINS = ("protoc-gen-mypy", "protoc-gen-mypy_grpc")


def plugin(name: str) -> str:
    """The path of a plugin of protoc: beside this Python, whose environment may not be activated, or in PATH.

    Raises:
        SystemExit: it is not installed.
    """
    folders = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    path = shutil.which(name, path=folders)
    if path is None:
        raise SystemExit(f"{name} is not installed: pip install 'seq2drum[dev]'")
    return path


def generated() -> dict[str, str]:
    """The text of each file of seq2drum/rpc that is made from the contract, by name."""
    with tempfile.TemporaryDirectory() as folder:
        code = protoc.main(
            [
                "protoc",
                f"--proto_path={PROTO}",
                f"--proto_path={resources.files('grpc_tools') / '_proto'}",
                *(f"--plugin={name}={plugin(name)}" for name in PLUGINS),
                *(f"--{kind}_out={folder}" for kind in ("python", "grpc_python")),
                f"--mypy_out=quiet:{folder}",
                f"--mypy_grpc_out=quiet:{folder}",
                SOURCE,
            ]
        )
        if code:
            raise SystemExit(code)
        files = {path.name: path.read_text(encoding="utf-8") for path in sorted(Path(folder).rglob("*.py*"))}
    for name, text in files.items():
        for old, new in MOVED.items():
            text = text.replace(old, new)
        files[name] = text
    return files


def main() -> int:
    """Write the files, or compare them; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    check = parser.parse_args().check
    stale = []
    for name, text in generated().items():
        path = TARGET / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run python proto/generate.py", file=sys.stderr)
        return 1
    print(f"{TARGET.name}/: {', '.join(stale) or 'nothing new'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
