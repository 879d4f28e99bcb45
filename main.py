"""The command line from a checkout: `python main.py --mode train | infer | prepare ...`."""

import sys

from seq2drum.cli import program

if __name__ == "__main__":
    sys.exit(program())
