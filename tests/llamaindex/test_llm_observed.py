"""Calls report to observers exactly what LlamaIndex's own decorators report."""

from __future__ import annotations

from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span import BaseSpan
from llama_index.core.instrumentation.span_handlers import BaseSpanHandler
from llama_index.core.llms import ChatMessage, CompletionResponse
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.rate_limiter import BaseRateLimiter
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field, ValidationError

from llamaindex_runcrate import RuncrateLLM
from llamaindex_runcrate.responses import completion_of
from tests.chat_service import chunk, completion, end, refusal
from tests.llamaindex.calls import PREDICTIONS, collected, predict

STREAM = [chunk({"content": "Hello"}), chunk({"content": " there"}), *end()]
BROKEN = [chunk({"content": "Hello"}), {"error": {"message": "gone"}}]
WAYS = ("stream_chat", "astream_chat", "stream_complete", "astream_complete")
WHOLE = ("chat", "achat", "complete", "acomplete")


def said(text: str) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=text)]


class Nothing(BaseModel):
    """An object without fields."""


class Decorated(RuncrateLLM):
    """The same under LlamaIndex's own decorators."""

    @llm_chat_callback()
    def chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._chat(messages, kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        return await self._achat(messages, kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._stream_chat(self._request(messages, kwargs))

    @llm_chat_callback()
    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        return self._astream_chat(await self._arequest(messages, kwargs))

    @llm_completion_callback()
    def complete(self, prompt: str, *_: Any, **kwargs: Any) -> Any:
        return completion_of(self._chat(said(prompt), kwargs))

    @llm_completion_callback()
    async def acomplete(self, prompt: str, *_: Any, **kwargs: Any) -> Any:
        return completion_of(await self._achat(said(prompt), kwargs))

    @llm_completion_callback()
    def stream_complete(self, prompt: str, *_: Any, **kwargs: Any) -> Any:
        chunks = self._stream_chat(self._request(said(prompt), kwargs))
        return (completion_of(each) for each in chunks)

    @llm_completion_callback()
    async def astream_complete(self, prompt: str, *_: Any, **kwargs: Any) -> Any:
        chunks = self._astream_chat(await self._arequest(said(prompt), kwargs))
        return (completion_of(each) async for each in chunks)


class Events(BaseEventHandler):
    seen: list[Any] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        if type(event).__name__.startswith(("LLM", "Exception")):
            self.seen.append(event)


class Callbacks(BaseCallbackHandler):
    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[Any] = []

    def on_event_start(self, event_type, payload=None, event_id="", **_):
        self.seen.append(("start", event_type, sorted(payload)))
        return event_id

    def on_event_end(self, event_type, payload=None, event_id="", **_):
        self.seen.append(("end", event_type, sorted(payload)))

    def start_trace(self, trace_id: Any = None) -> None:
        self.seen.append(("trace", trace_id))

    def end_trace(self, trace_id: Any = None, trace_map: Any = None) -> None:
        self.seen.append(("trace end", trace_id))


class Spans(BaseSpanHandler[BaseSpan]):
    seen: list[str] = Field(default_factory=list)

    def new_span(self, id_, bound_args, instance=None, parent_span_id=None, tags=None, **_):
        self.seen.append(f"{id_} {bound_args} {instance!r}")
        return BaseSpan(id_=id_)

    def prepare_to_exit_span(self, id_, bound_args, instance=None, result=None, **_):
        self.seen.append(f"{id_} {bound_args} {result!r}")

    def prepare_to_drop_span(self, id_, bound_args, instance=None, err=None, **_):
        self.seen.append(f"{id_} {bound_args} {err!r}")


@pytest.fixture
def spans():
    handler, dispatcher = Spans(), get_dispatcher()
    dispatcher.add_span_handler(handler)
    yield handler.seen
    dispatcher.span_handlers.remove(handler)


@pytest.fixture
def events():
    handler, dispatcher = Events(), get_dispatcher()
    dispatcher.add_event_handler(handler)
    yield handler.seen
    dispatcher.event_handlers.remove(handler)


async def use(llm: Any, way: str, *, leave_early: bool = False, **kwargs: Any) -> None:
    """Ask, and read the stream or its first chunk."""
    result = getattr(llm, way)("x" if "complete" in way else said("x"), temperature=0.1, **kwargs)
    if not leave_early:
        await collected(result)
    elif way.startswith("a"):
        stream = await result
        await anext(stream)
        await stream.aclose()
    else:
        next(result)
        result.close()


async def reported(llm: Any, way: str, events: list[Any], **how: Any) -> tuple[Any, Any]:
    """Return what observers were told: events with their members, and callbacks."""
    callbacks = Callbacks()
    llm.callback_manager = CallbackManager([callbacks])
    events.clear()
    try:
        await use(llm, way, **how)
    except Exception:  # noqa: BLE001 - what it is does not matter here
        callbacks.seen.append("raised")
    told = [(type(event).__name__, sorted(event.model_dump())) for event in events]
    return told, callbacks.seen


@pytest.mark.parametrize("way", WAYS + WHOLE)
async def test_observers_see_the_call_and_its_answer_but_no_headers(
    made_llm, service, events, spans, way
):
    service.will_say(STREAM if "stream" in way else completion("Hello there"))
    await use(made_llm(), way, extra_headers={"x-token": "secret_value"})
    start, *_, last = events
    assert start.additional_kwargs == {"temperature": 0.1}
    assert start.model_dict["class_name"] == "runcrate_llm"
    assert start.span_id
    assert start.span_id == last.span_id
    answer = last.response
    said = answer.text if isinstance(answer, CompletionResponse) else answer.message.content
    assert said == "Hello there"
    assert any(f"RuncrateLLM.{way}-" in span and "0.1" in span for span in spans)
    with pytest.raises(ValueError, match="takes no `api_key`"):
        await use(made_llm(), way, api_key="secret_value")
    assert "secret_value" not in str([event.model_dump() for event in events]) + str(spans)
    with pytest.raises(ValidationError, match="`default_headers`"):
        made_llm(additional_kwargs={"extra_headers": {"x-token": "secret_value"}})


@pytest.mark.parametrize(
    ("way", "answer", "how", "raises"),
    [
        *((way, STREAM, {}, False) for way in WAYS),
        *((way, STREAM, {"leave_early": True}, False) for way in WAYS),
        *((way, BROKEN, {}, True) for way in WAYS),
        *((way, completion("Hello there"), {}, False) for way in WHOLE),
        *((way, refusal(404), {}, True) for way in WAYS + WHOLE),
        *((way, STREAM, {"api_key": "a call takes none"}, True) for way in WAYS + WHOLE),
    ],
)
async def test_observers_see_what_they_see_of_a_decorated_model(
    made_llm, service, events, way, answer, how, raises
):
    service.will_say(answer)
    ours = await reported(made_llm(), way, events, **how)
    decorated = Decorated(model="some/model", **service.clients())
    assert ours == await reported(decorated, way, events, **how)
    assert (ours[1][-1] == "raised") == raises


async def test_a_handler_of_the_dispatcher_of_llms_alone_is_told(made_llm, service):
    """Events that nobody receives cost nothing: the benchmarks count the calls of a chunk."""
    handler, dispatcher = Events(), get_dispatcher("llama_index.core.llms.callbacks")
    dispatcher.add_event_handler(handler)
    service.will_say(STREAM)
    await use(made_llm(), "astream_chat")
    dispatcher.event_handlers.remove(handler)
    kinds = [type(event).__name__ for event in handler.seen]
    assert kinds == ["LLMChatStartEvent", *["LLMChatInProgressEvent"] * 3, "LLMChatEndEvent"]


@pytest.mark.parametrize("way", WAYS + WHOLE)
async def test_the_rate_limiter_is_asked_once(made_llm, service, way):
    asked: list[str] = []

    class Limiter(BaseRateLimiter):
        def acquire(self, num_tokens: int = 0) -> None:
            asked.append("blocking")

        async def async_acquire(self, num_tokens: int = 0) -> None:
            asked.append("asynchronous")

    service.will_say(STREAM if "stream" in way else completion("Hello there"))
    await use(made_llm(rate_limiter=Limiter()), way)
    assert asked == ["asynchronous" if way.startswith("a") else "blocking"]


async def test_an_asynchronous_stream_left_early_ends_its_request_at_once(made_llm, service):
    service.will_say(STREAM)
    await use(made_llm(), "astream_chat", leave_early=True)
    await use(made_llm(), "astream_complete", leave_early=True)
    assert [body.closed for body in service.bodies] == [True, True]


@pytest.mark.parametrize(
    "way", [*PREDICTIONS, "chat_with_tools", "predict_and_call", "apredict_and_call"]
)
async def test_spans_of_objects_and_tools_show_no_headers(made_llm, service, spans, way):
    service.decides(
        lambda body: completion(
            "{}", calls=[("a", it["function"]["name"], "{}") for it in body.get("tools", ())]
        )
    )
    headers = {"extra_headers": {"x-token": "secret_value"}}
    if way in PREDICTIONS:
        await predict(made_llm(), way, Nothing, **headers)
    else:
        tools = [FunctionTool.from_defaults(lambda: "x", name="f", description="F.")]
        await collected(getattr(made_llm(), way)(tools, user_msg="x", **headers))
    assert "secret_value" in str(service.headers)
    assert spans
    assert "secret_value" not in str(spans)
