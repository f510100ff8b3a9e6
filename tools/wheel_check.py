"""Build the wheel and try it with each extra alone, each in an empty environment.

Then every page of the documentation is read as a newcomer does: what its `pip install` lines name
is installed, and its blocks run as printed in an empty directory against `runcrate-emulator`.

`make wheel-check`, or `make wheel-check PYTHONS="/path/to/python3.12 /path/to/python3.13"` for
other interpreters as well. Needs the package index.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from docs_blocks import PAGES, emulator, read, requirements

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {"langchain": "langchain_core", "llamaindex": "llama_index", "emulator": "starlette"}
# What each extra promises: what is imported, and a name that must load.
USES = {
    "": ("runcrate_core", "Runcrate"),
    "langchain": ("langchain_runcrate", "ChatRuncrate"),
    "llamaindex": ("llamaindex_runcrate", "RuncrateLLM"),
    "emulator": ("runcrate_emulator", "Emulator"),
    "mcp": ("runcrate_mcp", "build_server"),
    "ssh": ("asyncssh", "connect"),
    "deepagents": ("langchain_runcrate", "RuncrateSandbox"),
    "otel": ("runcrate_core.hooks.opentelemetry", "OpenTelemetryHook"),
}
# Extras that bring a framework: MCP's own server stands on starlette.
BRINGS = {"mcp": "emulator", "deepagents": "langchain"}
CHECK = """
import importlib, importlib.util, sys
package, name, unwanted = sys.argv[1], sys.argv[2], sys.argv[3:]
there = [module for module in unwanted if importlib.util.find_spec(module)]
assert not there, f"installed without being asked for: {there}"
getattr(importlib.import_module(package), name)
loaded = [module for module in (*unwanted, "openai") if module in sys.modules]
assert not loaded, f"loaded without being asked for: {loaded}"
"""
# What a newcomer reads who asks for a part whose extra is not installed.
WITHOUT = """
import importlib, sys
package, name, extra = sys.argv[1:]
try:
    getattr(importlib.import_module(package), name)
except ModuleNotFoundError as error:
    assert f'pip install "runcrate-integrations[{extra}]"' in str(error), error
else:
    raise AssertionError(f"{name} loads without its extra")
"""


def run(*command: str | Path, cwd: Path) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


def check_readme(wheel: Path) -> None:
    """Check that a package index can show the README: no link or image is relative."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    assert "# runcrate-integrations" in text
    relative = re.findall(r"\]\((?!https?://)[^)]*\)", text)
    assert not relative, f"relative links in the README of the wheel: {relative}"


def try_extra(python: str, wheel: Path, extra: str, folder: Path) -> None:
    """Install the wheel with an extra into an empty environment and use it there."""
    home = folder / f"{Path(python).parent.parent.name}-{extra or 'plain'}"
    run(python, "-m", "venv", home, cwd=folder)
    inside = home / "bin" / "python"
    pip = (inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    run(*pip, "--constraint", ROOT / "constraints.txt", wanted, cwd=folder)
    there = {extra, BRINGS.get(extra)}
    unwanted = [module for name, module in FRAMEWORKS.items() if name not in there]
    run(inside, "-c", CHECK, *USES[extra], *unwanted, cwd=folder)
    for other in {*FRAMEWORKS, "mcp"} - there:
        run(inside, "-c", WITHOUT, *USES[other], other, cwd=folder)
    version = subprocess.run(
        [inside, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print(f"{version}, extra {extra or '(none)'}: works", flush=True)


def read_pages(pages: list[Path], wheel: Path, folder: Path) -> list[str]:
    """Read pages in environments with just what each page says to install; return problems."""
    served = environment_with(folder / "served", [f"{wheel}[emulator,ssh]"], folder)
    homes: dict[tuple[str, ...], Path] = {}
    problems: list[str] = []
    for page in pages:
        name = "-".join(page.relative_to(ROOT).with_suffix("").parts)
        if "```python" not in page.read_text() or name == "CONTRIBUTING":
            continue
        named = tuple(requirements(page)) or ("runcrate-integrations",)
        if named not in homes:
            installed = [item.replace("runcrate-integrations", str(wheel)) for item in named]
            homes[named] = environment_with(folder / f"page-{len(homes)}", installed, folder)
        directory = folder / f"read-{name}"
        directory.mkdir()
        with emulator(served / "bin" / "runcrate-emulator") as variables:
            # Nothing of this repository can be imported there.
            around = {**os.environ, **variables, "PYTHONPATH": ""}
            found = read(page, homes[named] / "bin" / "python", directory, around)
        print(f"{name}, with {' '.join(named)}: {'; '.join(found) or 'as printed'}", flush=True)
        problems += found
    return problems


def environment_with(home: Path, installed: list[str], folder: Path) -> Path:
    """Make an environment and install requirements into it, the newest versions as a reader."""
    run(sys.executable, "-m", "venv", home, cwd=folder)
    pip = (home / "bin" / "python", "-m", "pip", "install", "--quiet")
    run(*pip, *installed, cwd=folder)
    return home


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-check-") as name:
        folder = Path(name)
        build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
        run(*build, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        check_readme(wheel)
        for python in (sys.executable, *sys.argv[1:]):
            for extra in USES:
                try_extra(python, wheel, extra, folder)
        if read_pages(PAGES, wheel, folder):
            sys.exit("The pages above do not run as printed.")


if __name__ == "__main__":
    main()
