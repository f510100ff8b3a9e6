"""What the tests of `langchain_runcrate` share."""

from __future__ import annotations

import pytest
from langchain_tests.base import BaseStandardTests

SENDS_NOTHING = "test_no_overrides_DO_NOT_OVERRIDE"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Replay LangChain's standard integration tests, but for the one that sends nothing.

    A class with `only_tests` runs these alone: its other tests would repeat another class.
    """
    left_out = []
    for item in items:
        kind = getattr(item, "cls", None)
        is_standard = isinstance(kind, type) and issubclass(kind, BaseStandardTests)
        if is_standard and getattr(kind, "replayed", False) and item.name != SENDS_NOTHING:
            item.add_marker(pytest.mark.vcr)
        only = getattr(kind, "only_tests", None)
        if is_standard and only and getattr(item, "originalname", item.name) not in only:
            left_out.append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
