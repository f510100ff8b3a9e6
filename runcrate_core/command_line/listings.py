"""`runcrate models list` and `runcrate balance`: reads that need no arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.client import Runcrate
from runcrate_core.command_line.output import add_json, show

if TYPE_CHECKING:
    import argparse


def add_to(commands: Any) -> None:
    """Add the commands."""
    models = commands.add_parser("models", help="list the models")
    subcommands = models.add_subparsers(dest="subcommand", required=True, metavar="list")
    listing = subcommands.add_parser("list", help="list the models, with what they read and make")
    add_json(listing)
    listing.set_defaults(run=_models)
    balance = commands.add_parser("balance", help="show the credits and what runs cost an hour")
    add_json(balance)
    balance.set_defaults(run=_balance)


def _models(options: argparse.Namespace) -> int:
    with Runcrate() as client:
        models = client.models.list()
    rows = [
        {
            "id": model.id,
            "input": ", ".join(model.input_modalities or ()),
            "output": ", ".join(model.output_modalities or ()),
            "features": ", ".join(model.supported_features or ()),
        }
        for model in models
    ]
    show(rows, as_json=options.json, empty="No models are listed.")
    return 0


def _balance(options: argparse.Namespace) -> int:
    with Runcrate() as client:
        balance = client.billing.get_balance()
    row = {
        "credits_usd": balance.credits_balance,
        "active_usage_usd": balance.active_usage_cost,
        "burn_usd_per_hour": balance.burn_usd_per_hour,
        "runway_hours": balance.runway_hours,
    }
    show([row], as_json=options.json, empty="")
    return 0
