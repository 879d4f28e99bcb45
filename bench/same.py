"""What a change must not change: `python bench/same.py COMMIT [--only GROUP ...]`.

Takes, scores, pictures, projects, answers of the service, trained weights and evaluations are made with the code of
COMMIT and with the code here, on this machine in one run, and compared byte by byte (see `bench/outputs.py`). The exit
code is 1 if anything differs or is on one side only.

`python bench/same.py --write` makes them with the code here and keeps their digests in `tests/bytes.json`, which
`tests/test_bytes.py` compares with. `python bench/same.py` alone compares all with that file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.outputs import GROUPS, Entries, answered, made
from bench.probes import PROBES

RECORD = ROOT / "tests" / "bytes.json"


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """What is not equal: an entry's name, and how it differs."""
    different = {name: "differs" for name in before if name in after and before[name] != after[name]}
    gone = {name: "only before" for name in before if name not in after}
    return different | gone | {name: "only after" for name in after if name not in before}


def recorded() -> tuple[dict[str, str], dict[str, Entries]]:
    """The probes, and the entries of each group, of `tests/bytes.json`."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    return record["probes"], record["groups"]


def probed(names: Iterable[str]) -> dict[str, str]:
    """The digests of some probes on this machine."""
    script = ROOT / "bench" / "probes.py"
    return {name: answered(script, ROOT, "--probe", name) for name in names}


def commit_of(name: str) -> str:
    """The commit of a name, as an option of a command.

    Raises:
        ArgumentTypeError: there is none.
    """
    git = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    if subprocess.run(git, stdout=subprocess.DEVNULL).returncode:
        raise argparse.ArgumentTypeError(f"there is no commit {name!r}; git log --oneline lists them")
    return name


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """A checkout of a commit, until the end of the block."""
    git = ("git", "-C", str(ROOT), "worktree")
    with tempfile.TemporaryDirectory(prefix="seq2drum-commit-") as folder:
        place = Path(folder).resolve() / "checkout"
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def _compare(group: str, before: Entries, after: Entries) -> int:
    """Print how the entries of a group compare; returns how many are not equal."""
    different = differences(before, after)
    for name in before | after:
        print(f"{different.get(name, 'equal'):11}  {group}: {name}", flush=True)
    return len(different)


def _against_record(names: Sequence[str]) -> int:
    """Compare with the recorded digests where the probes say that they hold here; returns how many are not equal."""
    probes, groups = recorded()
    here = probed(sorted({probe for name in names for probe in GROUPS[name].probes}))
    count = 0
    for name in names:
        strange = [probe for probe in GROUPS[name].probes if here[probe] != probes[probe]]
        if strange:
            print(f"not compared {name}: this machine computes otherwise ({', '.join(strange)}); name a COMMIT")
        else:
            count += _compare(name, groups.get(name, {}), made(name))
    return count


def _write(names: Sequence[str]) -> None:
    """Record the digests of some groups, and of all probes."""
    groups = recorded()[1] if RECORD.exists() else {}
    groups = {name: made(name) if name in names else groups.get(name, {}) for name in GROUPS}
    record = {"probes": probed(PROBES), "groups": groups}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"{sum(map(len, groups.values()))} digests in {RECORD}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "commit", nargs="?", type=commit_of, metavar="COMMIT", help="compare with it, not with tests/bytes.json"
    )
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="record the digests of the code here")
    options = parser.parse_args()
    names = options.only or list(GROUPS)
    if options.write:
        _write(names)
        return 0
    if options.commit is None:
        count = _against_record(names)
    else:
        with worktree(options.commit) as before:
            count = sum(_compare(name, made(name, before), made(name)) for name in names)
    print(f"{count} not equal" if count else "all equal")
    return 1 if count else 0


if __name__ == "__main__":
    raise SystemExit(main())
