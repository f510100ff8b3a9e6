"""Fixtures of the tests of the MCP server."""

from tests.core.cloud import _server, cloud

__all__ = ["_server", "cloud"]  # fixtures
