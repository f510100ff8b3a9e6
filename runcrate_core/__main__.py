"""`python -m runcrate_core doctor`."""

import sys

from runcrate_core.doctor import main

if __name__ == "__main__":
    sys.exit(main())
