"""Build a release, and check what is in it: `python .ci/release.py dist`, with `build` and `twine` installed.

A release is three files: the wheel, the wheel of the learnt generators, and the source archive of both. Together the
wheels hold the tracked files of the packages, each file once, and nothing else; the archive holds all that is tracked.
"""

from __future__ import annotations

import argparse
import collections
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
PACKAGES = ("seq2drum", "server", "client")
GENERATORS = "packages/generators"
MOST_BYTES = 25_000_000
"""The most that a wheel may have, so that it can be mailed."""
_OF_GIT = {".gitattributes", ".git-blame-ignore-revs"}  # in no archive
_METADATA = ".dist-info"


def tracked(root: Path) -> set[str]:
    """The files that git tracks, by their paths from the root."""
    told = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True).stdout
    return {name for name in told.split("\0") if name}


def in_wheel(wheel: Path) -> set[str]:
    """The files of a wheel, without those that describe it."""
    with zipfile.ZipFile(wheel) as opened:
        return {name for name in opened.namelist() if not PurePosixPath(name).parts[0].endswith(_METADATA)}


def in_archive(archive: Path) -> set[str]:
    """The files of a source archive, from its top folder on, without the one that describes it."""
    with tarfile.open(archive) as opened:
        names = (member.name.partition("/")[2] for member in opened.getmembers() if member.isfile())
        return {name for name in names if name != "PKG-INFO"}


def troubles(files: set[str], wheel: Path, generators: Path, archive: Path) -> list[str]:
    """What is wrong with the three files of a release, given the tracked files; empty if all is well."""
    main, learnt = in_wheel(wheel), in_wheel(generators)
    packaged = {name for name in files if name.split("/")[0] in PACKAGES}
    found = [
        *_differing(f"{wheel.name} and {generators.name}", main | learnt, packaged),
        *_differing(archive.name, in_archive(archive), files - _OF_GIT),
        *(f"{name} is in both wheels" for name in sorted(main & learnt)),
        *(f"{name} is code in {generators.name}" for name in sorted(learnt) if name.endswith(".py")),
    ]
    sizes = {path.name: path.stat().st_size for path in (wheel, generators)}
    large = [
        f"{name} has {size:,} bytes, wanted at most {MOST_BYTES:,}" for name, size in sizes.items() if size > MOST_BYTES
    ]
    return found + large


def _differing(where: str, found: set[str], wanted: set[str]) -> list[str]:
    missing = [f"{name} is tracked, and not in {where}" for name in sorted(wanted - found)]
    return missing + [f"{name} is in {where}, and not tracked" for name in sorted(found - wanted)]


def listed(names: Iterable[str]) -> str:
    """The number of files in each folder, two folders deep, a line each."""
    folders = collections.Counter("/".join(PurePosixPath(name).parts[:-1][:2]) or "." for name in names)
    return "\n".join(f"  {count:4}  {folder}" for folder, count in sorted(folders.items()))


def build(out: Path) -> tuple[Path, Path, Path]:
    """Build the three files of a release into an empty folder: the wheel, that of the generators, the archive."""
    for what in ([str(ROOT)], ["--wheel", str(ROOT / GENERATORS)]):
        subprocess.run([sys.executable, "-m", "build", "--outdir", str(out), *what], check=True, stdout=sys.stderr)
    (wheel,), (generators,) = out.glob("seq2drum-*.whl"), out.glob("seq2drum_generators-*.whl")
    (archive,) = out.glob("seq2drum-*.tar.gz")
    return wheel, generators, archive


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, check and list; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="an empty or a new folder for the three files")
    out = parser.parse_args(arguments).out.resolve()
    if out.exists() and any(out.iterdir()):
        parser.error(f"{out} is not empty; name another folder")
    release = build(out)
    for path, names in zip(release, (in_wheel(release[0]), in_wheel(release[1]), in_archive(release[2])), strict=True):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {len(names)} files\n{listed(names)}")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, release)], check=True)
    wrong = troubles(tracked(ROOT), *release)
    print("\n".join(wrong) or "each file is where it belongs", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
