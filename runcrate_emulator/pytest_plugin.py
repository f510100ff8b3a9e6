"""The pytest fixture `runcrate_emulator`, found by pytest through this package's entry point."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from runcrate_emulator.emulator import Emulator


@pytest.fixture(scope="session")
def _runcrate_emulator_server() -> Iterator["Emulator"]:
    """One server for the whole session; starting costs a fraction of a second."""
    from runcrate_emulator import Emulator  # noqa: PLC0415 - paid for by those who use it

    emulator = Emulator().start()
    yield emulator
    emulator.stop()


@pytest.fixture
def runcrate_emulator(_runcrate_emulator_server: "Emulator") -> Iterator["Emulator"]:
    """A running `Emulator` in its first state.

    Raises:
        ScriptError: At the end of the test, if a chat script of it went wrong.
    """
    _runcrate_emulator_server.reset()
    yield _runcrate_emulator_server
    _runcrate_emulator_server.raise_script_error()
