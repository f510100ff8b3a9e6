"""Run the three uses and agents that run commands: `python -m examples`, or `make demo`."""

from __future__ import annotations

import time

from examples import gpu_agent, langchain_agent, llamaindex_rag, train_on_instance
from examples.service import runcrate_service


def main() -> None:
    started = time.monotonic()
    with runcrate_service(on_chat=train_on_instance.simulated, ssh=True):
        for example in (langchain_agent, llamaindex_rag, gpu_agent, train_on_instance):
            title = (example.__doc__ or "").strip().splitlines()[0]
            print(f"\n=== {title}\n")
            example.main()
    print(f"\nAll of them ran in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
