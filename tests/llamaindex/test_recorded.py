"""The conformance suite's main uses of a model, and retrieval, from recordings of a service.

`make cassettes` records them from the emulator, `make cassettes LIVE=1` from the real service.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.llms import LLM

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from tests.conftest import Api
from tests.llamaindex.conformance import LLMConformance
from tests.llamaindex.conftest import CHAT_MODEL, EMBEDDING_MODEL, settings_of
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS
from tests.llamaindex.test_conformance import SUITE

pytestmark = [pytest.mark.vcr, *IGNORED_WARNINGS]


class TestRecordedModel(LLMConformance):
    """Answers, conversations, tools and objects, whole and streamed."""

    structured_output = "json_schema"
    only_tests = frozenset(
        {
            "test_complete",
            "test_chat_leaves_messages_alone",
            "test_a_tools_result_goes_back",
            "test_structured_prediction",
        }
    )

    @pytest.fixture
    def llm(self, api: Api) -> Iterator[LLM]:
        api.script(on_chat=SUITE)
        options = settings_of(api) | {"structured_output": self.structured_output}
        llm = RuncrateLLM(model=CHAT_MODEL, **options)
        yield llm
        llm.close()


class TestRecordedObjectsByTool(TestRecordedModel):
    """Objects as the arguments of a tool."""

    structured_output = "tool"
    only_tests = frozenset({"test_structured_prediction"})


async def test_retrieval(api):
    llm = RuncrateLLM(model=CHAT_MODEL, **settings_of(api))
    embed_model = RuncrateEmbedding(model_name=EMBEDDING_MODEL, **settings_of(api))
    facts = {
        "lighthouse.md": "The Meridian lighthouse was built in 1874 by Ada Colm.",
        "penguins.md": "Penguins of the Kellan islands eat krill and small squid.",
    }
    documents = [Document(text=text, id_=name) for name, text in facts.items()]
    index = VectorStoreIndex.from_documents(documents, embed_model=embed_model)
    engine = index.as_query_engine(llm=llm, similarity_top_k=1)
    answer = await engine.aquery("Who built the Meridian lighthouse?")
    assert "Ada Colm" in str(answer)
    assert [node.node.ref_doc_id for node in answer.source_nodes] == ["lighthouse.md"]
    await llm.aclose()
    await embed_model.aclose()
