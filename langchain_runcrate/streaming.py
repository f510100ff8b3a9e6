"""Streamed responses as LangChain's chunks.

`StreamReader.read` is called for each chunk of the API and is what a stream costs, so it does
little: text, reasoning and fragments of tool arguments go straight into a message. All else (model,
usage, cost, finish reason, citations, ...) is reported once, by the last chunk, from the response
that the client folds: LangChain joins the values of several chunks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_runcrate.reasoning import PROVIDER, REASONING_KEY
from langchain_runcrate.responses import (
    additional_members,
    choice_metadata,
    read_content,
    response_metadata_of,
    spent_metadata,
)
from langchain_runcrate.tool_calls import StreamedArguments, extras_of
from langchain_runcrate.usage import usage_metadata
from runcrate_core.toolkit import (
    construct,
    extract_reasoning,
    extract_usage,
    parse_tool_calls,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_core.messages.tool import ToolCallChunk

    from langchain_runcrate.responses import ResponseContext
    from runcrate_core import ResponseInfo
    from runcrate_core.toolkit import ParsedToolCall

# Members of a message that are passed on in pieces, as they come; others wait for the end.
_STREAMED_MEMBERS: Final = frozenset({REASONING_KEY, "function_call", "refusal"})
# Log probabilities are passed on with their tokens.
_STREAMED_CHOICE_MEMBERS: Final = frozenset({"logprobs"})


class StreamReader:
    """Reads one streamed response, chunk by chunk.

    Args:
        reading: What is known of the call.
    """

    def __init__(self, reading: ResponseContext) -> None:
        self._reading = reading
        self._call_ids: dict[int, str | None] = {}
        self._arguments: dict[int, StreamedArguments] = {}

    def read(self, chunk: Mapping[str, Any]) -> ChatGenerationChunk | None:
        """Return what a chunk of the API adds to the message; `None` when that is nothing."""
        choices = chunk.get("choices")
        choice = choices[0] if choices and isinstance(choices, list) else None
        if not isinstance(choice, dict) or (type(i := choice.get("index")) is int and i):
            return None  # LangChain streams the first of several responses
        delta = choice.get("delta")
        if not delta or not isinstance(delta, dict):
            return None
        text, logprobs = delta.get("content") or "", choice.get("logprobs")
        if not isinstance(logprobs, dict):
            logprobs = None
        if not logprobs and type(text) is str:
            # What nearly all chunks are; everything else takes the longer way.
            if len(delta) == 1 and text:
                return _fast_chunk(text, {}, [])
            reasoning = delta.get(REASONING_KEY)
            if type(reasoning) is str and reasoning and len(delta) == 1 + ("content" in delta):
                return _fast_chunk(text, {REASONING_KEY: reasoning}, [])
            if len(delta) == 1 and "tool_calls" in delta:
                return self._calls_piece(delta["tool_calls"] or ())
        return self._read_more(delta, logprobs)

    def end(
        self, payload: Mapping[str, Any], response: ResponseInfo | None
    ) -> Iterator[ChatGenerationChunk]:
        """Yield what is only known at the end; the last chunk is marked as such.

        Args:
            payload: The stream, folded into the form of a complete response.
            response: Head of the response.
        """
        choices = payload.get("choices") or [{}]
        choice, usage = choices[0], extract_usage(payload)
        calls = self._parsed_calls(choice) if self._call_ids else []
        if endings := self._ends_of_calls(calls):
            yield _checked(tool_call_chunks=endings)
        tokens = usage_metadata(usage) if usage else None
        extra = additional_members(choice.get("message") or {})
        ended = choice_metadata(choice)
        yield _checked(
            additional_kwargs=_without(extra, _STREAMED_MEMBERS) | extras_of(calls),
            response_metadata={
                **response_metadata_of(payload, response, self._reading),
                **_without(ended, _STREAMED_CHOICE_MEMBERS),
                **spent_metadata(usage, tokens, self._reading),
            },
            usage_metadata=tokens,
            chunk_position="last",
            generation_info={"finish_reason": choice.get("finish_reason")},
        )

    def _parsed_calls(self, choice: Mapping[str, Any]) -> list[ParsedToolCall]:
        return parse_tool_calls(
            (choice.get("message") or {}).get("tool_calls") or (),
            finish_reason=choice.get("finish_reason"),
            tools=self._reading.tools,
            forced=self._reading.forced,
        )

    def _ends_of_calls(self, calls: list[ParsedToolCall]) -> list[ToolCallChunk]:
        """Return the names of calls that have none, and what keeps others from being run."""
        endings = []
        for index, call in zip(sorted(self._call_ids), calls, strict=False):
            identifier = None if self._call_ids[index] else call.id
            ending = self._arguments.get(index, StreamedArguments()).end(call)
            if identifier or ending:
                endings.append(tool_call_chunk(index=index, id=identifier, args=ending or None))
        return endings

    def _calls_piece(self, calls: Any) -> ChatGenerationChunk | None:
        """Return a chunk for pieces of tool calls."""
        pieces, begins = self._call_chunks(calls)
        if not pieces:
            return None
        return _checked(tool_call_chunks=pieces) if begins else _fast_chunk("", {}, pieces)

    def _read_more(self, delta: Mapping[str, Any], logprobs: Any) -> ChatGenerationChunk | None:
        content, reasoning = read_content(delta.get("content"))
        reasoning = extract_reasoning(delta) or reasoning
        additional_kwargs: dict[str, Any] = {REASONING_KEY: reasoning} if reasoning else {}
        if (refusal := delta.get("refusal")) and isinstance(refusal, str):
            additional_kwargs["refusal"] = refusal
        if isinstance(function_call := delta.get("function_call"), dict):
            additional_kwargs["function_call"] = {
                name: value for name, value in function_call.items() if value
            }
        calls, begins = self._call_chunks(delta.get("tool_calls") or ())
        if not (content or additional_kwargs or calls or logprobs):
            return None
        if begins or type(content) is not str or logprobs:
            return _checked(
                content=content,
                additional_kwargs=additional_kwargs,
                tool_call_chunks=calls,
                generation_info={"logprobs": logprobs} if logprobs else None,
            )
        return _fast_chunk(content, additional_kwargs, calls)

    def _call_chunks(self, calls: Any) -> tuple[list[ToolCallChunk], bool]:
        """Return pieces of tool calls, and whether one of them begins a call."""
        begins = False
        chunks = []
        for call in calls if isinstance(calls, list) else ():
            if not isinstance(call, dict):
                continue
            function = call.get("function") or {}
            index, identifier, name = call["index"], call.get("id"), function.get("name")
            if identifier or name or index not in self._call_ids:
                begins = True
                self._call_ids[index] = identifier or self._call_ids.get(index)
            arguments = function.get("arguments")
            if arguments:
                known = self._arguments.get(index)
                if known is None:
                    known = self._arguments[index] = StreamedArguments()
                arguments = known.feed(arguments)
            chunks.append(
                tool_call_chunk(
                    name=self._reading.names.from_wire(name) if name else None,
                    args=arguments,
                    id=identifier or None,
                    index=index,
                )
            )
        return chunks, begins


def _checked(
    *,
    content: str | list[Any] = "",
    response_metadata: dict[str, Any] | None = None,
    generation_info: dict[str, Any] | None = None,
    **fields: Any,
) -> ChatGenerationChunk:
    """Return a chunk that LangChain has validated, its tool calls parsed."""
    metadata = {"model_provider": PROVIDER} if response_metadata is None else response_metadata
    message = AIMessageChunk(content=content, response_metadata=metadata, **fields)
    return ChatGenerationChunk(message=message, generation_info=generation_info)


# The fields that `_fast_chunk` does not set have the values that the classes give them.
_MESSAGE_FIELDS: Final = dict(AIMessageChunk(content="").__dict__)
_GENERATION_FIELDS: Final = dict(ChatGenerationChunk(message=AIMessageChunk(content="")).__dict__)


def _fast_chunk(
    text: str, additional_kwargs: dict[str, Any], calls: list[ToolCallChunk]
) -> ChatGenerationChunk:
    """Return a chunk of text, reasoning or more arguments of calls, without validating it.

    Its fields are made here and of the right types, so that validating them would only cost time:
    several times as much as this. The arguments of `calls` are pieces of JSON; LangChain parses
    them when the chunks are joined.
    """
    if calls or additional_kwargs:
        given = {"additional_kwargs", "content", "response_metadata", "tool_call_chunks"}
    else:
        given = {"content", "response_metadata"}
    fields = _MESSAGE_FIELDS.copy()
    fields["content"] = text
    fields["additional_kwargs"] = additional_kwargs
    fields["response_metadata"] = {"model_provider": PROVIDER}
    fields["tool_calls"] = []
    fields["invalid_tool_calls"] = []
    fields["tool_call_chunks"] = calls
    message = construct(AIMessageChunk, fields, given, {})
    fields = _GENERATION_FIELDS.copy()
    fields["text"] = text
    fields["message"] = message
    return construct(ChatGenerationChunk, fields, {"message", "text"})


def _without(members: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in names}
