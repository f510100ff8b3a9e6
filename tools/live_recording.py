"""Record cassettes from the real service within limits: `make cassettes LIVE=1`.

The estimate is shown and confirmed first. One test launches an instance; the others that would are
left as they are. What was recorded is remembered, so that a second run continues; the end is a
report of the recorded responses that have another shape than the emulator's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parent.parent
CASSETTES = ROOT / "cassettes"
STATE = ROOT / ".live-recording.json"
DEFAULT_MAX_USD = Decimal(3)

# The one test that launches an instance and a job: its own limits bound what they cost.
LAUNCHING = "test_an_instance_and_a_job_from_their_plans_to_their_ends[sync]"
LAUNCHING_USD = Decimal("1.50")
# Upper bounds in USD for one request, by the end of its path.
PRICES_USD: Mapping[str, Decimal] = {
    "/chat/completions": Decimal("0.002"),
    "/embeddings": Decimal("0.0005"),
    "/images/generations": Decimal("0.01"),
    "/audio/speech": Decimal("0.002"),
    "/audio/transcriptions": Decimal("0.002"),
}
# A video costs dollars; these are left as they are unless `--videos` is given.
VIDEO_USD = Decimal("2.00")
STARTING = ("/instances", "/jobs")


@dataclass(frozen=True)
class Recording:
    """One cassette and the test that records it.

    Attributes:
        path: The cassette.
        estimate_usd: Upper bound of what its requests cost.
        reason_to_skip: Reason why it is not recorded from the service, or an empty text.
    """

    path: Path
    estimate_usd: Decimal
    reason_to_skip: str = ""

    @property
    def name(self) -> str:
        """Path below `cassettes/`."""
        return self.path.relative_to(CASSETTES).as_posix()

    @property
    def test(self) -> str:
        """The identifier of the test, for pytest."""
        module = self.path.parent.relative_to(CASSETTES)
        kind, separator, function = self.path.stem.partition(".")
        is_in_class = separator and "[" not in kind
        name = f"{kind}::{function}" if is_in_class else self.path.stem
        return f"tests/{module.as_posix()}.py::{name}"


def plan(paths: Iterable[Path], *, videos: bool = False) -> list[Recording]:
    """Return each cassette with its estimate, from the requests that it holds today."""
    return [_recording(path, videos=videos) for path in sorted(paths)]


def _recording(path: Path, *, videos: bool) -> Recording:
    estimate, reason = Decimal(0), ""
    for interaction in interactions(path):
        request = interaction["request"]
        route = urlsplit(request["uri"]).path
        if request["method"] != "POST":
            continue
        if route.endswith(STARTING):
            if path.stem != LAUNCHING:
                reason = "it launches; one test does so for all"
            estimate = max(estimate, LAUNCHING_USD)
        elif route.endswith("/videos"):
            reason = reason if videos else "it generates a video (--videos)"
            estimate += VIDEO_USD
        else:
            estimate += sum(price for end, price in PRICES_USD.items() if route.endswith(end))
    return Recording(path, estimate, reason)


def interactions(path: Path) -> list[dict[str, Any]]:
    """Return the requests and responses of a cassette."""
    loaded = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return list(loaded["interactions"])


def shape(value: Any) -> Any:
    """Return the shape of a JSON value: names and types, without values."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def differences(before: Any, after: Any, where: str = "$") -> Iterator[str]:
    """Yield what differs between two shapes: where, and how."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            if name not in after:
                yield f"{where}.{name} is missing"
            elif name not in before:
                yield f"{where}.{name} is new ({_kind(after[name])})"
            else:
                yield from differences(before[name], after[name], f"{where}.{name}")
    elif isinstance(before, list) and isinstance(after, list):
        if before and after:
            yield from differences(before[0], after[0], f"{where}[]")
    elif before != after:
        yield f"{where} is {_kind(after)}, not {_kind(before)}"


def _kind(found: Any) -> str:
    return found if isinstance(found, str) else "object" if isinstance(found, dict) else "list"


def compare(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[str]:
    """Yield how recorded responses differ in shape from the earlier ones, request by request."""
    for old, new in zip(before, after, strict=False):
        request = new["request"]
        route = f"{request['method']} {urlsplit(request['uri']).path}"
        old_status, new_status = (one["response"]["status"]["code"] for one in (old, new))
        if old_status != new_status:
            yield f"{route}: status {new_status}, not {old_status}"
        old_body, new_body = (_body(one) for one in (old, new))
        for line in differences(shape(old_body), shape(new_body)):
            yield f"{route}: {line}"


def _body(interaction: dict[str, Any]) -> Any:
    body = interaction["response"]["body"]["string"]
    text = body.decode(errors="replace") if isinstance(body, bytes) else body
    for candidate in (text, next(_events(text), "")):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return text and "bytes"


def _events(text: str) -> Iterator[str]:
    return (line[5:].strip() for line in text.splitlines() if line.startswith("data:"))


@dataclass
class State:
    """Finished recordings, in a file, so that an interrupted recording continues.

    Attributes:
        path: The file.
        done: Names of recorded cassettes, with the lines of their differences.
        spent_usd: Sum of the estimates.
    """

    path: Path
    done: dict[str, list[str]]
    spent_usd: Decimal

    @classmethod
    def load(cls, path: Path) -> State:
        """Read the file; without one nothing was recorded."""
        if not path.exists():
            return cls(path, {}, Decimal(0))
        value = json.loads(path.read_text())
        return cls(path, value["done"], Decimal(value["spent_usd"]))

    def add(self, recording: Recording, lines: list[str]) -> None:
        """Remember a recording."""
        self.done[recording.name] = lines
        self.path.write_text(
            json.dumps({"done": self.done, "spent_usd": str(self.spent_usd)}, indent=2)
        )

    def reserve(self, recording: Recording, max_usd: Decimal) -> bool:
        """Count an estimate before anything is sent; return whether the budget allows it."""
        if self.spent_usd + recording.estimate_usd > max_usd:
            return False
        self.spent_usd += recording.estimate_usd
        return True


def record(recording: Recording) -> bool:
    """Run the test of a cassette against the service; return whether it passed."""
    environment = {**os.environ, "RECORD_CASSETTES": "1", "LIVE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", recording.test]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode == 0


def main(arguments: list[str] | None = None) -> int:
    """Record, and print the report."""
    parser = argparse.ArgumentParser(prog="make cassettes LIVE=1")
    parser.add_argument("--max-usd", type=Decimal, default=DEFAULT_MAX_USD)
    parser.add_argument("--videos", action="store_true", help="record video jobs too")
    parser.add_argument("--only", default="", help="part of the names of cassettes")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    if not os.environ.get("RUNCRATE_LIVE_KEY"):
        print("Set RUNCRATE_LIVE_KEY. Nothing was recorded.", file=sys.stderr)
        return 2
    state = State.load(STATE)
    paths = [path for path in CASSETTES.rglob("*.yaml") if options.only in str(path)]
    recordings = plan(paths, videos=options.videos)
    wanted = [one for one in recordings if not one.reason_to_skip and one.name not in state.done]
    estimate = sum((one.estimate_usd for one in wanted), Decimal(0))
    print(
        f"{len(wanted)} cassettes to record, {len(state.done)} recorded, "
        f"{sum(bool(one.reason_to_skip) for one in recordings)} left as they are. "
        f"At most {estimate} USD; the limit is {options.max_usd} USD, {state.spent_usd} are spent."
    )
    if not options.yes and input("Record? [y/N] ").strip().lower() not in {"y", "yes"}:
        return 1
    failed = _record_all(wanted, state, options.max_usd)
    _report(state)
    return int(failed)


def _record_all(wanted: list[Recording], state: State, max_usd: Decimal) -> bool:
    failed = False
    for recording in wanted:
        if not state.reserve(recording, max_usd):
            print(f"The limit is reached before {recording.name}. Run again with a higher one.")
            return True
        before = interactions(recording.path)
        saved = recording.path.read_bytes()
        if record(recording):
            state.add(recording, list(compare(before, interactions(recording.path))))
        else:
            recording.path.write_bytes(saved)
            failed = True
    return failed


def _report(state: State) -> None:
    lines = {line for found in state.done.values() for line in found}
    print(f"{len(lines)} differences in shape between the service and the emulator:")
    for line in sorted(lines):
        print(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
