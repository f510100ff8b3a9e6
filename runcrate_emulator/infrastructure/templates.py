"""Templates: the images on offer, in the one list that is paged by page number.

`ubuntu-cuda-devel` and `ubuntu-train` are named in the sources; the rest are the emulator's own.
"""

from datetime import UTC, datetime

from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.wire import Page, Result

_DEFAULT_PAGE_SIZE = 25  # official SDK 0.5.0
_MAX_PAGE = 100  # the emulator's own
_SORT_FIELDS = ("name", "category", "created_at")

TEMPLATES = {
    id_: {
        "id": id_,
        "name": name,
        "description": description,
        "category": category,
        "created_at": datetime(2026, 1, day, tzinfo=UTC),
    }
    for id_, name, description, category, day in (
        ("ubuntu-cuda-devel", "Ubuntu with CUDA", "Ubuntu 24.04, CUDA, nvcc", "base", 5),
        ("ubuntu-train", "Training", "Ubuntu, PyTorch and common trainers", "ml", 6),
        ("pytorch-2", "PyTorch", "PyTorch with CUDA in a ready Python", "ml", 7),
        ("llm-finetune", "LLM finetune", "Finetune a language model with LoRA", "ml", 8),
        ("vllm-server", "vLLM server", "Serve a model with vLLM", "inference", 9),
        ("comfyui", "ComfyUI", "Image pipelines in the browser", "media", 10),
        ("jupyter-lab", "JupyterLab", "Notebooks with a GPU", "development", 11),
        ("ubuntu-cpu", "Ubuntu", "Plain Ubuntu 24.04 without CUDA", "base", 12),
    )
}


routes = Endpoints()


@routes.add("GET /templates")
async def _list_templates(call: Call) -> Result:
    """`page`, `page_size`, `search`, `category`, `sort_by`, `sort_dir`."""
    page = call.integer("page", 1, 1)
    page_size = call.integer("page_size", _DEFAULT_PAGE_SIZE, 1, _MAX_PAGE)
    sort_by = call.choice("sort_by", _SORT_FIELDS) or "name"
    is_descending = call.choice("sort_dir", ("asc", "desc")) == "desc"
    category = call.query.get("category")
    found = [
        template
        for template in TEMPLATES.values()
        if category in (None, template["category"])
        and call.matches(*(str(template[name]) for name in ("id", "name", "description")))
    ]
    found.sort(key=lambda template: str(template[sort_by]), reverse=is_descending)
    start = (page - 1) * page_size
    return Page(
        found[start : start + page_size],
        total=len(found),
        has_more=start + page_size < len(found),
    )
