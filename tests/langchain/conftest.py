"""What the tests of `langchain_runcrate` share."""

import pytest
from langchain_tests.base import BaseStandardTests

SENDS_NOTHING = "test_no_overrides_DO_NOT_OVERRIDE"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Replay LangChain's standard integration tests, but for the one that sends nothing."""
    for item in items:
        kind = getattr(item, "cls", None)
        is_standard = isinstance(kind, type) and issubclass(kind, BaseStandardTests)
        if is_standard and getattr(kind, "replayed", False) and item.name != SENDS_NOTHING:
            item.add_marker(pytest.mark.vcr)
