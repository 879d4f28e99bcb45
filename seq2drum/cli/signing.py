"""Keys and signatures of checkpoints.

python -m seq2drum.cli.signing key FILE                make a key: FILE is secret, FILE.pub public
python -m seq2drum.cli.signing sign DIR FILE           sign the checkpoint of a training run
python -m seq2drum.cli.signing check DIR FILE.pub ...  print the signer, if it is unchanged
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from seq2drum.console.arguments import Parser
from seq2drum.console.terminal import say
from seq2drum.errors import OptionError, Seq2DrumError
from seq2drum.play.checkpoint import signing
from seq2drum.play.checkpoint.folder import place_in, verify
from seq2drum.system import files


def main(words: Sequence[str] | None = None) -> int:
    """Make a key, sign a checkpoint, or verify the signature of one; returns the exit code."""
    verb, *others = [*(sys.argv[1:] if words is None else words), ""]
    try:
        if verb in ("key", "sign", "check"):
            _do(verb, others[:-1])
        else:
            say((__doc__ or "").strip())
            return 0 if verb in ("-h", "--help") else 2
    except Seq2DrumError as error:
        say(f"seq2drum: {error}")
        return 2
    return 0


def _do(verb: str, words: Sequence[str]) -> None:
    parser = Parser(prog=f"python -m seq2drum.cli.signing {verb}", allow_abbrev=False)
    if verb == "key":
        parser.add_argument("file", type=Path)
        file: Path = parser.parse(words).file
        say(f"{signing.make_key(file)} is for those who should trust you; keep {files.named(file)} to yourself")
        return
    parser.add_argument("folder")
    if verb == "sign":
        parser.add_argument("key", type=Path)
    else:
        parser.add_argument("trusted", type=Path, nargs="+")
    options = parser.parse(words)
    folder = place_in(options.folder)
    if folder is None:
        raise OptionError(f"there is no checkpoint in {options.folder!r}; wanted the folder of a training run")
    verify(folder, signing.listed(folder))
    if verb == "sign":
        signing.sign(folder, options.key)
        say(f"{folder / signing.SIGNATURE} is written")
    else:
        say(f"{files.named(folder)} is signed by {signing.check(folder, options.trusted)}")


if __name__ == "__main__":
    sys.exit(main())
