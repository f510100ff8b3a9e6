"""`python -m runcrate_core`: the command `runcrate`."""

import sys

from runcrate_core.command_line.app import main

if __name__ == "__main__":
    sys.exit(main())
