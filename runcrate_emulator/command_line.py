"""The command `runcrate-emulator`."""
# ruff: noqa: T201 - a command prints

import argparse
import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import TypeVar

try:
    from runcrate_emulator import Emulator
except ModuleNotFoundError as missing_extra:  # one line for a newcomer instead of a traceback
    sys.exit(f"runcrate-emulator: {missing_extra}")
from runcrate_emulator.inference.upstream import KEY_VARIABLE
from runcrate_emulator.journal import RecordedRequest
from runcrate_emulator.variants import observed_variants

_DEFAULT_PORT = 8787
_WEBHOOK_LOG = logging.getLogger("runcrate_emulator.webhooks")
_MOST = 1_000_000_000  # only keeps numbers readable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the emulator until Ctrl-C; the exit code is 1 when it cannot start."""
    options = vars(_parser().parse_args(arguments))
    report = options.pop("as_observed")
    try:
        variants = observed_variants(report) if report else ()
    except (OSError, ValueError) as error:
        print(f"runcrate-emulator: --as-observed: {error}", file=sys.stderr)
        return 1
    try:
        emulator = Emulator(**options, variants=variants)
        emulator.start()
    except (ValueError, ModuleNotFoundError) as error:
        print(f"runcrate-emulator: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"runcrate-emulator: {error.strerror or error}", file=sys.stderr)
        return 1
    emulator.world.on_request = _print_request
    webhook_lines = logging.StreamHandler(sys.stdout)
    _WEBHOOK_LOG.addHandler(webhook_lines)
    _WEBHOOK_LOG.setLevel(logging.INFO)
    for name, value in emulator.environment_variables().items():
        print(f"export {name}={value}")
    upstream = emulator.world.chat_upstream
    chat = "simulated by four rules; `--chat-upstream URL` names a real model"
    if upstream is not None:
        chat = f"by {upstream.name}, {'with' if upstream.key else 'without'} a key"
    print(f"# chat: {chat}")
    print(f"# status page: {emulator.base_url}/  (Ctrl-C stops)", flush=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print()
    finally:
        emulator.stop()
        _WEBHOOK_LOG.removeHandler(webhook_lines)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="runcrate-emulator",
        description="A local Runcrate: inference and infrastructure, in memory.",
    )
    add = parser.add_argument
    port = _number(int, 0, 65_535)
    add("--port", type=port, default=_DEFAULT_PORT, help="TCP port (default 8787); 0: a free one")
    observed = "behave as `runcrate verify --report` observed the service"
    add("--as-observed", metavar="REPORT", help=observed)
    add("--seed", type=int, default=0, help="seed of ids and media (default 0)")
    add(
        "--clock-speed",
        type=_number(float, 0, _MOST),
        default=1.0,
        metavar="FACTOR",
        help="emulated seconds per real second (default 1); 0 stops the clock",
    )
    upstream = "an OpenAI-compatible server, with /v1, that replies to chat"
    add("--chat-upstream", metavar="URL", help=upstream)
    key = f"its API key, never shown; better: the environment variable {KEY_VARIABLE}"
    add("--chat-upstream-key", metavar="KEY", help=key)
    commands = "really run the commands of jobs on this computer; no sandbox"
    add("--run-commands", action="store_true", help=commands)
    ssh = "give instances real SSH servers on loopback, which run commands here, as you"
    add("--ssh", action="store_true", help=ssh)
    usd = _number(Decimal, 0, _MOST)
    opening = "opening balance (default 100)"
    add("--balance", type=usd, default=100, metavar="USD", dest="balance_usd", help=opening)
    rate = _number(int, 1, _MOST)
    add(
        "--requests-per-minute",
        type=rate,
        default=600,
        metavar="N",
        help="rate limit of a key (default 600)",
    )
    return parser


N = TypeVar("N", int, float, Decimal)


def _number(kind: Callable[[str], N], least: int, most: float) -> Callable[[str], N]:
    """A parser of a number within its range, both ends included."""

    def number(text: str) -> N:
        with contextlib.suppress(ValueError, InvalidOperation):
            value = kind(text)
            if least <= value <= most:
                return value
        raise argparse.ArgumentTypeError(f"must be a number from {least} to {most}")

    return number


def _print_request(entry: RecordedRequest) -> None:
    status = "lost" if entry.status is None else str(entry.status)
    milliseconds = entry.duration_s * 1000
    print(
        f"{entry.at:%H:%M:%S} {status:>4} {entry.method:<6} {entry.path} {milliseconds:.0f} ms",
        flush=True,
    )
