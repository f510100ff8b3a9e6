"""All tools, in the order in which an agent meets them.

Excluded on purpose: top-ups and auto-recharge, writing SSH keys and secrets, changing environments,
and creating storage, which has no automatic end.
"""

from __future__ import annotations

from typing import Final

from runcrate_core.agent_tools import (
    command_tools,
    instance_tools,
    job_tools,
    spending_tools,
    workspace_tools,
)

_ALL: Final = (
    *instance_tools.TOOLS,
    *workspace_tools.TOOLS,
    *job_tools.TOOLS,
    *spending_tools.TOOLS,
    *command_tools.TOOLS,
)
# Tools that start or terminate something come last.
TOOLS: Final = tuple(sorted(_ALL, key=lambda tool: tool.needs_limits))
