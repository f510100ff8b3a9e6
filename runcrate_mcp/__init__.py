"""Runcrate for every MCP client: GPU instances, jobs and media as tools, safe by default.

```bash
RUNCRATE_API_KEY=rc_live_... runcrate-mcp                      # tools that only read
RUNCRATE_API_KEY=rc_live_... runcrate-mcp --max-total-usd 5    # may spend, each time with approval
```
"""

from runcrate_core.toolkit import Extra, lazy_exports

# Type checkers and editors read the same names from `__init__.pyi`.
__all__, __getattr__, __dir__ = lazy_exports(
    "runcrate_mcp",
    {
        "server": ("build_server",),
        "settings": ("ServerSettings",),
    },
    extra=Extra("mcp", "The MCP SDK", "mcp"),
)
