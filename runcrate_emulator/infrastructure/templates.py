"""Templates: the one list that is paged by page number."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.infrastructure.template_list import TEMPLATES
from runcrate_emulator.infrastructure.wire import (
    iso,
    many,
    query_choice,
    query_integer,
    search_matches,
)

_DEFAULT_PAGE_SIZE = 25  # official SDK 0.5.0
_MAX_PAGE = 100  # the emulator's own
_LAST_PAGE = 1_000_000  # only bounds the parameter
_SORT_FIELDS = ("name", "category", "created_at")


async def list_templates(request: Request) -> Response:
    """GET /templates: `page`, `page_size`, `search`, `category`, `sort_by`, `sort_dir`."""
    page = query_integer(request, "page", 1, 1, _LAST_PAGE)
    page_size = query_integer(request, "page_size", _DEFAULT_PAGE_SIZE, 1, _MAX_PAGE)
    sort_by = query_choice(request, "sort_by", _SORT_FIELDS) or "name"
    is_descending = query_choice(request, "sort_dir", ("asc", "desc")) == "desc"
    category = request.query_params.get("category")
    found = [
        template
        for template in TEMPLATES.values()
        if category in (None, template.category)
        and search_matches(request, template.id, template.name, template.description)
    ]
    found.sort(key=lambda template: str(getattr(template, sort_by)), reverse=is_descending)
    start = (page - 1) * page_size
    return many(
        (
            {
                "id": template.id,
                "name": template.name,
                "description": template.description,
                "category": template.category,
                "created_at": iso(template.created_at),
            }
            for template in found[start : start + page_size]
        ),
        total=len(found),
        has_more=start + page_size < len(found),
    )


routes = [Route("/templates", list_templates, methods=["GET"])]
