"""`runcrate doctor`: problems of the local set-up, and how to solve them.

Collecting (`collect`) and checking (`findings`) are apart: each check is a function of `Facts`.
The key is sent to the two APIs alone, and never shown.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import math
import os
import re
import sys
import time
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from runcrate_core.config import (
    DEFAULT_BASE_URL,
    DEFAULT_INFERENCE_URL,
    KEY_PREFIX,
    KEYS_PAGE,
    api_url,
    clean_key,
    is_own_host,
    require_own_key,
    variable,
)
from runcrate_core.errors import ConfigurationError
from runcrate_core.io.health_check import ApiUrls, Probe, probe
from runcrate_core.protocol.http_date import http_date
from runcrate_core.protocol.proxies import proxy_routes, proxy_url
from runcrate_core.protocol.request import Surface
from runcrate_core.protocol.url_policy import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MIN_PYTHON: Final = (3, 11)
# First version that works, first that does not; the same as in pyproject.toml.
SUPPORTED: Final[dict[str, tuple[str, str]]] = {
    "httpx": ("0.28.1", "1"),
    "pydantic": ("2.12", "3"),
    "langchain-core": ("1.7.2", "2"),
    "llama-index-core": ("0.14.23", "0.15"),
}
REQUIRED: Final = ("httpx", "pydantic")
OWN_DISTRIBUTION: Final = "runcrate-integrations"
# Ships the import package `langchain_runcrate`, as this project does.
CLASHING: Final = "langchain-runcrate"
PROXY_VARIABLES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
CHECK_TIMEOUT_S: Final = 5.0
MAX_CHECK_TIMEOUT_S: Final = 600.0
# A Date header counts whole seconds, and a response takes time: less than this says nothing.
MAX_SKEW_S: Final = 60.0
_LAST_OK: Final = 299
_REDIRECTS: Final = range(300, 400)
_OUT_OF_CREDITS: Final = 402
_NOT_FOUND: Final = 404
_SERVER_ERRORS: Final = range(500, 600)


class Level(Enum):
    """Severity of a finding."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "PROBLEM"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        level: Whether it is a problem.
        subject: Subject of the check.
        text: What was found.
        advice: What to do; empty when there is nothing to do.
    """

    level: Level
    subject: str
    text: str
    advice: str = ""

    def lines(self) -> str:
        """Return the finding as it is printed."""
        line = f"{self.level.value:<8}{self.subject}: {self.text}"
        return f"{line}\n        -> {self.advice}" if self.advice else line


@dataclass(frozen=True)
class Facts:
    """Everything that is checked.

    Attributes:
        python: Version of the interpreter.
        versions: Versions of the distributions that are installed.
        variables: Environment variables.
        probes: What came of the requests.
        setup_error: Why no request could be made, such as unusable certificates; empty otherwise.
    """

    python: tuple[int, ...]
    versions: Mapping[str, str]
    variables: Mapping[str, str] = field(repr=False)
    probes: tuple[Probe, ...] = ()
    setup_error: str = ""


# --- judging -------------------------------------------------------------------------------------


def findings(facts: Facts) -> Iterator[Finding]:
    """Check everything, in the order of the report."""
    yield python_finding(facts.python)
    yield from package_findings(facts.versions)
    yield from url_findings(facts.variables)
    yield key_finding(facts.variables)
    yield from proxy_findings(facts.variables)
    if facts.setup_error:
        yield Finding(
            Level.PROBLEM, "connections", facts.setup_error, "Correct or unset that variable."
        )
    yield from map(probe_finding, facts.probes)
    yield from clock_findings(facts.probes)


def python_finding(version: tuple[int, ...]) -> Finding:
    """Check the version of the interpreter."""
    shown = ".".join(map(str, version[:3]))
    if version[:2] < MIN_PYTHON:
        wanted = ".".join(map(str, MIN_PYTHON))
        return Finding(Level.PROBLEM, "Python", shown, f"Use Python {wanted} or later.")
    return Finding(Level.OK, "Python", shown)


def package_findings(versions: Mapping[str, str]) -> Iterator[Finding]:
    """Check the versions of packages, and for packages that conflict."""
    own = versions.get(OWN_DISTRIBUTION)
    if own is None:
        yield Finding(Level.NOTE, OWN_DISTRIBUTION, "runs from a directory, is not installed")
    else:
        yield Finding(Level.OK, OWN_DISTRIBUTION, own)
    for name, (first, beyond) in SUPPORTED.items():
        version = versions.get(name)
        wanted = f'pip install "{name}>={first},<{beyond}"'
        if version is None:
            if name in REQUIRED:
                yield Finding(Level.PROBLEM, name, "not installed", f"Run: {wanted}")
        elif not _numbers(first) <= _numbers(version) < _numbers(beyond):
            text = f"{version}, which this version does not work with"
            yield Finding(Level.PROBLEM, name, text, f"Run: {wanted}")
        else:
            yield Finding(Level.OK, name, version)
    if CLASHING in versions:
        yield Finding(
            Level.PROBLEM,
            CLASHING,
            f"{versions[CLASHING]} is installed and has the same import package as this project",
            f"Run: pip uninstall {CLASHING}; pip install --force-reinstall --no-deps "
            f"{OWN_DISTRIBUTION}",
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers at the start of a version: `1.7.2rc1` is (1, 7, 2)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def url_findings(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Check both URLs; a problem is reported without showing the URL."""
    for subject, name, default, surface, right, wrong in _URLS:
        advice = f"Correct {name}, or unset it to use {default}."
        try:
            url = api_url(None, surface, variables)
            given = variable(variables, name) or ""
        except ConfigurationError as error:
            yield Finding(Level.PROBLEM, subject, error.message, advice)
            continue
        ending = next((end for end in wrong if given.rstrip("/").endswith(end)), None)
        if ending is None:
            source = f"from {name}" if given else "default"
            yield Finding(Level.OK, subject, f"{url} ({source})")
        else:
            yield Finding(
                Level.PROBLEM if is_own_host(url) else Level.NOTE,
                subject,
                f"{name} ends in `{ending}`, where this API is expected under `{right}`: requests "
                f"go to {url}",
                f"Set {name} to the URL of the host alone, or one that ends in `{right}`.",
            )


_URLS: Final = (
    (
        "inference URL",
        "RUNCRATE_API_BASE",
        DEFAULT_INFERENCE_URL,
        Surface.INFERENCE,
        "/v1",
        ("/api/v1", "/api"),
    ),
    (
        "infrastructure URL",
        "RUNCRATE_API_URL",
        DEFAULT_BASE_URL,
        Surface.INFRASTRUCTURE,
        "/api/v1",
        ("/v1/api/v1", "/api/api/v1", "/v1", "/api"),
    ),
)


_SURFACES: Final = (Surface.INFERENCE, Surface.INFRASTRUCTURE)


def api_urls(variables: Mapping[str, str]) -> ApiUrls | None:
    """Return where requests go; `None` when a URL is not usable."""
    try:
        return ApiUrls(*(api_url(None, surface, variables) for surface in _SURFACES))
    except ConfigurationError:
        return None


def key_finding(variables: Mapping[str, str]) -> Finding:
    """Check the form of the key; it is not shown."""
    given = variables.get("RUNCRATE_API_KEY")
    try:
        key = clean_key(variable(variables, "RUNCRATE_API_KEY"))
        if _needs_own_key(variables):
            require_own_key(key)
    except ConfigurationError as error:
        return Finding(Level.PROBLEM, "key", error.message, "Set RUNCRATE_API_KEY.")
    if key is None:
        return Finding(Level.NOTE, "key", "none; the server at this URL may not need one")
    if key != given:
        return Finding(
            Level.NOTE, "key", "set, with white space around it", "It is ignored; remove it."
        )
    unofficial = _unofficial_hosts(variables)
    if key.startswith(KEY_PREFIX) and unofficial:
        return Finding(
            Level.NOTE,
            "key",
            f"a Runcrate key is set, and is sent to {unofficial}, which is not Runcrate's",
            "Use a key of that server, if you do not trust it with this one.",
        )
    return Finding(Level.OK, "key", f"set, {len(key)} characters")


def _unofficial_hosts(variables: Mapping[str, str]) -> str:
    where = api_urls(variables)
    urls = () if where is None else (where.inference, where.infrastructure)
    hosts = {
        urlsplit(url).hostname for url in urls if not is_own_host(url) and not is_loopback(url)
    }
    return " and ".join(sorted(filter(None, hosts)))


def _needs_own_key(variables: Mapping[str, str]) -> bool:
    where = api_urls(variables)
    return where is None or is_own_host(where.inference) or is_own_host(where.infrastructure)


def key_to_send(variables: Mapping[str, str]) -> str | None:
    """Return the key if it is one that may be sent."""
    if key_finding(variables).level is Level.PROBLEM:
        return None
    return clean_key(variable(variables, "RUNCRATE_API_KEY"))


def proxy_findings(variables: Mapping[str, str]) -> Iterator[Finding]:
    """List the proxies in use; only their hosts are shown."""
    for name in PROXY_VARIABLES:
        value = variables.get(name) or variables.get(name.lower())
        if not value:
            continue
        try:
            yield Finding(Level.NOTE, name, _proxy_text(name, value))
        except ConfigurationError as error:
            yield Finding(Level.PROBLEM, name, error.message, f"Correct or unset {name}.")


def _proxy_text(name: str, value: str) -> str:
    if name == "NO_PROXY":
        proxy_routes({"all": "http://proxy.invalid", "no": value}, hosts=(), direct_hosts=())
        return f"set ({len(value.split(','))} entries)"
    parts = urlsplit(proxy_url(value, name))
    port = f":{parts.port}" if parts.port else ""
    return f"requests go through {parts.scheme}://{parts.hostname}{port}"


def probe_finding(probe: Probe) -> Finding:
    """Check one response, or that there was none."""
    if probe.status is None:
        return Finding(
            Level.PROBLEM,
            probe.subject,
            f"{probe.url} did not respond: {probe.failure}",
            "Check the URL, the network, the firewall and the proxy variables.",
        )
    if probe.status in _REDIRECTS:
        return Finding(
            Level.PROBLEM,
            probe.subject,
            f"{probe.url} redirects to `{probe.location}`; the key is not sent there",
            "Set the URL that it points to, if you trust it.",
        )
    if probe.status in _SERVER_ERRORS:
        text = (
            f"{probe.url} responds with {probe.status}: the server or a proxy in front of it fails"
        )
        return Finding(Level.PROBLEM, probe.subject, text, "Try again in a minute.")
    if not probe.is_json and (probe.status <= _LAST_OK or probe.status == _NOT_FOUND):
        return Finding(
            Level.PROBLEM,
            probe.subject,
            f"{probe.url} responds with {probe.status} and no JSON: it is another web server",
            "Check the URL and its port.",
        )
    if probe.status <= _LAST_OK or (not probe.with_key and probe.status != _NOT_FOUND):
        how = "with the key" if probe.with_key else "without a key"
        return Finding(Level.OK, probe.subject, f"{probe.url} responds with {probe.status} {how}")
    text, advice = _REFUSALS.get(
        probe.status,
        (f"responds with {probe.status}", "Check the URL: it may be another server's."),
    )
    level = Level.NOTE if probe.status == _OUT_OF_CREDITS else Level.PROBLEM
    return Finding(level, probe.subject, f"{probe.url} {text}", advice)


_REFUSALS: Final = {
    401: ("does not know the key (401)", f"Make a new key at {KEYS_PAGE}."),
    402: ("reports that there are no credits (402)", "Top up, or raise the key's budget."),
    403: (
        "forbids this key to read the balance (403)",
        "Give the key that permission, or continue without it.",
    ),
    404: ("has no such path (404)", "Check the URL: both forms, with and without /v1, work."),
    429: ("received too many requests with this key (429)", "Wait a minute."),
}


def clock_findings(probes: Iterable[Probe]) -> Iterator[Finding]:
    """Compare the local clock with the servers'; one finding, from the first date."""
    for one in probes:
        there = http_date(one.date or "")
        if there is None:
            continue
        skew = one.at - there.timestamp()
        if abs(skew) > MAX_SKEW_S:
            which = "ahead" if skew > 0 else "behind"
            yield Finding(
                Level.PROBLEM,
                "clock",
                f"the local clock is {abs(skew):.0f} s {which} of the server's",
                "Set it (NTP): certificates, rate limits and signed URLs depend on it.",
            )
        else:
            yield Finding(Level.OK, "clock", f"within {MAX_SKEW_S:.0f} s of the server's")
        return


# --- collecting ----------------------------------------------------------------------------------


def collect(
    variables: Mapping[str, str],
    *,
    timeout_s: float = CHECK_TIMEOUT_S,
    clock: Callable[[], float] = time.time,
) -> Facts:
    """Inspect the local set-up, and send both APIs one or two short requests.

    Args:
        variables: Environment variables.
        timeout_s: Seconds to wait for each response.
        clock: Seconds since 1970.
    """
    where = api_urls(variables)
    key = key_to_send(variables)
    probes: tuple[Probe, ...] = ()
    setup_error = ""
    try:
        probes = () if where is None else tuple(probe(where, key, timeout_s, clock))
    except ConfigurationError as error:
        setup_error = error.message
    names = (OWN_DISTRIBUTION, CLASHING, *SUPPORTED)
    versions = {name: version for name in names if (version := _installed(name)) is not None}
    return Facts(tuple(sys.version_info[:3]), versions, variables, probes, setup_error)


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check_timeout(text: str) -> float:
    seconds = float(text)
    if not (math.isfinite(seconds) and 0 < seconds <= MAX_CHECK_TIMEOUT_S):
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds above 0, at most {MAX_CHECK_TIMEOUT_S:.0f}"
        )
    return seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the doctor's options to a parser."""
    parser.add_argument(
        "--timeout",
        type=_check_timeout,
        default=CHECK_TIMEOUT_S,
        metavar="SECONDS",
        help=f"maximum wait for each response (default: {CHECK_TIMEOUT_S:g})",
    )


def report(timeout_s: float = CHECK_TIMEOUT_S) -> int:
    """Run the checks and print the report.

    Args:
        timeout_s: Seconds to wait for each response.

    Returns:
        The exit status: 0 when there is no problem, 1 otherwise.
    """
    found = list(findings(collect(os.environ, timeout_s=timeout_s)))
    problems = sum(finding.level is Level.PROBLEM for finding in found)
    for finding in found:
        print(finding.lines())  # noqa: T201 - a command's output
    print(f"\n{problems or 'No'} problem{'' if problems == 1 else 's'} found.")  # noqa: T201 - the same
    return 1 if problems else 0
