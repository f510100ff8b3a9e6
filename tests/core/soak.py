"""An agent of the soak test: launches, ends and is killed, on a ledger that others use too.

python -m tests.core.soak budget.db http://127.0.0.1:PORT KEY LAUNCHES SEED
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import runcrate_core as rc
from runcrate_core.protocol import reconcile
from runcrate_core.spending import cleanup
from tests.core.agents import start

AGENTS = 3
LIMITS = rc.SpendLimits(
    max_price_per_hour=2,
    max_instances=40,
    max_gpus=40,
    max_runtime_minutes=30,
    max_total_usd=Decimal(400),
)


failures: Counter[str] = Counter()


def agent(ledger: rc.SpendLedger, url: str, key: str, launches: int, seed: int) -> None:
    """Launch and terminate, whatever goes wrong."""
    draw = random.Random(seed)
    guard = rc.SpendGuard(LIMITS, ledger=ledger)
    with rc.Runcrate(key, base_url=url, inference_url=f"{url}/v1", max_retries=2) as client:
        started = 0
        for _ in range(4 * launches):
            if started == launches:
                break
            try:
                instance = client.run(start(guard))
                started += 1
                if draw.random() < 0.9:
                    client.run(guard.terminate(instance.id))
            except rc.RuncrateError as error:
                failures[type(error).__name__] += 1
                client.run(guard.settle())


def main() -> None:
    path, url, key, launches, seed = sys.argv[1:]
    reconcile.RECONCILE_WAITS_S = (0.05, 0.2)  # type: ignore[misc] # a test need not wait
    cleanup.CONFIRM_WAITS_S = (0.0, 0.1)  # type: ignore[misc] # a test need not wait
    # Longer than any request of this test takes, with its retries.
    cleanup.NEVER_APPEARED_AFTER = timedelta(seconds=20)  # type: ignore[misc] # as said
    ledger = rc.SpendLedger(path)
    with ThreadPoolExecutor(AGENTS) as pool:
        for one in range(AGENTS):
            pool.submit(agent, ledger, url, key, int(launches), int(seed) * 10 + one)
    print(dict(failures), file=sys.stderr)  # noqa: T201 - the figures of the complete run


if __name__ == "__main__":
    main()
