"""`runcrate doctor`: check the set-up."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runcrate_core import doctor
from runcrate_core.command_line.output import add_json, show

if TYPE_CHECKING:
    import argparse


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="check the set-up and advise what to fix")
    doctor.add_options(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if not options.json:
        return doctor.report(options.timeout)
    found = list(doctor.findings(doctor.collect(os.environ, timeout_s=options.timeout)))
    rows = [asdict(finding) | {"level": finding.level.value.lower()} for finding in found]
    show(rows, as_json=True, empty="")
    return int(any(finding.level is doctor.Level.PROBLEM for finding in found))
