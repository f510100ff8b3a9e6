"""`Reply`: a chat model's reply to a request, before the limits of the request are applied."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from runcrate_emulator.errors import ApiError
from runcrate_emulator.faults import usual_code

_ERROR_STATUSES = range(400, 600)


@dataclass(frozen=True, slots=True)
class ReplyToolCall:
    """A tool call of a reply; `arguments` is the JSON text that is sent."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A scripted reply of a chat model, for `Emulator(on_chat=...)` and `Emulator.reply_with`.

    Build one with `Reply.text`, `Reply.tool_calls`, `Reply.json`, `Reply.refusal` or
    `Reply.error`. The request's `max_tokens`, `stop`, `n`, `logprobs` and `stream` apply to it as
    they do to any reply.

    Attributes:
        content: Text of the message.
        calls: Tool calls.
        reasoning: Reasoning text, sent as `reasoning_content`.
        refused: Text of a refusal, sent as `refusal`.
        is_cut: Whether the finish reason is `length` in any case.
        failure: The error that is sent instead of a message.
        allows_unknown_tools: Whether a call may name a tool that the request does not offer.
    """

    content: str = ""
    calls: tuple[ReplyToolCall, ...] = ()
    reasoning: str = ""
    refused: str = ""
    is_cut: bool = False
    failure: ApiError | None = field(default=None, compare=False)
    allows_unknown_tools: bool = False

    @classmethod
    def text(cls, text: str, *, reasoning: str = "", cut_at_length: bool = False) -> Self:
        """Reply with text.

        Args:
            text: The text.
            reasoning: Reasoning before it; sent whichever model is asked.
            cut_at_length: Finish with `length`, as if the token limit had been reached here.

        Raises:
            TypeError: An argument is not a string.
        """
        return cls(
            _text("text", text), reasoning=_text("reasoning", reasoning), is_cut=cut_at_length
        )

    @classmethod
    def json(cls, value: Any, *, reasoning: str = "") -> Self:
        """Reply with a value as JSON text, for structured output.

        Args:
            value: Anything that JSON can express. It is not checked against the request's schema.
            reasoning: Reasoning before it.

        Raises:
            TypeError: JSON cannot express the value.
        """
        return cls(_json("value", value), reasoning=_text("reasoning", reasoning))

    @classmethod
    def tool_calls(
        cls,
        *calls: tuple[str, Mapping[str, Any] | str],
        text: str = "",
        reasoning: str = "",
        cut_at_length: bool = False,
        allow_unknown: bool = False,
    ) -> Self:
        """Reply with tool calls.

        Args:
            calls: For each call the tool's name and its arguments: a mapping, or a string that is
                sent as it is, for arguments that are not valid JSON.
            text: Text beside the calls.
            reasoning: Reasoning before them.
            cut_at_length: Finish with `length` instead of `tool_calls`.
            allow_unknown: Let a call name a tool that the request does not offer, as models
                sometimes do. By default that is an error of the script.

        Raises:
            TypeError: A call is not a name with its arguments.
            ValueError: There is no call.
        """
        if not calls:
            raise ValueError("`Reply.tool_calls` needs at least one call: a name and arguments.")
        return cls(
            _text("text", text),
            tuple(map(_call, calls)),
            _text("reasoning", reasoning),
            is_cut=cut_at_length,
            allows_unknown_tools=allow_unknown,
        )

    @classmethod
    def refusal(cls, text: str, *, reasoning: str = "") -> Self:
        """Reply with a refusal: `refusal` holds the text, and `content` is empty.

        Args:
            text: The explanation.
            reasoning: Reasoning before it.

        Raises:
            TypeError: An argument is not a string.
        """
        return cls(refused=_text("text", text), reasoning=_text("reasoning", reasoning))

    @classmethod
    def error(
        cls,
        status: int,
        message: str = "An error that a script returned.",
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Reply with an HTTP error in the envelope of the inference API; nothing is charged.

        Args:
            status: HTTP status, 400 to 599.
            message: Explanation in the body.
            code: Error code; default: the usual one of the status.
            headers: Response headers, for example `{"Retry-After": "2"}`.

        Raises:
            ValueError: The status is not that of an error.
        """
        if status not in _ERROR_STATUSES:
            raise ValueError(f"`Reply.error` takes a status from 400 to 599, not {status!r}.")
        code = code or usual_code(status)
        return cls(failure=ApiError(status, code, _text("message", message), headers=headers))


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`{name}` of a reply must be a string, not {type(value).__name__}.")
    return value


def _json(name: str, value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise TypeError(f"`{name}` of a reply cannot be sent as JSON: {error}.") from None


def _call(call: Any) -> ReplyToolCall:
    if isinstance(call, tuple) and len(call) == 2 and isinstance(call[0], str):  # noqa: PLR2004 - a pair
        name, arguments = call
        if isinstance(arguments, str):
            return ReplyToolCall(name, arguments)
        if isinstance(arguments, Mapping):
            return ReplyToolCall(name, _json("arguments", dict(arguments)))
    raise TypeError(
        f'A tool call is a pair like ("get_weather", {{"city": "Oslo"}}), not {call!r}.'
    )
