"""`runcrate`: parse the arguments, run a command, and end with a status that a script can read.

Status 0: done. 1: a problem, a difference, or a resource that could not be terminated.
2: the command could not run. 130: Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Final

from runcrate_core.command_line import doctor, instances, jobs, ledger, listings, verify
from runcrate_core.errors import RuncrateError
from runcrate_core.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILED: Final = 2
INTERRUPTED: Final = 130
_SUBJECTS: Final = (doctor, verify, listings, instances, jobs, ledger)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Command-line arguments; default: those of the process.

    Returns:
        The exit status.
    """
    options = make_parser().parse_args(arguments)
    with contextlib.suppress(AttributeError):  # a stream of the program's own
        # A terminal that knows ASCII alone shows other characters as `\xfc`.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # as said
    try:
        status: int = options.run(options)
        print(end="", flush=True)  # noqa: T201 - a command's output
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)  # noqa: T201 - a command's output
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (RuncrateError, ValueError, OSError) as error:
        print(f"runcrate: {error}", file=sys.stderr)  # noqa: T201 - a command's output
        return FAILED
    return status


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="runcrate",
        description="Check a set-up and a service, show what runs and its cost, and terminate it. "
        "The key is read from RUNCRATE_API_KEY.",
        epilog="Exit status: 0 done; 1 a problem, a difference, or something that was not "
        "terminated; 2 the command could not run. `runcrate COMMAND --help` shows the options.",
    )
    parser.add_argument(
        "--version", action="version", version=f"runcrate-integrations {__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for subject in _SUBJECTS:
        subject.add_to(commands)
    return parser
