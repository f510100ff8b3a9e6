"""Everything that exists in the emulated Runcrate, in memory.

Endpoints reach it as `request.app.state.world`. All state belongs to the server's event loop;
tests may read it, and set what on the real service is set on the dashboard (budgets, secrets,
payment methods, keys), between requests.
"""

import random
import uuid
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from runcrate_emulator.clock import Clock
from runcrate_emulator.errors import ApiError
from runcrate_emulator.faults import FaultPlan
from runcrate_emulator.files import FileStore, Signer
from runcrate_emulator.inference.video_jobs import VideoJobs
from runcrate_emulator.journal import Journal
from runcrate_emulator.ledger import InferenceUse, Ledger

if TYPE_CHECKING:
    from runcrate_emulator.rate_limit import Window

DEFAULT_BALANCE_USD = Decimal(100)
DEFAULT_REQUESTS_PER_MINUTE = 600  # no figure is published; generous, so that tests never meet it


class World:
    """One workspace with its machines, money, files and keys.

    Args:
        clock: The clock on which everything happens.
        seed: Seed of all ids and of all randomness; the same seed and requests give the same ids.
        balance_usd: Opening balance.
        requests_per_minute: Rate limit per API key.
        chat_upstream: Base URL, with `/v1`, of an OpenAI-compatible server that answers chat
            instead of the simulation.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int = 0,
        *,
        balance_usd: Decimal | float | str = DEFAULT_BALANCE_USD,
        requests_per_minute: int = DEFAULT_REQUESTS_PER_MINUTE,
        chat_upstream: str | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.chat_upstream = chat_upstream
        self._opening_balance = Decimal(str(balance_usd))
        self._first_requests_per_minute = requests_per_minute
        self.journal = Journal()
        self.crashes: list[BaseException] = []
        self.reset()

    def reset(self) -> None:
        """Return to the state of the start: an empty workspace with its opening balance."""
        self.random = random.Random(self.seed)  # noqa: S311 - reproducible, not secret
        self._id_source = random.Random(f"ids of {self.seed}")  # noqa: S311 - reproducible ids
        self.requests_per_minute = self._first_requests_per_minute
        self.rate_windows: dict[str, Window] = {}
        self.faults = FaultPlan()
        self.deactivated_keys: set[str] = set()
        self.crashes.clear()
        self.journal.clear()
        self.signer = Signer(self.clock, f"links of {self.seed}".encode())
        self.media = FileStore(self.clock, self.new_id, self.signer)
        self.videos = VideoJobs()
        self.ledger = Ledger(self._opening_balance, self.now(), self.new_id)

    def now(self) -> datetime:
        """The emulated time, aware and in UTC."""
        return self.clock.now()

    def new_id(self, prefix: str = "") -> str:
        """Make the next id: `prefix-<24 hex digits>`, or a UUID without a prefix."""
        bits = self._id_source.getrandbits(128)
        if not prefix:
            return str(uuid.UUID(int=bits, version=4))
        return f"{prefix}-{bits >> 32:024x}"

    def settle(self) -> None:
        """Let everything happen that was due up to now."""

    def require_credit(self, environment_name: str | None = None) -> None:
        """Refuse an inference request that nobody can pay for.

        Args:
            environment_name: The environment whose budget counts; default: the default one.

        Raises:
            ApiError: 402 `insufficient_credits`, or 402 `budget_exceeded` when the environment's
                monthly budget is spent.
        """
        if self.ledger.balance <= 0:
            raise ApiError(
                402, "insufficient_credits", "The balance is used up; nothing was run. Top it up."
            )

    def charge_inference(
        self,
        *,
        model: str,
        cost_usd: Decimal,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        description: str,
    ) -> None:
        """Pay for one inference request, from the default environment's budget."""
        now = self.now()
        self.ledger.inference.append(
            InferenceUse(now, model, cost_usd, prompt_tokens, completion_tokens)
        )
        self.ledger.charge("default", cost_usd, description, now)
