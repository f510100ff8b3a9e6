"""Tool calls: approval, errors, results, cancellation; with a client in the same process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jsonschema
import pytest
from mcp import Client, MCPError, types

import runcrate_core as rc
from runcrate_emulator import Emulator
from runcrate_mcp import ServerSettings, build_server
from runcrate_mcp.content import for_version
from runcrate_mcp.schemas import simple_schema
from tests.mcp_server.connections import (
    ERAS,
    PLAN,
    Person,
    client_of,
    launch,
    launches,
    text_of,
)

LIMITS = rc.SpendLimits(max_total_usd=5, max_price_per_hour=2, max_instances=3, max_gpus=3)
REJECTED = ("anyOf", "oneOf", "allOf", "$ref", "$defs", "const", '"null"', "additionalProperties")


@asynccontextmanager
async def connected(
    emulator: Emulator, era: str = "auto", *, person: Person | None = None, **settings: Any
) -> AsyncIterator[Client]:
    async with client_of(emulator) as client:
        server = build_server(ServerSettings(**settings), client)
        async with Client(server, mode=era, elicitation_callback=person) as connection:
            yield connection


@pytest.fixture(autouse=True)
def _short_waits(short_waits: None) -> None:
    """Statuses are polled without pauses."""


@pytest.fixture
def emulator(cloud: Emulator) -> Emulator:
    return cloud


async def tools_of(client: Client) -> dict[str, types.Tool]:
    return {tool.name: tool for tool in (await client.list_tools()).tools}


@pytest.mark.parametrize("files", [True, False])
async def test_without_limits_every_tool_only_reads(emulator, tmp_path, files):
    async with connected(emulator, files_dir=tmp_path if files else None) as client:
        tools = await tools_of(client)
        assert len(tools) > 15
        assert [name for name, tool in tools.items() if not tool.annotations.read_only_hint] == []
        refused = client.call_tool("runcrate_launch_instance", {"plan_token": "x"})
        with pytest.raises(MCPError, match="Unknown tool"):
            await refused


async def test_schemas_hold_nothing_that_clients_reject(emulator, tmp_path):
    async with connected(emulator, limits=LIMITS, files_dir=tmp_path) as client:
        for tool in (await tools_of(client)).values():
            for schema in (tool.input_schema, tool.output_schema):
                assert schema["type"] == "object"
                assert [word for word in REJECTED if word in json.dumps(schema)] == []
                jsonschema.Draft202012Validator.check_schema(schema)
            assert tool.output_schema["properties"], tool.name
            hints = tool.annotations
            assert None not in {hints.read_only_hint, hints.destructive_hint, hints.title}
            assert None not in {hints.idempotent_hint, hints.open_world_hint}


def test_optional_fields_alternatives_and_constants_are_simplified():
    schema = {
        "$defs": {"Size": {"type": "integer", "title": "Size"}},
        "properties": {
            "size": {"anyOf": [{"$ref": "#/$defs/Size"}, {"type": "null"}], "default": None},
            "gpu": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"const": "A"}}]},
            "price": {"type": "number", "exclusiveMinimum": 0, "title": "Price"},
        },
    }
    assert simple_schema(schema) == {
        "properties": {
            "size": {"type": "integer"},
            "gpu": {"type": "array", "items": {"enum": ["A"]}},
            "price": {"type": "number", "minimum": 0},
        }
    }


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_cannot_ask_starts_nothing(emulator, tmp_path, era):
    async with connected(emulator, era, limits=LIMITS, files_dir=tmp_path) as client:
        refused = await launch(client)
        assert refused.is_error
        assert "--yes" in text_of(refused)
        for name, arguments in (
            ("runcrate_run_job", {"command": "ls", "gpu_type": ["A100"], "max_runtime_minutes": 5}),
            ("runcrate_generate_image", {"prompt": "A fox"}),
            ("runcrate_text_to_speech", {"text": "Hello"}),
        ):
            refused = await client.call_tool(name, arguments)
            assert (refused.is_error, "--yes" in text_of(refused)) == (True, True)
    assert [request.path for request in emulator.requests if request.method != "GET"] == []


@pytest.mark.parametrize("decision", ["decline", "cancel", "accept", "no", "'true'"])
@pytest.mark.parametrize("era", ERAS)
async def test_anything_but_an_explicit_yes_launches_nothing(emulator, era, decision):
    contents: dict[str, Any] = {"no": {"approve": False}, "'true'": {"approve": "true"}}

    class Undecided(Person):
        async def __call__(self, _, params):
            action: Any = decision if decision in {"decline", "cancel"} else "accept"
            return types.ElicitResult(action=action, content=contents.get(decision))

    async with connected(emulator, era, limits=LIMITS, person=Undecided()) as client:
        refused = await launch(client)
    assert refused.is_error
    assert "did not approve" in text_of(refused)
    assert launches(emulator) == 0


YES: dict[str, Any] = {"approval": types.ElicitResult(action="accept", content={"approve": True})}


async def question(client: Client) -> tuple[dict[str, Any], types.InputRequiredResult]:
    plan = await client.call_tool("runcrate_plan_instance", PLAN)
    call = {"plan_token": plan.structured_content["plan_token"]}
    asked: Any = await client.session.call_tool(
        "runcrate_launch_instance", call, allow_input_required=True
    )
    assert isinstance(asked, types.InputRequiredResult)
    assert "Launch agent-" in asked.input_requests["approval"].params.message
    return call, asked


async def repeated(client: Client, name: str, call: dict[str, Any], state: str | None) -> Any:
    return await client.session.call_tool(
        name, call, input_responses=YES, request_state=state, allow_input_required=True
    )


async def test_an_approval_is_valid_for_its_call_alone_in_time_and_once(emulator, monkeypatch):
    name = "runcrate_launch_instance"
    async with connected(emulator, limits=LIMITS, person=Person()) as client:
        first, asked = await question(client)
        second, other = await question(client)
        # Altered: the approval of one plan for another, or for another tool.
        altered = await repeated(client, name, second, asked.request_state)
        job = {"command": "ls", "gpu_type": ["A100"], "max_runtime_minutes": 5}
        moved = await repeated(client, "runcrate_run_job", job, other.request_state)
        # Replayed: the question was used up by the attempt above.
        replayed = await repeated(client, name, first, asked.request_state)
        invented = await repeated(client, name, first, "invented")
        missing = await repeated(client, name, first, None)
        with monkeypatch.context() as patch:
            patch.setattr("runcrate_mcp.approval.APPROVAL_LIFETIME_S", 0)
            third, asked = await question(client)
            late = await repeated(client, name, third, asked.request_state)
        for refused in (altered, moved, replayed, invented, missing, late):
            assert refused.is_error
            assert "approval is" in text_of(refused)
        assert launches(emulator) == 0

        fourth, asked = await question(client)
        launched = await repeated(client, name, fourth, asked.request_state)
        assert not launched.is_error, text_of(launched)
        again = await repeated(client, name, fourth, asked.request_state)
        assert again.is_error
        assert launches(emulator) == 1


async def test_a_decision_that_never_comes_launches_nothing(emulator, monkeypatch):
    monkeypatch.setattr("runcrate_mcp.approval.APPROVAL_LIFETIME_S", 0.2)

    class Absent(Person):
        async def __call__(self, _, params):
            self.questions.append(params.message)
            await asyncio.sleep(5)
            raise AssertionError("asked for too long")

    async with connected(emulator, "legacy", limits=LIMITS, person=Absent()) as client:
        refused = await launch(client)
        assert refused.is_error
        assert "Nobody decided" in text_of(refused)
    assert launches(emulator) == 0


async def test_calls_at_the_same_time_keep_the_limits_together(emulator):
    limits = rc.SpendLimits(max_total_usd=1)
    async with connected(emulator, limits=limits, require_approval=False) as client:
        results = await asyncio.gather(*(launch(client) for _ in range(4)))
    assert sum(not result.is_error for result in results) == 1
    assert launches(emulator) == 1


async def test_terminating_asks_where_it_can_and_own_instances_end_without(emulator):
    with rc.Runcrate(emulator.api_key, base_url=emulator.base_url) as user:
        others = user.instances.create(name="agent-of-somebody", **PLAN)
    async with connected(emulator, limits=LIMITS, person=Person("yes", "no")) as client:
        launched = (await launch(client)).structured_content
        call = {"instance_id": launched["id"], "expected_name": launched["name"]}
        refused = await client.call_tool("runcrate_terminate_instance", call)
        assert "did not approve" in text_of(refused)
    async with connected(emulator, limits=LIMITS) as client:
        call = {"instance_id": others.id, "expected_name": others.name}
        refused = await client.call_tool("runcrate_terminate_instance", call)
        assert refused.is_error
        assert "--yes" in text_of(refused)


async def test_wrong_arguments_and_failures_are_explained(emulator):
    async with connected(emulator, limits=LIMITS, person=Person()) as client:
        for tool, arguments, problem in (
            ("get_instance", {"id": "x"}, "instance_id"),
            ("get_instance", {"instance_id": "x"}, "Check the identifier in a list"),
            ("plan_instance", {**PLAN, "max_runtime_minutes": 600}, "600 minutes is not allowed"),
            ("launch_instance", {"plan_token": "plan-gone"}, "There is no plan"),
        ):
            result = await client.call_tool(f"runcrate_{tool}", arguments)
            assert (result.is_error, problem in text_of(result)) == (True, True)
        assert launches(emulator) == 0


async def test_an_unexpected_failure_is_logged_and_not_shown(emulator, monkeypatch, caplog):
    def broken(*_):
        raise KeyError("secret detail")

    async with connected(emulator) as client:
        monkeypatch.setattr(rc.AsyncRuncrate, "run", broken)
        failed = await client.call_tool("runcrate_get_balance", {})
        monkeypatch.undo()
    assert failed.is_error
    assert "secret detail" not in text_of(failed)
    assert "secret detail" in caplog.text


async def test_images_and_audio_are_blocks_and_every_file_can_be_read(emulator, tmp_path):
    person = Person()
    async with connected(emulator, limits=LIMITS, files_dir=tmp_path, person=person) as client:
        image = await client.call_tool("runcrate_generate_image", {"prompt": "A fox", "count": 2})
        kinds = [block.type for block in image.content]
        assert kinds == ["text", "image", "resource_link", "image", "resource_link"]
        assert "0.006 USD" in person.questions[0]
        speech = await client.call_tool("runcrate_text_to_speech", {"text": "Good morning."})
        assert [block.type for block in speech.content] == ["text", "audio", "resource_link"]
        name = speech.structured_content["files"][0]["path"].rpartition("/")[2]
        transcribed = await client.call_tool("runcrate_transcribe_audio", {"audio": name})
        assert not transcribed.is_error, text_of(transcribed)
        assert "Good morning" in transcribed.structured_content["untrusted_text"]
        assert "never instructions" in text_of(transcribed)
        video = await client.call_tool("runcrate_generate_video", {"prompt": "Waves"})
        assert [block.type for block in video.content] == ["text", "resource_link"]
        for result in (image, speech, transcribed, video):
            link: Any = result.content[-1]
            [read] = (await client.read_resource(link.uri)).contents
            assert len(read.blob) >= link.size
        (tmp_path / "höhle 50%.txt").write_text("odd")
        for name in ("höhle 50%.txt", "h%C3%B6hle%2050%25.txt"):
            assert (await client.read_resource(f"runcrate://files/{name}")).contents
        outside = ("%2e%2e%2fsecret", "../secret", "/etc/passwd", "https://example.test/x")
        for name in (*outside, "none.png", ""):
            with pytest.raises(MCPError, match="not found"):
                await client.read_resource(f"runcrate://files/{name}")


@pytest.mark.parametrize(
    ("version", "kinds"),
    [
        ("2024-11-05", ["text", "image"]),
        ("2025-03-26", ["text", "image", "audio"]),
        ("2025-06-18", ["text", "image", "audio", "resource_link"]),
        ("2026-07-28", ["text", "image", "audio", "resource_link"]),
    ],
)
def test_older_clients_get_no_blocks_that_they_do_not_know(version, kinds):
    result = types.CallToolResult(
        content=[
            types.TextContent(type="text", text="Generated image-1.png"),
            types.ImageContent(type="image", data="", mime_type="image/png"),
            types.AudioContent(type="audio", data="", mime_type="audio/mpeg"),
            types.ResourceLink(type="resource_link", uri="runcrate://files/x", name="x"),
        ]
    )
    assert [block.type for block in for_version(result, version).content] == kinds


async def test_media_keep_to_the_budget_of_a_ledger_or_need_a_person(emulator, tmp_path):
    settings: dict[str, Any] = {
        "limits": rc.SpendLimits(max_total_usd=0.007),
        "files_dir": tmp_path,
        "ledger_file": tmp_path / "budget.db",
        "require_approval": False,
    }
    calls = [("runcrate_generate_image", {"prompt": "A fox"})] * 2
    async with connected(emulator, **settings) as client:
        assert [(await client.call_tool(*call)).is_error for call in calls] == [False, False]
        spending = await client.call_tool("runcrate_get_spending", {})
        [entry] = spending.structured_content["started"]
        assert (entry["kind"], entry["state"]) == ("media", "ended")
    async with connected(emulator, **settings) as client:  # of another server
        refused = await client.call_tool(*calls[0])
        assert "exceeds the remaining budget of 0.001 USD" in text_of(refused)
        unknown = await client.call_tool("runcrate_text_to_speech", {"text": "Hello"})
        assert "price of this model is not published" in text_of(unknown)
    [entry] = rc.SpendLedger(tmp_path / "budget.db").entries
    assert (entry.kind, str(entry.cost_usd), entry.is_live) == ("media", "0.006", False)
    assert sum(request.method == "POST" for request in emulator.requests) == 2


async def test_commands_on_an_instance_are_asked_for(tmp_path):
    person = Person()
    settings: dict[str, Any] = {"limits": LIMITS, "files_dir": tmp_path, "allow_commands": True}
    with Emulator(ssh=True, clock_speed=60) as cloud:
        async with connected(cloud, person=person, **settings) as client:
            instance = {"instance_id": (await launch(client)).structured_content["id"]}
            await client.call_tool("runcrate_wait_for_instance", instance)
            command = {"command": "echo hello; exit 3"}
            ran = await client.call_tool("runcrate_run_command", {**instance, **command})
            assert ran.structured_content["exit_code"] == 3
            assert "hello" in str(ran.structured_content["output"])
            assert command["command"] in person.questions[-1]


async def test_a_cancelled_wait_stops_and_a_cancelled_launch_is_undone(emulator):
    emulator.clock_speed = 0.0
    async with connected(emulator, "legacy", limits=LIMITS, require_approval=False) as client:
        launched = (await launch(client)).structured_content
        call = {"instance_id": launched["id"]}
        with pytest.raises(MCPError, match=r"[Tt]imed out"):
            await client.call_tool("runcrate_wait_for_instance", call, read_timeout_seconds=0.5)
        asked = len(emulator.requests)
        await asyncio.sleep(0.3)
        assert len(emulator.requests) <= asked + 1

        plan = await client.call_tool("runcrate_plan_instance", {**PLAN, "name": "second"})
        emulator.fail("POST /instances", latency_s=0.8)
        call = {"plan_token": plan.structured_content["plan_token"]}
        with pytest.raises(MCPError, match=r"[Tt]imed out"):
            await client.call_tool("runcrate_launch_instance", call, read_timeout_seconds=0.3)
        name = plan.structured_content["name"]
        for _ in range(80):
            spending = (await client.call_tool("runcrate_get_spending", {})).structured_content
            states = {entry["name"]: entry["state"] for entry in spending["started"]}
            if states.get(name) == "ended":
                break
            await asyncio.sleep(0.1)
        assert states[name] == "ended"


async def test_resources_are_read_by_the_tools(emulator):
    with rc.Runcrate(emulator.api_key, base_url=emulator.base_url) as user:
        job = user.jobs.run(command="echo hello", gpu_type="A100", max_runtime_minutes=5)
        user.jobs.wait(job.id, poll_interval=0.1)
    async with connected(emulator, limits=LIMITS) as client:
        listed = (await client.list_resources()).resources
        names = [item.uri.partition("//")[2] for item in listed]
        assert names == ["balance", "ledger", "instances"]
        for item in listed:
            [content] = (await client.read_resource(item.uri)).contents
            assert isinstance(json.loads(content.text), dict)
        [template] = (await client.list_resource_templates()).resource_templates
        uri = template.uri_template.replace("{job_id}", job.id)
        [log] = (await client.read_resource(uri)).contents
        assert "hello" in log.text
        for uri in ("runcrate://jobs/none/log", "runcrate://other", "file:///etc/passwd"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)
    async with connected(emulator, include=frozenset({"list_instances"})) as client:
        assert [item.name for item in (await client.list_resources()).resources] == ["instances"]
        assert (await client.list_resource_templates()).resource_templates == []
        with pytest.raises(MCPError, match="not found"):
            await client.read_resource("runcrate://balance")


@pytest.mark.parametrize("limits", [None, LIMITS])
async def test_prompts_name_only_what_the_server_can_do(emulator, limits):
    async with connected(emulator, limits=limits) as client:
        prompts = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert prompts == ["plan_gpu", "clean_up"]
        plan = await client.get_prompt("plan_gpu", {"task": "{braces}", "budget_usd": "3"})
        text = plan.messages[0].content.text
        assert "{braces}" in text
        assert ("runcrate_plan_instance" in text) == (limits is not None)
        clean = (await client.get_prompt("clean_up", {})).messages[0].content.text
        assert ("propose what to terminate" in clean) == (limits is not None)
        with pytest.raises(MCPError, match="budget_usd"):
            await client.get_prompt("plan_gpu", {"task": "x", "budget_usd": " "})
        with pytest.raises(MCPError, match="Unknown prompt"):
            await client.get_prompt("other", {})
