"""`runcrate jobs list` and `runcrate jobs cancel`."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any, Final

from runcrate_core.client import Runcrate
from runcrate_core.command_line.output import add_json, add_yes, confirm, show
from runcrate_core.errors import RuncrateError

DEFAULT_LIMIT: Final = 20


def add_to(commands: Any) -> None:
    """Add the commands."""
    parser = commands.add_parser("jobs", help="list and cancel jobs")
    subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    listing = subcommands.add_parser("list", help="list the newest jobs")
    listing.add_argument(
        "--limit",
        type=_limit,
        default=DEFAULT_LIMIT,
        metavar="N",
        help=f"maximum number of jobs (default: {DEFAULT_LIMIT})",
    )
    add_json(listing)
    listing.set_defaults(run=_list)
    cancel = subcommands.add_parser("cancel", help="cancel jobs")
    cancel.add_argument("ids", nargs="+", metavar="ID", help="ids of jobs")
    add_yes(cancel)
    add_json(cancel)
    cancel.set_defaults(run=_cancel)


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of jobs above 0")
    return int(text)


def _list(options: argparse.Namespace) -> int:
    with Runcrate() as client:
        jobs = list(islice(client.jobs.list_all(), options.limit))
    rows = [
        {
            "id": job.id,
            "name": job.name,
            "status": job.status,
            "gpu": job.gpu_type,
            "cost_usd": job.cost_usd,
            "created_at": job.created_at,
        }
        for job in jobs
    ]
    show(rows, as_json=options.json, empty="There are no jobs.")
    return 0


def _cancel(options: argparse.Namespace) -> int:
    if not confirm(f"Cancel {', '.join(options.ids)}", yes=options.yes):
        return 1
    with Runcrate() as client:
        rows = [_cancelled(client, name) for name in options.ids]
    show(rows, as_json=options.json, empty="")
    return int(any(row["failed"] for row in rows))


def _cancelled(client: Runcrate, job_id: str) -> dict[str, Any]:
    """Cancel one job; a failure is its result and stops none of the others."""
    try:
        job = client.jobs.cancel(job_id)
    except (RuncrateError, ValueError) as error:
        return {"id": job_id, "result": str(error), "failed": True}
    return {"id": job_id, "result": job.status, "failed": False}
