"""The pure parts: clock, rate limit, fault plan, errors, chart."""

import inspect
from datetime import UTC, datetime, timedelta

import pytest

from runcrate_emulator import Emulator
from runcrate_emulator.clock import Clock
from runcrate_emulator.faults import Fault
from runcrate_emulator.files import FileStore, Signer
from runcrate_emulator.keys import masked

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_clock_runs_at_its_speed_from_the_moment_it_is_set():
    real_s = 1000.0
    clock = Clock(60, start=NOON, monotonic=lambda: real_s)
    real_s += 2
    assert clock.now() == NOON + timedelta(minutes=2)
    clock.speed = 1
    real_s += 5
    assert clock.now() == NOON + timedelta(minutes=2, seconds=5)
    clock.speed = 0
    real_s += 100
    clock.advance(7)
    assert clock.now() == NOON + timedelta(minutes=2, seconds=12)
    clock.reset()
    assert (clock.now(), clock.speed) == (NOON, 60)


def test_clock_never_runs_backwards():
    with pytest.raises(ValueError, match="0 \\(stands still\\) or more"):
        Clock(-1)
    with pytest.raises(ValueError, match="cannot go back"):
        Clock().advance(-1)


@pytest.mark.parametrize(
    ("route", "method", "path", "matches"),
    [
        ("POST /videos", "POST", "/videos", True),
        ("POST /videos", "GET", "/videos", False),
        ("* /videos", "GET", "/videos", True),
        ("GET /instances/{id}", "GET", "/instances/abc", True),
        ("GET /instances/{id}", "GET", "/instances/abc/status", False),
        ("GET /instances/{id}/status", "GET", "/instances/abc/status", True),
        ("GET /jobs/*", "GET", "/jobs/a/artifacts/b/c.txt", True),
        ("GET /jobs/*", "GET", "/jobs", False),
    ],
)
def test_fault_matches_a_route(route, method, path, matches):
    assert Fault(route).matches(method, path) is matches


@pytest.mark.parametrize("bad", ["/videos", "post /videos", "POST videos", "POST /a b"])
def test_fault_route_is_checked(bad):
    with pytest.raises(ValueError, match="a method and a path"):
        Fault(bad)
    with pytest.raises(ValueError, match="at least one request"):
        Fault("GET /a", times=0)


def test_masked_keys_hide_the_key():
    assert masked("rc_live_0123456789abcdef") == "rc_live_…cdef"
    assert masked("rc_live_short") == "rc_live_…"
    assert masked("sk-0123456789") == "…6789"


def test_made_files_have_a_limit_and_the_oldest_go():
    clock = Clock(0, start=NOON)
    ids = iter(f"file-{number}" for number in range(9))
    store = FileStore(lambda _: next(ids), Signer(clock, b"key"), max_bytes=10)
    first, second = (store.add("image", "a.webp", "image/webp", b"x" * 4) for _ in range(2))
    store.remove(first.id)
    third = store.add("image", "b.webp", "image/webp", b"x" * 6)
    assert [file.id for file in store.newest(9)] == [third.id, second.id]
    large = store.add("video", "c.mp4", "video/mp4", b"x" * 99)
    assert [file.id for file in store.newest(9)] == [large.id]


def test_the_method_that_plans_a_fault_shows_its_arguments() -> None:
    shown = inspect.signature(Emulator.fail).parameters
    assert list(shown) == ["self", *inspect.signature(Fault).parameters]
