"""`python -m client song.mid -o drums.mid` gets drums from a server."""

import sys

from client.cli import main

if __name__ == "__main__":
    sys.exit(main())
