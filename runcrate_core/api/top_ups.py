"""Top-ups: charging the workspace's saved card, now or whenever the balance runs low.

Facts: the official SDK 0.5.0. A top-up needs the billing permission, which an owner or manager
gives a key on the dashboard, with daily and monthly caps.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any, Final

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_item, parse_list
from runcrate_core.api.known_values import DeclineReason, TopUpStatus
from runcrate_core.protocol.polling import Progress, poll
from runcrate_core.protocol.reconcile import Creation, create_once
from runcrate_core.protocol.request import (
    ReadTimeout,
    RetrySafety,
    infrastructure_request,
    money,
    new_idempotency_key,
)
from runcrate_core.protocol.steps import Call, Flow

# A top-up in any other state, also one that is not known, may yet end.
TOP_UP_ENDS: Final = frozenset({"succeeded", "declined"})


class TopUp(ApiModel):
    """A charge of the workspace's saved card, added to the balance.

    Attributes:
        status: `succeeded`, `processing`, `requires_action` (nothing is charged until an owner
            or manager confirms it at `confirm_url`), `declined` or new.
        amount_usd: USD.
        idempotency_key: Asking again with it returns this top-up and never charges twice.
        balance_usd: The balance after it succeeded, in USD.
        confirm_url: Where it is confirmed, while it requires action.
        expires_at: Until when it can be confirmed.
        reason: Why it was declined: `card_declined`, `payment_blocked`,
            `authentication_required` or new.
        message: The same, for people.
    """

    id: str
    status: TopUpStatus = ""
    amount_usd: Decimal
    idempotency_key: str
    invoice_number: str | None = None
    balance_usd: Decimal | None = None
    confirm_url: str | None = None
    expires_at: UtcDatetime | None = None
    reason: DeclineReason | None = None
    message: str | None = None
    created_at: UtcDatetime | None = None

    @property
    def has_ended(self) -> bool:
        """True if it succeeded or was declined."""
        return self.status.lower() in TOP_UP_ENDS


class AutoRecharge(ApiModel):
    """Automatic top-up: to the target, when the balance is below the threshold.

    Attributes:
        threshold_usd: USD.
        target_usd: USD.
        last_failure_reason: Why the last recharge failed; a failed one is not retried.
    """

    enabled: bool
    threshold_usd: Decimal | None = None
    target_usd: Decimal | None = None
    last_failure_reason: str | None = None
    last_failure_at: UtcDatetime | None = None


class PaymentMethod(ApiModel):
    """A saved card; cards are added on the dashboard alone."""

    type: str = ""
    brand: str | None = None
    last4: str | None = None
    exp_month: int | None = None
    exp_year: int | None = None
    default: bool = False


def top_up(*, amount_usd: Decimal | float, idempotency_key: str | None = None) -> Flow[TopUp]:
    """Charge the workspace's saved card and add the amount to the balance.

    One key never charges twice: a retry returns the same top-up's present state. Every error
    carries the key as `.idempotency_key`, so the same top-up can be asked for again.

    Args:
        amount_usd: USD, 20 to 10000.
        idempotency_key: Key of this top-up; a new one when not given.

    Returns:
        The top-up. It may still be processing or have to be confirmed (see
        `wait_for_top_up`), and a declined one is a result, not an error: check `.status`.

    Raises:
        ValueError: The amount is none; nothing was sent.
        PermissionDeniedError: The key lacks the billing permission, which an owner grants.
        InsufficientCreditsError: A cap is reached, there is no card or payments are on hold
            (`.code`); nothing was charged.
        AmbiguousLaunchError: The card may have been charged: ask again with the same key.

    Example:
        ```python
        top_up = client.billing.top_up(amount_usd=50)
        if top_up.status == "requires_action":
            print(f"Confirm at {top_up.confirm_url} before {top_up.expires_at}")
        top_up = client.billing.top_up(amount_usd=50, idempotency_key=top_up.idempotency_key)
        ```
    """
    key = idempotency_key or new_idempotency_key()
    look_up = f"billing.top_up(amount_usd={amount_usd}, idempotency_key={key!r})"
    return create_once(_top_up(amount_usd, key), Creation(label="top-up", look_up=look_up))


def _top_up(amount_usd: Decimal | float, key: str) -> Call[TopUp]:
    request = infrastructure_request(
        "POST",
        "/billing/topups",
        RetrySafety.KEYED,
        read_timeout=ReadTimeout.LAUNCH,
        idempotency_key=key,
        body={"amount_usd": money(amount_usd, "amount_usd"), "idempotency_key": key},
    )
    return Call(request, parse_item(TopUp, request))


def wait_for_top_up(
    pending: TopUp,
    *,
    timeout: float | None = 600.0,
    poll_interval: float = 5.0,
    on_status: Callable[[TopUp], Any] | None = None,
) -> Flow[TopUp]:
    """Wait until a top-up has succeeded or was declined. Nothing is charged by waiting.

    Args:
        pending: What `top_up` returned.
        timeout: Most seconds to wait; `None` for as long as it takes.
        poll_interval: Seconds between two checks.
        on_status: Called with the top-up at first and at each change of its status.

    Returns:
        The top-up; check `.status`.

    Raises:
        WaitTimeoutError: It has not ended; it may yet charge the card.

    Example:
        ```python
        top_up = client.billing.wait_for_top_up(client.billing.top_up(amount_usd=50))
        print(top_up.status, top_up.balance_usd)
        ```
    """
    return poll(
        partial(_top_up, pending.amount_usd, pending.idempotency_key),
        is_done=lambda state: state.has_ended,
        progress=Progress(key=lambda state: state.status, on_change=on_status),
        timeout=timeout,
        interval=poll_interval,
        label=f"The top-up `{pending.id}` has not ended",
        next_step="It may yet charge the card: wait again with the same top-up.",
    )


def get_auto_recharge() -> Call[AutoRecharge]:
    """Return the settings of automatic top-ups.

    Returns:
        The setting, and why the last recharge failed if it did.

    Example:
        ```python
        print(client.billing.get_auto_recharge().enabled)
        ```
    """
    request = infrastructure_request("GET", "/billing/auto-recharge", RetrySafety.SAFE)
    return Call(request, parse_item(AutoRecharge, request))


def set_auto_recharge(
    *, enabled: bool, threshold_usd: Decimal | float, target_usd: Decimal | float
) -> Call[AutoRecharge]:
    """Turn auto-recharge on or off. The API requires both amounts in either case.

    Args:
        enabled: Whether the card is charged automatically.
        threshold_usd: USD; it is charged when the balance falls below.
        target_usd: USD; so much the balance is then brought to.

    Returns:
        The setting as it is now.

    Raises:
        ValueError: An amount is none; nothing was sent.
        PermissionDeniedError: The key lacks the billing permission.

    Example:
        ```python
        client.billing.set_auto_recharge(enabled=True, threshold_usd=20, target_usd=100)
        ```
    """
    body = {
        "enabled": enabled,
        "threshold_usd": money(threshold_usd, "threshold_usd"),
        "target_usd": money(target_usd, "target_usd"),
    }
    request = infrastructure_request("PUT", "/billing/auto-recharge", RetrySafety.SAFE, body=body)
    return Call(request, parse_item(AutoRecharge, request))


def list_payment_methods() -> Call[list[PaymentMethod]]:
    """List the workspace's saved cards.

    Returns:
        All of them; the default one is what top-ups charge.

    Example:
        ```python
        for card in client.billing.list_payment_methods():
            print(card.brand, card.last4, card.default)
        ```
    """
    request = infrastructure_request("GET", "/billing/payment-methods", RetrySafety.SAFE)
    return Call(request, parse_list(PaymentMethod, request))
