"""Human approval through workflow events, before a tool starts or ends something."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent

from runcrate_core import SpendRefusedError

# The only answers that mean yes; upper and lower case do not matter.
YES: Final = frozenset({"yes", "y", "approve", "approved"})
_ID_LENGTH: Final = 20


class ApprovalRequiredEvent(InputRequiredEvent):
    """A question to a person, in the stream of a workflow's events.

    Answer it with `handler.ctx.send_event(event.answer("yes"))`. Anything but an explicit yes
    refuses.

    Attributes:
        question_id: Identifier of the question; an answer must carry it.
        tool_name: The tool to be called.
        arguments: Its arguments.
        prefix: The question, with the effect of the call and its maximum cost.
    """

    question_id: str
    tool_name: str
    arguments: dict[str, Any]
    prefix: str

    def answer(self, response: str) -> HumanResponseEvent:
        """Return the answer to this question and to no other.

        Args:
            response: `yes`, or anything else for no.
        """
        return HumanResponseEvent(response=response, question_id=self.question_id)


async def approved(
    context: Context[Any] | None,
    tool_name: str,
    arguments: Mapping[str, Any],
    *,
    question: str,
    within_s: float,
) -> None:
    """Return when a person has approved a call.

    The step that this is called from runs again from its beginning when the answer is there, so
    nothing may be done before. Calls at the same time ask one question each.

    Args:
        context: The workflow's context; without one nobody can approve.
        tool_name: The tool to be called.
        arguments: Its arguments, as JSON values.
        question: The question.
        within_s: Seconds after which no answer means no.

    Raises:
        SpendRefusedError: Nobody can be asked, nobody answered, or the answer is no.
    """
    if context is None:
        raise SpendRefusedError(
            f"`{tool_name}` needs the approval of a person, and outside of a workflow nobody can "
            "be asked. Nothing was done. Tell the user."
        )
    identifier = question_id(tool_name, arguments, call_identity())
    try:
        answer = await context.wait_for_event(
            HumanResponseEvent,
            waiter_event=ApprovalRequiredEvent(
                question_id=identifier,
                tool_name=tool_name,
                arguments=dict(arguments),
                prefix=question,
            ),
            waiter_id=f"runcrate-{identifier}",
            requirements={"question_id": identifier},
            timeout=within_s,
        )
    except TimeoutError:
        raise SpendRefusedError(
            f"Nobody approved `{tool_name}` within {within_s:.0f} seconds. Nothing was done. Tell "
            "the user."
        ) from None
    response = answer.get("response")
    if not (isinstance(response, str) and response.strip().casefold() in YES):
        raise SpendRefusedError(
            f"A person refused `{tool_name}`{_reason(response)}. Nothing was done. Do not try the "
            "same again; change the plan, or ask the user."
        )


def question_id(tool_name: str, arguments: Mapping[str, Any], identity: str) -> str:
    """Return the identifier of a question: the same when a step runs again, different per call."""
    content = json.dumps([tool_name, dict(arguments), identity], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_ID_LENGTH]


def call_identity() -> str:
    """Return an identifier that distinguishes equal calls of one workflow, where there is one.

    Two questions with one name would be one question: of two equal calls, only one would run.
    """
    try:
        from workflows.runtime.types.results import (  # noqa: PLC0415 - LlamaIndex's inner workings, not of all versions
            StepWorkerStateContextVar,
        )

        step = StepWorkerStateContextVar.get()
    except (ImportError, LookupError):
        return ""
    call = getattr(getattr(step, "event", None), "tool_id", "")
    return f"{call}/{getattr(step.state, 'work_item_id', '')}"


def _reason(response: object) -> str:
    """Return the words of a person who did not approve, shortened."""
    max_length = 200
    text = str(response or "").strip()
    return f" and said: {text[:max_length]!r}" if text else ""
