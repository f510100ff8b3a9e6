"""The command `runcrate-mcp`."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from runcrate_core import ConfigurationError, SpendLimits, __version__
from runcrate_mcp.settings import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULTS: Final = SpendLimits()
_EPILOG: Final = (
    "Without limits every tool only reads. With limits, a person approves each call that costs "
    "money, through the client; what was started is terminated when the client disconnects or the "
    "server stops, and at the latest by its lifetime. The key is read from RUNCRATE_API_KEY."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until its client disconnects.

    Args:
        arguments: Command-line arguments; those of the process by default.

    Returns:
        The exit code: 0, or 2 when a setting is not usable.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="runcrate-mcp: %(levelname)s: %(message)s"
    )
    # Their lines name every request.
    for noisy in ("httpx", "httpcore", "mcp", "uvicorn", "sse_starlette"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    if options.http is None and sys.stdin is None:
        return _fail(
            "Standard input, over which a client is served, is closed. Nothing was started. Let an "
            "MCP client start this command, or give --http."
        )
    if options.http is None and sys.stdin.isatty():
        print(  # noqa: T201 - a command's output
            "runcrate-mcp: waiting for an MCP client on standard input. Clients start this command "
            "themselves; `runcrate-mcp --help` shows the flags, Ctrl-C stops.",
            file=sys.stderr,
        )
    try:
        settings = _settings(options)
        asyncio.run(_serve(settings, options.http, options.idle_minutes))
    except ConfigurationError as error:
        return _fail(error.message)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "anyio", "uvicorn"}:
            raise
        return _fail('The MCP SDK is not installed. Run: pip install "runcrate-integrations[mcp]"')
    except KeyboardInterrupt:
        pass
    return 0


async def _serve(settings: ServerSettings, port: int | None, idle_minutes: float) -> None:
    if port is None:
        from runcrate_mcp.stdio import serve_stdio  # noqa: PLC0415 - needs an extra

        await serve_stdio(settings)
    else:
        from runcrate_mcp.http import serve_http  # noqa: PLC0415 - needs an extra

        await serve_http(settings, port, idle_timeout=idle_minutes * 60)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runcrate-mcp",
        description="GPU instances, jobs and media of Runcrate as tools for MCP clients.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    limits = parser.add_argument_group(
        "spending limits", "any of the --max flags allows spending; the others keep their default"
    )
    add = limits.add_argument
    add(
        "--max-total-usd",
        type=_usd,
        metavar="USD",
        help=_help("maximum cost of everything", "max_total_usd"),
    )
    add(
        "--max-price-per-hour",
        type=_usd,
        metavar="USD",
        help=_help("maximum price of one instance", "max_price_per_hour"),
    )
    add(
        "--max-runtime-minutes",
        type=int,
        metavar="N",
        help=_help("maximum lifetime of each", "max_runtime_minutes"),
    )
    add(
        "--max-instances",
        type=int,
        metavar="N",
        help=_help("maximum number at once", "max_instances"),
    )
    add("--max-gpus", type=int, metavar="N", help=_help("maximum GPUs at once", "max_gpus"))
    add("--gpu-types", type=_names, metavar="A,B", help="allowed GPUs, such as A100,H100")
    add("--regions", type=_names, metavar="A,B", help="allowed regions")
    add("--name-prefix", metavar="TEXT", help=_help("prefix of names", "name_prefix"))
    add = parser.add_argument_group("safety").add_argument
    add("--ledger", type=Path, metavar="FILE", help="keep the ledger in FILE, for clean-up later")
    add("--yes", action="store_true", help="no approval within the limits; refused without them")
    add("--allow-commands", action="store_true", help="run commands on instances started here")
    add = parser.add_argument_group("tools").add_argument
    add("--include", type=_names, metavar="A,B", action="extend", help="serve only these tools")
    add("--files-dir", type=Path, metavar="DIR", help="directory of artifacts and media files")
    parser.add_argument(
        "--http",
        type=_port,
        metavar="PORT",
        help="serve http://127.0.0.1:PORT/mcp instead of stdio; 0 chooses a free port",
    )
    parser.add_argument(
        "--idle-minutes",
        type=_minutes,
        default=30.0,
        metavar="N",
        help="with --http: terminate everything that was started after N minutes without a "
        "request (default 30)",
    )
    return parser


def _settings(options: argparse.Namespace) -> ServerSettings:
    names = [field.name for field in dataclasses.fields(SpendLimits)]
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return ServerSettings(
        limits=_limits(given),
        ledger_file=options.ledger,
        include=None if options.include is None else frozenset(options.include),
        files_dir=options.files_dir,
        allow_commands=options.allow_commands,
        require_approval=not options.yes,
    )


def _limits(given: dict[str, Any]) -> SpendLimits | None:
    if not given:
        return None
    if not any(name.startswith("max_") for name in given):
        flag = f"--{min(given).replace('_', '-')}"
        raise ConfigurationError(
            f"`{flag}` narrows spending limits, and there are none: give at least --max-total-usd. "
            "Nothing was started."
        )
    try:
        return SpendLimits(**given)
    except ValueError as error:
        raise ConfigurationError(f"{error} Nothing was started.") from None


def _help(text: str, name: str) -> str:
    return " ".join(filter(None, (text, f"(default with limits: {getattr(_DEFAULTS, name)})")))


def _usd(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount in USD") from None


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("no name is given")
    return names


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else -1
    if not 0 <= port <= 65_535:  # noqa: PLR2004 - the range of TCP ports
        raise argparse.ArgumentTypeError(f"{text!r} is not a TCP port")
    return port


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of minutes")
    return minutes


def _fail(message: str) -> int:
    print(f"runcrate-mcp: {message}", file=sys.stderr)  # noqa: T201 - a command's output
    return 2
