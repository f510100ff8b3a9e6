"""Approval of calls by a person, in both eras of the protocol, bound to the call.

Until 2025-11-25 the server asks the client while the call waits. Since 2026-07-28 a server cannot
ask: the call returns the question, and the client sends the call again with the person's decision.
The question is bound to the tool and its arguments, is valid for ten minutes and for one call.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
from mcp.types import (
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from runcrate_core import SpendRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mcp.server import ServerRequestContext
    from mcp.types import CallToolRequestParams

# As long as a launch plan is valid (seconds).
APPROVAL_LIFETIME_S: Final = 600.0
# Questions that wait for a decision; older ones are dropped.
MAX_PENDING: Final = 100
_KEY: Final = "approval"
_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "approve": {
            "type": "boolean",
            "title": "Approve",
            "description": "Yes: the call is run. No: nothing happens.",
        }
    },
    "required": ["approve"],
}
_NOT_DONE: Final = "Nothing was started, changed or billed."


@dataclass(frozen=True)
class _Question:
    tool: str
    arguments: dict[str, Any]
    expires_at: float


@dataclass
class Approvals:
    """Asks a person, through the client, before a call.

    Attributes:
        clock: Monotonic seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _pending: dict[str, _Question] = field(default_factory=dict, repr=False)

    async def require(
        self,
        context: ServerRequestContext[Any, Any],
        params: CallToolRequestParams,
        prompt: Callable[[], str],
    ) -> InputRequiredResult | None:
        """Return `None` when a call is approved, or the question that the client has to answer.

        Args:
            context: Context of the request.
            params: The call.
            prompt: Returns the question for the person.

        Raises:
            SpendRefusedError: It is not approved, or nobody can be asked.
        """
        if params.request_state is not None or params.input_responses is not None:
            self._check(params)
            return None
        if not can_ask(context):
            raise SpendRefusedError(
                "This needs the approval of a person, and this client cannot ask one (it does not "
                f"support elicitation). {_NOT_DONE} Use a client that supports elicitation, or "
                "tell the user that `runcrate-mcp --yes` starts the server without approval, "
                "within its spending limits."
            )
        form = ElicitRequestFormParams(message=prompt(), requested_schema=_FORM)
        if is_modern(context):
            return self._question(params, form)
        with anyio.move_on_after(APPROVAL_LIFETIME_S):
            decision = await context.session.elicit_form(
                form.message, form.requested_schema, related_request_id=context.request_id
            )
            _check_decision(decision)
            return None
        raise SpendRefusedError(f"Nobody decided within ten minutes. {_NOT_DONE}")

    def _question(
        self, params: CallToolRequestParams, form: ElicitRequestFormParams
    ) -> InputRequiredResult:
        now = self.clock()
        valid = {key: item for key, item in self._pending.items() if item.expires_at > now}
        self._pending = dict(list(valid.items())[-MAX_PENDING + 1 :])
        state = secrets.token_urlsafe(24)
        self._pending[state] = _Question(
            params.name, dict(params.arguments or {}), now + APPROVAL_LIFETIME_S
        )
        request = ElicitRequest(params=form)
        return InputRequiredResult(input_requests={_KEY: request}, request_state=state)

    def _check(self, params: CallToolRequestParams) -> None:
        """Check the decision that came with the second call; a question is used up by it.

        Raises:
            SpendRefusedError: It was declined, or does not belong to this call.
        """
        question = self._pending.pop(params.request_state or "", None)
        if question is None or self.clock() > question.expires_at:
            raise SpendRefusedError(
                "This approval is unknown, too old or was used already; each is valid for one call "
                f"and ten minutes. {_NOT_DONE} Call again without it to ask again."
            )
        if (question.tool, question.arguments) != (params.name, dict(params.arguments or {})):
            raise SpendRefusedError(
                f"This approval is for another call. {_NOT_DONE} Call again without it to ask for "
                "this one."
            )
        _check_decision((params.input_responses or {}).get(_KEY))


def can_ask(context: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the client can show a form to a person."""
    capabilities = context.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    return is_modern(context) or context.session.can_send_request


def is_modern(context: ServerRequestContext[Any, Any]) -> bool:
    """Return whether the request is of the era in which a server cannot send requests itself."""
    return context.protocol_version in MODERN_PROTOCOL_VERSIONS


def _check_decision(decision: Any) -> None:
    if (
        isinstance(decision, ElicitResult)
        and decision.action == "accept"
        and (decision.content or {}).get("approve") is True
    ):
        return
    raise SpendRefusedError(f"The user did not approve this. {_NOT_DONE} Do not ask again.")
