"""Billing: balance, transactions and usage; top-ups are in `top_ups`.

Facts: seed 003 and the official SDK 0.5.0. One credit is one US dollar, prepaid. Billing belongs
to the workspace.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import partial

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_item, parse_page
from runcrate_core.api.resources import (
    AsyncResource,
    SyncResource,
    async_endpoint,
    async_paged_endpoint,
    endpoint,
    paged_endpoint,
)
from runcrate_core.api.top_ups import (
    get_auto_recharge,
    list_payment_methods,
    set_auto_recharge,
    top_up,
    wait_for_top_up,
)
from runcrate_core.protocol.paging import ListMeta, PageData, next_offset
from runcrate_core.protocol.request import RetrySafety, infrastructure_request, timestamp
from runcrate_core.protocol.steps import Call


class Balance(ApiModel):
    """Remaining credits and the spending rate.

    Attributes:
        credits_balance: USD.
        active_usage_cost: USD that running resources have cost and that are not booked yet.
        floating_balance_usd: The balance less what is not booked yet.
        burn_usd_per_hour: USD an hour of everything that runs.
        runway_hours: Hours until the balance is used up; `None` when nothing runs.
    """

    credits_balance: Decimal
    active_usage_cost: Decimal | None = None
    floating_balance_usd: Decimal | None = None
    burn_usd_per_hour: Decimal | None = None
    runway_hours: float | None = None


class Transaction(ApiModel):
    """A change of the balance.

    Attributes:
        type: `credit`, `usage`, `refund`, `adjustment` or new.
        amount: USD.
    """

    id: str
    project_id: str | None = None
    type: str | None = None
    amount: Decimal | None = None
    description: str | None = None
    created_at: UtcDatetime | None = None


class UsageSummary(ApiModel):
    """Inference usage; instances appear in the transactions.

    Attributes:
        total_cost: USD.
    """

    total_requests: int | None = None
    total_prompt_tokens: int | None = None
    total_completion_tokens: int | None = None
    total_tokens: int | None = None
    total_cost: Decimal | None = None


def get_balance() -> Call[Balance]:
    """Return the balance of the workspace.

    Returns:
        Credits, running costs and how long they last.

    Example:
        ```python
        balance = client.billing.get_balance()
        print(f"Credits: ${balance.credits_balance}, for {balance.runway_hours} hours")
        ```
    """
    request = infrastructure_request("GET", "/billing/balance", RetrySafety.SAFE)
    return Call(request, parse_item(Balance, request))


def list_transactions(
    *,
    limit: int = 50,
    offset: int = 0,
    type: str | None = None,  # noqa: A002 - the API's name
) -> Call[PageData[Transaction]]:
    """List transactions, newest first. Iterating over the result goes through all pages.

    Args:
        limit: Transactions a page, 1 to 100.
        offset: How many of the newest to skip.
        type: Only `credit`, `usage`, `refund` or `adjustment`.

    Returns:
        A page: `.data`, `.total`, `.has_more`, `.next_page()`.

    Example:
        ```python
        transactions = client.billing.list_transactions(limit=20)
        print(f"Has more: {transactions.has_more}")
        for transaction in transactions:
            print(f"{transaction.type}: ${transaction.amount}")
        ```
    """
    query = {"limit": limit, "offset": offset, "type": type}
    request = infrastructure_request("GET", "/billing/transactions", RetrySafety.SAFE, query=query)

    def following(meta: ListMeta, count: int) -> Callable[[], Call[PageData[Transaction]]] | None:
        end = next_offset(meta, offset=offset, count=count, page_size=limit)
        if end is None:
            return None
        return partial(list_transactions, limit=limit, offset=end, type=type)

    return Call(request, parse_page(Transaction, request, following))


def usage(
    *, from_date: date | str | None = None, to_date: date | str | None = None
) -> Call[UsageSummary]:
    """Return the inference usage and its cost.

    Args:
        from_date: First day (`2025-01-01`) or moment; from the beginning when not given.
        to_date: Last day or moment; until now when not given.

    Returns:
        Requests, tokens and cost of that time.

    Raises:
        ValueError: A datetime without a time zone; nothing was sent.

    Example:
        ```python
        usage = client.billing.usage(from_date="2025-01-01", to_date="2025-01-31")
        print(f"Total cost: ${usage.total_cost}")
        ```
    """
    query = {"from": _day(from_date, "from_date"), "to": _day(to_date, "to_date")}
    request = infrastructure_request("GET", "/billing/usage", RetrySafety.SAFE, query=query)
    return Call(request, parse_item(UsageSummary, request))


def _day(value: date | str | None, argument: str) -> str | None:
    if isinstance(value, datetime):
        return timestamp(value, argument)
    # The API takes days and moments (seed 003, the official command line); a text is its caller's.
    return value.isoformat() if isinstance(value, date) else value


class Billing(SyncResource):
    """`client.billing`."""

    get_balance = endpoint(get_balance)
    list_transactions = paged_endpoint(list_transactions)
    usage = endpoint(usage)
    top_up = endpoint(top_up)
    wait_for_top_up = endpoint(wait_for_top_up)
    get_auto_recharge = endpoint(get_auto_recharge)
    set_auto_recharge = endpoint(set_auto_recharge)
    list_payment_methods = endpoint(list_payment_methods)


class AsyncBilling(AsyncResource):
    """`client.billing` of the asynchronous client."""

    get_balance = async_endpoint(get_balance)
    list_transactions = async_paged_endpoint(list_transactions)
    usage = async_endpoint(usage)
    top_up = async_endpoint(top_up)
    wait_for_top_up = async_endpoint(wait_for_top_up)
    get_auto_recharge = async_endpoint(get_auto_recharge)
    set_auto_recharge = async_endpoint(set_auto_recharge)
    list_payment_methods = async_endpoint(list_payment_methods)
