"""The uses of a model and of embeddings, from recordings of a service.

`make cassettes` records them from the emulator, `make cassettes LIVE=1` from the real service.
"""

from __future__ import annotations

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from runcrate_emulator import Reply
from tests.llamaindex.calls import COMPLETION_WAYS, WAYS, ask, ask_with_tools, collected
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.scripts import as_object, with_tool

pytestmark = [pytest.mark.vcr, *IGNORED_WARNINGS]

FACTS = {
    "lighthouse.md": "The Meridian lighthouse was built in 1874 by Ada Colm.",
    "penguins.md": "Penguins of the Kellan islands eat krill and small squid.",
}


class City(BaseModel):
    """A city and its country."""

    name: str = Field(description="Name of the city")
    country: str = Field(description="Name of the country that the city is in")


def multiply(a: int, b: int) -> int:
    """Multiply two whole numbers and return the product."""
    return a * b


@pytest.mark.parametrize("way", WAYS + COMPLETION_WAYS)
async def test_an_answer(api, llm, way):
    api.script(on_chat=lambda _: Reply.text("Hello, Ada!"))
    last = (await ask(llm, way, "Say hello to Ada, by her name."))[-1]
    assert "Ada" in (last.text if way in COMPLETION_WAYS else last.message.content)
    assert last.raw["usage"]["total_tokens"] == last.additional_kwargs["total_tokens"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_tool_call_and_its_result(api, llm, way):
    api.script(on_chat=with_tool("multiply", {"a": 12, "b": 34}, "It is 408."))
    tools = [FunctionTool.from_defaults(multiply)]
    question = "What is 12 times 34? Use the tool."
    asked = (await ask_with_tools(llm, way, tools, question, tool_required=True))[-1]
    (call,) = llm.get_tool_calls_from_response(asked)
    assert (call.tool_name, call.tool_kwargs) == ("multiply", {"a": 12, "b": 34})
    result = ChatMessage(
        role="tool", content="408", additional_kwargs={"tool_call_id": call.tool_id}
    )
    history = [ChatMessage(role="user", content=question), asked.message, result]
    answer = (await collected(getattr(llm, way)(history)))[-1]
    assert "408" in answer.message.content


@pytest.mark.parametrize("way", ["structured_predict", "astream_structured_predict"])
@pytest.mark.parametrize("by", ["json_schema", "tool"])
async def test_an_object(api, llm, way, by):
    api.script(on_chat=as_object({"name": "Oslo", "country": "Norway"}))
    prompt = PromptTemplate("Extract the city: {text}")
    text = "Oslo is the capital of the country Norway."
    model = llm.model_copy(update={"structured_output": by})
    results = await collected(getattr(model, way)(City, prompt, text=text))
    assert results[-1] == City(name="Oslo", country="Norway")


async def test_retrieval(llm, embed_model):
    documents = [Document(text=text, id_=name) for name, text in FACTS.items()]
    index = VectorStoreIndex.from_documents(documents, embed_model=embed_model)
    engine = index.as_query_engine(llm=llm, similarity_top_k=1)
    answer = await engine.aquery("Who built the Meridian lighthouse?")
    assert "Ada Colm" in str(answer)
    assert [node.node.ref_doc_id for node in answer.source_nodes] == ["lighthouse.md"]
