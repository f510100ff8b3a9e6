"""The examples in the documentation of infrastructure methods run, on the emulator."""

from __future__ import annotations

import hashlib
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

from runcrate_core import Runcrate
from runcrate_emulator import Emulator, JobOutcome
from tests.core.test_sync_async_parity import BLOCKING, METHODS

SUBJECTS = (
    "billing",
    "environments",
    "instances",
    "job_groups",
    "jobs",
    "schedules",
    "secrets",
    "ssh_keys",
    "storage",
    "templates",
)
# What the seed's guide for another language shows, and where its counterpart is shown.
GUIDE = {
    "instances.list(": "instances.list",
    "instances.list_types(gpu_type=": "instances.list_types",
    "instances.create(": "instances.create",
    "instances.get_status(": "instances.get_status",
    "instances.terminate(": "instances.terminate",
    "ssh_keys.list(": "ssh_keys.list",
    "ssh_keys.create(": "ssh_keys.create",
    "ssh_keys.delete(": "ssh_keys.delete",
    "storage.list_regions(": "storage.list_regions",
    'storage.list(search="datasets")': "storage.list",
    "storage.get(": "storage.get",
    'storage.create(name="datasets"': "storage.create",
    "storage.resize(": "storage.resize",
    "result.refund_amount": "storage.delete",
    "balance.credits_balance": "billing.get_balance",
    "billing.list_transactions(limit=20)": "billing.list_transactions",
    "billing.usage(from_date=": "billing.usage",
    'templates.list(search="finetune", category="ml"': "templates.list",
    'with_options(environment="staging")': "environments.create",
}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me"


def example_of(path: str) -> str:
    documentation = inspect.getdoc(BLOCKING[path]) or ""
    found = re.search(r"```python\n(.*?)```", documentation, re.DOTALL)
    return textwrap.dedent(found[1]) if found else ""


class Things(dict[str, Any]):
    """What examples speak of, made when they do: `job`, `volume`, `nightly`, ..."""

    def __init__(self, client: Runcrate) -> None:
        super().__init__(client=client, archive=b"code")
        self._client = client

    def __missing__(self, name: str) -> Any:
        make = getattr(self, f"make_{name}", None)
        if make is None:
            raise KeyError(name)
        self[name] = made = make()
        return made

    def make_instance(self) -> Any:
        made = self._client.instances.create(gpu_type="A100", max_runtime_minutes=10)
        return self._client.instances.wait_until_running(made.id, poll_interval=0.05)

    def make_job(self) -> Any:
        made = self._client.jobs.run(
            command="python train.py", gpu_type="A100", max_runtime_minutes=5
        )
        return self._client.jobs.wait(made.id, poll_interval=0.02)

    def make_group(self) -> Any:
        spec = {"command": "sleep 500", "gpu_type": "A100", "max_runtime_minutes": 10}
        return self._client.jobs.run_group(**spec, count=2)  # type: ignore[arg-type] # a plain dict

    def make_volume(self) -> Any:
        return self._client.storage.create(name="v", size_gb=10, region="us-east-1")

    def make_key(self) -> Any:
        return self._client.ssh_keys.create(name="k", public_key=PUBLIC_KEY)

    def make_environment(self) -> Any:
        return self._client.environments.create(name="e")

    def make_nightly(self) -> Any:
        spec = {"command": "date", "gpu_type": "A100", "max_runtime_minutes": 5}
        return self._client.schedules.create(kind="job", name="n", cron="0 2 * * *", spec=spec)

    def make_digest(self) -> str:
        return hashlib.sha256(b"code").hexdigest()


@pytest.mark.parametrize("path", [path for path in METHODS if path.split(".")[0] in SUBJECTS])
def test_examples_run(
    path: str, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path == "instances.connect":
        (tmp_path / "train.py").write_text("print('trained')")
        with Emulator(ssh=True, clock_speed=600.0) as with_ssh:
            run_example(path, with_ssh, tmp_path, monkeypatch)
    else:
        run_example(path, cloud, tmp_path, monkeypatch)


def run_example(path: str, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = example_of(path).replace("ssh-ed25519 AAAA...", PUBLIC_KEY)
    assert example
    (tmp_path / "my-project").mkdir()
    monkeypatch.chdir(tmp_path)
    seconds = 500 if path == "jobs.cancel" else 1
    cloud.world.on_job = lambda _: JobOutcome(artifacts={"model.pt": "done\n"}, seconds=seconds)
    with Runcrate(
        cloud.api_key, base_url=cloud.base_url, inference_url=cloud.inference_url
    ) as client:
        things = Things(client)
        if path == "jobs.cancel":
            things["job"] = client.jobs.run(
                command="python train.py", gpu_type="A100", max_runtime_minutes=10
            )
        # The names are looked up in `things`, which makes what an example takes for granted.
        exec(compile(example, path, "exec"), {}, things)  # noqa: S102 - our own documentation


@pytest.mark.parametrize(("shown", "path"), GUIDE.items(), ids=GUIDE.values())
def test_what_the_guide_shows_is_shown(shown: str, path: str) -> None:
    assert shown in example_of(path)
