"""Scripted chat: the queue of replies, the `on_chat` function, and their errors."""

import inspect
from collections import deque
from collections.abc import Awaitable, Callable

from runcrate_emulator.chat.reply import Reply
from runcrate_emulator.chat.request import ChatRequest
from runcrate_emulator.errors import ApiError

ChatScript = Callable[[ChatRequest], Reply | Awaitable[Reply | None] | None]
"""Decides the reply to a request; `None` leaves it to the upstream or the default model."""


class ScriptError(Exception):
    """A chat script raised, returned something else than a reply, or named an unknown tool.

    The block `with Emulator(...)` raises it at its end, and the pytest fixture at its teardown.
    The request itself gets status 400 with the code `script_error`.
    """


class ScriptedChat:
    """The scripts of an emulator.

    Attributes:
        on_chat: Called for a request when the queue is empty.
        queue: Replies to the next requests, in order.
        errors: Errors of the scripts so far.
    """

    def __init__(self, on_chat: ChatScript | None) -> None:
        self.on_chat = on_chat
        self.queue: deque[Reply] = deque()
        self.errors: list[ScriptError] = []

    def __bool__(self) -> bool:
        """Return whether a script may reply to the next request."""
        return bool(self.queue) or self.on_chat is not None

    async def reply_to(self, request: ChatRequest) -> Reply | None:
        """Return the scripted reply, or raise what it says; None when no script wants it."""
        try:
            reply = await self._next(request)
            _check_tools(reply, request)
        except ScriptError as error:
            self.errors.append(error)
            message = f"{error} The request was not processed."
            raise ApiError(400, "script_error", message) from None  # 400: no client retries it
        if reply is not None and reply.failure is not None:
            raise reply.failure
        return reply

    async def _next(self, request: ChatRequest) -> Reply | None:
        if self.queue:
            return self.queue.popleft()
        if self.on_chat is None:
            return None
        try:
            reply = self.on_chat(request)
            if inspect.isawaitable(reply):
                reply = await reply
        except Exception as error:
            raise ScriptError(f"`on_chat` raised {type(error).__name__}: {error}.") from error
        if reply is not None and not isinstance(reply, Reply):
            raise ScriptError(
                f"`on_chat` returned {type(reply).__name__} {reply!r:.100}; it must return a "
                "`Reply`, such as `Reply.text(...)`, or None."
            )
        return reply


def _check_tools(reply: Reply | None, request: ChatRequest) -> None:
    offered = sorted(tool.name for tool in request.tools)
    for call in () if reply is None or reply.allows_unknown_tools else reply.calls:
        if call.name not in offered:
            raise ScriptError(
                f"A scripted reply calls the tool {call.name!r}, which the request does not offer "
                f"(offered: {', '.join(offered) or 'none'}). Correct the name, or pass "
                "`allow_unknown=True`."
            )
