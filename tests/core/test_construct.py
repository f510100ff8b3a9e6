"""`construct` fills pydantic objects as `model_construct` does."""

from __future__ import annotations

import pytest
from langchain_core.messages import AIMessageChunk
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from pydantic import BaseModel

from runcrate_core.toolkit import construct


class Plain(BaseModel):
    """A class with a default."""

    name: str
    count: int = 3


class Open(Plain, extra="allow"):
    """A class that keeps what it does not know."""


MESSAGE = ChatMessage(role=MessageRole.ASSISTANT, blocks=[TextBlock(text="x")])


@pytest.mark.parametrize(
    ("kind", "fields", "extra"),
    [
        (Plain, {"name": "a", "count": 1}, None),
        (Open, {"name": "a", "count": 1}, {"more": [1]}),
        (ChatResponse, vars(ChatResponse(message=MESSAGE, raw={"id": "1"}, delta="x")), None),
        (AIMessageChunk, vars(AIMessageChunk(content="x")), {}),
    ],
)
def test_it_equals_model_construct(kind, fields, extra):
    ours = construct(kind, dict(fields), extra=extra)
    pydantics = kind.model_construct(**fields, **(extra or {}))
    assert type(ours) is type(pydantics)
    assert ours == pydantics
    assert ours.model_fields_set == set(fields)
    assert ours.model_dump() == pydantics.model_dump()
    assert ours.model_copy(deep=True) == pydantics


def test_the_names_that_count_as_given_can_be_chosen():
    chosen = construct(Plain, {"name": "a", "count": 3}, fields_set={"name"})
    assert chosen == Plain.model_construct(name="a")
    assert chosen.model_dump(exclude_unset=True) == {"name": "a"}
