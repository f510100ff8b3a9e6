"""The machine images on offer.

`ubuntu-cuda-devel` and `ubuntu-train` are named in the sources; the rest are the emulator's own.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Template:
    """A machine image to launch with."""

    id: str
    name: str
    description: str
    category: str
    created_at: datetime


def _template(id: str, name: str, description: str, category: str, day: int) -> Template:  # noqa: A002 - the field's name
    return Template(id, name, description, category, datetime(2026, 1, day, tzinfo=UTC))


TEMPLATES = {
    template.id: template
    for template in (
        _template("ubuntu-cuda-devel", "Ubuntu with CUDA", "Ubuntu 24.04, CUDA, nvcc", "base", 5),
        _template("ubuntu-train", "Training", "Ubuntu, PyTorch and common trainers", "ml", 6),
        _template("pytorch-2", "PyTorch", "PyTorch with CUDA in a ready Python", "ml", 7),
        _template("llm-finetune", "LLM finetune", "Finetune a language model with LoRA", "ml", 8),
        _template("vllm-server", "vLLM server", "Serve a model with vLLM", "inference", 9),
        _template("comfyui", "ComfyUI", "Image pipelines in the browser", "media", 10),
        _template("jupyter-lab", "JupyterLab", "Notebooks with a GPU", "development", 11),
        _template("ubuntu-cpu", "Ubuntu", "Plain Ubuntu 24.04 without CUDA", "base", 12),
    )
}
