"""`runcrate instances list` and `runcrate instances terminate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runcrate_core.client import Runcrate
from runcrate_core.command_line.ledger import open_ledger
from runcrate_core.command_line.output import add_json, add_yes, confirm, show
from runcrate_core.errors import ConfigurationError, RuncrateError
from runcrate_core.spending import cleanup
from runcrate_core.spending.ledger import SpendLedger

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from runcrate_core.api.instances import Instance


def add_to(commands: Any) -> None:
    """Add the commands."""
    parser = commands.add_parser("instances", help="list and terminate instances")
    subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    listing = subcommands.add_parser("list", help="list instances that have not ended")
    listing.add_argument("--all", action="store_true", help="ended ones too")
    add_json(listing)
    listing.set_defaults(run=_list)
    terminate = subcommands.add_parser(
        "terminate", help="terminate instances by id, name prefix or ledger"
    )
    chosen = terminate.add_mutually_exclusive_group(required=True)
    chosen.add_argument("ids", nargs="*", default=[], metavar="ID", help="ids of instances")
    chosen.add_argument("--prefix", help="terminate every instance whose name starts with PREFIX")
    chosen.add_argument(
        "--ledger", metavar="FILE", help="terminate the instances and jobs of a spend ledger"
    )
    add_yes(terminate)
    add_json(terminate)
    terminate.set_defaults(run=_terminate)


def _list(options: argparse.Namespace) -> int:
    with Runcrate() as client:
        instances = client.instances.list()
    rows = [_row(one) for one in instances if options.all or not one.has_ended]
    show(rows, as_json=options.json, empty="No instance is running.")
    return 0


def _row(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id,
        "name": instance.name,
        "status": instance.status,
        "gpu": instance.gpu_type,
        "gpus": instance.gpu_count,
        "region": instance.region,
        "usd_per_hour": instance.cost_per_hour,
        "ends_at": instance.auto_stop_at,
    }


def _terminate(options: argparse.Namespace) -> int:
    with Runcrate() as client:
        if options.ledger is not None:
            return _terminate_ledger(client, options)
        chosen = _chosen(client, options)
        if not chosen:
            show([], as_json=options.json, empty="There is nothing to terminate.")
            return 0
        names = ", ".join(f"{one.name} ({one.id})" for one in chosen)
        if not confirm(f"Terminate {len(chosen)}: {names}", yes=options.yes):
            return 1
        rows = [_ended(client, one) for one in chosen]
    show(rows, as_json=options.json, empty="")
    return int(any(row["result"] != "terminated" for row in rows))


def _chosen(client: Runcrate, options: argparse.Namespace) -> Sequence[Instance]:
    if options.prefix is None:
        return [client.instances.get(name) for name in options.ids]
    if not options.prefix.strip():
        raise ConfigurationError(
            "--prefix is empty, which would terminate every instance. Nothing was terminated."
        )
    instances = client.instances.list()
    return [
        one
        for one in instances
        if (one.name or "").startswith(options.prefix) and not one.has_ended
    ]


def _ended(client: Runcrate, instance: Instance) -> dict[str, Any]:
    """Terminate one instance; a failure is its result and stops none of the others."""
    try:
        last = client.run(cleanup.terminate_instance(SpendLedger(), instance))
    except RuncrateError as error:
        return {"id": instance.id, "name": instance.name, "result": error.message}
    result = "terminated" if last.has_ended else f"requested; it is still `{last.status}`"
    return {"id": instance.id, "name": instance.name, "result": result}


def _terminate_ledger(client: Runcrate, options: argparse.Namespace) -> int:
    ledger = open_ledger(options.ledger)
    names = [entry.name for entry in ledger.live]
    if not names:
        show([], as_json=options.json, empty="Nothing of this ledger is running.")
        return 0
    if not confirm(f"Terminate {len(names)}: {', '.join(names)}", yes=options.yes):
        return 1
    report = client.run(cleanup.terminate_all(ledger))
    rows = [{"name": name, "result": "terminated"} for name in report.ended]
    rows += [{"name": name, "result": reason} for name, reason in report.failed]
    show(rows, as_json=options.json, empty="Nothing of this ledger is running.")
    return int(bool(report.failed))
