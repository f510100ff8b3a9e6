"""`python -m runcrate_emulator` is the command `runcrate-emulator`."""

import sys

from runcrate_emulator.command_line import main

if __name__ == "__main__":
    sys.exit(main())
