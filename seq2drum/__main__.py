"""`python -m seq2drum` does what `main.py` and the command `seq2drum` do."""

import sys

from seq2drum.cli import program

if __name__ == "__main__":
    sys.exit(program())
