"""The Python blocks of the documentation pages, and a reader who runs them as printed.

`python tools/docs_blocks.py [PAGE ...]` reads pages with the interpreter that runs it: each page in
an empty directory of its own, against a `runcrate-emulator` that is started beside it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

FENCE = re.compile(
    r"(?P<mark><!-- not executed: (?P<reason>[^>]+?) -->\n+)?"
    r"^(?P<indent> *)```python[^\n]*\n(?P<code>.*?)^ *```\n"
    r"(?:\n* *```text\n(?P<prints>.*?)^ *```\n)?",
    re.DOTALL | re.MULTILINE,
)
# A command, but not the advice in an error message.
INSTALLED = re.compile(r"(?<!Run: )\bpip install ([^`#\n]+)")
# Printed between two blocks, so that the output of each are kept apart.
MARK = "\x1eblock "
MARKED = 'if __name__ == "__main__":\n    print("\\x1eblock {}", flush=True)\n'
# An interactive session goes on after an error and shows it; a script ends.
SESSION = """
import json, sys
for number, code in enumerate(json.load(open(sys.argv[1]))):
    print(f"\\x1eblock {number}", flush=True)
    try:
        exec(compile(code, f"block {number}", "exec"), globals())
    except Exception as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


@dataclass(frozen=True)
class Block:
    """One Python block: its line, its code, and the output that the page shows."""

    line: int
    code: str
    reason: str | None  # why it is not executed
    indent: str
    prints: str | None
    prints_span: tuple[int, int]


def blocks(text: str) -> Iterator[Block]:
    """Yield the Python blocks of a page, each with the `text` block behind it."""
    for fence in FENCE.finditer(text):
        prints = fence["prints"]
        yield Block(
            line=text.count("\n", 0, fence.start("code")),
            code=textwrap.dedent(fence["code"]),
            reason=fence["reason"],
            indent=fence["indent"],
            prints=None if prints is None else textwrap.dedent(prints),
            prints_span=fence.span("prints"),
        )


def matches(prints: str, printed: str) -> bool:
    """Compare an output with the page; `...` in the page stands for any text."""
    pattern = ".*".join(map(re.escape, prints.strip().split("...")))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def shows_errors(page: Path) -> bool:
    """Return whether a page shows the errors that blocks raise."""
    shown = [block.prints for block in blocks(page.read_text()) if block.prints]
    return any(re.match(r"\w+Error: ", prints) for prints in shown)


def requirements(page: Path) -> list[str]:
    """Return the arguments of all `pip install` commands of a page."""
    commands = INSTALLED.findall(page.read_text())
    parts = {part.strip("\"'") for command in commands for part in command.split()}
    return sorted(part for part in parts if part[0].isalpha())


def read(
    page: Path, python: str | Path, directory: Path, environment: Mapping[str, str]
) -> list[str]:
    """Run a page's blocks as printed, in one interpreter; return what differs from the page."""
    shown = [block for block in blocks(page.read_text()) if block.reason is None]
    script = directory / "page.py"
    arguments: list[str | Path] = [script]
    if shows_errors(page):
        listing = directory.parent / f"{directory.name}.json"
        listing.write_text(json.dumps([block.code for block in shown]))
        script = directory.parent / f"{directory.name}.session.py"
        script.write_text(SESSION)
        arguments = [script, listing]
    else:
        marked = (MARKED.format(number) + block.code for number, block in enumerate(shown))
        script.write_text("\n".join(marked))
    if any("def test_" in block.code for block in shown):
        arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider", script]
    ran = subprocess.run(
        [python, *arguments],
        cwd=directory,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if ran.returncode != 0:
        return [f"exit code {ran.returncode}:\n{ran.stdout[-2000:]}\n{ran.stderr[-3000:]}"]
    outputs = dict(part.split("\n", 1) for part in ran.stdout.split(MARK)[1:])
    return [
        f"line {block.line} prints:\n{printed}\nand not:\n{block.prints}"
        for number, block in enumerate(shown)
        if block.prints is not None and "pytest" not in arguments
        if not matches(block.prints, printed := outputs.get(str(number), ""))
    ]


@contextmanager
def emulator(command: str | Path) -> Iterator[dict[str, str]]:
    """Run `runcrate-emulator` as a reader does; give the variables that it prints."""
    started = subprocess.Popen(
        [command, "--port", "0", "--clock-speed", "60", "--ssh"], stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    variables: dict[str, str] = {}
    try:
        for line in started.stdout:
            if not line.startswith("export "):
                break
            name, _, value = line.removeprefix("export ").strip().partition("=")
            variables[name] = value
        # Its log of requests must be read, or the pipe fills up and it stops.
        threading.Thread(target=deque, args=(started.stdout, 0), daemon=True).start()
        yield variables
    finally:
        started.terminate()
        started.wait()


def main() -> int:
    """Read the pages that are named, or all, and print what differs."""
    pages = [Path(name).resolve() for name in sys.argv[1:]] or PAGES
    command = shutil.which("runcrate-emulator", path=str(Path(sys.executable).parent))
    failed = 0
    with tempfile.TemporaryDirectory(prefix="read-docs-") as home:
        for page in pages:
            if "```python" not in page.read_text():
                continue
            name = "-".join(page.relative_to(ROOT).with_suffix("").parts)
            directory = Path(home) / name
            directory.mkdir()
            # One emulator a page, as each page is read on a new day.
            with emulator(command or "runcrate-emulator") as variables:
                problems = read(page, sys.executable, directory, {**os.environ, **variables})
            print(f"{name}: {'; '.join(problems) or 'as printed'}", flush=True)
            failed += bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
