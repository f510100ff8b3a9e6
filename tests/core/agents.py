"""Toolboxes and spend guards of agents, each with one client of either kind."""

from __future__ import annotations

import inspect
import json
from decimal import Decimal
from typing import Any

import runcrate_core as rc
import runcrate_core.toolkit as rt
from tests.core.cloud import Both

LIMITS = rc.SpendLimits(max_price_per_hour=2, max_runtime_minutes=60, max_total_usd=5)
WISH: dict[str, Any] = {"gpu_type": "A100", "max_runtime_minutes": 30}
JOB = {"command": "echo hello", "gpu_type": "A100", "max_runtime_minutes": 10}


def billed(cloud: Any) -> Decimal:
    """Return the sum that the emulated service has charged for instances and jobs."""
    transactions = cloud.world.ledger.transactions
    return sum((-entry.amount for entry in transactions if entry.type == "usage"), Decimal())


def start(guard: rc.SpendGuard) -> Any:
    """Plan and launch an instance."""
    plan = yield from guard.plan(**WISH)
    return (yield from guard.launch(plan.token))


class Box:
    """`box("get_job", job_id=...)` returns the data of the result, after checking its type."""

    def __init__(self, both: Both, **options: Any) -> None:
        self.both = both
        self.tools = rt.AgentToolbox(**{"limits": LIMITS, "poll_interval": 0.02} | options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tools, name)

    def __call__(self, tool: str, on_progress: Any = None, /, **arguments: Any) -> Any:
        flow = self.tools.run_tool(f"runcrate_{tool}", arguments, on_progress)
        result = self.both("run", flow)
        [kind] = [item for item in self.tools.tools if item.name == f"runcrate_{tool}"]
        assert kind.result.model_fields
        kind.result.model_validate(result.data)
        assert json.loads(result.text) == result.data
        return result.data

    def launched(self, **wish: Any) -> Any:
        """Plan and launch an instance."""
        plan = self("plan_instance", **WISH | wish)
        return self("launch_instance", plan_token=plan["plan_token"])

    def running(self) -> str:
        """Launch an instance and wait until it runs; return its identifier."""
        instance = self.launched()
        self("wait_for_instance", instance_id=instance["id"])
        return str(instance["id"])


class Guard:
    """A spend guard whose operations are run: `guard.plan(...)` returns the plan."""

    def __init__(self, both: Both, limits: rc.SpendLimits = LIMITS, **options: Any) -> None:
        self.both = both
        self.guard = rc.SpendGuard(limits, **options)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.guard, name)
        if not callable(member):
            return member

        def run(*args: Any, **kwargs: Any) -> Any:
            result = member(*args, **kwargs)
            return self.both("run", result) if inspect.isgenerator(result) else result

        return run

    def launched(self, **wish: Any) -> Any:
        """Plan and launch an instance."""
        plan = self.plan(**WISH | wish)
        return self.launch(plan.token)

    def started(self, **wish: Any) -> Any:
        """Launch an instance and wait until it runs."""
        instance = self.launched(**wish)
        return self.both("instances.wait_until_running", instance.id, poll_interval=0.02)
