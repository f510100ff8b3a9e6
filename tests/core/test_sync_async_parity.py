"""Both clients are one surface: the same names, signatures, documentation and results."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from runcrate_core import AsyncRuncrate, Runcrate
from runcrate_core.api.resources import AsyncResource, SyncResource

# What the namespaces hold (design: the public contract). More may be added, nothing taken away.
CONTRACT = {
    "audio.speech": "create",
    "audio.transcriptions": "create",
    "billing": "get_balance list_transactions usage top_up get_auto_recharge set_auto_recharge "
    "list_payment_methods",
    "chat.completions": "create stream",
    "embeddings": "create",
    "environments": "list get create update delete",
    "images": "generate",
    "instances": "list get get_status list_types create update terminate wait_until_running "
    "connect",
    "job_groups": "get cancel",
    "jobs": "run run_group get list list_all cancel delete rerun logs follow_logs events metrics "
    "wait",
    "jobs.artifacts": "list url download",
    "jobs.uploads": "create upload",
    "models": "list",
    "schedules": "create list get update delete run_now",
    "secrets": "list",
    "ssh_keys": "list create delete",
    "storage": "list get create resize delete list_regions",
    "templates": "list",
    "videos": "create retrieve download wait generate",
}

# The one difference that results may have: how a list is gone through.
ASYNC_KINDS = (
    (r"\bAsyncPages\[", "Page["),
    (r"\bAsyncIterator\[", "Iterator["),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\basync_", ""),
)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every namespace below a client and every method in it, with their paths."""
    for name in sorted(name for name in dir(value) if not name.startswith("_")):
        found = getattr(value, name)
        where = f"{path}.{name}" if path else name
        if isinstance(found, SyncResource | AsyncResource):
            yield where, found
            yield from walk(found, where)
        elif path and callable(found):
            yield where, found


SYNC_METHODS = dict(walk(Runcrate("rc_live_test")))
ASYNC_METHODS = dict(walk(AsyncRuncrate("rc_live_test")))
METHODS = sorted(path for path, found in SYNC_METHODS.items() if callable(found))
NAMESPACES = sorted(SYNC_METHODS.keys() - set(METHODS))


def as_sync(annotation: Any) -> str:
    text = str(annotation)
    for pattern, replacement in ASYNC_KINDS:
        text = re.sub(pattern, replacement, text)
    return text


def test_both_have_the_same_namespaces_and_methods():
    assert SYNC_METHODS.keys() == ASYNC_METHODS.keys()
    for path in NAMESPACES:
        assert inspect.getdoc(type(SYNC_METHODS[path]))
        assert inspect.getdoc(type(ASYNC_METHODS[path]))


@pytest.mark.parametrize("namespace", CONTRACT)
def test_the_public_contract_is_kept(namespace):
    promised = {f"{namespace}.{method}" for method in CONTRACT[namespace].split()}
    assert promised <= set(METHODS)


@pytest.mark.parametrize("path", METHODS)
def test_a_method_is_the_same_in_both_clients(path):
    one, other = SYNC_METHODS[path], ASYNC_METHODS[path]
    assert one.__name__ == other.__name__
    assert inspect.getdoc(one)
    assert inspect.getdoc(one) == inspect.getdoc(other)
    signature, async_signature = inspect.signature(one), inspect.signature(other)
    parameters = list(signature.parameters.values())
    assert parameters == list(async_signature.parameters.values())
    assert "= <" not in str(signature)
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters)
    assert not any("Unpack" in str(parameter.annotation) for parameter in parameters)
    assert not any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    assert str(signature.return_annotation) == as_sync(async_signature.return_annotation)
    assert not re.match(r"Call|Flow|Plan|Batch", str(signature.return_annotation))
    # What is not awaited is iterated over, or entered with `async with`.
    is_awaited = not str(async_signature.return_annotation).startswith("Async")
    assert inspect.iscoroutinefunction(other) is is_awaited


@pytest.mark.parametrize("path", METHODS)
def test_every_argument_is_documented(path):
    documentation = inspect.getdoc(SYNC_METHODS[path]) or ""
    make = inspect.unwrap(SYNC_METHODS[path])
    arguments = set(inspect.signature(make).parameters)
    listed = re.search(r"^Args:\n((?:    .*\n|\n)*)", f"{documentation}\n", re.MULTILINE)
    reported = set(re.findall(r"^    (\w+):", listed[1], re.MULTILINE)) if listed else set()
    assert reported == arguments
