"""What agents do that rent instances and run jobs, for the scripted models of both frameworks."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from runcrate_core.spending import cleanup

JOB = {"command": "echo ok > $RUNCRATE_OUTPUT_DIR/r.txt", "gpu_type": "A100"}
REFUSED = "too long, and so too dear"
Calls = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def quick_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terminate again, and look again, without long pauses."""
    monkeypatch.setattr(cleanup, "END_WAITS_S", (0.1, 0.2))
    monkeypatch.setattr(cleanup, "TERMINATING_WAITS_S", (0.1,))


class Turns:
    """Each method is a turn: what the model calls, from the conversation so far.

    Args:
        last: Returns what a tool last gave in a conversation.
    """

    def __init__(self, last: Callable[[Any, str], Any]) -> None:
        self.last = last

    def plan(self, _: Any) -> Calls:
        return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 60})]

    def cheaper_plan(self, _: Any) -> Calls:
        return [("plan_instance", {"gpu_type": "A100", "max_runtime_minutes": 20})]

    def launch(self, messages: Any) -> Calls:
        token = self.last(messages, "plan_instance")["plan_token"]
        return [("launch_instance", {"plan_token": token})]

    def wait(self, messages: Any) -> Calls:
        instance = self.last(messages, "launch_instance")
        return [("wait_for_instance", {"instance_id": instance["id"]})]

    def run_job(self, _: Any) -> Calls:
        return [("run_job", {**JOB, "max_runtime_minutes": 10})]

    def wait_for_job(self, messages: Any) -> Calls:
        return [("wait_for_job", {"job_id": self.last(messages, "run_job")["id"]})]

    def fetch(self, messages: Any) -> Calls:
        job = self.last(messages, "run_job")["id"]
        return [("download_job_artifact", {"job_id": job, "path": "r.txt"})]

    def terminate(self, messages: Any) -> Calls:
        instance = self.last(messages, "launch_instance")
        names = {"instance_id": instance["id"], "expected_name": instance["name"]}
        return [("terminate_instance", names)]

    def spending(self, _: Any) -> Calls:
        return [("get_spending", {})]

    @property
    def story(self) -> list[Callable[[Any], Calls]]:
        """A launch that is refused, a cheaper one, a job, its file, the end, and the bill."""
        return [
            *(self.plan, self.launch, self.cheaper_plan, self.launch, self.wait),
            *(self.run_job, self.wait_for_job, self.fetch, self.terminate, self.spending),
        ]


def answer(question: str) -> str:
    """Return yes to what costs at most 60 cents, and the reason otherwise."""
    return REFUSED if "at most 1.49 USD" in question else "yes"


def check_story(cloud: Any, questions: list[str], ledger: Any) -> None:
    """A person was asked four times, nothing runs any more, and the ledger is the bill."""
    verbs = [question.split(" ")[0] for question in questions]
    assert verbs == ["Launch", "Launch", "Run", "Terminate"]
    assert "at 1.49 USD an hour for at most 60 minutes: at most 1.49 USD" in questions[0]
    assert "for at most 20 minutes: at most 0.50 USD" in questions[1]
    assert "at up to 2 USD an hour for at most 10 minutes: at most 0.33 USD" in questions[2]
    assert (cloud.world.live_instances, cloud.world.live_jobs) == ({}, {})
    launches = [entry for entry in cloud.requests if entry.method == "POST"]
    assert [entry.route for entry in launches] == ["/instances", "/jobs"]
    usage = [entry for entry in cloud.world.ledger.transactions if entry.type == "usage"]
    billed = -sum((entry.amount for entry in usage), Decimal())
    assert abs(ledger.total_usd - billed) < Decimal("0.00001")


def waits(cloud: Any) -> bool:
    """Whether somebody has asked whether an instance runs."""
    return any(entry.route.endswith("/status") for entry in cloud.requests)
