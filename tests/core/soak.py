"""An agent of the soak test: launches, ends and is killed, on a ledger that others use too.

python tests/core/soak.py budget.db http://127.0.0.1:PORT KEY LAUNCHES SEED
"""

from __future__ import annotations

import random
import sys
import threading
from decimal import Decimal
from typing import Any

import runcrate_core as rc
from runcrate_core.protocol import reconcile
from runcrate_core.spending import cleanup

AGENTS = 3
LIMITS = rc.SpendLimits(
    max_price_per_hour=2,
    max_instances=12,
    max_gpus=12,
    max_runtime_minutes=30,
    max_total_usd=Decimal(400),
)


def start(guard: rc.SpendGuard) -> Any:
    plan = yield from guard.plan(gpu_type="A100", max_runtime_minutes=30)
    return (yield from guard.launch(plan.token))


def agent(ledger: rc.SpendLedger, url: str, key: str, launches: int, seed: int) -> None:
    """Launch and terminate, whatever goes wrong."""
    draw = random.Random(seed)
    guard = rc.SpendGuard(LIMITS, ledger=ledger)
    with rc.Runcrate(key, base_url=url, inference_url=f"{url}/v1", max_retries=2) as client:
        for _ in range(launches):
            try:
                instance = client.run(start(guard))
                if draw.random() < 0.9:
                    client.run(guard.terminate(instance.id))
            except rc.RuncrateError:
                client.run(guard.settle())


def main() -> None:
    path, url, key, launches, seed = sys.argv[1:]
    reconcile.RECONCILE_WAITS_S = (0.05, 0.2)  # type: ignore[misc] # a test need not wait
    cleanup.CONFIRM_WAITS_S = (0.0, 0.1)  # type: ignore[misc] # a test need not wait
    ledger = rc.SpendLedger(path)
    agents = [
        threading.Thread(target=agent, args=(ledger, url, key, int(launches), int(seed) * 10 + one))
        for one in range(AGENTS)
    ]
    for thread in agents:
        thread.start()
    for thread in agents:
        thread.join()


if __name__ == "__main__":
    main()
