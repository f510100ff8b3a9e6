"""What all tests share: no network, no key of the user, cassettes, and an emulator."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from vcr import VCR
from vcr.cassette import Cassette

from tests.cassettes_support import (
    BASE_URL,
    INFERENCE_URL,
    match_body,
    public_answer,
    public_request,
)

# A busy computer is no error; a test that waits for ever has a time limit of its own. Fixtures
# may serve all examples: a test whose examples depend on each other is wrong for itself.
settings.register_profile(
    "tests",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")

CASSETTES = Path(__file__).parent.parent / "cassettes"
RECORDING = os.environ.get("RECORD_CASSETTES") == "1"
LIVE = os.environ.get("LIVE") == "1"
TEST_KEY = "rc_live_test"


@dataclass(frozen=True)
class Api:
    """The server of a recorded or replayed test.

    While recording, that is the emulator (or, with LIVE=1, the real service); while replaying it
    is the real service's addresses, to which only a cassette responds.
    """

    inference_url: str
    base_url: str
    api_key: str
    emulator: Any = None

    def script(self, *, on_chat: Any = None, on_job: Any = None) -> None:
        """Let the emulator that is recorded reply so; a cassette and the service need no script."""
        if self.emulator is not None:
            self.emulator.on_chat = on_chat
            self.emulator.on_job = on_job


def pytest_configure() -> None:
    """Receive SIGINT also where a shell started the tests in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config, items):
    """Start with the files that take longest, so that no worker is left with one at the end.

    Of a class with `only_tests` the others are left out: they would repeat those of another class.
    """
    items.sort(key=lambda item: item.path, reverse=True)
    left_out = [item for item in items if _repeats_another_class(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not _repeats_another_class(item)]


def _repeats_another_class(item):
    only = getattr(getattr(item, "cls", None), "only_tests", None)
    return bool(only) and getattr(item, "originalname", item.name) not in only


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clients wait at most a fiftieth of a second at a time, for a status or a retry."""
    clocks = {name: getattr(time, name) for name in ("time", "monotonic", "perf_counter")}
    sleep: Any = lambda seconds: time.sleep(min(seconds, 0.02))  # noqa: E731 - one of a pair
    asleep: Any = lambda seconds: asyncio.sleep(min(seconds, 0.02))  # noqa: E731 - one of a pair
    monkeypatch.setattr("runcrate_core.io.driver.time", SimpleNamespace(**clocks, sleep=sleep))
    patched = SimpleNamespace(sleep=asleep, to_thread=asyncio.to_thread)
    monkeypatch.setattr("runcrate_core.io.driver.asyncio", patched)


@pytest.fixture
def only_new_garbage() -> Iterator[None]:
    """Collections look at what the test makes, and not at all modules that were loaded before."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def state_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory for state of the user, such as pinned host keys of instances."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, state_directory: Path) -> None:
    """Tests see neither the key nor the proxies of the user, and leave no state."""
    for name in list(os.environ):
        if name.startswith("RUNCRATE_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    key = os.environ.get("RUNCRATE_LIVE_KEY", TEST_KEY) if RECORDING and LIVE else TEST_KEY
    monkeypatch.setenv("RUNCRATE_API_KEY", key)
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    monkeypatch.setenv("RUNCRATE_STATE_DIR", str(state_directory))


@pytest.fixture(scope="session")
def recording_emulator() -> Iterator[Any]:
    """The emulator that cassettes are recorded from."""
    from runcrate_emulator import Emulator

    with Emulator(clock_speed=600.0) as emulator:
        yield emulator


@pytest.fixture
def api(request: pytest.FixtureRequest) -> Api:
    """Addresses and key for a test that is marked `vcr`."""
    key = os.environ["RUNCRATE_API_KEY"]
    if not RECORDING or LIVE:
        return Api(INFERENCE_URL, BASE_URL, key)
    emulator = request.getfixturevalue("recording_emulator")
    emulator.reset()
    return Api(emulator.inference_url, emulator.base_url, emulator.api_key, emulator)


def pytest_recording_configure(config: pytest.Config, vcr: VCR) -> None:
    """Compare bodies in our own way."""
    vcr.register_matcher("body", match_body)


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """Settings of every cassette."""
    return {
        "record_mode": "rewrite" if RECORDING else "none",
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "before_record_request": public_request,
        "before_record_response": public_answer,
        "decode_compressed_response": True,
        "allow_playback_repeats": False,
    }


@pytest.fixture
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """A folder for each test module, mirroring the folder of the tests."""
    module = Path(request.node.path).relative_to(Path(__file__).parent).with_suffix("")
    return str(CASSETTES / module)


_FAILED = pytest.StashKey[bool]()


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember which tests failed: theirs are the cassettes that may be left unfinished."""
    if call.when == "call":
        item.stash[_FAILED] = call.excinfo is not None


@pytest.fixture(autouse=True)
def _cassette_is_played_whole(
    request: pytest.FixtureRequest, vcr: Cassette | None
) -> Iterator[None]:
    """A replayed test fails when its cassette is missing or was only played in part."""
    yield
    if vcr is None or RECORDING:
        return
    if not len(vcr):
        pytest.fail("There is no cassette for this test: run `make cassettes`.")
    left = len(vcr) - vcr.play_count
    if left and not request.node.stash.get(_FAILED, False):
        pytest.fail(f"{left} of {len(vcr)} recorded requests were not sent: `make cassettes`.")
