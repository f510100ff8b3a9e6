"""A whole Runcrate on your machine: both API surfaces, in memory, on a clock you set.

Start it in a test or a script with `Emulator`, from the shell with `runcrate-emulator`, or in
pytest with the fixture `runcrate_emulator`. It binds loopback only and needs no network.

Importing this package is cheap; the server is imported with the first use of a name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runcrate_emulator.clock import Clock
    from runcrate_emulator.emulator import Emulator
    from runcrate_emulator.faults import Fault
    from runcrate_emulator.infrastructure.job_program import JobOutcome, JobRun
    from runcrate_emulator.infrastructure.webhooks import WebhookDelivery
    from runcrate_emulator.journal import RecordedRequest

__all__ = [
    "Clock",
    "Emulator",
    "Fault",
    "JobOutcome",
    "JobRun",
    "RecordedRequest",
    "WebhookDelivery",
]

_HOMES = {
    "Clock": "runcrate_emulator.clock",
    "Emulator": "runcrate_emulator.emulator",
    "Fault": "runcrate_emulator.faults",
    "JobOutcome": "runcrate_emulator.infrastructure.job_program",
    "JobRun": "runcrate_emulator.infrastructure.job_program",
    "RecordedRequest": "runcrate_emulator.journal",
    "WebhookDelivery": "runcrate_emulator.infrastructure.webhooks",
}

# What the extra `emulator` brings.
_EXTRA = {"av", "PIL", "python_multipart", "starlette", "uvicorn"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module `runcrate_emulator` has no attribute `{name}`")
    import importlib  # noqa: PLC0415 - keeps `import runcrate_emulator` free of any other import

    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as missing:
        if missing.name not in _EXTRA:
            raise
        told = "The emulator is not installed. Run: pip install 'runcrate-integrations[emulator]'"
        raise ModuleNotFoundError(told, name=missing.name) from missing
