"""A local Runcrate: both API surfaces, in memory, on a clock you set.

Start it in a test or a script with `Emulator`, from the shell with `runcrate-emulator`, or in
pytest with the fixture `runcrate_emulator`. It binds loopback only and needs no network.

Importing this package is cheap; the server is imported with the first use of a name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runcrate_emulator.chat.reply import Reply
    from runcrate_emulator.chat.request import ChatRequest
    from runcrate_emulator.chat.script import ScriptError
    from runcrate_emulator.clock import Clock
    from runcrate_emulator.emulator import Emulator
    from runcrate_emulator.faults import Fault
    from runcrate_emulator.infrastructure.job_program import JobOutcome, JobRun
    from runcrate_emulator.infrastructure.webhooks import WebhookDelivery
    from runcrate_emulator.journal import RecordedRequest

__all__ = [
    "ChatRequest",
    "Clock",
    "Emulator",
    "Fault",
    "JobOutcome",
    "JobRun",
    "RecordedRequest",
    "Reply",
    "ScriptError",
    "WebhookDelivery",
]

_HOMES = {
    "ChatRequest": "runcrate_emulator.chat.request",
    "Clock": "runcrate_emulator.clock",
    "Emulator": "runcrate_emulator.emulator",
    "Fault": "runcrate_emulator.faults",
    "JobOutcome": "runcrate_emulator.infrastructure.job_program",
    "JobRun": "runcrate_emulator.infrastructure.job_program",
    "RecordedRequest": "runcrate_emulator.journal",
    "Reply": "runcrate_emulator.chat.reply",
    "ScriptError": "runcrate_emulator.chat.script",
    "WebhookDelivery": "runcrate_emulator.infrastructure.webhooks",
}

# The packages of the extra `emulator`.
_EXTRA = {"av", "jsonschema", "PIL", "python_multipart", "referencing", "starlette", "uvicorn"}


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
        advice = 'The emulator is not installed. Run: pip install "runcrate-integrations[emulator]"'
        raise ModuleNotFoundError(advice, name=missing.name) from None


def __dir__() -> list[str]:
    return __all__
