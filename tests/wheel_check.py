"""Build the wheel and try it with each extra alone, each in an empty environment.

`make wheel-check`, or `make wheel-check PYTHONS="/path/to/python3.12 /path/to/python3.13"` for
other interpreters as well. Needs the package index.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FRAMEWORKS = {"langchain": "langchain_core", "llamaindex": "llama_index", "emulator": "starlette"}
# What each extra promises: what is imported, and a name that must load.
USES = {
    "": ("runcrate_core", "Runcrate"),
    "langchain": ("langchain_runcrate", "ChatRuncrate"),
    "llamaindex": ("llamaindex_runcrate", "RuncrateLLM"),
    "emulator": ("runcrate_emulator", "Emulator"),
    "mcp": ("runcrate_mcp", "build_server"),
}
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
    assert f"pip install 'runcrate-integrations[{extra}]'" in str(error), error
else:
    raise AssertionError(f"{name} loads without its extra")
"""


def run(*command: str | Path, cwd: Path) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=cwd)


def try_extra(python: str, wheel: Path, extra: str, folder: Path) -> None:
    """Install the wheel with an extra into an empty environment and use it there."""
    home = folder / f"{Path(python).parent.parent.name}-{extra or 'plain'}"
    run(python, "-m", "venv", home, cwd=folder)
    inside = home / "bin" / "python"
    pip = (inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    run(*pip, "--constraint", ROOT / "constraints.txt", wanted, cwd=folder)
    unwanted = [module for name, module in FRAMEWORKS.items() if name != extra]
    if extra == "mcp":  # its own server stands on starlette
        unwanted.remove(FRAMEWORKS["emulator"])
    run(inside, "-c", CHECK, *USES[extra], *unwanted, cwd=folder)
    for other in USES.keys() - {"", extra}:
        if extra == "mcp" and other == "emulator":
            continue  # half of its packages are there
        run(inside, "-c", WITHOUT, *USES[other], other, cwd=folder)
    version = subprocess.run(
        [inside, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print(f"{version}, extra {extra or '(none)'}: works", flush=True)  # noqa: T201 - a command's output


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="wheel-check-") as name:
        folder = Path(name)
        build = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT)
        run(*build, cwd=folder)
        (wheel,) = folder.glob("*.whl")
        for python in (sys.executable, *sys.argv[1:]):
            for extra in USES:
                try_extra(python, wheel, extra, folder)


if __name__ == "__main__":
    main()
