"""Run the three uses one after another: `python -m examples`, or `make demo`."""

from __future__ import annotations

import time

from examples import gpu_agent, langchain_agent, llamaindex_rag
from examples.service import runcrate_service


def main() -> None:
    started = time.monotonic()
    with runcrate_service():
        for example in (langchain_agent, llamaindex_rag, gpu_agent):
            title = (example.__doc__ or "").strip().splitlines()[0]
            print(f"\n=== {title}\n")
            example.main()
    print(f"\nAll three ran in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
