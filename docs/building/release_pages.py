"""Adds the changelog to the site, and the version to each page's footer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

from runcrate_core import __version__

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

CHANGELOG = Path(__file__).parent.parent.parent / "CHANGELOG.md"


def on_config(config: MkDocsConfig, **_kwargs: Any) -> MkDocsConfig:
    """Put the version that the pages describe into the footer."""
    config.copyright = f"runcrate-integrations {__version__}, MIT License"
    return config


def on_files(files: Files, config: MkDocsConfig, **_kwargs: Any) -> Files:
    """Add the repository's changelog as a page."""
    text = CHANGELOG.read_text(encoding="utf-8")
    files.append(File.generated(config, "changelog.md", content=text))
    return files
