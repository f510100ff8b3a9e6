"""Models that are served on instances.

Agents that run commands there are an example, which its own tests run.
"""

from __future__ import annotations

import runcrate_core as rc
from llamaindex_runcrate import RuncrateInfrastructureToolSpec
from runcrate_emulator import Emulator
from tests.langchain.test_sandbox import free_port, served_by
from tests.llamaindex.ignored_warnings import IGNORED_WARNINGS

pytestmark = IGNORED_WARNINGS
LIMITS = rc.SpendLimits(max_price_per_hour=2, max_runtime_minutes=30, max_total_usd=5)


async def test_a_served_model_is_an_llm():
    with Emulator(ssh=True, clock_speed=600.0) as cloud:
        client = rc.AsyncRuncrate(cloud.api_key, base_url=cloud.base_url)
        spec = RuncrateInfrastructureToolSpec(client, limits=LIMITS)
        async with spec.serve(**served_by(free_port())) as served:
            llm = served.llm()
            assert (await llm.acomplete("Hello!")).text == "served"
            cloud.ssh.drop_connections()
            assert (await served.llm().acomplete("Hello again!")).text == "served"
            await llm.aclose()
        assert not [item for item in await client.instances.list() if not item.has_ended]
        await spec.aclose()
        await client.aclose()
