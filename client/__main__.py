"""`python -m client song.mid -o drums.mid` asks a server for drums."""

import sys

from client.cli import main

if __name__ == "__main__":
    sys.exit(main())
