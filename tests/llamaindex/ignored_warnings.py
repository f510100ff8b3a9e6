"""Warnings of LlamaIndex that its tests cannot avoid."""

import pytest

IGNORED_WARNINGS = [
    # Event loops that it makes for blocking calls of asynchronous methods are not closed in order,
    # nor are the sockets under them and the SQLite database of its memory.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    # Workflows look at every attribute of an agent, deprecated ones of pydantic included.
    pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:is_running called from within:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning"),
    # Its chat memory cannot be serialised with recent versions of pydantic.
    pytest.mark.filterwarnings("ignore:Skipping serialization of known"),
]
