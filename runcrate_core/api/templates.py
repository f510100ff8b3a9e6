"""Templates: the images that instances and jobs start from.

Facts: seed 003 and the official SDK 0.5.0. Templates belong to the workspace.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_page
from runcrate_core.api.resources import (
    AsyncResource,
    SyncResource,
    async_paged_endpoint,
    paged_endpoint,
)
from runcrate_core.protocol.paging import ListMeta, PageData, next_offset
from runcrate_core.protocol.request import RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call


class Template(ApiModel):
    """A template. `id` is what `instances.create(template=...)` takes."""

    id: str
    name: str = ""
    description: str | None = None
    category: str | None = None
    created_at: UtcDatetime | None = None


def list_templates(
    *,
    page: int = 1,
    page_size: int = 25,
    search: str | None = None,
    category: str | None = None,
    sort_by: str | None = None,
    sort_dir: str | None = None,
) -> Call[PageData[Template]]:
    """List templates, page by page. Iterating over the result goes through all pages.

    Args:
        page: Number of the first page, from 1.
        page_size: Templates a page.
        search: Only those in which this occurs.
        category: Only those of this category, such as `ml`.
        sort_by: Field to sort by, such as `name`.
        sort_dir: `asc` or `desc`.

    Returns:
        A page: `.data`, `.total`, `.has_more`, `.next_page()`.

    Example:
        ```python
        templates = client.templates.list(search="finetune", category="ml", page_size=10)
        print(templates.total)
        for template in templates:
            print(f"{template.name}: {template.category}")
        ```
    """
    filters = {"search": search, "category": category, "sort_by": sort_by, "sort_dir": sort_dir}
    return _page(page, page_size, filters)


def _page(number: int, size: int, filters: Mapping[str, Any]) -> Call[PageData[Template]]:
    query = {"page": number, "page_size": size, **filters}
    request = infrastructure_request("GET", "/templates", RetrySafety.SAFE, query=query)

    def following(meta: ListMeta, count: int) -> Callable[[], Call[PageData[Template]]] | None:
        end = next_offset(meta, offset=(number - 1) * size, count=count, page_size=size)
        return None if end is None else partial(_page, number + 1, size, filters)

    return Call(request, parse_page(Template, request, following))


class Templates(SyncResource):
    """`client.templates`."""

    list = paged_endpoint(list_templates)


class AsyncTemplates(AsyncResource):
    """`client.templates` of the asynchronous client."""

    list = async_paged_endpoint(list_templates)
