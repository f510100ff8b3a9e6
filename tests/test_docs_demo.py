"""`make demo` tells the story that the README prints, and its answers are true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# How long the machine ran depends on this computer.
COST = re.compile(r"\d+\.\d\d USD")


def test_the_demo_prints_what_the_readme_says() -> None:
    readme = (ROOT / "README.md").read_text()
    story = re.search(r"`make demo` .*?```text\n(.*?)```", readme, re.DOTALL)
    assert story is not None
    without_key = {name: value for name, value in os.environ.items() if name != "LIVE"}
    ran = subprocess.run(
        (sys.executable, "-m", "examples"),
        cwd=ROOT,
        env=without_key,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = iter(ran.stdout.splitlines())
    for line in COST.sub("...", story[1]).splitlines():
        wanted = re.compile(".*".join(re.escape(part) for part in line.split("...")))
        assert any(wanted.fullmatch(given) for given in printed), f"{line!r} in {ran.stdout}"
    assert "The A100 has 80 GB of memory" in ran.stdout
    assert "Answer:   The environment variable `RUNCRATE_API_KEY` holds the API key." in ran.stdout
    assert "looks the instance up by name" in ran.stdout
    assert "Running now: nothing" in ran.stdout
