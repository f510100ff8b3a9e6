"""What agents and programs do with the tools and loaders of LangChain, replayed from cassettes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from langchain_runcrate import RuncrateSpeechTool, RuncrateTranscriptionLoader
from tests.langchain.replaying import JOB, LIMITS, named, toolkit_at

pytestmark = pytest.mark.vcr


async def asked(tool: BaseTool, way: str, /, **arguments: Any) -> ToolMessage:
    call = {"name": tool.name, "args": arguments, "id": "call-1", "type": "tool_call"}
    message = await tool.ainvoke(call) if way == "async" else tool.invoke(call)
    assert isinstance(message, ToolMessage)
    assert message.status == "success", message.content
    return message


async def test_what_was_spoken_is_loaded(api, tmp_path):
    settings: dict[str, Any] = {"api_key": api.api_key, "base_url": api.inference_url}
    tool = RuncrateSpeechTool(output_dir=tmp_path, **settings)
    message = await asked(tool, "async", text="Hello. Thank you.")
    audio = Path(message.artifact["files"][0]["path"]).rename(tmp_path / "call.mp3")  # noqa: ASYNC240 - at once
    loader = RuncrateTranscriptionLoader(audio, format="segments", **settings)
    documents = await loader.aload()
    assert [document.page_content for document in documents] == ["Hello.", "Thank you."]
    times = [document.metadata[name] for document in documents for name in ("start", "end")]
    assert times == sorted(times)
    assert {document.metadata["source"] for document in documents} == {str(audio)}
    assert {document.metadata["language"] for document in documents} == {"en"}
    await tool.aclose()
    await loader.aclose()


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_instance_and_a_job_from_their_plans_to_their_ends(api, tmp_path, way):
    async with toolkit_at(api, tmp_path) as toolkit:

        async def use(name: str, /, **arguments: Any) -> Any:
            message = await asked(named(toolkit, name), way, **arguments)
            assert json.loads(str(message.content)) == message.artifact
            return message.artifact

        offered = await use("list_instance_types", max_price_per_hour=2)
        prices = [kind["usd_per_hour"] for kind in offered["instance_types"]]
        assert prices == sorted(prices)
        assert prices[-1] <= LIMITS.max_price_per_hour
        plan = await use("plan_instance", gpu_type="A100", max_runtime_minutes=30, name="train")
        instance = await use("launch_instance", plan_token=plan["plan_token"])
        assert instance["name"] == plan["name"]
        running = await use("wait_for_instance", instance_id=instance["id"])
        assert running["status"] == "running"
        longer = await use(
            "update_instance_limits", instance_id=instance["id"], max_runtime_minutes=40
        )
        assert longer["max_runtime_minutes"] == 40
        listed = await use("list_instances")
        assert [one["id"] for one in listed["instances"]] == [instance["id"]]
        job = await use("run_job", **JOB)
        done = await use("wait_for_job", job_id=job["id"])
        assert done["status"] == "succeeded"
        fetched = await use("download_job_artifact", job_id=job["id"], path="r.txt")
        assert fetched["content"] == {"untrusted_text": "ok\n"}
        ended = await use(
            "terminate_instance", instance_id=instance["id"], expected_name=instance["name"]
        )
        assert ended["status"] == "terminated"
        spent = await use("get_spending")
        assert {entry["state"] for entry in spent["started"]} == {"ended"}
        assert 0 <= spent["spent_or_reserved_usd"] <= plan["worst_case_usd"]
    assert toolkit.ledger.live == ()
