"""Python from the contract: `python proto/generate.py` writes seq2drum/rpc/; `--check` only says whether that is fresh.

The contract's package is `seq2drum.v1`, whose Python modules would lie in seq2drum/v1. Ours lie in seq2drum/rpc, and
import each other from there.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

import fresh
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


def generated() -> dict[Path, str]:
    """Return the text of each file of seq2drum/rpc that is made from the contract."""
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
    return {TARGET / name: text for name, text in files.items()}


if __name__ == "__main__":
    about = __doc__.splitlines()[0]
    sys.exit(fresh.run(about, "python proto/generate.py", f"{TARGET.name}/", TARGET, generated))
