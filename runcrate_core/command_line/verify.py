"""`runcrate verify`: check the real service against everything that this project assumes."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from runcrate_core.client import Runcrate
from runcrate_core.command_line.output import add_json, add_yes, confirm
from runcrate_core.verification.assumptions import Level
from runcrate_core.verification.probes import PREFERRED
from runcrate_core.verification.verify import DEFAULT_MAX_USD, Limit, verify


def add_to(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "verify",
        help="check the service against the assumptions of this project",
        description="Probes the service and prints what differs from the documentation. Without "
        "a level it only reads, and sends requests that must be refused. Exit status 1: "
        "something differs.",
    )
    parser.add_argument("--free", action="store_true", help="reads and refusals (the default)")
    parser.add_argument(
        "--inference", action="store_true", help="also a few tokens, three words, a small image"
    )
    parser.add_argument(
        "--launch", action="store_true", help="also one instance, the cheapest, for a few minutes"
    )
    parser.add_argument(
        "--max-usd",
        type=_amount,
        default=DEFAULT_MAX_USD,
        help=f"limit on the estimate (default: {DEFAULT_MAX_USD})",
    )
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        type=_model,
        metavar="KIND=ID",
        help=f"model of a kind, instead of a cheap one: {', '.join(PREFERRED)}",
    )
    parser.add_argument(
        "--report", metavar="FILE", help="write a JSON report without key, ids or personal data"
    )
    add_yes(parser)
    add_json(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    levels = {level for level in Level if getattr(options, level.value)}
    limit = Limit(options.max_usd, lambda text: confirm(text, yes=options.yes))
    with Runcrate() as client:
        report = verify(client, levels, limit, models=dict(options.model))
    try:
        if options.report is not None:
            Path(options.report).write_text(report.to_json(), encoding="utf-8")
    finally:  # it may have cost money
        print(report.to_json() if options.json else report.to_text())  # noqa: T201 - a command's output
    return int(bool(report.differences))


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of USD") from None
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of USD")
    return amount


def _model(text: str) -> tuple[str, str]:
    kind, separator, name = text.partition("=")
    if kind not in PREFERRED or not separator or not name:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not KIND=ID with a kind of {', '.join(PREFERRED)}"
        )
    return kind, name
