"""Billing: balance, transactions, usage and top-ups.

Facts: seed 003, the official SDK 0.5.0. One credit is one US dollar, prepaid.
"""

from __future__ import annotations

from decimal import Decimal

from runcrate_core.api.envelope import ApiModel, one
from runcrate_core.io.endpoint import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.request import Repeat, Surface, json_request
from runcrate_core.protocol.steps import Call


class Balance(ApiModel):
    """What is left, and how fast it goes.

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


def get_balance() -> Call[Balance]:
    """Return the balance of the workspace.

    Example:
        ```python
        print(client.billing.get_balance().credits_balance)
        ```
    """
    request = json_request(Surface.INFRASTRUCTURE, "GET", "/billing/balance", repeat=Repeat.SAFE)
    return Call(request, one(Balance, request))


class Billing(SyncResource):
    """`client.billing`."""

    get_balance = endpoint(get_balance)


class AsyncBilling(AsyncResource):
    """`client.billing` of the asynchronous client."""

    get_balance = async_endpoint(get_balance)
