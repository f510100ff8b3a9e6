"""Links each test that a page names to its source, on a page of the site.

`tests/core/test_faults_money.py::test_25_only_an_explicit_yes_approves` becomes a link.
"""

from __future__ import annotations

import ast
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
PAGE = "help/promised_tests.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def on_files(files: Files, config: MkDocsConfig, **_kwargs: Any) -> Files:
    """Add the page with the source of the tests that are named anywhere."""
    texts = [file.content_string for file in files.documentation_pages()]
    named = sorted({found for text in texts for found in NAMED.findall(text)})
    files.append(File.generated(config, PAGE, content=page_of(named)))
    return files


def on_page_markdown(markdown: str, page: Page, **_kwargs: Any) -> str:
    """Make names of tests links."""
    if page.file.src_uri == PAGE:
        return markdown
    here = posixpath.dirname(page.file.src_uri)
    there = posixpath.relpath(PAGE, here or ".")
    return NAMED.sub(lambda it: f"[`{it[2]}`]({there}#{it[2]} '{it[1]}')", markdown)


def page_of(named: list[tuple[str, str]]) -> str:
    """Return a page with the source of tests, grouped by file."""
    parts = [
        "# Tests behind the guarantees",
        "The source of each test that these pages name.",
    ]
    for path in sorted({path for path, _ in named}):
        source = (ROOT / path).read_text(encoding="utf-8")
        parts.append(f"## {path}")
        parts += [
            f"### {name} {{ #{name} }}\n\n```python\n{text}\n```"
            for name, text in functions(source)
            if (path, name) in named
        ]
    return "\n\n".join(parts) + "\n"


def functions(source: str) -> list[tuple[str, str]]:
    """Return the functions of a module with their source, decorators included."""
    lines = source.splitlines()
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(it.lineno for it in node.decorator_list)])
            found.append((node.name, "\n".join(lines[first - 1 : node.end_lineno])))
    return found
