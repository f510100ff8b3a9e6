"""What a model knows of itself offline: profile, tokens; and what it learns from the service."""

import itertools
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_runcrate import ChatRuncrate
from langchain_runcrate.profiles import known_profile
from langchain_runcrate.token_counting import estimated_tokens, piece_ids, token_pieces
from tests.langchain.chat_service import chat
from tests.servers import Reply, ScriptedServer

LISTED = {
    "data": [
        {
            "id": "somebody/new-model",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "supported_features": ["tools", "reasoning"],
            "context_length": 65_536,
            "max_output_tokens": 4096,
        },
        {"id": "somebody/new-model-mini"},
    ]
}


def test_profiles_of_the_catalogue():
    vision = ChatRuncrate(model="Qwen/Qwen3-VL-8B-Instruct").profile
    assert vision["image_inputs"]
    assert not vision["audio_inputs"]
    thinker = ChatRuncrate(model="deepseek-ai/DeepSeek-R1-0528").profile
    assert thinker["reasoning_output"]
    assert thinker["max_input_tokens"] == 128_000
    assert ChatRuncrate(model="somebody/new-model").profile is None
    assert {*vision, *thinker} <= ModelProfile.__annotations__.keys()
    assert known_profile("google/gemma-2-9b-it") is not known_profile("google/gemma-2-9b-it")
    own = ChatRuncrate(model="deepseek-ai/DeepSeek-V3", profile={"max_input_tokens": 5})
    assert own.profile == {"max_input_tokens": 5}


async def test_a_profile_is_refreshed_from_the_service():
    with ScriptedServer(Reply(json=LISTED)) as server:
        model, other = (chat(server, model="somebody/new-model") for _ in range(2))
        assert model.refresh_profile() is model.profile
        assert await other.arefresh_profile() is other.profile
        await other.aclose()
        model.close()
    assert server.received[0].path == "/v1/models"
    assert model.profile == other.profile
    assert (model.profile["max_input_tokens"], model.profile["max_output_tokens"]) == (65_536, 4096)
    abilities = ("image_inputs", "tool_calling", "reasoning_output", "structured_output")
    assert [model.profile[ability] for ability in abilities] == [True, True, True, False]


def test_a_model_that_the_service_does_not_list_is_named_with_similar_ones():
    with ScriptedServer(Reply(json=LISTED)) as server:
        with pytest.raises(LookupError, match=r"`x/new-model`. Similar names: somebody/new-mod"):
            chat(server, model="x/new-model").refresh_profile()
        with pytest.raises(LookupError, match=r"list the model `zzz`\.$"):
            chat(server, model="zzz").refresh_profile()


MODEL = ChatRuncrate(model="deepseek-ai/DeepSeek-V3", api_key="rc_live_test")


def test_counting_loads_no_tokenizer():
    before = set(sys.modules)
    assert MODEL.get_num_tokens("Hello, world!") == 4
    assert MODEL.get_num_tokens_from_messages([HumanMessage("Hello, world!")]) > 4
    assert not {"tiktoken", "transformers"} & (set(sys.modules) - before)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("", 0, 0),
        ("The quick brown fox jumps over the lazy dog.", 9, 12),
        ("def add(a: int, b: int) -> int:\n    return a + b\n", 16, 26),
        ("1234567890", 3, 5),
        ("今天天气很好。", 4, 9),
        ("Добрый день, как дела?", 6, 14),
        ("https://www.runcrate.ai/dashboard/api-keys", 9, 18),
    ],
)
def test_estimates_are_near_what_tokenizers_count(text, low, high):
    assert low <= estimated_tokens(text) <= high


@settings(max_examples=50)
@given(st.text(max_size=100))
def test_pieces_cover_the_text_and_are_as_many_as_estimated(text):
    pieces = token_pieces(text)
    assert "".join(pieces) == text
    assert len(pieces) == estimated_tokens(text) == len(piece_ids(text))


def test_pieces_have_the_same_numbers_each_time_unless_the_user_counts():
    assert MODEL.get_token_ids("a b a") == MODEL.get_token_ids("a b a")
    first, *_, last = MODEL.get_token_ids(" a b a")
    assert first == last
    own = ChatRuncrate(model="m", custom_get_token_ids=lambda text: list(range(len(text))))
    assert own.get_num_tokens("abc") == 3
    assert own.get_token_ids("abc") == [0, 1, 2]


def test_everything_in_a_conversation_counts():
    text_block = {"type": "text", "text": "And here?"}
    call = {"name": "weather", "args": {"city": "Paris"}, "id": "1"}
    recording = {"type": "audio", "base64": "UklGRg==", "mime_type": "audio/wav"}
    messages = [
        SystemMessage("Be brief."),
        HumanMessage("What is the weather in Paris?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage("sunny", tool_call_id="1"),
        HumanMessage([text_block, {"type": "image", "url": "https://a.example/b.png"}]),
        HumanMessage([recording]),
    ]
    counts = [MODEL.get_num_tokens_from_messages(messages[:number]) for number in range(7)]
    assert all(later > earlier for earlier, later in itertools.pairwise(counts))
    tool = {"name": "weather", "description": "Tell the weather.", "parameters": {}}
    assert MODEL.get_num_tokens_from_messages(messages, tools=[tool]) > counts[-1]
