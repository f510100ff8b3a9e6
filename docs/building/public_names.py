"""Fills lists of public names in the reference, so that a new name cannot be missing.

`<!-- errors of PACKAGE -->` becomes all of a module's errors, base classes first;
`<!-- other names of PACKAGE -->` becomes the names that no page of the reference shows.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).parent.parent / "reference"
ERRORS = re.compile(r"<!-- errors of ([\w.]+) -->")
OTHERS = re.compile(r"<!-- other names of ([\w.]+) -->")
SHOWN = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


def on_page_markdown(markdown: str, **_kwargs: Any) -> str:
    """Replace the comments."""
    markdown = ERRORS.sub(lambda found: errors(found[1]), markdown)
    return OTHERS.sub(lambda found: others(found[1]), markdown)


def errors(package: str) -> str:
    """Return the errors of a package."""
    module = importlib.import_module(package)
    named = [(name, getattr(module, name)) for name in module.__all__]
    found = [(name, it) for name, it in named if is_error(it)]
    found.sort(key=lambda item: (len(item[1].__mro__), item[0]))
    options = "    options: {show_bases: true}"
    return "\n".join(f"::: {package}.{name}\n{options}" for name, _ in found)


def others(package: str) -> str:
    """Return the names of a package that are not on another page."""
    pages = "\n".join(
        page.read_text(encoding="utf-8") for page in REFERENCE.glob("*.md")
    )
    shown = set(SHOWN.findall(pages))
    module = importlib.import_module(package)
    return "\n".join(
        f"::: {package}.{name}"
        for name in module.__all__
        if not name.startswith("_") and f"{package}.{name}" not in shown
    )


def is_error(found: object) -> bool:
    """Return whether an object is a class of errors."""
    return isinstance(found, type) and issubclass(found, Exception)
