"""The server of the examples: the emulator, or the real service with `LIVE=1`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def runcrate_service(
    clock_speed: float = 60.0, on_chat: Any = None, *, ssh: bool = False
) -> Iterator[None]:
    """Point the environment variables at a Runcrate for the length of a block.

    With `LIVE=1` and `RUNCRATE_API_KEY` that is the real service, which costs money. Otherwise a
    local emulator is started, and stopped at the end.

    Args:
        clock_speed: Seconds of the emulator's clock in a second, so that instances start quickly.
        on_chat: Script that replies in place of a model on the emulator, which has no real one.
        ssh: Give the emulator's instances SSH servers. Commands sent to them really run on this
            computer, in temporary directories; those of the examples are harmless.
    """
    if os.environ.get("LIVE") == "1" and os.environ.get("RUNCRATE_API_KEY"):
        print("Using the real service: this costs money.")
        yield
        return
    if os.environ.get("RUNCRATE_EXAMPLES_EMULATOR"):
        yield  # `python -m examples` has started one for all examples
        return
    from runcrate_emulator import Emulator  # noqa: PLC0415 - the real service needs no emulator

    with Emulator(clock_speed=clock_speed, on_chat=on_chat, ssh=ssh) as emulator:
        print(f"No LIVE=1 with a key: using the local emulator at {emulator.base_url} (free).")
        here = {
            "RUNCRATE_API_KEY": emulator.api_key,
            "RUNCRATE_API_BASE": emulator.inference_url,
            "RUNCRATE_API_URL": emulator.base_url,
            "RUNCRATE_EXAMPLES_EMULATOR": "1",
            # Host keys of emulated instances are not kept among those of real ones.
            "RUNCRATE_STATE_DIR": os.environ.get("RUNCRATE_STATE_DIR", "demo-output/state"),
        }
        before = {name: os.environ.get(name) for name in here}
        os.environ.update(here)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
