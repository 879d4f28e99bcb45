"""The command line from a checkout: `python main.py --mode train | infer | prepare ...`."""

import sys

from seq2drum.cli import main

if __name__ == "__main__":
    sys.exit(main())
