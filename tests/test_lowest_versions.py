"""`constraints-lowest.txt` holds the lower ends of the ranges that pyproject.toml declares."""

from __future__ import annotations

import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

from tests.repository import ROOT


def test_the_lowest_versions_are_those_that_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    needed = [Requirement(text) for group in [project["dependencies"], *extras] for text in group]
    lowest = dict(
        line.split("==") for line in (ROOT / "constraints-lowest.txt").read_text().split()
    )
    declared = {
        package.name: Version(specifier.version)
        for package in needed
        for specifier in package.specifier
        if specifier.operator == ">=" and package.marker is None
    }
    assert {name: Version(version) for name, version in lowest.items()} == declared
