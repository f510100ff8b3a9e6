"""Instrumentation of calls: LlamaIndex's events and callbacks.

LlamaIndex has decorators for this (`llm_chat_callback`, `llm_completion_callback`). They make the
events of every call, and of every chunk of a stream, whether or not anybody listens, which costs
as much as the rest of a call in this process, and they leave it to the garbage collector to end the
request when an asynchronous stream is closed early. Here events are made for listeners alone; they
and their order are the same otherwise.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import update_wrapper
from inspect import BoundArguments, Signature
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.event_handlers import NullEventHandler
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatInProgressEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionInProgressEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.instrumentation.span import active_span_id
from llama_index.core.llms.callbacks import dispatcher

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from llama_index.core.base.llms.types import ChatResponse
    from llama_index.core.instrumentation.events import BaseEvent
    from llama_index.core.llms.llm import LLM

R = TypeVar("R")

# Arguments of a call that may hold credentials.
_PRIVATE: Final = frozenset({"api_key", "default_headers", "extra_headers"})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of call, with the names of its parts in events and callbacks.

    Attributes:
        trace: Name of its traces.
        subject: Name of the prompt or messages in events.
        request_key: Key of the prompt or messages in the callbacks' payload.
        response_key: Key of the response in the callbacks' payload.
        start: Class of the event that opens it.
        progress: Class of the events of its chunks.
        end: Class of the event that closes it.
    """

    trace: str
    subject: str
    request_key: EventPayload
    response_key: EventPayload
    start: type[BaseEvent]
    progress: type[BaseEvent]
    end: type[BaseEvent]


CHAT: Final = Kind(
    trace="chat",
    subject="messages",
    request_key=EventPayload.MESSAGES,
    response_key=EventPayload.RESPONSE,
    start=LLMChatStartEvent,
    progress=LLMChatInProgressEvent,
    end=LLMChatEndEvent,
)
COMPLETION: Final = Kind(
    trace="completion",
    subject="prompt",
    request_key=EventPayload.PROMPT,
    response_key=EventPayload.COMPLETION,
    start=LLMCompletionStartEvent,
    progress=LLMCompletionInProgressEvent,
    end=LLMCompletionEndEvent,
)


class Instrumentation:
    """The events and callbacks of one call; made by `instrumented`."""

    def __init__(self, llm: LLM, kind: Kind, subject: Any) -> None:
        self._callbacks = llm.callback_manager
        self._kind = kind
        self._subject = subject
        self._span_id = active_span_id.get()
        self._has_listeners = _has_listeners()
        self.is_observed = self._has_listeners or bool(self._callbacks.handlers)
        self._event_id = ""

    def started(self, llm: LLM, kwargs: dict[str, Any]) -> None:
        """Report the start of the call, without what may hold credentials."""
        kwargs = _public(kwargs)
        model = llm.to_payload()
        self._emit(self._kind.start, model_dict=model, additional_kwargs=kwargs)
        self._event_id = self._callbacks.on_event_start(
            CBEventType.LLM,
            payload={
                self._kind.request_key: self._subject,
                EventPayload.ADDITIONAL_KWARGS: kwargs,
                EventPayload.SERIALIZED: model,
            },
        )

    def ended(self, response: R) -> R:
        """Report the end of the call with its response, and return that."""
        if self.is_observed:
            kind = self._kind
            self._callbacks.on_event_end(
                CBEventType.LLM,
                payload={kind.request_key: self._subject, kind.response_key: response},
                event_id=self._event_id,
            )
            self._emit(kind.end, response=response)
        return response

    def stream(
        self, chunks: Generator[ChatResponse, None, None], convert: Callable[[ChatResponse], R]
    ) -> Generator[R, None, None]:
        """Yield chunks, converted, and report them; the last is reported as the response."""
        last: R | None = None
        try:
            for chunk in chunks:
                last = convert(chunk)
                self._progressed(last)
                yield last
        except BaseException as error:
            self._failed_midway(error)
            raise
        finally:
            chunks.close()
        self.ended(last)

    async def astream(
        self, chunks: AsyncGenerator[ChatResponse, None], convert: Callable[[ChatResponse], R]
    ) -> AsyncGenerator[R, None]:
        """Yield chunks like `stream`."""
        last: R | None = None
        try:
            async for chunk in chunks:
                last = convert(chunk)
                self._progressed(last)
                yield last
        except BaseException as error:
            self._failed_midway(error)
            raise
        finally:
            await chunks.aclose()
        self.ended(last)

    def failed(self, error: BaseException) -> None:
        """Report that the call failed."""
        if self.is_observed:
            self._callbacks.on_event_end(
                CBEventType.LLM, payload={EventPayload.EXCEPTION: error}, event_id=self._event_id
            )

    def _progressed(self, chunk: Any) -> None:
        if self._has_listeners:
            self._emit(self._kind.progress, response=chunk)

    def _failed_midway(self, error: BaseException) -> None:
        self.failed(error)
        dispatcher.event(ExceptionEvent(exception=error, span_id=self._span_id))

    def _emit(self, event: type[BaseEvent], **members: Any) -> None:
        if self._has_listeners:
            members[self._kind.subject] = self._subject
            dispatcher.event(event(**members, span_id=self._span_id))


@contextmanager
def instrumented(
    llm: LLM, kind: Kind, subject: Any, kwargs: dict[str, Any]
) -> Iterator[Instrumentation]:
    """Report the start of a call, and its failure if the block raises.

    Args:
        llm: The model that is called.
        kind: `CHAT` or `COMPLETION`.
        subject: The messages or the prompt.
        kwargs: The other arguments of the call.
    """
    observation = Instrumentation(llm, kind, subject)
    if not observation.is_observed:
        yield observation
        return
    with llm.callback_manager.as_trace(kind.trace):
        observation.started(llm, kwargs)
        try:
            yield observation
        except BaseException as error:
            observation.failed(error)
            raise


class SpanSignature(Signature):
    """A method's signature for LlamaIndex's spans, which show each argument that it binds."""

    def bind(self, /, *args: Any, **kwargs: Any) -> BoundArguments:
        """Bind arguments without what may hold credentials."""
        bound = super().bind(*args, **kwargs)
        for name in ("kwargs", "llm_kwargs"):
            if isinstance(given := bound.arguments.get(name), dict):
                bound.arguments[name] = _public(given)
        return bound


def without_credentials(method: Any) -> Any:
    """Return a copy of a method of LlamaIndex's whose spans show nothing that may hold credentials.

    Args:
        method: The method, under its decorator for spans.
    """
    inner = method.__wrapped__
    own = FunctionType(
        inner.__code__, inner.__globals__, inner.__name__, inner.__defaults__, inner.__closure__
    )
    update_wrapper(own, inner)
    own.__kwdefaults__ = inner.__kwdefaults__
    own.__signature__ = SpanSignature.from_callable(inner)  # type: ignore[attr-defined] # of inspect
    return dispatcher.span(own)


def _public(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name not in _PRIVATE}


def _has_listeners() -> bool:
    """Return True if there is a handler of events; checked when a call starts."""
    current: Any = dispatcher
    while current is not None:
        if any(not isinstance(handler, NullEventHandler) for handler in current.event_handlers):
            return True
        current = current.parent if current.propagate else None
    return False
