"""The repository under test: its root, and the packages that are released."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "runcrate_core",
    "langchain_runcrate",
    "llamaindex_runcrate",
    "runcrate_emulator",
    "runcrate_mcp",
)
# The modules whose names users import.
FACES = (*PACKAGES, "runcrate_core.toolkit")


def name_of(path: Path) -> str:
    """Return a path below the root."""
    return path.relative_to(ROOT).as_posix()
