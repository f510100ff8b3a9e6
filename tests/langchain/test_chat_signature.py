"""The signatures of the parts show their documented arguments, as help() does."""

from __future__ import annotations

import inspect

import pytest

from langchain_runcrate import ChatRuncrate, RuncrateEmbeddings


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            ChatRuncrate,
            {
                "model",
                "api_key",
                "base_url",
                "timeout",
                "max_tokens",
                "stop",
                "stream_idle_timeout",
            },
        ),
        (RuncrateEmbeddings, {"model", "api_key", "base_url", "timeout", "chunk_size"}),
    ],
)
def test_signatures_show_the_documented_names(kind: type, names: set[str]) -> None:
    shown = set(inspect.signature(kind).parameters)
    assert names <= shown
    assert not shown & {"model_name", "max_completion_tokens", "stop_sequences", "api_base"}
