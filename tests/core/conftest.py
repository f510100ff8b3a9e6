"""Fixtures of the core's tests."""

from __future__ import annotations

import pytest

from runcrate_core.protocol import reconcile
from runcrate_core.spending import cleanup
from tests.core.agents import Guard
from tests.core.cloud import Both, _server, at, both, cloud, failure, is_async, scripted

__all__ = ["_server", "at", "both", "cloud", "failure", "is_async", "scripted"]  # fixtures


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look a lost resource up again, and terminate again, without long pauses."""
    monkeypatch.setattr(reconcile, "RECONCILE_WAITS_S", (0.0, 0.0))
    monkeypatch.setattr(cleanup, "END_WAITS_S", (0.05, 0.1, 0.15))
    monkeypatch.setattr(cleanup, "TERMINATING_WAITS_S", (0.02,))
    monkeypatch.setattr(cleanup, "CONFIRM_WAITS_S", (0.0, 0.05))


@pytest.fixture
def guard(request: pytest.FixtureRequest, both: Both) -> Guard:
    """A spend guard with the `LIMITS` of the test module, whose operations either client runs."""
    return Guard(both, request.module.LIMITS)
