"""What a model is set up with: what is sent, what is kept inside, and what it says of itself."""

import copy
import importlib.metadata
import json
import pickle
import subprocess
import sys

import httpx
import pytest
from llama_index.core import PromptHelper, PromptTemplate
from llama_index.core.llms import ChatMessage, ImageBlock
from pydantic import SecretStr

from llamaindex_runcrate import RuncrateEmbedding, RuncrateLLM
from runcrate_core import ConfigurationError, RateLimitError, parse_model_info
from tests.chat_service import completion
from tests.llamaindex.calls import COMPLETION_WAYS, WAYS, ask

KEY = "rc_live_very_secret_key"
HEADER = "header-secret"
MODEL = "deepseek-ai/DeepSeek-V3"


@pytest.mark.parametrize("way", WAYS + COMPLETION_WAYS)
async def test_only_what_is_set_is_sent(made_llm, service, way):
    service.will_say(completion("Hi."))
    await ask(made_llm(), way, "x")
    expected = {"model": "some/model", "messages": [{"role": "user", "content": "x"}]}
    if "stream" in way:
        expected |= {"stream": True, "stream_options": {"include_usage": True}}
    assert service.last == expected


@pytest.mark.parametrize("way", WAYS)
async def test_settings_are_sent_and_a_call_wins(made_llm, service, way):
    service.will_say(completion("Hi."))
    settings = {"temperature": 0.5, "top_p": 0.9, "max_tokens": 100, "stop": ["x"], "seed": 1}
    settings |= {"frequency_penalty": 0.1, "presence_penalty": 0.2, "reasoning_effort": "low"}
    more = {"user": "ada", "seed": 2}
    extra = {"provider": {"order": ["a"]}, "kept": 1}
    llm = made_llm(**settings, additional_kwargs=more, extra_body=extra)
    await ask(llm, way, "x")
    assert (settings | more | extra).items() <= service.last.items()
    changed = {"temperature": 0, "max_tokens": 5, "model": "other/model", "brand_new": True}
    other = {"provider": {"order": ["b"]}}
    await ask(llm, way, "x", **changed, stop=None, extra_body=other)
    assert (changed | other | {"kept": 1}).items() <= service.last.items()
    assert "stop" not in service.last


async def test_what_need_not_be_sent_is_not(made_llm, service):
    service.will_say(completion("Hi.", usage=None))
    for way in ("stream_chat", "astream_chat"):
        await ask(made_llm(include_usage=False), way, "x")
        assert "stream_options" not in service.last
    await ask(made_llm(stop=[], max_tokens=5), "complete", "x", max_completion_tokens=9)
    assert service.last.keys() == {"model", "messages", "max_tokens"}
    assert service.last["max_tokens"] == 9
    await ask(made_llm(), "complete", "x", use_chat_completions=True)  # of other classes
    assert "use_chat_completions" not in service.last


def test_prompts_are_formatted_unless_they_are_already(made_llm, service):
    service.will_say(completion("Hi."))
    llm = made_llm(completion_to_prompt=lambda prompt: f"Q: {prompt}")
    for formatted, sent in ((False, "Q: x"), (True, "x")):
        llm.complete("x", formatted=formatted)
        assert service.last["messages"][0]["content"] == sent


@pytest.mark.parametrize("kind", [RuncrateLLM, RuncrateEmbedding])
def test_key_and_headers_are_nowhere_to_be_seen(monkeypatch, kind):
    """The conformance suite looks for them in events, callbacks and other forms of an LLM.

    LlamaIndex pickles the parts of a pipeline that runs in several processes: the key is read
    where they are loaded.
    """
    model = {"model": MODEL, "temperature": 0.2} if kind is RuncrateLLM else {"dimensions": 8}
    settings = {"api_base": "http://127.0.0.1:9/v1", "max_retries": 1}
    made = kind(**model, **settings, api_key=SecretStr(KEY), default_headers={"x-team": HEADER})
    assert (made.api_key, made.default_headers) == (None, None)
    stored = pickle.dumps(copy.deepcopy(made))
    shown = [repr(made), str(made), json.dumps(made.to_dict()), made.to_json(), repr(vars(made))]
    shown += [repr(made.to_payload()), made.model_dump_json(), repr(made.__reduce_ex__(2))]
    shown += [stored.decode("latin-1")]
    assert not any(KEY in text or HEADER in text for text in shown)
    monkeypatch.setenv("RUNCRATE_API_KEY", "rc_live_other")
    again = pickle.loads(stored)  # noqa: S301 - just made
    assert again.to_dict() == made.to_dict()
    assert again._sync_client._driver.config.api_key == "rc_live_other"
    assert again._async_client._driver.config.api_key == "rc_live_other"


@pytest.mark.parametrize("way", WAYS + COMPLETION_WAYS)
@pytest.mark.parametrize("name", ["api_key", "default_headers", "base_url", "max_retries"])
async def test_a_call_takes_no_settings_of_the_connection(made_llm, service, way, name):
    with pytest.raises(ValueError, match=f"takes no `{name}`") as caught:
        await ask(made_llm(), way, "x", **{name: KEY})
    assert KEY not in str(caught.value)
    assert service.requests == []


def test_no_key_or_one_of_another_service_is_a_clear_error(monkeypatch):
    monkeypatch.delenv("RUNCRATE_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-runcrate")
    with pytest.raises(ConfigurationError, match="RUNCRATE_API_KEY"):
        RuncrateLLM(model=MODEL, api_base="https://api.runcrate.ai/v1").chat([])
    with pytest.raises(ConfigurationError, match="rc_live_"):
        RuncrateLLM(model=MODEL, api_key="sk-not-for-runcrate").chat([])


def test_a_round_trip_through_a_dict():
    for name in ("api_base", "base_url"):
        local = RuncrateLLM(**{"model": MODEL, name: "http://127.0.0.1:9/v1"})
        assert local.api_base == "http://127.0.0.1:9/v1"
    llm = RuncrateLLM(model=MODEL, temperature=0.2, max_tokens=9, stop=["x"], max_retries=1)
    again = RuncrateLLM.from_dict(llm.to_dict())
    assert again.to_dict() == llm.to_dict()
    assert RuncrateLLM.model_validate(llm.to_dict()).to_dict() == llm.to_dict()
    assert llm.to_dict()["class_name"] == RuncrateLLM.class_name() == "runcrate_llm"
    embedding = RuncrateEmbedding(dimensions=8, query_instruction="q: ")
    assert RuncrateEmbedding.from_json(embedding.to_json()).to_dict() == embedding.to_dict()


async def test_clients_of_the_users_own_are_used_and_stay_open(made_llm, made_embedding, service):
    """The core's tests say what either of them can do alone."""
    service.will_say(completion("Hi."))
    llm = made_llm()
    await llm.aclose()
    assert llm.complete("x").text == (await llm.acomplete("x")).text == "Hi."
    for part in (llm, made_embedding()):
        with pytest.raises(pickle.PicklingError, match="http_client"):
            pickle.dumps(part)


@pytest.mark.parametrize(
    ("model", "window", "output", "tools"),
    [
        (MODEL, 128_000, 8_192, True),
        ("anthropic/claude-4-sonnet", 200_000, 50_000, True),
        ("google/gemma-2-9b-it", 8_192, -1, False),
        ("somebody/new-model", 32_768, -1, True),
    ],
)
def test_metadata(model, window, output, tools):
    """A prompt has room: llama_index issues 17029, 19787, 12119."""
    metadata = RuncrateLLM(model=model).metadata
    helper = PromptHelper.from_llm_metadata(metadata)
    room = helper._get_available_chunk_size(PromptTemplate("Answer: {context_str}"))
    assert 0.5 * window < room < window
    assert metadata.context_window == window
    assert metadata.num_output == output
    assert metadata.is_chat_model
    assert metadata.is_function_calling_model is tools
    assert metadata.model_name == model


def test_metadata_as_the_user_or_the_service_says():
    own = RuncrateLLM(
        model=MODEL, context_window=1000, max_tokens=10, is_function_calling_model=False
    ).metadata
    assert (own.context_window, own.num_output, own.is_function_calling_model) == (1000, 10, False)
    listed = {"id": "a/b", "context_length": 5000, "supported_features": ["json_mode"]}
    told = RuncrateLLM(model="a/b", facts=parse_model_info(listed)).metadata
    assert (told.context_window, told.is_function_calling_model) == (5000, False)


def test_a_model_that_cannot_see_is_not_shown_what_tools_draw(made_llm, service):
    service.will_say(completion("ok"))
    drawn = ChatMessage(
        role="tool",
        blocks=[ImageBlock(url="https://x.test/a.png")],
        additional_kwargs={"tool_call_id": "c"},
    )
    made_llm(model=MODEL).chat([drawn])
    assert [message["role"] for message in service.last["messages"]] == ["tool"]
    made_llm(model="Qwen/Qwen3-VL-8B-Instruct").chat([drawn])
    assert [message["role"] for message in service.last["messages"]] == ["tool", "user"]


@pytest.mark.parametrize("way", ["chat", "astream_chat"])
async def test_there_is_one_layer_of_retries(service, way):
    """llama_index issues 8881, 7739, 19075."""
    busy = httpx.Response(429, headers={"retry-after": "0"}, json={"error": {"message": "slow"}})
    service.will_say(busy)
    llm = RuncrateLLM(model="a/b", **service.clients(max_retries=2))
    with pytest.raises(RateLimitError):
        await ask(llm, way, "x")
    assert len(service.requests) == 3


def test_nothing_but_llamaindex_is_needed():
    needed = importlib.metadata.requires("runcrate-integrations") or []
    for_llamaindex = [name for name in needed if "extra == 'llamaindex'" in name.replace('"', "'")]
    assert [name.split(">")[0].split("<")[0] for name in for_llamaindex] == ["llama-index-core"]
    code = (
        "import sys, llamaindex_runcrate as l; l.RuncrateLLM; l.RuncrateEmbedding;"
        "print(sorted({'openai', 'transformers', 'torch', 'langchain_core', 'llama_index.llms',"
        "'runcrate_emulator', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
