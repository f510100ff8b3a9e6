"""`runcrate ledger show`: what was started under a budget, and what it cost or may cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runcrate_core.command_line.output import add_json, show
from runcrate_core.errors import ConfigurationError
from runcrate_core.spending.ledger import SpendLedger

if TYPE_CHECKING:
    import argparse


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("ledger", help="show a spend ledger")
    subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="show")
    listing = subcommands.add_parser("show", help="show the entries of a ledger and their cost")
    listing.add_argument("file", metavar="FILE", help="the file of `SpendLedger(file)`")
    add_json(listing)
    listing.set_defaults(run=_show)


def open_ledger(file: str) -> SpendLedger:
    """Return the ledger in a file; a new one would show that nothing runs.

    Raises:
        ConfigurationError: There is none.
    """
    if not Path(file).is_file():
        raise ConfigurationError(f"There is no ledger {file}. Nothing was done.")
    return SpendLedger(file)


def _show(options: argparse.Namespace) -> int:
    ledger = open_ledger(options.file)
    rows = [
        {
            "name": entry.name,
            "kind": entry.kind,
            "id": entry.id,
            "state": entry.state,
            "usd_per_hour": entry.price_per_hour,
            "minutes": entry.max_runtime_minutes,
            "cost_usd": entry.cost_usd,
            "at_most_usd": entry.at_most_usd,
        }
        for entry in ledger.entries
    ]
    show(rows, as_json=options.json, empty="Nothing was started.")
    if rows and not options.json:
        print(f"\nAt most {ledger.total_usd} USD in all.")  # noqa: T201 - a command's output
    return 0
