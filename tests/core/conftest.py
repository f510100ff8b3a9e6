"""Fixtures of the core's tests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.both_clients import BOTH
from tests.core.cloud import _server, both, cloud, is_async

__all__ = ["_server", "both", "cloud", "is_async"]  # fixtures


@pytest.fixture(params=BOTH, ids=lambda both: both.name)
def run(request: pytest.FixtureRequest) -> Any:
    """Carries out `run(lambda client: client.x.y(), url)` with either client."""
    return request.param
