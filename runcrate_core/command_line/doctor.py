"""`runcrate doctor`: check the set-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core import doctor

if TYPE_CHECKING:
    import argparse


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="check the set-up and say what to do")
    doctor.add_options(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    return doctor.report(options.timeout)
