"""An emulator for the whole session, on a clock that the tests step by hand, and bare clients."""

import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from PIL import Image

from runcrate_emulator import Clock, Emulator, JobOutcome
from runcrate_emulator.pytest_plugin import (  # noqa: F401 - fixtures; there is no entry point before an installation
    _runcrate_emulator_server,
    runcrate_emulator,
)

START = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)  # a Wednesday, in the middle of a month
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHVzZXIgb2YgdGhlIGVtdWxhdG9y me@laptop"
INSTANCE = {"name": "box", "gpu_type": "A100"}
JOB = {"command": "echo hello", "gpu_type": "A100", "max_runtime_minutes": 60}
VOLUME = {"name": "data", "size_gb": 100, "region": "us-east-1"}
RECHARGE = "/billing/auto-recharge"
GOOD = {
    "/instances": INSTANCE,
    "/jobs": JOB,
    "/jobs/uploads": {"bytes": 1},
    "/schedules": {"kind": "job", "spec": JOB, "cron": "0 14 * * *"},
    "/storage": VOLUME,
    "/environments": {"name": "staging"},
    "/ssh-keys": {"name": "laptop", "public_key": PUBLIC_KEY},
    "/billing/topups": {"amount_usd": 50, "idempotency_key": "k"},
    RECHARGE: {"enabled": False, "threshold_usd": 20, "target_usd": 100},
}


class Api(httpx.Client):
    """A bare client of one of the two APIs."""

    def read(self, path: str, **query: Any) -> Any:
        """The data at a path of the infrastructure API."""
        return data_of(self.get(path, params=query or None))

    def make(self, path: str, **body: Any) -> Any:
        """The data of what a body made."""
        return data_of(self.post(path, json=body))

    def change(self, path: str, **body: Any) -> Any:
        """The data of what a body changed."""
        return data_of(self.patch(path, json=body))


def data_of(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()["data"]


@pytest.fixture(scope="session")
def _stepped_server() -> Iterator[Emulator]:
    with Emulator(clock=Clock(0, start=START), requests_per_minute=100_000) as emulator:
        yield emulator
        emulator.reset()  # forgets the errors of scripts, which would be raised here


@pytest.fixture(scope="session")
def _clients(_stepped_server: Emulator) -> Iterator[tuple[Api, Api]]:
    urls = f"{_stepped_server.base_url}/api/v1", _stepped_server.inference_url
    options = {
        "headers": {"Authorization": f"Bearer {_stepped_server.api_key}"},
        "limits": httpx.Limits(keepalive_expiry=2),  # less than the server's
        "timeout": 30,
    }
    with Api(base_url=urls[0], **options) as infra, Api(base_url=urls[1], **options) as inference:
        yield infra, inference


@pytest.fixture
def emulator(_stepped_server: Emulator) -> Iterator[Emulator]:
    """An emulator in its first state, whose clock stands still; a crash fails the test."""
    _stepped_server.reset()
    yield _stepped_server
    assert _stepped_server.crashes == []


@pytest.fixture
def infra(emulator: Emulator, _clients: tuple[Api, Api]) -> Api:
    """A bare client of the infrastructure API."""
    return _clients[0]


@pytest.fixture
def inference(emulator: Emulator, _clients: tuple[Api, Api]) -> Api:
    """A bare client of the inference API."""
    return _clients[1]


@pytest.fixture
def launch(infra: Api) -> Callable[..., dict[str, Any]]:
    """Launch an instance and return it."""
    return lambda **fields: infra.make("/instances", **{**INSTANCE, **fields})


@pytest.fixture
def volume(infra: Api) -> dict[str, Any]:
    """A volume that was just made."""
    made: dict[str, Any] = infra.make("/storage", **VOLUME)
    return made


@pytest.fixture
def submit(emulator: Emulator, infra: Api) -> Callable[..., dict[str, Any]]:
    """Submit a job, with the outcome that it is to have, and return it."""
    outcomes: dict[str, JobOutcome] = {}
    emulator.on_job = lambda run: outcomes.get(run.command)

    def submit(
        command: str = "echo hello", outcome: JobOutcome | None = None, **fields: Any
    ) -> dict[str, Any]:
        if outcome is not None:
            outcomes[command] = outcome
        job: dict[str, Any] = infra.make("/jobs", **{**JOB, "command": command, **fields})
        return job

    return submit


def assert_refused(
    answer: httpx.Response, status: int, code: str, field: str | None = None
) -> dict[str, Any]:
    """The answer is the infrastructure envelope with this status, code and field."""
    body = answer.json()
    assert (answer.status_code, body.get("error", {}).get("code")) == (status, code), answer.text
    error: dict[str, Any] = body["error"]
    assert set(error) <= {"code", "message", "details"}
    assert error["message"]
    if field is not None:
        assert error["details"]["field"] == field
    return error


def refused_field(answer: httpx.Response) -> tuple[int, str | None]:
    """The status of a refusal by the inference API, and the field that it names."""
    error = answer.json()["error"]
    field = error.get("details", {}).get("field")
    assert error["code"]
    assert error["type"] == "invalid_request_error"
    assert f"`{field}`" in error["message"] or answer.status_code == 404
    return answer.status_code, field


def bad_values(table: Mapping[tuple[str, int], Mapping[str, list[Any]]]) -> list[Any]:
    """Path, body, status and field of a request with each of the values in a table.

    It lists, by path and status, the values that a field must not have.
    """
    return [
        (path, {field: value}, status, field)
        for (path, status), fields in table.items()
        for field, values in fields.items()
        for value in values
    ]


def png(colour: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    """An image of one colour."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()
