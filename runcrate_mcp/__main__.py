"""`python -m runcrate_mcp`, the same as `runcrate-mcp`."""

import sys

from runcrate_mcp.command_line import main

if __name__ == "__main__":
    sys.exit(main())
