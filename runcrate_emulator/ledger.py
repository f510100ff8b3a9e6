"""The workspace's money: the balance, its transactions, and what each environment spent a month.

Amounts are exact decimals in USD (1 credit is 1 USD). What a running instance has used but not yet
been posted for is not in here; see `infrastructure.instance_life`.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

TransactionType = Literal["credit", "usage", "refund", "adjustment"]

MICRO_USD = Decimal("0.000001")  # the finest amount that is ever posted


@dataclass(frozen=True)
class Transaction:
    """One posted change of the balance; usage is negative.

    Attributes:
        instance_id: The instance that was used; None for everything else.
    """

    id: str
    type: TransactionType
    amount: Decimal
    description: str
    created_at: datetime
    instance_id: str | None = None


@dataclass(frozen=True)
class InferenceUse:
    """One inference request that was paid for."""

    at: datetime
    model: str
    cost_usd: Decimal
    prompt_tokens: int
    completion_tokens: int


class Ledger:
    """Balance, transactions and monthly spending of the workspace."""

    def __init__(self, balance: Decimal, now: datetime, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self.balance = Decimal(0)
        self.transactions: list[Transaction] = []
        self.inference: list[InferenceUse] = []
        self.spent_in_month: defaultdict[tuple[str, int, int], Decimal] = defaultdict(Decimal)
        self.post("credit", balance, "Opening balance of the emulator", now)

    def post(
        self,
        kind: TransactionType,
        amount: Decimal,
        description: str,
        at: datetime,
        instance_id: str | None = None,
    ) -> Transaction:
        """Change the balance by a signed amount and record why."""
        amount = amount.quantize(MICRO_USD, ROUND_HALF_UP)
        self.balance += amount
        transaction = Transaction(self._new_id("txn"), kind, amount, description, at, instance_id)
        self.transactions.append(transaction)
        return transaction

    def charge(
        self,
        environment_id: str,
        cost: Decimal,
        description: str,
        at: datetime,
        *,
        month_of: datetime | None = None,
        instance_id: str | None = None,
    ) -> None:
        """Post usage of an environment and count it towards a UTC month of the environment.

        Nothing is posted for 0. It counts for the month of the posting, or of another moment.
        """
        if cost > 0:
            posted = self.post("usage", -cost, description, at, instance_id)
            month = month_of or at
            self.spent_in_month[environment_id, month.year, month.month] -= posted.amount
