"""`python -m seq2drum` does what `main.py` and the command `seq2drum` do."""

import sys

from seq2drum.cli import main

if __name__ == "__main__":
    sys.exit(main())
